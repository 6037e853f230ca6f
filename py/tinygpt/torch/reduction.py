"""Reductions under PyTorch's names: sums, means, extremes, spreads, and what runs along a
dimension (cumsum and its like).
"""

from __future__ import annotations

import builtins
import math
from typing import Any

from ..core.autograd import keep
from ..core.factory import full, tensor
from ..core.state import state
from ..core.tensor import DTYPES, LARGEST, Tensor, bool_, float64, int64, numel_of, uint8
from ..core.tensor import dtype as DType
from ..ops import elementwise, inplace, movement, reduce, softmax_xent
from ..ops import functions as f
from ..ops import gather as along
from ..ops.elementwise import compare, where
from . import calling, ordering, pointwise, return_types
from .shown import by_dim, shown

_ALL: Any = object()  # no dimension was given, where None is refused


def dims_of(x: Tensor, dim: Any) -> tuple[int, ...]:
    """The dimensions that `dim` (an int, several, or None: all) names."""
    return reduce._dims(x, dim)


def _one(name: str, dim: Any) -> int:
    """A single dimension. TypeError for anything else."""
    if isinstance(dim, (bool, float, tuple, list, str)) or dim is None:
        raise TypeError("%s(): argument 'dim' must be int, not %s" % (name, type(dim).__name__))
    return dim


def _flag(name: str, keepdim: Any) -> None:
    """TypeError unless keepdim is True or False."""
    if keepdim is not True and keepdim is not False:
        raise TypeError("%s(): argument 'keepdim' must be bool, not %s" % (name, type(keepdim).__name__))


def kept(x: Tensor, dims: tuple[int, ...]) -> tuple[int, ...]:
    """x's shape with size 1 in `dims`."""
    return tuple([1 if d in dims else n for d, n in enumerate(x._shape)])


def _restored(y: Tensor, x: Tensor, dims: tuple[int, ...]) -> Tensor:
    """A reduced y as it broadcasts to x."""
    return movement.reshape(y, kept(x, dims))


def _as(x: Tensor, dtype: Any) -> Tensor:
    if dtype is None:
        return x
    if not isinstance(dtype, DType):
        raise TypeError("dtype must be a torch.dtype, not %s" % type(dtype).__name__)
    return x._cast(dtype)


def _refuse_integers(name: str, x: Tensor, what: str = "") -> None:
    if not x._dtype.is_floating_point:
        raise RuntimeError(
            "%s: the input must be of a floating point dtype%s, not %s; use .float()" % (name, what, x._dtype.name)
        )


# ---- sums ----------------------------------------------------------------------------------------


