"""Sum, mean, max, min, argmax, var over any dimensions. A reduction over several dimensions moves
them to the end first.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .. import kernels
from ..core.autograd import attach, needs_grad
from ..core.eager import in_c
from ..core.factory import like
from ..core.state import state
from ..core.tensor import DTYPES, RangeError, bool_, float32, float64, int32, int64, ints_of, numel_of
from ..graph import program
from ..graph.program import launch
from . import elementwise, inplace, movement

if TYPE_CHECKING:
    from typing import Any

    from ..core.attached_methods import Dims
    from ..core.tensor import Shape, Tensor
    from ..core.tensor import dtype as DType


def _dims(x: Tensor, dim: Dims) -> Shape:
    if dim is None:
        return tuple(range(x.ndim))
    if isinstance(dim, (tuple, list)) and not dim:  # no dimension named: all of them, as in PyTorch
        return tuple(range(x.ndim))
    dims = tuple([movement.dim_of(x, d) for d in ints_of((dim,), "a dimension")])
    if not x.ndim:
        return ()
    if len(set(dims)) != len(dims):
        raise RuntimeError("dim %s appears multiple times in the list of dims" % (dim,))
    return dims


@in_c
def _launch(name: str, x: Tensor, dims: Shape, dtype: DType) -> Tensor:
    """Reduces `dims` away. Neighbouring dimensions of a dense x are reduced in place ([outer, n,
    inner]); others move to the end.
    """
    if x._dtype.computed is not x._dtype:
        if dtype is x._dtype:
            return _launch(name, x._cast(x._dtype.computed), dims, x._dtype.computed)._cast(dtype)
        x = x._cast(x._dtype.computed)
    dims = tuple(sorted(dims))
    kept = tuple(d for d in range(x.ndim) if d not in dims)
    shape = tuple(x._shape[d] for d in kept)
    if dims and dims == tuple(range(dims[0], dims[-1] + 1)):
        x = movement.contiguous(x)
        outer, inner = numel_of(x._shape[: dims[0]]), numel_of(x._shape[dims[-1] + 1 :])
    else:
        x = movement.contiguous(movement.permute(x, kept + dims)) if dims else movement.contiguous(x)
        outer, inner = numel_of(shape), 1
    n = x.numel() // (outer * inner) if outer * inner else 1
    out = like(x, shape, dtype)
    if out.numel():
        if n:
            launch(kernels.reduce, (out, x), (kernels.REDUCE[name], x._dtype.code, outer, n, inner))
        else:
            inplace.fill_(
                out, 0 if name == "sum" else 1 if name == "prod" else name == "min" if dtype is bool_ else math.nan
            )  # all([]) is True
            out._storage.version = 0
    return out


def _keepdim(out: Tensor, x: Tensor, dims: Shape) -> Tensor:
    return movement.no_view(movement.reshape(out, tuple(1 if d in dims else n for d, n in enumerate(x._shape))))


def _spread(dy: Tensor, x_shape: Shape, dims: Shape) -> Tensor:
    """dy seen in the shape before the reduction."""
    return movement.expand(movement.reshape(dy, tuple(1 if d in dims else n for d, n in enumerate(x_shape))), x_shape)


def sum_(x: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """The sum over `dim` (an int, several, or None: all); integers and bools give int32, or int64
    where that is a Python int's dtype.

    keepdim: the dimensions stay, with size 1. IndexError for a dimension that x does not have.
    """
    dims = _dims(x, dim)
    source = _counted(x.detach())
    out = _launch("sum", source, dims, int32 if source._dtype is bool_ else source._dtype)
    if source._dtype is int32 and x.numel() > out.numel() and x._dtype is int32:
        out = _fitting_sum(out, x, dims)
    if needs_grad(x):
        shape = x._shape
        attach("sum", (out,), (x,), lambda dy: (_spread(dy, shape, dims),), ())
    return _keepdim(out, x, dims) if keepdim else out


def _counted(x: Tensor) -> Tensor:
    """x as it is summed: integers and bools as the dtype of a Python int."""
    if x._dtype.is_floating_point or state.whole == "int32" and x._dtype in (bool_, int32):
        return x
    return x._cast(DTYPES[state.whole] if x._dtype is not int64 else int64)


def prod(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The product over `dim`, or of all elements; integers and bools as in `sum`."""
    dims = _dims(x, dim)
    source = _counted(x.detach())
    out = _launch("prod", source, dims, int32 if source._dtype is bool_ else source._dtype)
    if needs_grad(x):
        shape = x._shape

        def backward(dy):
            return (elementwise.mul(_spread(dy, shape, dims), _others(x.detach(), dims)),)

        attach("prod", (out,), (x,), backward, (x, out))
    return _keepdim(out, x, dims) if keepdim else out


