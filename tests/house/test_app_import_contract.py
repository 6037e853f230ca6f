"""The imports of the page, of its Python side and of the set-up run down the layers, in no circle.

A file may import from its own folder and from the rows below. Imports inside functions count; so do
JavaScript's `import()` and `new URL("file.js", import.meta.url)`, by which a worker is started.
Types in comments do not count.
"""

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.fast

# From the top down. An entry is a folder with all below it, or a file without its suffix.
# A file's own entry goes before its folder's.
PAGE = (
    ("shell/site",),  # starts main.js where the page is a static build
    ("main",),
    ("start",),
    ("shell", "panels"),
    ("share", "data", "speed", "files"),
    ("store",),
    ("run",),
    ("chart", "editor", "rich"),
    ("worker",),
    ("bridges",),
    ("ui",),
)
SESSION = (
    ("__init__",),
    ("execute",),
    ("features", "language"),
    ("torch_finder",),
    ("torch_program",),
    ("step_boundary",),
    ("rich_output",),
    ("dispatch", "training_bridge", "console", "torch_total", "page_files"),
    ("torch_states", "torch_lines"),
    ("tracebacks", "json_values", "interruptible", "wheel_finder", "source_limits", "named_texts"),
    ("output_channel", "protocol", "fetching"),
)
SETUP = (
    ("licences",),
    ("__init__", "build"),
    ("runtime", "corpora", "extension"),
    ("wheels", "bytecode", "shakespeare"),
    ("packages",),
    ("stage",),
)
BUNDLED = ("editor/bundle",)  # its imports are npm packages, put together at set-up
COMMENT = re.compile(r"/\*\*.*?\*/|^\s*//[^\n]*", re.M | re.S)
ARROWS = (
    re.compile(r'^\s*(?:import|export)\b[^"\';]*\bfrom\s*"(\.[^"]+)"', re.M),
    re.compile(r'^\s*import\s*"(\.[^"]+)"', re.M),
    re.compile(r'\bimport\(\s*"(\.[^"]+)"'),
    re.compile(r'\bnew URL\(\s*"([^"]+\.js)",\s*import\.meta\.url'),
)


def scripts(folder):
    """{file without suffix, from `folder` on: [the same of what it imports]}"""
    found = {}
    for path in sorted(folder.rglob("*.js")):
        text = COMMENT.sub("", path.read_text())
        targets = [(path.parent / name).resolve() for arrow in ARROWS for name in arrow.findall(text)]
        for target in targets:
            assert target.is_file() or "vendor" in target.parts, "%s imports %s, which does not exist" % (path, target)
        name = path.relative_to(folder).with_suffix("").as_posix()
        found[name] = [t.relative_to(folder).with_suffix("").as_posix() for t in targets if t.is_relative_to(folder)]
    return found


def modules(folder, package):
    """The same of a Python package. `from . import x` leads to x where that is a module, else to
    the package.
    """

    def place(name):
        return folder.joinpath(*name.removeprefix(package).split(".")[1:])

    found = {}
    for path in sorted(folder.rglob("*.py")):
        arrows = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                if node.level:
                    base = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
                elif (node.module + ".").startswith(package + "."):
                    base = place(node.module)
                else:
                    continue
                arrows.update(base / alias.name if _module(base / alias.name) else base for alias in node.names)
            elif isinstance(node, ast.Import):
                arrows.update(place(alias.name) for alias in node.names if (alias.name + ".").startswith(package + "."))
        found[_name(path.with_suffix(""), folder)] = [_name(_module(arrow), folder) for arrow in arrows]
    return found


def _module(path):
    """The file of a module or package without its suffix, or None."""
    if path.with_suffix(".py").is_file():
        return path
    return path / "__init__" if (path / "__init__.py").is_file() else None


def _name(path, folder):
    return path.relative_to(folder).as_posix()


def broken(graph, layers):
    """Sentences: arrows that run up or aside, files that no row holds, the first circle."""
    rank = {entry: row for row, entries in enumerate(layers) for entry in entries}

    def entry(name):
        return next((e for e in sorted(rank, key=len, reverse=True) if name == e or name.startswith(e + "/")), None)

    said = ["%s is in no layer" % name for name in graph if entry(name) is None]
    for name, arrows in graph.items():
        for target in arrows:
            ours, theirs = entry(name), entry(target)
            if ours and theirs and ours != theirs and rank[theirs] <= rank[ours]:
                said.append("%s imports %s, which is not below it" % (name, target))
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        said.append("a circle: " + " -> ".join(error.args[1]))
    return said


def page():
    return {name: arrows for name, arrows in scripts(ROOT / "app").items() if name not in BUNDLED}


CASES = {
    "page": (page, PAGE),
    "session": (lambda: modules(ROOT / "py" / "tinygpt_session", "tinygpt_session"), SESSION),
    "setup": (lambda: modules(ROOT / "tools" / "setup", "tools.setup"), SETUP),
}


@pytest.mark.parametrize("case", CASES)
def test_imports_run_down_the_layers_and_in_no_circle(case):
    read, layers = CASES[case]
    graph = read()
    assert sum(map(len, graph.values())) > 5, "hardly an import was found: the pattern no longer fits"
    assert broken(graph, layers) == []


@pytest.mark.parametrize("case", CASES)
def test_one_arrow_turned_round_is_found(case):
    read, layers = CASES[case]
    graph = read()
    pairs = ((name, arrow) for name, arrows in graph.items() for arrow in arrows)
    name, target = next((name, arrow) for name, arrow in pairs if name.partition("/")[0] != arrow.partition("/")[0])
    graph[target] = [*graph[target], name]
    assert any("not below" in sentence for sentence in broken(graph, layers))
    assert any("circle" in sentence for sentence in broken(graph, layers))
