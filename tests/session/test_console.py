"""The console's entries, natively: when one is complete, the names that it finds, and whose they
are.
"""

import sys
import types
from pathlib import Path

import pytest

import __main__
import tinygpt
from tinygpt import GPT, ModelConfig, loop

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.fast


@pytest.fixture
def console(monkeypatch):
    """The module, in a package without the parts of the page that need Pyodide."""
    package = types.ModuleType("session_without_page")
    package.__path__ = [str(ROOT / "py" / "tinygpt_session")]
    monkeypatch.setitem(sys.modules, "session_without_page", package)
    before, space = set(sys.modules), dict(__main__.__dict__)
    monkeypatch.setattr(loop, "current", None)
    from session_without_page import console

    yield console
    __main__.__dict__.clear()
    __main__.__dict__.update(space)
    for name in set(sys.modules) - before:
        if name.startswith("session_without_page."):
            del sys.modules[name]


def run_with(**kept):
    run = loop.Run()
    run.state.kept.update(kept)
    return run


def executed(console, source):
    """The value of an entry."""
    statements, last = console.codes(source, console.title("console"))
    with console.lent((statements, last)):
        exec(statements, __main__.__dict__)
        return None if last is None else eval(last, __main__.__dict__)


@pytest.mark.parametrize(
    "source, more",
    [("1", False), ("f(", True), ("if x:", True), ("if x:\n    y", True), ("if x:\n    y\n", False), ("'''a", True),
     ("@f", True), ("x = )", False), ("await f()", False)],
)  # fmt: skip
def test_more_lines_follow_an_open_bracket_or_block(console, source, more):
    assert console.unfinished(source) is more


def test_without_a_run_the_names_are_the_package_s(console):
    assert executed(console, "tinygpt, loop") == (tinygpt, loop)
    with pytest.raises(NameError, match="'model' is not defined"):
        executed(console, "model")


def test_the_names_are_what_the_run_keeps_and_what_its_step_refers_to(console, monkeypatch):
    model = GPT(ModelConfig(layers=1, d_model=12, heads=3, context=8))
    config = "a variable of train()"
    if model is None:
        late = 0

    @tinygpt.compile
    def step():
        return config, late

    run = run_with(model=model)
    run.state.compiled = step
    run.state.history += [(0, 5.5), (1, 5.25), (1, None, 5.4)]
    monkeypatch.setattr(loop, "current", run)
    assert executed(console, "[model, run, loss, config]") == [model, run, 5.25, config]
    assert "late" not in console.names()
    assert executed(console, "[m.num_parameters() for m in (model,)] + list(map(lambda n: n + loss, [1]))") == [
        model.num_parameters(),
        6.25,
    ], "functions and comprehensions find them too"
    assert not {"model", "run", "loss", "config"} & set(__main__.__dict__), "nothing stays in memory"


def test_a_name_that_an_entry_assigned_is_the_user_s(console, monkeypatch):
    first, second = run_with(model="first"), run_with(model="second")
    monkeypatch.setattr(loop, "current", first)
    executed(console, "model = model; run = 5")
    with pytest.raises(ZeroDivisionError):
        executed(console, "loop = 1 / 0")
    monkeypatch.setattr(loop, "current", second)
    assert executed(console, "model, run, loop") == ("first", 5, loop)
    executed(console, "del model, run")
    assert executed(console, "model, run") == ("second", second)


def test_an_entry_within_an_entry_finds_the_run_of_now(console, monkeypatch):
    first, second = run_with(model="first"), run_with(model="second")
    monkeypatch.setattr(loop, "current", first)

    def inner():
        monkeypatch.setattr(loop, "current", second)
        return executed(console, "model")

    __main__.inner = inner
    assert executed(console, "[inner(), model]") == ["second", "first"]
    assert "model" not in __main__.__dict__
