"""The console's entries: whether one is complete, what it compiles to, and the names that it finds.

An entry runs in the namespace of `__main__`. While it runs, that also has `tinygpt`, `loop`, and
the objects of the loop that runs or ran last (`names`): they are lent (`lent`). A name that the
user or the editor's program has assigned wins over one that is lent. Afterwards `__main__` holds
none of them, so that no model of an earlier run stays in memory.
"""

from __future__ import annotations

import ast
import codeop
import dis
import itertools
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import __main__

from .source_limits import parsed
from .tracebacks import remember_source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import CodeType

FLAGS = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
_numbers = itertools.count(1)
_complete = codeop.CommandCompiler()
_complete.compiler.flags |= FLAGS
_lent: dict[str, Any] = {}  # what `__main__` has for as long as an entry runs


# ---- source ----


def title(kind: str) -> str:
    """A filename for a source that is no file: "<console 3>"."""
    return "<%s %d>" % (kind, next(_numbers))


def codes(source: str, filename: str, with_value: bool = True) -> tuple[CodeType, CodeType | None]:
    """(the statements, the last expression or None), compiled with `await` at top level."""
    remember_source(filename, source)
    tree = parsed(source, filename, FLAGS)
    last = value = None
    if with_value and tree.body and isinstance(end := tree.body[-1], ast.Expr):
        tree.body.pop()
        last = ast.Expression(end.value)
        value = compile(last, filename, "eval", FLAGS, dont_inherit=True)
    return compile(tree, filename, "exec", FLAGS, dont_inherit=True), value


def unfinished(source: str) -> bool:
    """Whether more lines must follow: an open bracket or string, or a block that no empty line has
    closed.
    """
    lines = source.split("\n")
    if len(lines) > 1 and not lines[-1].strip():
        return _open(source)
    block = (
        source.rstrip().endswith(":") or (len(lines) > 1 and lines[-1][:1] in (" ", "\t")) or lines[0].startswith("@")
    )
    return _open(source) or block and _valid(source)


def _open(source: str) -> bool:
    try:
        return _complete(source, symbol="exec") is None
    except (SyntaxError, ValueError, OverflowError):
        return False  # running it shows the error


def _valid(source: str) -> bool:
    try:
        return bool(parsed(source).body)
    except (SyntaxError, ValueError):
        return False


# ---- names ----


def names() -> dict[str, Any]:
    """{name: object}: tinygpt, loop; of the loop that runs or ran last: what its step refers to,
    what it keeps (model, optimizer, data), the Run as `run`, and `loss`, its last training loss in
    nats per token.
    """
    package, loop = sys.modules.get("tinygpt"), sys.modules.get("tinygpt.loop")
    if package is None or loop is None:
        return {}
    found: dict[str, Any] = {}
    run = loop.current
    if run is not None:
        step = getattr(run.compiled, "function", None)
        closed_over = getattr(getattr(step, "__code__", None), "co_freevars", ())
        for name, cell in zip(closed_over, getattr(step, "__closure__", None) or ()):
            try:
                found[name] = cell.cell_contents
            except ValueError:
                pass  # it has no value yet
        found.update({name: kept for name, kept in run.kept.items() if str(name).isidentifier()})
        found["run"] = run
        for entry in reversed(run.history):
            if len(entry) == 2 and entry[1] is not None:
                found["loss"] = entry[1]
                break
    return {**found, "tinygpt": package, "loop": loop}


@contextmanager
def lent(entry: Iterable[CodeType | None]) -> Iterator[None]:
    """Inside, `__main__` has `names` too. What the entry assigned is the user's from then on."""
    global _lent
    space = __main__.__dict__
    outer = {name: value for name, value in _lent.items() if name in space and space[name] is value}
    for name in outer:  # an entry that trains is running: a step later `model` may be another one
        del space[name]
    _lent = {name: value for name, value in names().items() if name not in space}
    space.update(_lent)
    assigned: set[str] = set()
    try:
        yield
        assigned = _assigned(entry)
    finally:
        for name, value in _lent.items():
            if name not in assigned and name in space and space[name] is value:
                del space[name]
        _lent = outer
        for name, value in outer.items():
            space.setdefault(name, value)


def _assigned(entry: Iterable[CodeType | None]) -> set[str]:
    """The names that the code assigns at top level. `model = model` makes no other object."""
    stores = ("STORE_NAME", "STORE_GLOBAL")
    return {i.argval for code in entry if code is not None for i in dis.get_instructions(code) if i.opname in stores}
