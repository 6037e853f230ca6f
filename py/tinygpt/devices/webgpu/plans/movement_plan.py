"""Plans of the kernels that place numbers: fill, arange, copy, tril."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from ....kernels import DTYPES, MAX_RANK
from ..dispatch_plan import ALIGN, kernel
from .elementwise_plan import LARGE, TYPE, W, count, flat, held, merged, scalar_bits

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..dispatch_plan import Planner


INT8 = DTYPES["int8"]
TILE = 32
LEAST_SIDE = 8  # a transpose with a shorter side does not go through tiles


@kernel("fill")
def fill(d: Planner, p: Any, b: Any) -> None:
    for start, n in d.ranges(p.n):
        out = b.out.part(start, n)
        groups, shape = flat(n, d.vec4(out))
        d.run("movement.fill", groups, dict(out=out), dict(n=n, value=scalar_bits(p.value, p.dtype)), **shape)


@kernel("arange")
def arange(d: Planner, p: Any, b: Any) -> None:
    if p.n == 0:
        return
    for end in (p.start, p.start + (p.n - 1) * p.step):
        held(end, p.dtype)
    scale = 1.0
    if p.dtype == DTYPES["float32"]:
        top = max(abs(p.start), abs(p.start + (p.n - 1) * p.step))
        if not top < 2.0**158:
            raise ValueError("arange from %r in steps of %r leaves the range of float32" % (p.start, p.step))
        scale = 2.0 ** (max(math.frexp(top)[1], -90) - 31)
    words: dict[str, int] = {}
    for name, value in (("start", p.start), ("step", abs(p.step))):
        fixed = round(Fraction(value) / Fraction(scale) * 2**64)
        words.update({"%s%d" % (name, k): fixed >> 32 * k & 0xFFFFFFFF for k in range(3)})
    for start, n in d.ranges(p.n):
        out = b.out.part(start, n)
        groups, shape = flat(n, d.vec4(out))
        values = dict(n=n, first=start, scale=scale, **words)
        d.run("movement.arange", groups, dict(out=out), values, dtype=TYPE[p.dtype], down=p.step < 0, **shape)


@kernel("tril")
def tril(d: Planner, p: Any, b: Any) -> None:
    diagonal = min(max(p.diagonal, -(2**31) + 1), 2**31 - 1)
    for start, n in d.ranges(p.batch * p.M * p.N):
        groups, shape = flat(n, False)
        values = dict(n=n, first=start, M=p.M, N=p.N, diagonal=diagonal)
        d.run(
            "movement.tril",
            groups,
            dict(out=b.out.part(start, n), x=b.x.part(start, n)),
            values,
            upper=bool(p.upper),
            **shape,
        )


@kernel("copy")
def copy(d: Planner, p: Any, b: Any) -> None:
    dims = [tuple(getattr(p, "%s%d" % (letter, i)) for letter in "nox") for i in range(MAX_RANK)]
    if any(n == 0 for n, _, _ in dims):
        return
    # In the order of the output's strides, so that it is written as contiguously as it can be.
    dims = sorted((dim for dim in dims if dim[0] != 1), key=lambda dim: -dim[1])
    sizes, (o, x) = merged(*(list(column) for column in zip(*dims))) if dims else ([1], ([1], [1]))
    for out, source, *strided in _fitting(d, b.out, b.x, sizes, o, x):
        n, to, at = strided
        if INT8 in (p.dtype_out, p.dtype_x):
            _copy_bytes(d, p, out, source, n, to, at)
        else:
            types = TYPE[p.dtype_x], TYPE[p.dtype_out]
            flag = d.checked(p.dtype_out) if types[0] == "f32" else {}
            _copy_words(d, out, source, n, to, at, "same" if types[0] == types[1] else "%s to %s" % types, flag)


def _reach(sizes: Sequence[int], strides: Sequence[int]) -> int:
    return 1 + sum((n - 1) * s for n, s in zip(sizes, strides))


def _fitting(d: Planner, out: Any, x: Any, sizes: Any, o: Any, s: Any) -> Iterator[tuple[Any, ...]]:
    """(out, x, sizes, strides of out, of x): the copy cut along its outermost dimensions until a
    binding holds each operand.
    """
    out, x = out.part(0, _reach(sizes, o)), x.part(0, _reach(sizes, s))
    most = d.limits["maxStorageBufferBindingSize"] - 2 * ALIGN
    if max(out.n * out.itemsize, x.n * x.itemsize) <= most or sizes == [1]:
        yield out, x, sizes, o, s
    elif sizes[0] == 1:
        yield from _fitting(d, out, x, sizes[1:], o[1:], s[1:])
    else:
        half = sizes[0] // 2
        half = half // 64 * 64 or half
        for start, n in ((0, half), (half, sizes[0] - half)):
            from_out, from_x = start * o[0], start * s[0]
            yield from _fitting(
                d, out.part(from_out, out.n - from_out), x.part(from_x, x.n - from_x), [n, *sizes[1:]], o, s
            )


def _dimensions(sizes: Sequence[int], o: Sequence[int], x: Sequence[int]) -> dict[str, int]:
    values: dict[str, int] = {}
    for i, triple in enumerate(zip(sizes, o, x)):
        values.update(zip(("n%d" % i, "o%d" % i, "x%d" % i), triple))
    return values


def _copy_words(d: Planner, out: Any, x: Any, sizes: Any, o: Any, s: Any, cast: str, flag: dict[str, Any]) -> None:
    """Words of 4 bytes, cast or not. flag: the error word where one may leave int64's 32 bits."""
    n, buffers = count(sizes), dict(out=out, x=x, **flag)
    if o == s == [1]:
        groups, shape = flat(n, not flag and d.vec4(out, x))
        d.run("movement.copy", groups, buffers, dict(n=n), **shape, **_cast(cast, shape))
        return
    q = next((i for i in range(len(sizes) - 1) if s[i] == 1), None)
    if o[-1] == 1 and s[-1] > 1 and q is not None and min(sizes[-1], sizes[q]) >= LEAST_SIDE:
        others = [i for i in range(len(sizes) - 1) if i != q]
        R, Q = sizes[-1], sizes[q]
        tiles_r, tiles_q = -(-R // TILE), -(-Q // TILE)
        rest = [[column[i] for i in others] for column in (sizes, o, s)]
        groups = tiles_r * tiles_q * count(rest[0])
        values = dict(
            groups=groups, R=R, Q=Q, o_q=o[q], x_r=s[-1], tiles_r=tiles_r, tiles_q=tiles_q, **_dimensions(*rest)
        )
        d.run(
            "movement.copy_transposed",
            groups,
            buffers,
            values,
            rank=len(others),
            **_cast(cast, dict(T="u32", V=1)),
            T="u32",
        )
        return
    vec4 = o[-1] == s[-1] == 1 and all(v % 4 == 0 for v in (sizes[-1], *o[:-1], *s[:-1])) and d.vec4(out, x)
    vec4 = vec4 and not flag
    if vec4:
        sizes, o, s = [*sizes[:-1], sizes[-1] // 4], [*(v // 4 for v in o[:-1]), 1], [*(v // 4 for v in s[:-1]), 1]
        n //= 4
    V, U = 4 if vec4 else 1, 4 if n >= LARGE else 1
    shape: dict[str, Any] = dict(V=V, U=U, W=W, T="vec4<u32>" if vec4 else "u32")
    values = dict(n=n, **_dimensions(sizes, o, s))
    d.run("movement.copy_strided", -(-n // (U * W)), buffers, values, rank=len(sizes), **shape, **_cast(cast, shape))


def _cast(cast: str, shape: dict[str, Any]) -> dict[str, Any]:
    """Defines of `convert`: the types between which it casts."""
    if cast == "same":
        return dict(cast=cast)
    return dict(cast=cast, F="vec4<f32>" if shape["V"] == 4 else "f32", I="vec4<i32>" if shape["V"] == 4 else "i32")


def _copy_bytes(d: Planner, p: Any, out: Any, x: Any, sizes: Any, o: Any, s: Any) -> None:
    n = count(sizes)
    if (
        p.dtype_out == p.dtype_x
        and o == s == [1]
        and n % 4 == 0
        and not any((v.residue + v.offset) % 4 for v in (out, x))
    ):
        words = n // 4
        groups, shape = flat(words, d.vec4(out, x))
        d.run("movement.copy", groups, dict(out=out, x=x), dict(n=words), **shape, cast="same")
        return
    to = "words" if p.dtype_out != INT8 else "dense" if merged(sizes, o)[1] in ([[1]], [[]]) else "gaps"
    defines: dict[str, Any] = dict(to=to, source="i8" if p.dtype_x == INT8 else TYPE[p.dtype_x], rank=len(sizes), W=W)
    if to == "words":
        defines["target"] = TYPE[p.dtype_out]
    units = n // 4 + 2 if to == "dense" else n
    d.run("movement.copy_bytes", -(-units // W), dict(out=out, x=x), dict(n=n, **_dimensions(sizes, o, s)), **defines)


@kernel("to_index")
def to_index(d: Planner, p: Any, b: Any) -> None:
    _copy_words(d, b.out, b.x, [p.n], [1], [1], "same", {})
