"""Random messages come back from the page as they were sent (tests/fuzz/channel.py)."""

from tests.fuzz import channel


def test_random_messages_are_the_same_after_both_directions():
    assert channel.run(600, seed=7, long=0.01) == []
