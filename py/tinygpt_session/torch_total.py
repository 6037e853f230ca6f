"""How many steps a program of plain PyTorch code will make: the lengths of the loops around its
`optimizer.step()`, as far as they can be known without running anything.
"""

from __future__ import annotations

import ast
import linecache
from typing import TYPE_CHECKING, Any

from .source_limits import parsed
from .torch_states import of_program

if TYPE_CHECKING:
    from types import FrameType

MOST_FRAMES = 50


def of_stack(frame: FrameType | None) -> int | None:
    """The product of the lengths of the `for` loops that the stack is in; None where one of them is
    not known, or there is none.
    """
    total = None
    for _ in range(MOST_FRAMES):
        if frame is None:
            break
        if of_program(frame):
            for loop in _loops_around(frame):
                count = _length(loop.iter, frame)
                if count is None:
                    return None
                total = count if total is None else total * count
        frame = frame.f_back
    return total


def _loops_around(frame: FrameType) -> list[ast.For]:
    """The `for` statements of the frame's code that its current line is in."""
    lines = linecache.getlines(frame.f_code.co_filename)
    try:
        tree = parsed("".join(lines))
    except (SyntaxError, ValueError, RecursionError):
        return []
    scope: Any = tree
    name, first = frame.f_code.co_name, frame.f_code.co_firstlineno
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == name:
            if first in (node.lineno, *[d.lineno for d in node.decorator_list]):
                scope = node
    found: list[ast.For] = []
    _collect(scope, frame.f_lineno, found)
    return found


def _collect(node: Any, line: int, found: list[ast.For]) -> None:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            continue
        if isinstance(child, ast.For) and child.body[0].lineno <= line <= (child.end_lineno or line):
            found.append(child)
        _collect(child, line, found)


def _length(node: ast.expr, frame: FrameType) -> int | None:
    """How often a loop over this expression runs."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if node.func.id == "range":
            bounds = [_value(argument, frame) for argument in node.args]
            if all(type(b) is int for b in bounds) and bounds:
                return len(range(*bounds))  # pyright: ignore[reportArgumentType]
            return None
        if node.func.id in ("enumerate", "tqdm", "trange", "reversed", "list") and node.args:
            if node.func.id == "trange":
                return _length(ast.Call(ast.Name("range"), node.args, []), frame)
            return _length(node.args[0], frame)
        return None
    value = _value(node, frame)
    try:
        return len(value) if value is not None else None
    except Exception:
        return None


def _value(node: ast.expr, frame: FrameType) -> Any:
    """A constant, a name, an attribute of one, or arithmetic of such; None for anything else."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return frame.f_locals.get(node.id, frame.f_globals.get(node.id))
    if isinstance(node, ast.Attribute):
        owner = _value(node.value, frame)
        return getattr(owner, "__dict__", {}).get(node.attr, getattr(type(owner), node.attr, None))
    if isinstance(node, ast.BinOp):
        left, right = _value(node.left, frame), _value(node.right, frame)
        if type(left) is int and type(right) is int and abs(left) < 1 << 40 and abs(right) < 1 << 40:
            kind = type(node.op)
            if kind in (ast.Add, ast.Sub, ast.Mult):
                return left + right if kind is ast.Add else left - right if kind is ast.Sub else left * right
            if kind is ast.FloorDiv and right:
                return left // right
    return None
