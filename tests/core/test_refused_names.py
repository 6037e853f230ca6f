"""A name of PyTorch that TinyGPT lacks says what to do in its place, and stays absent."""

import importlib

import pytest
import torch

import tinygpt
from tinygpt.core import refused_names

pytestmark = pytest.mark.fast


def things():
    """(ours, PyTorch's, the names that ours lacks with their advice)."""
    parameters = [[lib.nn.Parameter(lib.ones(2))] for lib in (tinygpt, torch)]
    yield tinygpt.ones(2), torch.ones(2), refused_names.TENSOR
    yield tinygpt.nn.Linear(1, 1), torch.nn.Linear(1, 1), refused_names.MODULE
    yield tinygpt.optim.SGD(parameters[0], 0.1), torch.optim.SGD(parameters[1], 0.1), refused_names.OPTIMIZER
    for name, names in refused_names.MODULES.items():
        theirs = {"tinygpt": "torch", "tinygpt.functional": "torch.nn.functional"}.get(name)
        yield (
            importlib.import_module(name),
            importlib.import_module(theirs or name.replace("tinygpt", "torch")),
            names,
        )


def test_each_name_is_pytorchs_and_answers_with_its_advice():
    for ours, theirs, names in things():
        for name, advice in names.items():
            assert hasattr(theirs, name) and not hasattr(ours, name), name
            with pytest.raises(AttributeError) as caught:
                getattr(ours, name)
            assert str(caught.value).endswith("has no %s; %s" % (name, advice))
        with pytest.raises(AttributeError, match="has no attribute 'no_such_name'"):
            ours.no_such_name  # noqa: B018


def test_a_module_of_the_user_may_use_the_name():
    class Net(tinygpt.nn.Module):
        def half(self):
            return 0.5

    net = Net()
    net.cuda = True
    net.state = tinygpt.nn.Parameter(tinygpt.ones(1))
    assert net.half() == 0.5 and net.cuda is True and list(net.state_dict()) == ["state"]
    net.register_buffer("type", tinygpt.ones(1))
    assert net.type is not None
