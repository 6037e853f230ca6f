"""The import contract: within a distribution package an import points down the layers, never up,
and never round in a circle.

A check reads every `import` of the sources with `ast`, those inside functions too; nothing is
imported.
"""

import ast
import pathlib

import pytest

pytestmark = pytest.mark.fast
ROOT = pathlib.Path(__file__).resolve().parents[2]

# The layers from the highest to the lowest, and the modules in each: a module is in the layer of
# its longest prefix here. Modules of one layer may import each other, but in no circle.
LAYERS = {
    "torch": "torch",
    "train": "train",
    "package": "__init__",
    "loop": "loop",
    "training": "training",
    "tools": "tools",
    "generate": "generate",
    "model": "model data checkpoint",
    "nn": "nn optim schedule",
    "functional": "functional",
    "ops": "ops",
    "core": "core",
    "graph": "graph",
    "devices": "devices",
    "files": "storage corpora tokenizer config",
    "base": "kernels core.eager core.state core.quoting plot",
}
HEIGHT = {layer: -i for i, layer in enumerate(LAYERS)}
PREFIXES = {prefix: layer for layer, prefixes in LAYERS.items() for prefix in prefixes.split()}
PACKAGES = {"tinygpt": ROOT / "py" / "tinygpt", "reference": ROOT / "reference"}


def layer_of(module):
    """The layer of "tinygpt.ops.norm"; None of a package whose __init__ only holds modules
    together.
    """
    parts = module.split(".")[1:] or ["__init__"]
    found = [".".join(parts[:n]) for n in range(len(parts), 0, -1) if ".".join(parts[:n]) in PREFIXES]
    return PREFIXES[found[0]] if found else None


def sources(package):
    """{module: (path, text)}; a package's own name is its __init__."""
    out = {}
    for path in sorted(PACKAGES[package].rglob("*.py")):
        parts = (package, *path.relative_to(PACKAGES[package]).with_suffix("").parts)
        out[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path, path.read_text()
    return out


def imports(module, path, text, known):
    """(imported module of the package, line) of each import in it."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join(above + ([node.module] if node.module else []))
            names = [base + "." + alias.name if base + "." + alias.name in known else base for alias in node.names]
        else:
            continue
        yield from ((name, node.lineno) for name in names if name in known and name != module)


def arrows(package, texts):
    return [(a, b, path, line) for a, (path, text) in texts.items() for b, line in imports(a, path, text, texts)]


def rising(found):
    """A sentence for each import that points to a higher layer."""
    return [
        "%s:%d: %s (layer %s) imports %s (layer %s above it)"
        % (path.relative_to(ROOT), line, a, layer_of(a), b, layer_of(b))
        for a, b, path, line in found
        if layer_of(a) and layer_of(b) and HEIGHT[layer_of(b)] > HEIGHT[layer_of(a)]
    ]


def circles(found):
    """A sentence for each import that closes a circle."""
    targets = {}
    for a, b, path, line in found:
        targets.setdefault(a, {})[b] = "%s:%d" % (path.relative_to(ROOT), line)
    done, out = set(), []

    def visit(module, way):
        for b, place in targets.get(module, {}).items():
            if b in way:
                out.append("%s: closes the circle %s" % (place, " -> ".join([*way[way.index(b) :], b])))
            elif b not in done:
                visit(b, [*way, b])
        done.add(module)

    for module in targets:
        if module not in done:
            visit(module, [module])
    return out


@pytest.mark.parametrize("package", PACKAGES)
def test_no_import_points_up_and_none_goes_round(package):
    found = arrows(package, sources(package))
    assert not (rising(found) if package == "tinygpt" else []) + circles(found)


def test_every_module_has_a_layer():
    assert not [m for m, (path, text) in sources("tinygpt").items() if layer_of(m) is None and ast.parse(text).body[1:]]


@pytest.mark.parametrize("package", PACKAGES)
def test_an_import_inside_a_function_says_why_on_its_line(package):
    silent = []
    for path, text in sources(package).values():
        lines = text.splitlines()
        for function in [
            n for n in ast.walk(ast.parse(text)) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        ]:
            for node in ast.walk(function):
                if isinstance(node, (ast.Import, ast.ImportFrom)) and "# " not in lines[node.end_lineno - 1]:
                    silent.append("%s:%d: %s" % (path.relative_to(ROOT), node.lineno, lines[node.lineno - 1].strip()))
    assert not silent


def test_a_reversed_arrow_is_seen():
    """One import added by hand, inside a function too, is named with its file, its line and both
    layers.
    """
    texts = sources("tinygpt")
    path, text = texts["tinygpt.core.tensor"]
    texts["tinygpt.core.tensor"] = path, text + "\n\ndef later():\n    from ..ops import norm\n"
    line = len(text.splitlines()) + 4
    found = arrows("tinygpt", texts)
    assert rising(found) == [
        "py/tinygpt/core/tensor.py:%d: tinygpt.core.tensor (layer core) imports tinygpt.ops.norm (layer ops above it)"
        % line
    ]
    assert any("closes the circle" in text and "tinygpt.core.tensor" in text for text in circles(found))
