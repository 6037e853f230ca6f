"""The editor's requests (py/tinygpt_session/language/completion.py and diagnostics.py), answered
natively. The source never runs.
"""

import sys
import time
import types
from pathlib import Path

import pytest

import tinygpt

ROOT = Path(__file__).resolve().parents[2]
TRAIN = (ROOT / "py" / "tinygpt" / "train.py").read_text()
MODEL = (ROOT / "py" / "tinygpt" / "model.py").read_text()
pytestmark = pytest.mark.fast


@pytest.fixture(scope="module")
def completing():
    """The module, in a package without the parts of the page that need Pyodide."""
    package = types.ModuleType("session_without_page")
    package.__path__ = [str(ROOT / "py" / "tinygpt_session")]
    requests = types.ModuleType("session_without_page.dispatch")
    requests.handles = lambda name: lambda function: function
    before = set(sys.modules)
    sys.modules.update({"session_without_page": package, "session_without_page.dispatch": requests})
    from session_without_page.language import completion, diagnostics

    completion.check = diagnostics.check
    yield completion
    for name in set(sys.modules) - before:
        if name.startswith("session_without_page"):
            del sys.modules[name]


def at(source, file="train.py"):
    """The position of the ¦ in a source."""
    before, _, after = source.partition("¦")
    return {
        "source": before + after,
        "line": before.count("\n") + 1,
        "column": len(before.rpartition("\n")[2]),
        "file": file,
    }


@pytest.fixture
def options(completing):
    def ask(source, file="train.py"):
        return {option["label"]: option for option in completing.complete(at(source, file))["options"]}

    return ask


@pytest.fixture
def describe(completing):
    return lambda source, file="train.py": completing.describe(at(source, file))


@pytest.fixture
def check(completing):
    return lambda source, file="train.py": completing.check({"source": source, "file": file})


# ---- completion ----


def test_the_attributes_of_the_package_come_with_type_signature_and_first_line(options):
    found = options("import tinygpt\ntinygpt.¦")
    assert set(found) >= {"Tensor", "manual_seed", "nn", "zeros", "GPT"}
    assert (
        found["nn"]["type"] == "module" and found["Tensor"]["type"] == "class" and found["zeros"]["type"] == "function"
    )
    assert found["zeros"]["detail"].startswith("(*shape, dtype=") and found["zeros"]["info"] == "A tensor of zeros."
    assert not any(name.startswith("_") for name in found)


def test_what_a_module_imports_for_its_annotations_is_no_member(options):
    for module in ("tinygpt", "tinygpt.nn", "tinygpt.optim", "tinygpt.functional"):
        assert not {"TYPE_CHECKING", "Any", "annotations"} & set(options("import %s\n%s.¦" % (module, module)))
    assert {"TYPE_CHECKING", "Any"} <= set(options("import typing\ntyping.¦"))


def test_an_unfinished_call_on_a_line_of_the_real_loop_completes(options):
    source = TRAIN.replace("lambda: optim.AdamW(", "lambda: optim.Ad¦(")
    assert options(source)["AdamW"]["detail"].startswith("(params, lr=0.001")
    assert "AdamW" in options("from tinygpt import optim\nx = f(optim.Ad¦")
    assert "AdamW" in options("from tinygpt import optim\ndef f():\n    if x:\n        y = [optim.Ad¦\n    return 1")


def test_local_variables_parameters_and_arguments_of_the_call_complete(options):
    found = options(TRAIN.replace("logits, loss = model(x, y)", "logits, loss = model(¦)"))
    assert found["tokenizer"]["type"] == "variable" and found["optimizer"]["detail"] == "AdamW"
    assert found["run"]["detail"] == "Run" and found["step"]["type"] == "function" and found["GPT"]["type"] == "class"
    assert found["while"]["type"] == "keyword" and found["len"]["type"] == "function"
    found = options("from tinygpt import optim\no = optim.AdamW(p, l¦)")
    assert found["lr="]["boost"] > found["len"]["boost"]
    assert "inner" not in options("def f():\n    inner = 1\n\nx = i¦")


def test_what_run_keep_makes_is_known_by_its_lambda(options):
    body = "    for i in run.steps(config.steps):\n"
    found = options(TRAIN.replace(body, "    optimizer.¦\n" + body))
    assert {"zero_grad", "step"} <= set(found) and ("param_groups" in found) == (
        sys.version_info >= (3, 13)
    )  # __static_attributes__
    assert {"lr", "weight_decay"} <= set(options(TRAIN.replace(body, "    config.¦\n" + body)))
    assert {"keep", "due", "log"} <= set(options(TRAIN.replace(body, "    run.¦\n" + body)))
    assert "context" in options(TRAIN.replace(body, "    shape.¦\n" + body))


