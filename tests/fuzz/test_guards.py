"""A small count of tests/fuzz/guards.py."""

import pytest

from tests.fuzz import guards

pytestmark = [pytest.mark.fast, pytest.mark.usefixtures("native")]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_compiled_calls_follow_what_changes_between_them():
    findings, replays = guards.run(2000, seed=5)
    assert findings == []
    assert replays > 1000, "most calls replay"
