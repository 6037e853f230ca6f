"""A small count of the aliases fuzz; `python3 -m tests.fuzz.aliases --count 10000` runs more."""

import tinygpt
from tests.fuzz import aliases


def test_random_programs_equal_pytorch():
    tinygpt.set_device("native")
    assert aliases.fuzz(100, seed=1_000_000) > 900
