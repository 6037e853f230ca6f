"""No interpreter reads a hostile source more deeply than its stack allows: natively, and in the
page while a run trains.
"""

import re
import sysconfig
from pathlib import Path

import pytest

from tests.fuzz.sources import attack, loaded
from tests.hosts import ROOT
from tests.page.conftest import Tab, slowness
from tests.security import sources
from tests.security.figures import record

limits = loaded()
DEEP = limits.DEPTH + 1

# name -> (the source of n levels, the levels that n of them are)
CONSTRUCTS = {
    "attributes": (lambda n: "a" + ".b" * n, 1),
    "calls": (lambda n: "a" + "()" * n, 1),
    "subscripts": (lambda n: "a" + "[0]" * n, 1),
    "not": (lambda n: "not " * n + "a", 1),
    "minus": (lambda n: "-" * n + "a", 1),
    "powers": (lambda n: "a**" * n + "a", 1),
    "sums": (lambda n: "a+" * n + "a", 1),
    "sums of lines": (lambda n: "(a\n" + " + a  # (\n" * (n - 1) + ")", 1),
    "sums of strings": (lambda n: "'('" + "+'('" * n, 1),
    "conditionals": (lambda n: "a if b else " * n + "a", 2),
    "conditionals of numbers": (lambda n: "1if 1else " * n + "1", 2),
    "lambdas": (lambda n: "lambda: " * n + "a", 1),
    "lambdas with parameters": (lambda n: "lambda a, b: " * n + "a", 1),
    "targets of comprehensions": (lambda n: "[a" + " for a, b in c" * n + "]", 2),
    "groups with attributes": (lambda n: "(" * n + "a" + ").b.c" * n, 3),
    "groups with calls": (lambda n: "(" * n + "a" + ")()" * n, 2),
    "calls in calls": (lambda n: "f(" * n + "a" + ")" * n, 2),
    "calls in long calls": (lambda n: "f(a, b=1, *c, d=" * n + "a" + ")" * n, 2),
    "a formatted string": (lambda n: "f'{a" + ".b" * n + "}'", 1),
    "a format": (lambda n: "f'{a:{b" + ".c" * n + "}}'", 1),
    "branches": (lambda n: "if a: pass\n" + "elif b: pass\n" * n, 1),
    "branches behind a joined line": (lambda n: "if a: pass\n" + "\\\nelif b: pass\n" * n, 1),
    "branches of branches": (lambda n: "if a:\n if b: pass\n" + " elif c: pass\n" * n, 1),
    "returns": (lambda n: "a = (\r" + "-\r" * n + "a)", 1),
}


