"""Plans of the elementwise kernels: unary, unary_backward, binary, binary_scalar, where; and what
movement_plan.py shares with them, merging dimensions and the number of workgroups of a flat kernel.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from ....kernels import BINARY, DTYPES, MAX_RANK, UNARY
from ..dispatch_plan import kernel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..dispatch_plan import Planner


W = 256  # invocations of a workgroup
LARGE = 1 << 20  # elements from which an invocation takes four of them (or four vectors)
UNARY_NAME = {code: name for name, code in UNARY.items()}
BINARY_NAME = {code: name for name, code in BINARY.items()}
SIGN = {"eq": "==", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "bitand": "&", "bitor": "|", "bitxor": "^"}
TYPE = {DTYPES["float32"]: "f32", DTYPES["int32"]: "i32", DTYPES["int64"]: "i32"}
OVERFLOWS = ("add", "sub", "mul", "floordiv", "lshift")  # int64 that may leave 32 bits


def flat(n: int, vec4: bool, element: str = "u32") -> tuple[int, dict[str, Any]]:
    """(workgroups, defines) of a flat kernel over n elements."""
    V, U = 4 if vec4 else 1, 4 if n >= LARGE else 1
    return -(-n // (V * U * W)), dict(V=V, U=U, W=W, T="vec4<%s>" % element if vec4 else element)


def merged(sizes: Sequence[int], *strides: Sequence[int]) -> tuple[list[int], list[list[int]]]:
    """Sizes and strides without dimensions of size 1, neighbours merged where all strides allow:
    (sizes, [strides of each operand]).
    """
    out: list[tuple[int, list[int]]] = []  # (size, strides), innermost last
    for n, *steps in zip(sizes, *strides):
        if n == 1:
            continue
        if out and all(outer == n * step for outer, step in zip(out[-1][1], steps)):
            out[-1] = (out[-1][0] * n, steps)
        else:
            out.append((n, steps))
    return [n for n, _ in out], [list(column) for column in zip(*(steps for _, steps in out))] or [[] for _ in strides]


def dimensions(p: Any, *prefixes: str) -> tuple[list[int], list[list[int]]]:
    """`merged` for the params of the strided kernels."""
    return merged(*([getattr(p, "%s%d" % (letter, d)) for d in range(MAX_RANK)] for letter in ("n", *prefixes)))


def broadcast(sizes: Sequence[int], strides: Sequence[int]) -> tuple[str | None, int]:
    """(mode, size) of an operand by the names of elementwise.wgsl; mode None: only the strided
    kernel reads it.
    """
    n, (s,) = merged(sizes, strides)
    if not any(s):
        return ("one", 1) if n else ("dense", 1)
    known: dict[tuple[int, ...], tuple[str | None, int]] = {
        (1,): ("dense", 1),
        (0, 1): ("row", n[-1]),
        (1, 0): ("column", n[-1]),
    }
    return known.get(tuple(s), (None, 1))


def piece(operand: Any, mode: str | None, start: int, count: int) -> Any:
    return operand.part(start, count) if mode == "dense" else operand


def run_flat(
    d: Planner,
    shader: str,
    n: int,
    out: Any,
    operands: dict[str, Any],
    modes: Sequence[tuple[str | None, int]],
    defines: Any,
    params: dict[str, Any] | None = None,
    flag: dict[str, Any] | None = None,
) -> None:
    """A flat broadcasting kernel. operands: {name: Operand or None}, modes: [(mode, size)] in the
    same order. flag: the error word of a checked one, which computes no element behind the last.
    """
    vec4 = (
        not flag
        and d.vec4(out, *operands.values())
        and all(size % 4 == 0 for mode, size in modes if mode in ("row", "column"))
    )
    for start, count in d.ranges(n):
        groups, shape = flat(count, vec4)
        V = shape["V"]
        buffers = {
            name: piece(o, mode, start, count) for (name, o), (mode, _) in zip(operands.items(), modes) if o is not None
        }
        sizes = {
            name + "_size": size // V if mode in ("row", "column") else 1 for name, (mode, size) in zip(operands, modes)
        }
        values: dict[str, Any] = dict(n=count, first=start // V, **sizes, **(params or {}))
        names = dict(operands=tuple(operands), modes=tuple(mode for mode, _ in modes))
        buffers.update(flag or {})
        d.run(shader, groups, dict(out=out.part(start, count), **buffers), values, **names, **shape, **defines)


def run_strided(
    d: Planner, shader: str, n: int, out: Any, operands: Any, sizes: Any, strides: Any, letters: Any, defines: Any
) -> None:
    """The general broadcasting kernel: one element an invocation takes each operand at its own
    strides.
    """
    groups, shape = flat(n, False)
    values = dict(n=n, **{"n%d" % i: size for i, size in enumerate(sizes)})
    for letter, steps in zip(letters, strides):
        values.update({"%s%d" % (letter, i): s for i, s in enumerate(steps)})
    d.run(shader, groups, dict(out=out, **operands), values, rank=len(sizes), **shape, **defines)


def count(sizes: Any) -> Any:
    n = 1
    for size in sizes:
        n *= size
    return n


@kernel("unary")
def unary(d: Planner, p: Any, b: Any) -> None:
    for start, n in d.ranges(p.n):
        out, x = b.out.part(start, n), b.x.part(start, n)
        groups, shape = flat(n, d.vec4(out, x), "f32")
        d.run("elementwise.unary", groups, dict(out=out, x=x), dict(n=n), op=UNARY_NAME[p.op], **shape)


@kernel("unary_backward")
def unary_backward(d: Planner, p: Any, b: Any) -> None:
    for start, n in d.ranges(p.n):
        out, dy, saved = (o.part(start, n) for o in (b.dx, b.dy, b.saved))
        groups, shape = flat(n, d.vec4(out, dy, saved), "f32")
        d.run(
            "elementwise.unary_backward",
            groups,
            dict(out=out, dy=dy, saved=saved),
            dict(n=n),
            op=UNARY_NAME[p.op],
            **shape,
        )


def binary_defines(op: str, dtype: int) -> dict[str, Any]:
    defines: dict[str, Any] = dict(binary=True, op=op, E=TYPE[dtype], wide=dtype == DTYPES["int64"])
    return dict(defines, sign=SIGN[op]) if op in SIGN else defines


@kernel("binary")
def binary(d: Planner, p: Any, b: Any) -> None:
    sizes, strides = dimensions(p, "a", "b")
    n = count(sizes)
    if n == 0:
        return
    defines = binary_defines(BINARY_NAME[p.op], p.dtype)
    modes = [broadcast(sizes, s) for s in strides]
    operands = dict(a=b.a, b=b.b)
    flag = d.checked(p.dtype) if defines["op"] in OVERFLOWS else {}
    if all(mode for mode, _ in modes):
        run_flat(d, "elementwise.binary", n, b.out, operands, modes, defines, dict(scalar=0), flag)
    else:
        operands = dict(operands, **flag)
        run_strided(d, "elementwise.binary_strided", n, b.out, operands, sizes, strides, "ab", defines)


def held(value: float, dtype: int) -> float:
    """A number of a launch. RuntimeError for an int64 that the 32 bits of it do not hold."""
    if dtype == DTYPES["int64"] and not -(2**31) <= value < 2**31:
        raise RuntimeError("int64 is held in 32 bits on WebGPU, which %d does not fit; compute on the CPU" % value)
    return value


def scalar_bits(value: float, dtype: int) -> int:
    """The bits of a number rounded to a dtype: float32 as IEEE, int32 towards zero and saturated
    (NaN is 0); int64 as int32, RuntimeError beyond it.
    """
    held(value, dtype)
    if dtype != DTYPES["float32"]:
        return (int(min(max(value, -(2.0**31)), 2.0**31 - 1)) if value == value else 0) & 0xFFFFFFFF
    try:
        data = struct.pack("<f", value)
    except OverflowError:
        data = struct.pack("<f", float("inf") if value > 0 else -float("inf"))
    return struct.unpack("<I", data)[0]


@kernel("binary_scalar")
def binary_scalar(d: Planner, p: Any, b: Any) -> None:
    op = BINARY_NAME[p.op]
    if op == "pow" and not p.reverse and p.scalar in (2.0, 3.0):  # as PyTorch special-cases them
        op = {2.0: "square", 3.0: "cube"}[p.scalar]
    operands, modes = dict(a=b.a, b=None), [("dense", 1), ("scalar", 1)]
    if p.reverse:
        operands, modes = dict(a=None, b=b.a), modes[::-1]
    run_flat(
        d,
        "elementwise.binary",
        p.n,
        b.out,
        operands,
        modes,
        binary_defines(op, p.dtype),
        dict(scalar=scalar_bits(p.scalar, p.dtype)),
        d.checked(p.dtype) if op in OVERFLOWS else {},
    )


@kernel("where")
def where(d: Planner, p: Any, b: Any) -> None:
    sizes, strides = dimensions(p, "c", "a", "b")
    n = count(sizes)
    if n == 0:
        return
    modes = [broadcast(sizes, s) for s in strides]
    operands = dict(cond=b.cond, a=b.a, b=b.b)
    if all(mode for mode, _ in modes):
        run_flat(d, "elementwise.where", n, b.out, operands, modes, {})
    else:
        run_strided(d, "elementwise.where_strided", n, b.out, operands, sizes, strides, "cab", {})