def test_classes_of_the_source_itself_complete_with_what_their_methods_assign(options):
    source = (
        "from tinygpt import nn\nclass Mine(nn.Module):\n    def __init__(self):\n        self.wide = nn.Linear(1, 2)\n"
    )
    source += "    def forward(self, x):\n"
    found = options(source + "        return self.¦\n")
    assert {"wide", "forward", "parameters", "state_dict"} <= set(found) and found["wide"]["detail"] == "Linear"
    assert "forward" in options(source + "        pass\nm = Mine()\nm.¦") and "parameters" in options(
        source + "        self.wide.¦"
    )
    assert "named_parameters" in options(source + "        super().¦")


def test_the_model_file_resolves_its_relative_imports(options):
    line = "        x = x + self.drop(self.attn(self.norm1(x), cache))"
    assert "gelu" in options(MODEL.replace(line, "        F.¦"), "model.py")
    found = options(MODEL.replace(line, "        self.¦"), "model.py")
    assert {"norm1", "attn", "mlp", "drop", "train"} <= set(found) and found["attn"]["detail"] == "Attention"
    assert {"transpose", "view"} <= set(options(MODEL.replace(line, "        x.¦"), "model.py"))
    assert "d_model" in options("class A:\n    def __init__(self, config):\n        config.¦", "model.py")


def test_imports_complete_with_modules_and_their_names(options):
    assert "AdamW" in options("from tinygpt.optim import A¦") and "optim" in options("from tinygpt import o¦")
    assert "functional" in options("from . import fun¦", "model.py") and "tinygpt" in options("import ti¦")
    assert "Dataset" in options("from tinygpt.data import (\n    Da¦\n)")


def test_names_of_main_complete_and_only_in_the_file_that_runs_there(options, monkeypatch):
    import __main__

    monkeypatch.setattr(__main__, "noted_in_the_console", {"a": 1}, raising=False)
    assert options("noted_¦")["noted_in_the_console"]["detail"] == "dict of 1"
    assert "keys" in options("noted_in_the_console.¦")
    assert "noted_in_the_console" not in options("noted_¦", "model.py")


def test_the_console_completes_the_objects_of_the_run(options, describe, monkeypatch):
    from tinygpt import loop

    run = loop.Run()
    run.state.kept["model"] = tinygpt.GPT(tinygpt.ModelConfig(layers=1, d_model=12, heads=3, context=8))
    monkeypatch.setattr(loop, "current", run)
    assert options("mode¦", "console")["model"]["detail"].startswith("GPT") and "loop" in options("loo¦", "console")
    assert "num_parameters" in options("model.¦", "console") and options("model.¦") == {}
    assert describe("mod¦el", "console")["type"].startswith("GPT") and describe("mod¦el") is None


def test_the_variables_of_the_running_loop_are_live(options, describe):
    """A request between two steps finds the loop's function on the stack."""
    source = "def train(run):\n    strange = make()\n    ¦\n"
    running = "def train(run):\n    import tinygpt\n    strange = tinygpt.zeros(2, 3)\n    return ask()\n"
    space = {
        "ask": lambda: (options(source.replace("¦", "strange.¦")), describe("def train(run):\n    str¦ange = make()\n"))
    }
    exec(compile(running, "train.py", "exec"), space)
    found, description = space["train"](None)
    assert "transpose" in found and description["type"] == "Tensor [2, 3] float32"


def test_nothing_of_the_user_runs(options, describe, monkeypatch):
    import __main__

    class Trap:
        plain = 1

        @property
        def prop(self):
            raise AssertionError("a property was read")

        def __getattribute__(self, name):
            raise AssertionError("%s was read" % name)

        def __repr__(self):
            raise AssertionError("repr was called")

    monkeypatch.setitem(vars(__main__), "trap", Trap())
    assert {"plain", "prop"} <= set(options("trap.¦")) and options("trap.prop.¦") == {}
    assert options("trap.¦")["prop"]["type"] == "variable" and describe("tr¦ap")["type"] == "Trap"
    assert options("ran = []\nran.append(1)\n(ran := [1]).¦")["append"]["type"] == "function" and not hasattr(
        __main__, "ran"
    )
    assert options("__import__('os').¦") == {} and options("exit().¦") == {}


BROKEN = [
    "",
    "¦",
    "((((¦",
    "def ¦",
    "class A(¦",
    "'''¦",
    "x = 1 +¦ +",
    "@¦",
    "\tif x:\n  y¦",
    "é = 1; é.¦",
    "lambda¦",
    "a.\0¦",
    "from ¦",
]