def _others(x: Tensor, dims: Shape) -> Tensor:
    """Of each element the product of the others in its group, zeros among them or not: products
    from both ends.
    """
    if not x.ndim or not x.numel():
        return elementwise.full(x._shape, 1.0, x._dtype, x.device)
    rest = tuple(d for d in range(x.ndim) if d not in dims)
    moved = movement.contiguous(movement.permute(x, rest + dims))
    lead = tuple(x._shape[d] for d in rest)
    rows = movement.reshape(moved, (numel_of(lead), -1 if numel_of(lead) else numel_of([x._shape[d] for d in dims])))
    ones = elementwise.full((rows._shape[0], 1), 1.0, rows._dtype, rows.device)
    before = scan("prod", movement.cat([ones, rows[:, :-1]], 1), 1)
    after = scan("prod", movement.cat([rows[:, 1:], ones], 1), 1, reverse=True)
    made = movement.reshape(elementwise.mul(before, after), moved._shape)
    back = tuple(sorted(range(x.ndim), key=(rest + dims).__getitem__))
    return movement.permute(made, back)


def scan(name: str, x: Tensor, dim: int, reverse: bool = False) -> Tensor:
    """The sums or products of x up to each element along a dimension; no gradient here."""
    dtype = x._dtype
    if dtype.computed is not dtype:
        return scan(name, x._cast(dtype.computed), dim, reverse)._cast(dtype)
    x = movement.contiguous(x)
    out = like(x)
    if out.numel():
        sizes = (numel_of(x._shape[:dim]), x._shape[dim], numel_of(x._shape[dim + 1 :])) if x.ndim else (1, 1, 1)
        launch(kernels.scan, (out, x), (kernels.SCAN[name], dtype.code, *sizes, int(reverse)))
    return out


def cumsum(x: Tensor, dim: int) -> Tensor:
    """The sums of x up to each element along `dim`; integers and bools as in `sum`."""
    d = _dims(x, dim)[0] if x.ndim else 0
    out = scan("sum", _counted(x.detach()), d)
    if needs_grad(x):
        attach("cumsum", (out,), (x,), lambda dy: (_sum_behind(dy, d),), ())
    return out


def _sum_behind(dy: Tensor, d: int) -> Tensor:
    """The sums from each element on, the gradient of cumsum, whose gradient is cumsum."""
    out = scan("sum", dy.detach(), d, reverse=True)
    if needs_grad(dy):
        attach("cumsum_backward", (out,), (dy,), lambda ddy: (cumsum(ddy, d),), ())
    return out


def cumprod(x: Tensor, dim: int) -> Tensor:
    """The products of x up to each element along `dim`; integers and bools as in `sum`."""
    d = _dims(x, dim)[0] if x.ndim else 0
    out = scan("prod", _counted(x.detach()), d)
    if needs_grad(x):
        y = out.detach()

        def backward(dy):
            if x.numel() and x.ndim and bool(any_(elementwise.compare("eq", x.detach(), 0)).item()):
                return (_cumprod_slope(dy, x, d),)
            if not state.grad_enabled:
                return (elementwise.div(scan("sum", elementwise.mul(dy, y), d, reverse=True), x.detach()),)
            sums = cumsum(elementwise.mul(dy, cumprod(x, d)), d)
            whole = sums if not x.ndim or not x.numel() else movement.narrow(sums, d, x._shape[d] - 1, 1)
            rest = elementwise.add(elementwise.sub(whole, sums), elementwise.mul(dy, cumprod(x, d)))
            return (elementwise.div(rest, x),)

        attach("cumprod", (out,), (x,), backward, (x, y))
    return out


