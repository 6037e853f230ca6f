"""A small count of the autograd fuzz; `python3 -m tests.fuzz.autograd --count 100000` runs more."""

import tinygpt
from tests.fuzz import autograd


def test_random_programs_equal_pytorch():
    tinygpt.set_device("native")
    assert autograd.fuzz(400, seed=1_000_000) > 2000