@shown(by_dim("Sum"))
def sum(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The sum over dim (an int, several, or None: all); of integers and bools int64."""
    _flag("sum", keepdim)
    if dtype is None:
        return reduce.sum_(input, dim, keepdim)
    if input._requires_grad and not dtype.is_floating_point:
        raise RuntimeError("Autograd not support dtype: %s; detach() the tensor" % dtype.name)
    if dtype is bool_:
        return any_along(input, dim, keepdim)
    return reduce.sum_(_as(input, dtype), dim, keepdim)._cast(dtype)


@shown("NansumBackward0")
def nansum(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The sum of what is not NaN."""
    return sum(_without_nan(_as(input, dtype)), dim, keepdim, dtype=dtype)


def _without_nan(x: Tensor) -> Tensor:
    return where(compare("ne", x, x), 0.0, x) if x._dtype.is_floating_point else x


@shown(by_dim("Mean"))
def mean(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The mean over dim. RuntimeError for integers unless dtype is a float one."""
    _flag("mean", keepdim)
    kind = input._dtype if dtype is None else dtype
    if not kind.is_floating_point:
        raise RuntimeError(
            "mean(): could not infer output dtype. %s dtype must be either a floating point or complex dtype. "
            "Got: %s" % ("Input" if dtype is None else "Optional", kind.name)
        )
    return reduce.mean(_as(input, dtype), dim, keepdim)


def nanmean(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The mean of what is not NaN."""
    _refuse_integers("nanmean()", input)
    there = compare("eq", input.detach(), input.detach())
    count = sum(there, dim, keepdim)._cast(input._dtype if dtype is None else dtype)
    return elementwise.div(nansum(input, dim, keepdim, dtype=dtype), count)


@shown(by_dim("Prod"))
def prod(input: Tensor, dim: Any = _ALL, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The product over dim, or of all; of integers and bools int64."""
    dim = None if dim is _ALL else _one("prod", dim)
    _flag("prod", keepdim)
    if dtype is bool_:
        return all_along(input, dim, keepdim)
    out = reduce.prod(_as(input, dtype), dim, keepdim)
    return out if dtype is None else out._cast(dtype)


def count_nonzero(input: Tensor, dim: Any = None) -> Tensor:
    """int64: how many elements are not 0."""
    return reduce.sum_(elementwise.as_bool(input.detach()), dim)


def _count_nonzero(self: Tensor, *dims: Any, dim: Any = None) -> Tensor:
    """int64: how many elements are not 0; the dimensions one by one, or as a tuple."""
    return count_nonzero(self, dim if not dims else dims[0] if len(dims) == 1 else tuple(map(int, dims)))


@shown("LogsumexpBackward0")
def logsumexp(input: Tensor, dim: Any, keepdim: bool = False) -> Tensor:
    """log(sum(exp(input))) over dim, without overflow."""
    if dim is None:
        raise TypeError("logsumexp(): argument 'dim' must be tuple of ints, not NoneType")
    x = elementwise.as_float(input)
    dims = dims_of(x, dim)
    if isinstance(dim, (tuple, list)) and not dim and x._shape:
        raise RuntimeError("output with shape [] doesn't match the broadcast shape %s" % list(kept(x, dims)))

    def value(x: Tensor) -> Tensor:
        if not numel_of([x._shape[d] for d in dims]):
            return reduce.sum_(elementwise.unary("exp", x), dims, True).log()
        most = reduce._keepdim(reduce._launch("max", x, dims, x._dtype), x, dims)
        most = elementwise.clamp(most, -LARGEST[x._dtype.name], LARGEST[x._dtype.name])
        total = reduce.sum_(elementwise.unary("exp", elementwise.sub(x, most)), dims, True)
        return elementwise.add(elementwise.unary("log", total), most)

    def slope(dy: Tensor, y: Tensor) -> Tensor:
        return elementwise.mul(dy, elementwise.unary("exp", elementwise.sub(x, y)))

    out = _recorded_wide("logsumexp", x, dims, value, slope)
    return out if keepdim else _narrow(out, x, dims)


def _narrow(y: Tensor, x: Tensor, dims: tuple[int, ...]) -> Tensor:
    """y without the dimensions of size 1 that a reduction kept."""
    return movement.no_view(movement.reshape(y, tuple([n for d, n in enumerate(x._shape) if d not in dims])))


def _recorded_wide(name: str, x: Tensor, dims: tuple[int, ...], value: Any, slope: Any) -> Tensor:
    """An op whose result keeps the reduced dimensions.

    slope(dy, y): the gradient of x, where dy and y, the result, broadcast to x.
    """
    kept_y: list[Tensor] = []

    def gradient(dy: Tensor) -> Tensor:
        y = kept_y[0] if not state.grad_enabled else again()
        return slope(dy, y)

    def again() -> Tensor:
        return _recorded_wide(name, x, dims, value, slope)

    out = f.recorded(name, (x,), value, (gradient,), (x,))
    kept_y.append(out.detach())
    if name != "var" and out._node is not None:
        keep(out, out)  # as PyTorch: a write into the result is an error
    return out


# ---- extremes ------------------------------------------------------------------------------------


@shown(by_dim("Max", 1, 0))
def max(input: Tensor, dim: Any = _ALL, keepdim: bool = False, *, other: Any = None) -> Any:
    """The largest element; with dim (values, indices); with a tensor the elementwise maximum."""
    return _extreme("max", input, dim, keepdim, other)


@shown(by_dim("Min", 1, 0))
def min(input: Tensor, dim: Any = _ALL, keepdim: bool = False, *, other: Any = None) -> Any:
    """The smallest element; with dim (values, indices); with a tensor the elementwise minimum."""
    return _extreme("min", input, dim, keepdim, other)


def _extreme(name: str, input: Tensor, dim: Any, keepdim: bool, other: Any) -> Any:
    other = dim if isinstance(dim, Tensor) else other
    if other is not None:
        return (elementwise.maximum if name == "max" else elementwise.minimum)(input, other)
    dim = None if dim is _ALL else _one(name, dim)
    _flag(name, keepdim)
    found = (reduce.max_ if name == "max" else reduce.min_)(input, dim, keepdim)
    return found if dim is None else getattr(return_types, name)(found)


@shown("AmaxBackward0")
def amax(input: Tensor, dim: Any = (), keepdim: bool = False) -> Tensor:
    """The largest over dim (an int or several); equal ones share the gradient."""
    return _shared_extreme("max", input, dim, keepdim)


@shown("AminBackward0")
def amin(input: Tensor, dim: Any = (), keepdim: bool = False) -> Tensor:
    """The smallest over dim (an int or several); equal ones share the gradient."""
    return _shared_extreme("min", input, dim, keepdim)


def _shared_extreme(name: str, x: Tensor, dim: Any, keepdim: bool) -> Tensor:
    _flag("a" + name, keepdim)
    dims = dims_of(x, dim)
    if not numel_of([x._shape[d] for d in dims]) and (dims or not x.numel()):
        kind = IndexError if dim != () and dim is not None else RuntimeError
        raise kind("a%s(): Expected reduction dim to have non-zero size; the shape is %s" % (name, list(x._shape)))

    def value(x: Tensor) -> Tensor:
        return reduce._keepdim(reduce._launch(name, x, dims, x._dtype), x, dims)

    def slope(dy: Tensor, y: Tensor) -> Tensor:
        hits = compare("eq", x, y)._cast(x._dtype)
        return elementwise.mul(elementwise.div(dy, reduce.sum_(hits, dims, True)), hits)

    if not x._dtype.is_floating_point:
        out = value(x)
    else:
        out = _recorded_wide("a" + name, x, dims, value, slope)
    return out if keepdim else _narrow(out, x, dims)


def aminmax(input: Tensor, *, dim: int | None = None, keepdim: bool = False) -> Any:
    """(min, max) along dim, or of all."""
    if not input.numel() and dim is None:
        raise RuntimeError(
            "aminmax(): cannot compute aminmax over an empty dimension as the operation has no identity."
        )
    if dim is None:
        low, high = (_shared_extreme(name, input, (), keepdim) for name in ("min", "max"))
    else:
        low, high = (_shared_extreme(name, input, dim, keepdim) for name in ("min", "max"))
    return return_types.aminmax((low, high))


def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """int64: where the largest element is along dim, or in the flattened input."""
    return _place_of("argmax", input, dim, keepdim)


def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """int64: where the smallest element is along dim, or in the flattened input."""
    return _place_of("argmin", input, dim, keepdim)


def _place_of(name: str, input: Tensor, dim: Any, keepdim: bool) -> Tensor:
    if dim is not None:
        _one(name, dim)
    _flag(name, keepdim)
    elementwise.arithmetic(input, name)
    return (reduce.argmax if name == "argmax" else reduce.argmin)(input, dim, keepdim)


def any_along(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """bool (uint8 of uint8): whether some element over dim is not 0."""
    return _truth("max", input, dim, keepdim)


def all_along(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """bool (uint8 of uint8): whether no element over dim is 0."""
    return _truth("min", input, dim, keepdim)


def _truth(name: str, x: Tensor, dim: Any, keepdim: bool) -> Tensor:
    _flag("any" if name == "max" else "all", keepdim)
    dims = () if isinstance(dim, (tuple, list)) and not dim else dims_of(x, dim)  # of none: each element
    empty = not numel_of([x._shape[d] for d in dims])
    if empty:  # no element is 0, and none is not
        out = full(tuple([n for d, n in enumerate(x._shape) if d not in dims]), name == "min", bool_, x.device)
    else:
        out = reduce._launch(name, elementwise.as_bool(x.detach()), dims, bool_)
    out = reduce._keepdim(out, x, dims) if keepdim else out
    return out._cast(uint8) if x._dtype is uint8 else out


# ---- spread --------------------------------------------------------------------------------------


def _spread_arguments(args: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, float, bool]:
    """dim, correction and keepdim of PyTorch's three signatures."""
    given, positional = dict(named), list(args)
    dim, correction, keepdim = given.pop("dim", given.pop("axis", None)), 1.0, False
    unbiased = given.pop("unbiased", None)
    if positional and isinstance(positional[0], bool):
        unbiased = positional.pop(0)
    elif positional:
        dim = positional.pop(0)
        if positional:
            unbiased = positional.pop(0)
        if positional:
            keepdim = positional.pop(0)
    keepdim = given.pop("keepdim", given.pop("keepdims", keepdim))
    if "correction" in given:
        value = given.pop("correction")
        correction = 1.0 if value is None else float(value)
    if unbiased is not None:
        correction = float(bool(unbiased))
    if given or positional:
        raise TypeError("got an unexpected argument %r" % (next(iter(given)) if given else positional[0],))
    return dim, correction, keepdim


def _moments(name: str, x: Tensor, args: tuple[Any, ...], named: dict[str, Any]) -> tuple[Tensor, Any, bool]:
    dim, correction, keepdim = _spread_arguments(args, named)
    if not x._dtype.is_floating_point:
        raise RuntimeError("%s only support floating point and complex dtypes, not %s" % (name, x._dtype.name))
    dims = dims_of(x, dim)
    n = numel_of([x._shape[d] for d in dims])

    def value(x: Tensor) -> Tensor:
        return reduce.variance(x, dims, correction, name == "std")

    def slope(dy: Tensor, y: Tensor) -> Tensor:
        if name == "std":
            still = compare("eq", y, 0)
            dy = where(still, 0.0, elementwise.div(dy, where(still, 1.0, elementwise.mul(y, 2.0))))
        centred = elementwise.sub(x, reduce.mean(x, dims, True))
        return elementwise.mul(elementwise.mul(dy, 2.0 / (n - correction) if n != correction else math.inf), centred)

    return _recorded_wide(name, x, dims, value, slope), dims, keepdim


@shown("VarBackward0")
def var(input: Tensor, *args: Any, **named: Any) -> Tensor:
    """The variance over dim: sum (x - mean)^2 / (n - correction), correction 1 unless given.

    It is computed in float64. Also var(unbiased) and var(dim, unbiased, keepdim).
    """
    out, dims, keepdim = _moments("var", input, args, named)
    return out if keepdim else _narrow(out, input, dims)


@shown("StdBackward0")
def std(input: Tensor, *args: Any, **named: Any) -> Tensor:
    """The standard deviation: the square root of var."""
    out, dims, keepdim = _moments("std", input, args, named)
    return out if keepdim else _narrow(out, input, dims)


@shown("VarMeanBackward0")
def var_mean(input: Tensor, *args: Any, **named: Any) -> tuple[Tensor, Tensor]:
    """(var, mean)."""
    dim, _, keepdim = _spread_arguments(args, named)
    return var(input, *args, **named), reduce.mean(input, dim, keepdim)


@shown("StdMeanBackward0")
def std_mean(input: Tensor, *args: Any, **named: Any) -> tuple[Tensor, Tensor]:
    """(std, mean)."""
    dim, _, keepdim = _spread_arguments(args, named)
    return std(input, *args, **named), reduce.mean(input, dim, keepdim)


# ---- order statistics ----------------------------------------------------------------------------


@shown(by_dim("Median"))
def median(input: Tensor, dim: Any = _ALL, keepdim: bool = False) -> Any:
    """The median, the lower of two; NaN where there is one. With dim (values, indices)."""
    return _median("median", input, dim, keepdim)


@shown(by_dim("Nanmedian"))
def nanmedian(input: Tensor, dim: Any = _ALL, keepdim: bool = False) -> Any:
    """The median of what is not NaN. With dim (values, indices)."""
    return _median("nanmedian", input, dim, keepdim)


def _median(name: str, x: Tensor, dim: Any, keepdim: bool) -> Any:
    _flag(name, keepdim)
    if dim is not _ALL:
        movement.dim_of(x, _one(name, dim))
    elementwise.arithmetic(x, name)
    if dim is _ALL:
        if not x.numel():
            return full((), math.nan, x._dtype, x.device) if not x._requires_grad else reduce.sum_(x) + math.nan
        found = _median(name, x.detach().reshape((-1,)), 0, False)[0]
        return f.recorded(name, (x,), lambda _: found, (lambda dy: _shared(x, found, dy),))
    d = movement.dim_of(x, dim)
    if not x._shape:
        return getattr(return_types, name)((x.clone(), full((), 0, int64, x.device)))
    if not x._shape[d]:
        raise IndexError("%s(): Expected reduction dim %d to have non-zero size." % (name, d))
    n = x._shape[d]
    values, order = ordering.sorted_along(x, d, False)
    place = full(kept(x, (d,)), (n - 1) // 2, int64, x.device)
    if x._dtype.is_floating_point:
        there = reduce.sum_(compare("eq", values, values), d, True)
        if name == "median":  # NaNs are behind all numbers: the first of them
            place = where(compare("lt", there, n), there, place)
        else:
            place = elementwise.clamp(elementwise.floor_divide(elementwise.sub(there, 1), 2), 0)
    place = along.gather(order, d, place._cast(DTYPES["int32"]))
    return getattr(return_types, name)(_chosen(x, d, place, keepdim))


def _shared(x: Tensor, y: Tensor, dy: Tensor) -> Tensor:
    """The gradient dy of a value y of x, in equal shares to the elements that have it."""
    plain = x.detach()
    hit = elementwise.logical_or(
        compare("eq", plain, y), elementwise.logical_and(compare("ne", plain, plain), compare("ne", y, y))
    )
    share = elementwise.div(dy, reduce.sum_(hit)._cast(dy._dtype))
    return where(hit, share, 0.0)


def _chosen(x: Tensor, d: int, place: Tensor, keepdim: bool) -> tuple[Tensor, Tensor]:
    """(x at `place` along d, place as int64), without d unless keepdim."""
    found, place = along.gather(x, d, place), place._cast(int64)
    return (found, place) if keepdim else (_narrow(found, x, (d,)), _narrow(place, x, (d,)))


@shown("ModeBackward0")
def mode(input: Tensor, dim: int = -1, keepdim: bool = False) -> Any:
    """(values, indices): the most frequent element along dim, the least of several."""
    d = movement.dim_of(input, dim)
    if not input._shape:
        return return_types.mode((input.clone(), full((), 0, int64, input.device)))
    n = input._shape[d]
    if not n:
        raise IndexError("mode(): Expected reduction dim %d to have non-zero size." % d)
    values, order = ordering.sorted_along(input, d, False)
    # Of each element how many equal ones the sorted row has up to it: the first largest wins.
    at = elementwise.add(movement.reshape(movement.arange(n, device=input.device), _only(input, d, n)), 1)
    at = movement.expand(at._cast(int64), values._shape)
    first = full(kept(input, (d,)), 0, int64, input.device)
    if n > 1:
        differs = compare("ne", movement.narrow(values, d, 1, n - 1), movement.narrow(values, d, 0, n - 1))
        starts = where(differs, movement.narrow(at, d, 0, n - 1), 0)
        first = movement.cat([first, _running("max", starts, d)[0]], d)
    runs = elementwise.sub(at, first)
    best = reduce.argmax(runs, d, True)
    place = along.gather(order, d, best._cast(DTYPES["int32"]))
    return return_types.mode(_chosen(input, d, place, keepdim))


def _only(x: Tensor, d: int, n: int) -> tuple[int, ...]:
    return tuple([n if e == d else 1 for e in range(x.ndim)])


def quantile(
    input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Tensor:
    """The q-th quantiles (a number or a vector of them in [0, 1]) along dim, or of all elements.

    interpolation: "linear", "lower", "higher", "midpoint" or "nearest".
    """
    return _quantile("quantile", input, q, dim, keepdim, interpolation)


def nanquantile(
    input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Tensor:
    """quantile of what is not NaN."""
    return _quantile("nanquantile", input, q, dim, keepdim, interpolation)


def _quantile(name: str, input: Tensor, q: Any, dim: Any, keepdim: bool, interpolation: str) -> Tensor:
    if interpolation not in ("linear", "lower", "higher", "midpoint", "nearest"):
        raise RuntimeError(
            "%s() interpolation must be one of linear, lower, higher, midpoint or nearest, but got %s"
            % (name, interpolation)
        )
    if input._dtype.name not in ("float32", "float64"):
        raise RuntimeError("%s() input tensor must be either float or double dtype" % name)
    if not input.numel():
        raise RuntimeError("%s() input tensor must be non-empty" % name)
    if isinstance(q, Tensor):
        if q._dtype is not input._dtype:
            raise RuntimeError("%s() q tensor must be same dtype as the input tensor" % name)
        if q.ndim > 1:
            raise RuntimeError("%s() q must be a scalar or 1D tensor" % name)
    else:
        q = full((), float(q), input._dtype, input.device)
    if not bool(_truth("min", compare("eq", elementwise.clamp(q.detach(), 0, 1), q), None, False)):
        raise RuntimeError("%s() q values must be in the range [0, 1]" % name)
    x = input.reshape((-1,)) if dim is None else input
    d = 0 if dim is None else movement.dim_of(x, dim)
    x = x.reshape((1,)) if not x._shape else x
    rows = movement.transpose(x, d, x.ndim - 1)
    n, last = x._shape[d], x.ndim - 1
    values = ordering.sort(rows, last)[0]
    there = reduce.sum_(compare("eq", values.detach(), values.detach()), last, True)._cast(input._dtype)
    rank = elementwise.mul(q.reshape((1,) * last + (-1,)), elementwise.sub(there, 1))
    rank = elementwise.maximum(rank, 0.0)
    if name == "quantile":
        rank = where(compare("lt", there, n), float(n - 1), rank)
    if interpolation in ("lower", "higher", "nearest"):
        rank = f.function({"lower": "floor", "higher": "ceil", "nearest": "round"}[interpolation], rank)
    low = f.function("floor", rank.detach())
    shape = (*rows._shape[:-1], rank._shape[-1])
    out = along.gather(values, last, movement.expand(low, shape)._cast(DTYPES["int32"]))
    if interpolation in ("linear", "midpoint"):
        weight = elementwise.sub(rank, low)
        if interpolation == "midpoint":
            weight = full(weight._shape, 0.5, weight._dtype, weight.device)
        high = f.function("ceil", rank.detach())
        above = along.gather(values, last, movement.expand(high, shape)._cast(DTYPES["int32"]))
        out = pointwise.FUNCTIONS["lerp"](out, above, movement.expand(weight, shape).contiguous())
    # [..., q] to [q, ...], with the reduced dimension at its place or away.
    out = movement.transpose(movement.unsqueeze(out, out.ndim - 1), out.ndim - 1, out.ndim)  # [..., q, 1]
    out = movement.permute(out, (out.ndim - 2, *range(out.ndim - 2), out.ndim - 1))
    if dim is None and keepdim:
        out = out.reshape((out._shape[0],) + (1,) * input.ndim)
    elif keepdim and input.ndim:
        out = movement.transpose(out, d + 1, out.ndim - 1)
    elif dim is None or not input.ndim:
        out = out.reshape((out._shape[0],))
    else:
        # The last dimension stands at d's place, and d at the end, of size 1.
        out = movement.squeeze(movement.transpose(out, d + 1, out.ndim - 1), d + 1)
    return (movement.squeeze(out, 0) if not q._shape else out).contiguous()


# ---- along a dimension ---------------------------------------------------------------------------


def cumsum(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """The sums up to each element along dim; of integers and bools int64."""
    movement.dim_of(input, dim)
    if dtype is bool_:
        raise NotImplementedError("cumsum is not implemented for bool")
    out = reduce.cumsum(_as(input, dtype), dim)
    return out if dtype is None else out._cast(dtype)


def cumprod(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """The products up to each element along dim; of integers and bools int64."""
    movement.dim_of(input, dim)
    if dtype is bool_:
        raise NotImplementedError("cumprod is not implemented for bool")
    out = reduce.cumprod(_as(input, dtype), dim)
    return out if dtype is None else out._cast(dtype)


def _running(name: str, x: Tensor, d: int) -> tuple[Tensor, Tensor]:
    """(the extremes up to each element along d, their int64 places, the last of equal ones), by
    doubling: each pass joins what twice as many elements have. No gradient here.
    """
    n = x._shape[d]
    place = movement.expand(movement.reshape(movement.arange(n, device=x.device), _only(x, d, n)), x._shape)._cast(
        int64
    )
    values, step = x.detach(), 1
    while step < n:
        left, right = movement.narrow(values, d, 0, n - step), movement.narrow(values, d, step, n - step)
        wins = compare("ge" if name == "max" else "le", right, left)
        if x._dtype.is_floating_point:
            nan_left, nan_right = compare("ne", left, left), compare("ne", right, right)
            wins = elementwise.logical_or(nan_right, elementwise.logical_and(wins, elementwise.logical_not(nan_left)))
        before, after = movement.narrow(place, d, 0, n - step), movement.narrow(place, d, step, n - step)
        values = movement.cat([movement.narrow(values, d, 0, step), where(wins, right, left)], d)
        place = movement.cat([movement.narrow(place, d, 0, step), where(wins, after, before)], d)
        step *= 2
    return values.detach(), place.detach()


def cummax(input: Tensor, dim: int) -> Any:
    """(values, indices): the largest up to each element along dim."""
    return _cumulative("max", input, dim)


def cummin(input: Tensor, dim: int) -> Any:
    """(values, indices): the smallest up to each element along dim."""
    return _cumulative("min", input, dim)


def _cumulative(name: str, x: Tensor, dim: int) -> Any:
    d = movement.dim_of(x, dim)
    result = getattr(return_types, "cum" + name)
    if not x._shape or not x.numel():
        values: Any = f.recorded("cum" + name, (x,), lambda x: x.clone(), (lambda dy: dy,), ())
        return result((values, full(x._shape, 0, int64, x.device)))
    place = _running(name, x, d)[1]
    return result((along.gather(x, d, place._cast(DTYPES["int32"])), place))


def logcumsumexp(input: Tensor, dim: int) -> Tensor:
    """log(cumsum(exp(input))) along dim, without overflow."""
    d = movement.dim_of(input, dim)
    if not input._dtype.is_floating_point:
        raise NotImplementedError("logcumsumexp is not implemented for %s; use .float()" % input._dtype.name)

    def slope(dy: Tensor) -> Tensor:
        y = logcumsumexp(input, dim)

        def share(part: Tensor) -> Tensor:
            there = compare("gt", part, 0)  # as PyTorch, a finite logarithm of 0
            logs = where(there, elementwise.unary("log", where(there, part, 1.0)), -LARGEST[part._dtype.name])
            logs = elementwise.sub(logs, y)
            rest = _flipped(_log_running(_flipped(logs, d), d), d)
            return elementwise.unary("exp", elementwise.add(rest, input))

        return elementwise.sub(share(elementwise.clamp(dy, 0.0)), share(elementwise.clamp(elementwise.neg(dy), 0.0)))

    return f.recorded("logcumsumexp", (input,), lambda x: _log_running(x, d), (slope,))


def _log_running(x: Tensor, d: int) -> Tensor:
    if not x._shape or not x.numel():
        return x.clone()
    n, step = x._shape[d], 1
    while step < n:
        left, right = movement.narrow(x, d, 0, n - step), movement.narrow(x, d, step, n - step)
        x = movement.cat([movement.narrow(x, d, 0, step), pointwise.FUNCTIONS["logaddexp"](left, right)], d)
        step *= 2
    return x.clone() if n == 1 else x


def _flipped(x: Tensor, d: int) -> Tensor:
    if not x._shape or not x.numel():
        return x
    n = x._shape[d]
    back = elementwise.rsub(movement.arange(n, device=x.device), n - 1)._cast(DTYPES["int32"])
    return along.gather(x, d, movement.expand(movement.reshape(back, _only(x, d, n)), x._shape).contiguous())


def diff(input: Tensor, n: int = 1, dim: int = -1, prepend: Any = None, append: Any = None) -> Tensor:
    """The n-th differences of neighbours along dim; of bools whether they differ."""
    if not input._shape:
        raise RuntimeError("diff expects input to be at least one-dimensional")
    if n < 0:
        raise RuntimeError("order must be non-negative but got %d" % n)
    if not n:
        return input.clone()
    d = movement.dim_of(input, dim)
    parts = [x for x in (prepend, input, append) if x is not None]
    for x in parts:
        if x.ndim != input.ndim:
            raise RuntimeError("diff expects prepend or append to be the same dimension as input")
        if any_differs(x._shape, input._shape, d):
            raise RuntimeError(
                "diff expects the shape of tensor to prepend or append to match that of input except along the "
                "differencing dimension; %s and %s" % (list(x._shape), list(input._shape))
            )
    if not n:
        return input.clone()
    x = movement.cat(parts, d) if len(parts) > 1 else input
    for _ in range(n):
        size = x._shape[d]
        if size < 1:
            return movement.narrow(x, d, 0, 0).clone()
        after, before = movement.narrow(x, d, 1, size - 1), movement.narrow(x, d, 0, size - 1)
        x = compare("ne", after, before) if x._dtype is bool_ else elementwise.sub(after, before)
    return x


def any_differs(a: tuple[int, ...], b: tuple[int, ...], d: int) -> bool:
    """Whether two shapes differ beside dimension d."""
    return a[:d] + a[d + 1 :] != b[:d] + b[d + 1 :]


def trapezoid(y: Tensor, x: Any = None, *, dx: Any = None, dim: int = -1) -> Tensor:
    """The integral of y along dim by the trapezoid rule, at the places x or in steps of dx (1)."""
    if y._dtype is bool_ and y._shape:
        raise RuntimeError("trapezoid: received a bool input for `y`, but bool is not supported")
    d, pieces = _trapezes(y, x, dx, dim)
    return elementwise.div(reduce.sum_(pieces, d), 2.0)


def cumulative_trapezoid(y: Tensor, x: Any = None, *, dx: Any = None, dim: int = -1) -> Tensor:
    """The integrals of y up to each place along dim by the trapezoid rule."""
    d, pieces = _trapezes(y, x, dx, dim)
    return elementwise.div(cumsum(pieces, d), 2.0)


def _trapezes(y: Tensor, x: Any, dx: Any, dim: int) -> tuple[int, Tensor]:
    """(the dimension, twice the area of each trapeze)."""
    if not y._shape:
        raise IndexError("trapezoid(): y must be at least one-dimensional")
    d = movement.dim_of(y, dim)
    n = y._shape[d]
    pair = builtins.max(n - 1, 0)
    sums = elementwise.add(movement.narrow(y, d, builtins.min(1, n), pair), movement.narrow(y, d, 0, pair))
    if x is None:
        return d, sums if dx is None else elementwise.mul(sums, dx)
    if not x._shape:
        raise IndexError("trapezoid(): x must be at least one-dimensional")
    if x.ndim == 1:
        if x._shape[0] != n:
            raise RuntimeError("trapezoid(): There must be one `x` value for each sample point")
        x = movement.reshape(x, (*(1 for _ in range(d)), n, *(1 for _ in range(y.ndim - d - 1))))
        e = d
    else:
        if x.ndim < y.ndim:
            x = movement.reshape(x, (1,) * (y.ndim - x.ndim) + x._shape)
        e = d + x.ndim - y.ndim
        if x._shape[e] != n:
            raise RuntimeError("trapezoid(): There must be one `x` value for each sample point")
        d = e
    size = x._shape[e]
    steps = elementwise.sub(movement.narrow(x, e, builtins.min(1, size), pair), movement.narrow(x, e, 0, pair))
    made = elementwise.mul(sums, steps)
    return d + made.ndim - builtins.max(y.ndim, x.ndim), made


# ---- counts --------------------------------------------------------------------------------------


def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """How often each whole number from 0 on is in a vector, or the sums of their weights."""
    if input._dtype.is_floating_point or input._dtype is bool_:
        raise NotImplementedError("bincount is not implemented for %s; use integers" % input._dtype.name)
    if input.ndim != 1:
        raise RuntimeError("bincount only supports 1-d non-negative integral inputs.")
    if minlength < 0:
        raise RuntimeError("minlength should be >= 0")
    if weights is not None and weights._shape != input._shape:
        raise RuntimeError("weights should be 1-d and have the same length as input")
    kind = int64 if weights is None else weights._dtype if weights._dtype.name == "float32" else float64
    if not input.numel():
        return full((minlength,), 0, int64 if weights is None else kind, input.device)
    values = input.detach()._cast(int64)
    low, high = int(reduce.min_(values).item()), int(reduce.max_(values).item())
    if low < 0:
        raise RuntimeError("bincount only supports 1-d non-negative integral inputs.")
    out = full((builtins.max(high + 1, minlength),), 0, kind, input.device)
    source = full(input._shape, 1, int64, input.device) if weights is None else weights.detach()._cast(kind)
    return along.scatter("add", out, 0, values._cast(DTYPES["int32"]).contiguous(), source)


def histc(input: Tensor, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
    """How many elements are in each of `bins` equal parts of [min, max] (the range of input where
    both are 0), in input's dtype.
    """
    if not input._dtype.is_floating_point:
        raise NotImplementedError("histc is not implemented for %s; use .float()" % input._dtype.name)
    return _histogram(input, bins, min, max, None)


def _histogram(input: Tensor, bins: int, low: float, high: float, weight: Tensor | None) -> Tensor:
    if bins <= 0:
        raise RuntimeError("bins must be > 0, but got %d" % bins)
    x = input.detach().reshape((-1,))
    if low == high and low == 0 and x.numel():
        low, high = float(reduce.min_(x).item()), float(reduce.max_(x).item())
    if low == high:
        low, high = low - 1, high + 1
    if not (math.isfinite(low) and math.isfinite(high)):
        raise RuntimeError("range of [%s, %s] is not finite" % (low, high))
    if low > high:
        raise RuntimeError("max must be larger than min")
    inside = elementwise.logical_and(compare("ge", x, low), compare("le", x, high))
    scaled = elementwise.div(elementwise.mul(elementwise.sub(x, low), float(bins)), high - low)
    at = elementwise.minimum(f.function("floor", where(inside, scaled, 0.0)), float(bins - 1))._cast(DTYPES["int32"])
    counts = inside._cast(x._dtype) if weight is None else where(inside, weight.reshape((-1,)), 0.0)
    out = full((bins,), 0, x._dtype, x.device)
    return along.scatter("add", out, 0, at.contiguous(), counts) if x.numel() else out


def unique(
    input: Tensor, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False,
    dim: int | None = None,
) -> Any:  # fmt: skip
    """The different elements of input in order, or its different slices along dim; with where each
    went (return_inverse), and how often each is there (return_counts).
    """
    if dim is not None:
        return _unique_slices(input, dim, return_inverse, return_counts, False)
    flat = input.detach().reshape((-1,))
    values, order = ordering.sorted_along(flat, 0, False)
    return _runs(values, order, input._shape, return_inverse, return_counts)


def unique_consecutive(
    input: Tensor, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """The elements of input without those equal to the one before, or its slices along dim."""
    if dim is not None:
        return _unique_slices(input, dim, return_inverse, return_counts, True)
    return _runs(input.detach().reshape((-1,)), None, input._shape, return_inverse, return_counts)


def _runs(values: Tensor, order: Tensor | None, shape: tuple[int, ...], inverse: bool, counts: bool) -> Any:
    """The first of each run of equal values; order: where each value was in the input."""
    n, device = values.numel(), values.device
    if not n:
        first = starts = full((0,), 0, int64, device)
        different = values.clone()
    else:
        differs = compare("ne", movement.narrow(values, 0, 1, n - 1), movement.narrow(values, 0, 0, n - 1))
        first = movement.cat([full((1,), True, bool_, device), differs], 0)
        starts = movement.true_places(first)[0]._cast(int64)
        different = along.index_select(values, 0, starts._cast(DTYPES["int32"]))
    results = [different]
    if inverse:
        went = elementwise.sub(reduce.cumsum(first, 0), 1) if n else first
        if order is not None and n:
            went = along.scatter("put", full((n,), 0, int64, device), 0, order, went)
        results.append(movement.reshape(went, shape))
    if counts:
        ends = (
            movement.cat([movement.narrow(starts, 0, 1, starts.numel() - 1), full((1,), n, int64, device)], 0)
            if n
            else starts
        )
        results.append(elementwise.sub(ends, starts))
    return results[0] if len(results) == 1 else tuple(results)


def _unique_slices(x: Tensor, dim: int, inverse: bool, counts: bool, consecutive: bool) -> Any:
    """unique along a dimension: the slices are compared on the host."""
    d = movement.dim_of(x, dim)
    x = x.detach()
    if not x.numel() and x._shape[d]:
        raise RuntimeError("There are 0 sized dimensions, and they aren't selected, so unique cannot be applied")
    moved = movement.permute(x, (d, *(e for e in range(x.ndim) if e != d)))
    rows = moved.reshape((x._shape[d], -1)).tolist() if x.numel() else []
    order = range(len(rows)) if consecutive else builtins.sorted(range(len(rows)), key=rows.__getitem__)
    picked: list[int] = []
    went, sizes = [0] * len(rows), []
    for i in order:
        if not picked or rows[picked[-1]] != rows[i]:
            picked.append(i)
            sizes.append(0)
        went[i] = len(picked) - 1
        sizes[-1] += 1

    def vector(numbers: list[int]) -> Tensor:
        return tensor(numbers, dtype=int64, device=x.device)

    results = [along.index_select(x, d, vector(picked)._cast(DTYPES["int32"]))]
    results += [vector(went)] if inverse else []
    results += [vector(sizes)] if counts else []
    return results[0] if len(results) == 1 else tuple(results)


# ---- softmax -------------------------------------------------------------------------------------


def softmax(input: Tensor, dim: int, dtype: Any = None) -> Tensor:
    """exp(input) / sum(exp(input)) along dim; dtype: input is cast first."""
    return _softmax("softmax", input, dim, dtype, False)


def log_softmax(input: Tensor, dim: int, dtype: Any = None) -> Tensor:
    """log(softmax(input, dim))."""
    return _softmax("log_softmax", input, dim, dtype, True)


def _softmax(name: str, input: Tensor, dim: int, dtype: Any, log: bool) -> Tensor:
    x = _as(input, dtype)
    movement.dim_of(x, dim)
    if not x._dtype.is_floating_point:
        raise NotImplementedError("%s is not implemented for %s; use .float(), or dtype=" % (name, x._dtype.name))
    return softmax_xent.softmax(x, dim, log)


FUNCTIONS: dict[str, Any] = {
    "sum": sum, "nansum": nansum, "mean": mean, "nanmean": nanmean, "prod": prod, "count_nonzero": count_nonzero,
    "logsumexp": logsumexp, "max": max, "min": min, "amax": amax, "amin": amin, "aminmax": aminmax, "argmax": argmax,
    "argmin": argmin, "any": any_along, "all": all_along, "var": var, "std": std, "var_mean": var_mean,
    "std_mean": std_mean, "median": median, "nanmedian": nanmedian, "mode": mode, "quantile": quantile,
    "nanquantile": nanquantile, "cumsum": cumsum, "cumprod": cumprod, "cummax": cummax,
    "cummin": cummin, "logcumsumexp": logcumsumexp, "diff": diff, "trapezoid": trapezoid, "trapz": trapezoid,
    "cumulative_trapezoid": cumulative_trapezoid, "bincount": bincount, "histc": histc, "unique": unique,
    "unique_consecutive": unique_consecutive, "softmax": softmax, "log_softmax": log_softmax,
}  # fmt: skip
_FUNCTIONS_ONLY = ("var_mean", "std_mean", "trapezoid", "trapz", "cumulative_trapezoid")


def _cumsum_(self: Tensor, *args: Any, **named: Any) -> Tensor:
    """cumsum in place. Returns self. NotImplementedError of bools."""
    if self._dtype is not bool_:
        return inplace.assigned(cumsum, self, *args, **named)
    cumsum(self, *args, **named)  # whose errors come first
    if self._shape:
        raise NotImplementedError("\"cumsum_out_cpu\" not implemented for 'Bool'")
    return self


METHODS: dict[str, Any] = {
    **calling.methods(
        {name: function for name, function in FUNCTIONS.items() if name not in _FUNCTIONS_ONLY}, "cumprod"
    ),
    "count_nonzero": _count_nonzero,
    "cumsum_": _cumsum_,
}
LIMITED = {
    "unique": "sorted=False sorts too",
    "mode": "the index is that of the last of equal elements; PyTorch's of a long row is any",
}
ABSENT = {
    "histogram": "use histc",
    "histogramdd": "use histc along each dimension",
}
calling.functions(globals(), FUNCTIONS)
