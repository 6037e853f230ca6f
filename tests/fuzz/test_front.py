"""A share of the random calls of tests/fuzz/front.py."""

import pytest

from .front import run

pytestmark = pytest.mark.fast


def test_random_calls_equal_pytorchs():
    from tinygpt.torch.front import enter, leave

    enter()
    try:
        assert not list(run(600, "test"))
    finally:
        leave()
