"""A few thousand random expressions of integers find nothing (tests/fuzz/integers.py has the
command for more).
"""

import pytest

from tests.fuzz import integers


@pytest.mark.fast
@pytest.mark.filterwarnings("ignore")  # PyTorch's, of what it will change
@pytest.mark.parametrize("device, count", [("native", 3000), ("reference", 600)])
def test_expressions_of_integers_equal_pytorch(device, count):
    import torch

    import tinygpt as tg

    before = tg.get_device()
    tg.set_device(device)
    try:
        assert integers.run(count, 15, torch) == []
    finally:
        tg.set_device(before.name)