@pytest.mark.parametrize("source", BROKEN)
def test_a_broken_source_gets_an_answer(completing, source):
    assert isinstance(completing.complete(at(source))["options"], list)
    completing.describe(at(source))
    assert isinstance(completing.check({"source": source.replace("¦", ""), "file": "train.py"}), list)
    assert completing.complete({"source": "x", "line": 9, "column": 4}) == {"options": []}


@pytest.mark.alone
def test_answers_are_quick(completing):
    place = at(TRAIN.replace("loss.backward()", "tinygpt.¦"))
    completing.complete(place)
    times = []
    for _ in range(10):
        begun = time.perf_counter()
        completing.complete(place)
        times.append(time.perf_counter() - begun)
    assert min(times) < 0.03, times


# ---- hover ----


def test_hover_on_a_class_tells_its_signature_and_first_paragraph(describe):
    description = describe(TRAIN.replace("optim.AdamW", "optim.Ad¦amW"))
    assert (
        description["label"] == "AdamW"
        and description["type"] == "class"
        and description["signature"].startswith("(params, lr=0.001, betas=(0.9, 0.999)")
    )
    summary = tinygpt.optim.AdamW.__doc__.strip().split("\n\n")[0].replace("\n    ", "\n")
    assert description["doc"] and description["doc"] == summary


def test_hover_on_names_of_the_source(describe):
    assert describe(TRAIN.replace("norm = tinygpt", "nor¦m = tinygpt"))["type"] == "Tensor"
    assert describe(TRAIN.replace("GPT(shape)", "GPT(sh¦ape)"))["type"] == "ModelConfig"
    assert describe("def f(a, b=2):\n    'Adds.'\n\nf¦(1)")["signature"] == "(a, b=2)"
    assert describe("def f¦(a, b=2):\n    'Adds.'")["doc"] == "Adds."
    assert (
        describe("from tinygpt import op¦tim")["type"] == "module"
        and describe("from tinygpt.op¦tim import SGD")["type"] == "module"
    )
    assert describe("fo¦r i in x: pass") is None and describe("nowhere_¦known") is None


# ---- problems ----


def test_a_broken_line_is_marked_where_it_is_broken(check):
    (problem,) = check("x = 1\ny = (2 +\n")
    assert problem["line"] == 2 and problem["severity"] == "error" and problem["message"] == "'(' was never closed"
    assert (problem["column"], problem["end_column"]) == (4, 5)
    (problem,) = check("def f():\nreturn 1")
    assert problem["line"] == 2 and "indented block" in problem["message"]
    assert check("x = 1\nreturn x")[0]["message"] == "'return' outside function"
    assert check("é = 1\nx = 'ü' + + * 2")[0]["line"] == 2


def test_names_that_are_defined_nowhere_are_warned_of(check):
    (problem,) = check("import os\n\ndef f(a):\n    ü = os.sep + a + sped\n    return ü\n")
    assert problem["severity"] == "warning" and problem["message"] == "sped is not defined"
    assert (problem["line"], problem["column"], problem["end_column"]) == (4, 21, 25)
    assert [p["message"] for p in check("class A:\n    b = 1\n    def f(self):\n        return b\n")] == [
        "b is not defined"
    ]


def test_correct_code_has_no_problems(check):
    for file in sorted((ROOT / "py" / "tinygpt").rglob("*.py")):
        assert check(file.read_text(), file.name) == [], file
    for source in [
        "from math import *\nprint(sin(pi))",
        "def f():\n    global g\n    g = 1\n\ndef h():\n    return g",
        "[x for y in range(3) for x in range(y)]",
        "try:\n    pass\nexcept ValueError as e:\n    print(e)",
        "match [1]:\n    case [a, *b]:\n        print(a, b)\n    case {'k': v, **rest}:\n        print(v, rest)",
        "with open('f') as f, open('g') as (a, b):\n    f, a, b",
        "class A:\n    x = 1\n    y = x\n    def f(self) -> 'Later':\n        return __class__",
        "def f(a, /, b, *c, d, **e):\n    return a, b, c, d, e, (lambda z, *w: (z, w))",
        "if (n := 3) > 2:\n    print(n)",
        "async def f():\n    async for i in g():\n        yield i\nasync def g():\n    yield 1",
        "import a.b.c, d as e\na.b, e",
        "await f()\nasync def f(): pass",
        "for i, (j, *k) in []:\n    i, j, k\nelse:\n    del i",
    ]:
        assert check(source) == [], source


def test_the_compilers_warnings_are_reported(check):
    (problem,) = check("x = 1\nif x is 'a':\n    pass")
    assert problem["line"] == 2 and problem["severity"] == "warning" and '"is"' in problem["message"]
