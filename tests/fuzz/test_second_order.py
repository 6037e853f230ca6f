"""A small count of the fuzz of gradients of gradients; `python3 -m tests.fuzz.second_order --count
20000` runs more.
"""

import tinygpt
import tinygpt.torch as front
from tests.fuzz import second_order


def test_random_programs_equal_pytorch():
    tinygpt.set_device("native")
    was = front.front.active
    try:
        assert second_order.fuzz(150, seed=1_000_000) > 700
    finally:
        if not was:
            front.front.leave()
