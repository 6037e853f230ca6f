"""Each way in which what a compiled function has read can change: its calls are the eager ones."""

import warnings

import pytest

import tinygpt
from tests.core.reads import classes, containers, functions, modules
from tests.core.reads.cases import CASES

pytestmark = [pytest.mark.fast, pytest.mark.usefixtures("native")]
FILES = (classes, containers, functions, modules)  # each adds its cases


def values(function):
    try:
        return function().detach().tolist()
    except Exception as error:
        return type(error).__name__


def calls(made, compiled):
    """The values of five calls, and of three after the change; and the function."""
    tinygpt.manual_seed(1)
    made.__globals__["x"] = tinygpt.tensor([1.0, -2.0, 3.0])
    function, change = made()
    run = tinygpt.compile(function) if compiled else function
    before = [values(run) for _ in range(5)]
    change()
    return before + [values(run) for _ in range(3)], run


@pytest.mark.parametrize("made", CASES, ids=lambda made: made.__name__[3:])
def test_a_change_is_followed(made):
    expected, _ = calls(made, False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # and the function is replayed
        given, run = calls(made, True)
    assert given == expected and expected[4] != expected[5]
    assert run.captures < 8