def _cumprod_slope(dy: Tensor, x: Tensor, d: int) -> Tensor:
    """The gradient of cumprod where an element is 0: at place i the product of those before, times
    s[i] = dy[i] + x[i + 1] s[i + 1].
    """
    n = x._shape[d]
    rest = [movement.narrow(dy, d, n - 1, 1)]
    for i in reversed(range(n - 1)):
        behind = elementwise.mul(movement.narrow(x, d, i + 1, 1), rest[-1])
        rest.append(elementwise.add(movement.narrow(dy, d, i, 1), behind))
    one = elementwise.full(movement.narrow(x, d, 0, 1)._shape, 1.0, x._dtype, x.device)
    before = movement.cat([one, movement.narrow(cumprod(x, d), d, 0, n - 1)], d)
    return elementwise.mul(before, movement.cat(rest[::-1], d))


def _fitting_sum(out: Tensor, x: Tensor, dims: Shape) -> Tensor:
    """`out`, the sums of int32 modulo 2^32; RangeError where int32 does not hold one of them.

    PyTorch's sums are int64. A sum in float32 is beside a true one by far less than 2^31, and a
    wrapped one is beside it by a multiple of 2^32.
    """
    estimate = _launch("sum", elementwise.as_float(x.detach()), dims, float32)
    wrong = elementwise.compare("gt", elementwise.abs_(elementwise.sub(estimate, elementwise.as_float(out))), 2.0**31)
    message = "a sum of int32 does not fit int32, which holds -2147483648 to 2147483647; sum .float() instead"
    return elementwise.checked(out, wrong, message, RangeError)


