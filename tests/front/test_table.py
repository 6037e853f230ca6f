"""The table of PyTorch's names: each is here, or says in a sentence that it is not; the docs page
and the list of names are what the tool writes.
"""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.fast
SENTENCE = "is not in TinyGPT's subset of PyTorch"


def owner_of(namespace):
    from tinygpt.torch import table

    return table._owner(namespace)


def namespaces():
    from tinygpt.torch.names import NAMES

    return list(NAMES)


@pytest.mark.parametrize("namespace", namespaces())
def test_each_name_is_here_or_says_that_it_is_not(front, namespace):
    from tinygpt.torch import table

    owner = owner_of(namespace)
    found = table.entries(namespace)
    for name, (status, said) in found.items():
        assert not said or (said[0] != " " and not said.endswith(".")), (name, said)
        if owner is None:
            continue
        if status != "absent":
            assert hasattr(owner, name) or isinstance(owner, type), (namespace, name)
            continue
        with pytest.raises(AttributeError) as raised:
            print(namespace, name, getattr(owner, name))
        assert SENTENCE in str(raised.value) and name in str(raised.value), (namespace, name)
    assert owner is None or not hasattr(owner, "a_name_that_pytorch_lacks")


def test_the_list_and_the_page_are_what_the_tool_writes():
    command = [sys.executable, "-m", "tools.torch_names", "--check"]
    answer = subprocess.run(command, capture_output=True, text=True)
    assert answer.returncode == 0, "run python3 -m tools.torch_names: " + answer.stderr