@pytest.mark.fast
@pytest.mark.parametrize("source, levels", CONSTRUCTS.values(), ids=CONSTRUCTS)
def test_a_construct_passes_until_its_levels_are_too_many(source, levels):
    limits.limit(source((limits.DEPTH - 12) // levels))
    with pytest.raises(SyntaxError, match="nests more than 300 levels deep") as caught:
        limits.limit(source(DEEP), "model.py")
    assert caught.value.filename == "model.py" and 1 <= caught.value.lineno <= len(source(DEEP).splitlines())
    assert "\n" not in str(caught.value) and "model.py, line %d" % caught.value.lineno in str(caught.value)


FLAT = {
    "items": "x = [" + "a.b(c) + 1, " * 5000 + "]",
    "a dict": "x = {" + "'k': f(a, b)[0].c,\n" * 5000 + "}",
    "strings": "x = (" + "'a' \"b\"\n" * 5000 + ")",
    "statements": "a.b.c(d)\n" * 5000,
    "statements in a line": "a.b.c(d);" * 5000,
    "cases": "match a:\n" + " case 1: pass\n" * 2000,
    "handlers": "try: pass\n" + "except A: pass\n" * 2000,
    "decorators": "@a.b(c)\n" * 2000 + "def f(): pass",
    "a bracket that is being typed": "f(\n" + "x = a.b(c) + 1\n" * 2000,
    "a string that is being typed": 'x = """\n' + "a.b + (\n" * 2000,
    "text of brackets": "x = '''" + "((((" * 2000 + "'''",
    "a comment of brackets": "# " + "((((" * 2000,
    "formatted text": "f'" + "{a.b} ((( {{ " * 2000 + "'",
    "functions": "def f(a, b=(1, 2)):\n    return a.b\n" * 2000,
}


@pytest.mark.fast
@pytest.mark.parametrize("source", FLAT.values(), ids=FLAT)
def test_what_is_long_and_not_deep_passes(source):
    limits.limit(source)


@pytest.mark.fast
def test_the_projects_sources_and_the_standard_librarys_pass():
    library = Path(sysconfig.get_paths()["stdlib"])
    paths = [*sorted(library.glob("*.py")), *(ROOT / "py").rglob("*.py"), *(ROOT / "tests").rglob("*.py")]
    assert len(paths) > 400
    for path in paths:
        limits.limit(path.read_text(encoding="utf-8"), str(path))


@pytest.mark.fast
def test_a_source_that_is_too_long_is_refused_at_once():
    with pytest.raises(SyntaxError, match="the source has 1,000,001 characters: at most 1,000,000 are read"):
        limits.compiled("#" * 1_000_001, "train.py")


@pytest.mark.fast
def test_what_python_itself_finds_too_complex_is_a_sentence():
    """Where the limits are too wide for an interpreter."""
    wide = loaded()
    wide.DEPTH = 10**6
    for function in (wide.compiled, wide.parsed):
        with pytest.raises(SyntaxError, match="too complex for Python's compiler|too many nested"):
            function("a**" * 9000 + "a", "train.py")


@pytest.mark.fast
def test_random_sources_that_pass_are_not_deep():
    passed, refused = attack(500, 16)
    assert passed > 30 and refused > 30


@pytest.mark.fast
def test_nothing_else_of_the_session_compiles_a_text():
    """compile(tree) of what `parsed` gave is no text."""
    for path in (ROOT / "py" / "tinygpt_session").rglob("*.py"):
        if path.name == "source_limits.py":
            continue
        text = path.read_text()
        assert "ast.parse" not in text and "literal_eval" not in text, path
        for argument in re.findall(r"(?<![\w.])compile\(([^,)]+)", text):
            assert argument in ("tree", "last"), (path, argument)


def test_every_hostile_source_is_read_natively():
    wrong = sources.read(slowness())
    record("sources", len(sources.SOURCES), len(sources.SOURCES) - len(wrong))
    assert wrong == []


IN_THE_PAGE = """async ([sources, training]) => {
    const { Session } = await import("/app/worker/session.js");
    const session = new Session({ threads: 1 });
    let end = null;
    const died = new Promise((resolve) => (session.restart = (reason) => resolve((end = reason))));
    await session.ready;
    const run = session.run(training, { mode: "script" });
    const late = (ms) => new Promise((resolve) => setTimeout(() => resolve("no answer"), ms));
    const read = async (source) => {
        const lines = source.split("\\n");
        const last = { source, file: "train.py", line: lines.length, column: lines.at(-1).length };
        await Promise.all([
            session.request("check", { source, file: "train.py" }),
            session.request("complete", last),
            session.request("describe", { ...last, column: last.column >> 1 }),
        ]);
    };
    const wrong = [];
    while (sources.length && !end) {
        const some = sources.splice(0, 10);
        const found = await Promise.race([Promise.all(some.map(([, source]) => read(source))), died, late(60000)]);
        if (typeof found === "string") wrong.push([found, some.map(([name]) => name)]);
    }
    let steps = 0;
    session.addEventListener("training", () => steps++);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    session.interrupt();
    const outcome = await Promise.race([run, died, late(5000)]);
    session.worker.terminate();
    return { wrong, steps, end: outcome.status ?? outcome };
}"""
TRAINING = """
import time
from tinygpt import loop
def train(run):
    for _ in run.steps(10**6):
        time.sleep(0.002)
        run.log(1.0)
loop.run(train)
"""


@pytest.mark.browser
def test_hostile_sources_leave_an_interpreter_that_trains(browser, server):
    """Checked, completed and described between two steps."""
    chosen = [(name, text) for name, text in sources.SOURCES.items() if len(text) < 20_000][::2]
    chosen += [(name, "x = " + source(n)) for name, (source, _) in CONSTRUCTS.items() for n in (280, 3000)
               if not source(1).startswith("if")]  # fmt: skip
    assert len(chosen) >= 100
    tab = Tab(browser, server, ready=False)
    found = tab.page.evaluate(IN_THE_PAGE, [chosen, TRAINING])
    assert found["wrong"] == [] and found["steps"] > 3 and found["end"] == "stopped"
    record("sources in the page", len(chosen), len(chosen) - len(found["wrong"]))
    tab.close()