def mean(x: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """The mean over `dim` (an int, several, or None: all). RuntimeError unless x is of a float
    dtype.
    """
    if not x._dtype.is_floating_point:
        raise RuntimeError(
            "mean(): could not infer output dtype. Input dtype must be a floating point dtype. Got: %s" % x._dtype.name
        )
    dims = _dims(x, dim)
    out = _launch("mean", x.detach(), dims, x._dtype)
    if needs_grad(x):
        shape = x._shape
        n = numel_of([shape[d] for d in dims])
        attach("mean", (out,), (x,), lambda dy: (_spread(dy * (1.0 / n if n else 0.0), shape, dims),), ())
    return _keepdim(out, x, dims) if keepdim else out


def var(
    x: Tensor, dim: Dims = None, correction: int = 1, keepdim: bool = False, unbiased: bool | None = None
) -> Tensor:
    """The variance over `dim`: sum (x - mean)^2 / (n - correction), float32.

    unbiased: True is correction 1, False 0. Where n is at most the correction the divisor is 0, as
    in PyTorch: infinity, or NaN for equal values. RuntimeError unless x is float32.
    """
    return _spread_of("var", x, dim, correction if unbiased is None else int(unbiased), keepdim)


def std(
    x: Tensor, dim: Dims = None, correction: int = 1, keepdim: bool = False, unbiased: bool | None = None
) -> Tensor:
    """The standard deviation over `dim`: the square root of `var`.

    Its gradient where all values are equal is 0, as in PyTorch.
    """
    return _spread_of("std", x, dim, correction if unbiased is None else int(unbiased), keepdim)


def variance(x: Tensor, dims: Shape, correction: float, root: bool) -> Tensor:
    """The variance of floats over `dims`, which stay with size 1, or its square root; computed in
    float64, but on a GPU. No gradient here.
    """
    if x._dtype.computed is not x._dtype:
        return variance(x._cast(x._dtype.computed), dims, correction, root)._cast(x._dtype)
    dims = tuple(sorted(dims))
    kept = tuple([d for d in range(x.ndim) if d not in dims])
    shape = tuple([1 if d in dims else n for d, n in enumerate(x._shape)])
    if dims and dims == tuple(range(dims[0], dims[-1] + 1)):
        outer, inner = numel_of(x._shape[: dims[0]]), numel_of(x._shape[dims[-1] + 1 :])
    else:
        x = movement.permute(x, kept + dims) if dims else x
        outer, inner = numel_of(x._shape[: len(kept)]), 1
    x = movement.contiguous(x)
    n = x.numel() // (outer * inner) if outer * inner else 1
    out = like(x, shape)
    if out.numel():
        if n:
            launch(kernels.variance, (out, x), (x._dtype.code, int(root), outer, n, inner, float(correction)))
        else:
            inplace.fill_(out, math.nan)
            out._storage.version = 0
    return out


# The squares of numbers from 2^-30 to 2^40, and of their differences, are float32 numbers.
_SMALL, _LARGE = 2.0**-30, 2.0**40


def _scale_of(x: Tensor, dims: Shape) -> Tensor:
    """A power of two for each group that `dims` reduces, with those kept as size 1: 1, or what
    brings the largest magnitude between _SMALL and _LARGE. Multiplying by it is exact.

    PyTorch squares in float64.
    """
    largest = _keepdim(_launch("max", elementwise.abs_(x), dims, float32), x, dims)
    scale = elementwise.where(elementwise.compare("lt", largest, _SMALL), 2.0**86, 1.0)
    return elementwise.where(elementwise.compare("gt", largest, _LARGE), 2.0**-90, scale)


def _moment(
    name: str, x: Tensor, dims: Shape, divisor: float, scale: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """var or std of x without a gradient; that of x * scale; and x * scale less its mean."""
    scaled = x if scale is None else elementwise.mul(x, scale)
    centred = elementwise.sub(scaled, _keepdim(_launch("mean", scaled, dims, float32), x, dims))
    out = own = elementwise.div(_launch("sum", elementwise.square(centred), dims, float32), float(max(divisor, 0)))
    if name == "std":
        out = own = elementwise.unary("sqrt", out)
    if scale is not None:
        scale = movement.reshape(scale, out.shape)
        out = elementwise.div(out, scale)
        if name == "var":
            out = elementwise.div(out, scale)
    return out, own, centred


# The high bytes (sign, seven bits of the exponent) of the float32 numbers from 2^-49 to 2^49.
_ORDINARY = bytes(range(39, 88))


def _in_range(out: Tensor) -> bool:
    """Whether a variance or deviation shows that no square left float32. A read."""
    return out.numel() <= 4096 and not out.tobytes()[3::4].translate(None, _ORDINARY)


def _spread_of(name: str, x: Tensor, dim: Dims, correction: float, keepdim: bool) -> Tensor:
    """var or std, with PyTorch's formulas for both gradients (std_backward, var_backward)."""
    if x._dtype.is_floating_point and x._dtype is not float32:
        return _spread_in_double(name, x, dim, correction, keepdim)
    if x._dtype is not float32:
        raise RuntimeError("%s: expected a floating point dtype, not %s; use .float()" % (name, x._dtype.name))
    if isinstance(dim, bool):  # PyTorch's x.var(unbiased)
        dim, correction = None, int(dim)
    correction = float(correction)  # TypeError for what is no number
    if correction != correction:
        raise ValueError("%s: correction is %r; give a number" % (name, correction))
    dims, source = _dims(x, dim), x.detach()
    n = numel_of([x._shape[d] for d in dims])
    # The unscaled one is worth a try where it can be read: on a device that has its values at once,
    # outside of a recording.
    scale = None
    readable = not source.device.waits and not program.capturing()
    made = _moment(name, source, dims, n - correction) if readable else None
    if made is None or not _in_range(made[0]):
        scale = _scale_of(source, dims)
        made = _moment(name, source, dims, n - correction, scale)
    out, own, centred = made
    if needs_grad(x):
        y = out.detach()

        def backward(dy):
            dy = elementwise.mul(dy, 2.0 / (n - correction) if n != correction else math.inf)
            if name == "std":  # of the scaled numbers: the quotient is one that float32 holds
                still = elementwise.compare("eq", own, 0)
                dy = elementwise.div(elementwise.where(still, 0.0, dy), elementwise.where(still, 2.0, own * 2.0))
                again = centred
            else:
                again = centred if scale is None else elementwise.sub(source, mean(source, dims, keepdim=True))
            return (elementwise.mul(_spread(dy, x._shape, dims), again),)

        attach(name, (out,), (x,), backward, (x, y) if name == "std" else (x,))
    return _keepdim(out, x, dims) if keepdim else out


def _spread_in_double(name: str, x: Tensor, dim: Dims, correction: float, keepdim: bool) -> Tensor:
    """var or std of float64 and of the 16-bit floats, which are computed in float64."""
    if isinstance(dim, bool):
        dim, correction = None, int(dim)
    dims = _dims(x, dim)
    wide = x._cast(float64)
    centred = wide - mean(wide, dims, keepdim=True)
    n = numel_of([x._shape[d] for d in dims])
    out = sum_(centred * centred, dims, keepdim) / float(max(n - correction, 0))
    return (out.sqrt() if name == "std" else out)._cast(x._dtype)


class _ValuesIndices(tuple):
    """What max and min along a dimension return: (values, indices)."""

    values = property(lambda self: self[0])
    indices = property(lambda self: self[1])


def _check_not_empty(name: str, x: Tensor, dims: Shape, dim: int | None) -> None:
    """RuntimeError, or IndexError along a dimension, where there is nothing to choose from."""
    if x.numel():
        return
    if dim is None:
        kind = IndexError if name.startswith("arg") else RuntimeError
        raise kind("%s(): expected a tensor with at least one element, not shape %s" % (name, list(x._shape)))
    if any(x._shape[d] == 0 for d in dims):
        raise IndexError("%s(): dimension %d of shape %s has size 0" % (name, dims[0], list(x._shape)))


def _extremum(name: str, x: Tensor, dim: int | None, keepdim: bool) -> Any:
    dims = _dims(x, dim)
    _check_not_empty(name, x, dims, dim)
    out = _launch(name, x.detach(), dims, x._dtype)
    where_ = _index(_launch("arg" + name, x.detach(), dims, int32)) if dim is not None else None
    if needs_grad(x):
        shape, y, source = x._shape, out.detach(), x.detach()

        def backward(dy):
            if where_ is None:  # all dimensions: ties share the gradient evenly
                # The largest is NaN where there is one: then every NaN is a tie.
                hits = elementwise.logical_or(
                    elementwise.compare("eq", source, y), elementwise.compare("ne", source, source)
                )
                return (elementwise.where(hits, elementwise.div(dy, sum_(hits)), 0.0),)
            if not shape:
                return (dy,)
            d = dims[0]  # pyright: ignore[reportGeneralTypeIssues]: a dim was given
            places = movement.arange(shape[d], device=dy.device)
            places = movement.reshape(places, tuple(shape[d] if i == d else 1 for i in range(len(shape))))
            hits = elementwise.compare("eq", _spread(where_, shape, dims), places)
            return (elementwise.where(hits, _spread(dy, shape, dims), 0.0),)

        attach(name, (out,), (x,), backward, (source, y) if where_ is None else (where_,))
    if where_ is None:
        return out
    if keepdim:
        return _ValuesIndices((_keepdim(out, x, dims), _keepdim(where_, x, dims)))
    return _ValuesIndices((out, where_))


def largest(x: Tensor, dim: int) -> Tensor:
    """The largest elements along dim, which becomes 1: without their indices, and off the tape."""
    dims = _dims(x, dim)
    return _keepdim(_launch("max", x.detach(), dims, x._dtype), x, dims)


def max_(x: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """The largest element; with dim: (values, indices). A tensor as `dim`: elementwise maximum.

    indices are int32, the first on ties. RuntimeError for an empty x.
    """
    if hasattr(dim, "_storage"):
        return elementwise.maximum(x, dim)
    return _extremum("max", x, dim, keepdim)


def min_(x: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """The smallest element; with dim: (values, indices). A tensor as `dim`: elementwise minimum.

    indices are int32, the first on ties. RuntimeError for an empty x.
    """
    if hasattr(dim, "_storage"):
        return elementwise.minimum(x, dim)
    return _extremum("min", x, dim, keepdim)


def argmax(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """int32: the index of the largest element along dim, or in the flattened x."""
    return _arg("argmax", x, dim, keepdim)


def argmin(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """int32: the index of the smallest element along dim, or in the flattened x."""
    return _arg("argmin", x, dim, keepdim)


def _arg(name: str, x: Tensor, dim: int | None, keepdim: bool) -> Tensor:
    dims = _dims(x, dim)
    _check_not_empty(name, x, dims, dim)
    elementwise.arithmetic(x, name)
    out = _index(_launch(name, x.detach(), dims, int32))
    return _keepdim(out, x, dims) if keepdim else out


def _index(places: Tensor) -> Tensor:
    """Indices, int32, as the dtype of a Python int."""
    return places._cast(DTYPES[state.whole])


def any_(x: Tensor) -> Tensor:
    """A bool scalar: whether some element is not 0."""
    return _launch("max", elementwise.as_bool(x.detach()), _dims(x, None), bool_)


def all_(x: Tensor) -> Tensor:
    """A bool scalar: whether no element is 0."""
    return _launch("min", elementwise.as_bool(x.detach()), _dims(x, None), bool_)
