"""The front's answer to each probe is PyTorch's: type, value, dtype, shape, gradient, kind of error
and printed text. Where it is not, limited.txt says how.
"""

import pytest
import torch

from tests.front import probe
from tests.hosts import ROOT

pytestmark = pytest.mark.fast
FOLDER = ROOT / "tests" / "front" / "probes"
LIMITED = probe.limited(FOLDER / "limited.txt")
TABLES = sorted(path for path in FOLDER.glob("*.txt") if path.stem != "limited")


@pytest.mark.parametrize("table", TABLES, ids=lambda path: path.stem)
def test_the_answers_are_pytorchs(table, front):
    # PyTorch's own test module, which other files import, locks these; and they may have been set.
    torch.backends.flags_frozen.__globals__["__allow_nonbracketed_mutation_flag"] = True
    for package in (torch, front):
        backends = package.backends
        backends.cuda.matmul.allow_tf32 = backends.cudnn.deterministic = backends.cudnn.benchmark = False
        backends.cudnn.enabled = backends.cudnn.allow_tf32 = True
        package.use_deterministic_algorithms(False)
    found = []
    for line in probe.read(table):
        difference = probe.check(line, front)
        if difference and line not in LIMITED:
            found.append("%s\n    %s" % (line, difference))
        elif line in LIMITED and not difference:
            found.append("%s\n    is limited no more" % line)
    assert not found, "%d differ\n%s" % (len(found), "\n".join(found))


def test_there_are_many_probes_and_each_limited_one_is_among_them():
    lines = [line for table in TABLES for line in probe.read(table)]
    assert len(lines) >= 6000 and LIMITED.keys() <= set(lines)
