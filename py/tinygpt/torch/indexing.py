"""Reading and writing by index: gather, scatter, index_*, masked_*, take, put, nonzero, and copies
with one part replaced.
"""

from __future__ import annotations

from typing import Any

from ..core.autograd import attach, before_write, is_recorded, needs_grad, refuse_repeated, written
from ..core.factory import full
from ..core.state import state
from ..core.tensor import Tensor, bool_, fitted, int32, int64, is_number
from ..ops import elementwise, embedding, inplace, movement
from ..ops import gather as along
from .keywords import function, refuse
from .shown import shown

_LONG = (int64, int32)
_REDUCE = {"sum": "add", "prod": "mul", "mean": "add", "amax": "max", "amin": "min"}


# ---- checks --------------------------------------------------------------------------------------


def _ranked(x: Tensor) -> int:
    return x.ndim or 1


def _check_index(name: str, x: Tensor, d: int, index: Any, src: Tensor | None = None, kinds: Any = _LONG) -> Tensor:
    """The index of gather or scatter as int32, of as many dimensions as x."""
    if not isinstance(index, Tensor):
        raise TypeError("%s(): argument 'index' must be Tensor, not %s" % (name, type(index).__name__))
    if not index.numel():
        return index._cast(int32)
    if index._dtype not in kinds:
        raise RuntimeError("%s(): Expected dtype int32/int64 for index" % name)
    elementwise.same_device(x, index)
    for other, text in ((x, "self" if src is not None else "input"), (src, "src")):
        if other is not None and _ranked(other) != _ranked(index):
            raise RuntimeError("Index tensor must have the same number of dimensions as %s tensor" % text)
    shape = index._shape or (1,)
    sizes = x._shape or (1,)
    over = any(n > sizes[e] for e, n in enumerate(shape) if e != d)
    if src is not None:
        over = over or any(n > m for n, m in zip(shape, src._shape or (1,)))
    if over:
        raise RuntimeError(
            "%s(): Expected index %s to be no larger than self %s apart from dimension %d%s"
            % (
                name, list(index._shape), list(x._shape), d,
                "" if src is None else " and to be no larger size than src %s" % list(src._shape),
            )
        )  # fmt: skip
    return embedding.as_index(index)


def _as_vector(x: Tensor, *others: Tensor) -> list[Tensor]:
    """The tensors with a 0-d one as one of size 1, where x is 0-d or an index is."""
    return [v.reshape(1) if not v._shape else v for v in (x, *others)]


def _same_dtype(name: str, x: Tensor, src: Tensor) -> None:
    if src._dtype is not x._dtype:
        raise RuntimeError("%s(): Expected self.dtype to be equal to src.dtype" % name)


def _in_place(x: Tensor, name: str, others: Any, make: Any, reads: bool = False) -> Tensor:
    """x = make(x) in place, recorded where x or one of the others needs a gradient; reads: the
    gradient reads x as it was.
    """
    refuse_repeated(x)
    recorded = False
    for other in (None, *[v for v in others if isinstance(v, Tensor)]):
        recorded = is_recorded(x, name, other) or recorded
    if recorded:
        old = before_write(x)
        return inplace._assign(x, make(movement.clone(old) if reads else old))
    elementwise.copy_into(x, make(x.detach()))
    return written(x)


# ---- gather, scatter -----------------------------------------------------------------------------


@shown("GatherBackward0")
@function
def gather(input: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False) -> Tensor:
    """input[..., index[..., i, ...], ...] along dim, of index's shape."""
    refuse("gather", sparse_grad=sparse_grad)
    d = movement.dim_of(input, dim)
    at = _check_index("gather", input, d, index)
    if not at.numel():
        return movement.no_view(movement.clone(movement.sliced(input.reshape(-1), 0, 0, 0)).reshape(index._shape))
    x, at = _as_vector(input, at)
    return movement.no_view(along.gather(x, d, at).reshape(index._shape))


def _scattered(op: str, name: str, input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    d = movement.dim_of(input, dim)
    _same_dtype(name, input, src)
    at = _check_index(name, input, d, index, src)
    if not at.numel():
        return _untouched(input, src)
    x, at, values = _as_vector(input, at, src)
    return movement.no_view(along.scatter(op, x, d, at, values).reshape(input._shape))


def _untouched(x: Tensor, src: Tensor) -> Tensor:
    """A copy of x, into which an empty index has written nothing of src."""
    out = movement.clone(x.detach())
    if needs_grad(x, src):
        shape = src._shape
        attach("scatter", (out,), (x, src), lambda dy: (dy, full(shape, 0, dy._dtype, dy.device)), ())
    return out


def _source(name: str, input: Tensor, index: Tensor, src: Any, value: Any, reduce: Any) -> tuple[Tensor, str]:
    """What scatter writes, and the kernel's op."""
    given = src if value is None else value
    if reduce is not None and reduce not in ("add", "multiply"):
        raise RuntimeError("reduce argument must be either add or multiply.")
    if not isinstance(given, Tensor):
        if not is_number(given):
            raise TypeError("%s(): argument 'src' must be Tensor or Number, not %s" % (name, type(given).__name__))
        number = fitted(given, input._dtype)
        given = full((), number, input._dtype, input.device).expand(index._shape)
    if reduce is not None and needs_grad(input, given):
        raise NotImplementedError("%s(reduce=%r) has no gradient, as in PyTorch; use scatter_reduce" % (name, reduce))
    return given, {None: "put", "add": "add", "multiply": "mul"}[reduce]


@shown("ScatterBackward0")
@function
def scatter(
    input: Tensor, dim: int, index: Tensor, src: Any = None, *, value: Any = None, reduce: Any = None
) -> Tensor:
    """A copy of input with src (a tensor or a number) written at index along dim.

    reduce: None, "add" or "multiply".
    """
    given, op = _source("scatter", input, index, src, value, reduce)
    return _scattered(op, "scatter", input, dim, index, given)


@function
def scatter_(
    input: Tensor, dim: int, index: Tensor, src: Any = None, *, value: Any = None, reduce: Any = None
) -> Tensor:
    """scatter in place. Returns input."""
    given, op = _source("scatter_", input, index, src, value, reduce)
    return _in_place(input, "scatter_", (given,), lambda x: _scattered(op, "scatter", x, dim, index, given))


@shown("ScatterAddBackward0")
@function
def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """A copy of input with src added at index along dim."""
    return _scattered("add", "scatter", input, dim, index, src)


@function
def scatter_add_(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """scatter_add in place. Returns input."""
    return _in_place(input, "scatter_add_", (src,), lambda x: _scattered("add", "scatter", x, dim, index, src))


@shown("ScatterReduceBackward0")
@function
def scatter_reduce(
    input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """A copy of input with src combined at index along dim.

    reduce: "sum", "prod", "mean", "amax" or "amin". include_self: whether what is there counts.
    """
    d = movement.dim_of(input, dim)
    if reduce not in _REDUCE:
        raise RuntimeError("reduce argument must be either sum, prod, mean, amax or amin, got %s" % reduce)
    _same_dtype("scatter", input, src)
    if input._dtype is bool_ and reduce == "mean" and (include_self or index.numel()):
        raise NotImplementedError("\"scatter_gather_tensor_cpu_reduce_mean\" not implemented for 'Bool'")
    at = _check_index("scatter", input, d, index, src)
    if not at.numel():
        return _untouched(input, src)
    x, at, values = _as_vector(input, at, src)
    return movement.no_view(_reduced(x, d, at, values, reduce, include_self).reshape(input._shape))


def _filled(x: Tensor, d: int, at: Tensor, value: float) -> Tensor:
    """A copy of x with a number at the index."""
    return along.scatter("put", x, d, at, full((), value, x._dtype, x.device).expand(at._shape))


def _least(x: Tensor) -> float:
    return float("-inf") if x._dtype.is_floating_point else 0 if x._dtype is bool_ else (x._dtype.limits or (0, 0))[0]


def _most(x: Tensor) -> float:
    return float("inf") if x._dtype.is_floating_point else 1 if x._dtype is bool_ else (x._dtype.limits or (0, 0))[1]


def _counts(x: Tensor, d: int, at: Tensor, include_self: bool) -> Tensor:
    """How many numbers each element is the mean of, at least 1."""
    kind = x._dtype if x._dtype.is_floating_point else int64
    ones = full((), 1, kind, x.device).expand(at._shape)
    found = along.scatter("add", full(x._shape, int(include_self), kind, x.device), d, at, ones)
    return elementwise.maximum(found, 1)


def _reduced(x: Tensor, d: int, at: Tensor, src: Tensor, how: str, include_self: bool) -> Tensor:
    """scatter_reduce of an int32 index, with PyTorch's gradients (scatter_reduce_backward)."""
    start = x.detach()
    if not include_self:
        identity = {"sum": 0, "mean": 0, "prod": 1, "amax": _least(x), "amin": _most(x)}[how]
        start = _filled(start, d, at, identity)
    out = along.scatter(_REDUCE[how], start, d, at, src.detach())
    if how == "mean":
        count = _counts(x, d, at, include_self)
        kind = x._dtype
        out = elementwise.div(out, count) if kind.is_floating_point else elementwise.floor_divide(out, count)
        out = out._cast(kind)
    if not needs_grad(x, src):
        return out
    y, given = out.detach(), (x._requires_grad, src._requires_grad)

    def backward(dy):
        again = how == "prod" and state.grad_enabled  # its gradient's gradient reads the product too
        product = _reduced(x, d, at, src, how, include_self) if again else y
        dx, dsrc = _REDUCE_BACKWARD[how](dy, x, d, at, src, product, include_self)
        if not include_self:
            dx = _filled(dx, d, at, 0)
        return dx if given[0] else None, along.padded(dsrc, src._shape) if given[1] else None

    attach("scatter_reduce", (out,), (x, src), backward, () if how in ("sum", "mean") else (x, src, y))
    return out


def _sum_backward(dy, x, d, at, src, y, include_self):
    return dy, along.gather(dy, d, at)


def _mean_backward(dy, x, d, at, src, y, include_self):
    dy = elementwise.div(dy, _counts(dy, d, at, include_self))
    return dy, along.gather(dy, d, at)


def _extreme_backward(dy, x, d, at, src, y, include_self):
    src = _part(src, at)
    mine = elementwise.compare("eq", x, y)._cast(dy._dtype)
    theirs = elementwise.compare("eq", src, along.gather(y, d, at))._cast(dy._dtype)
    share = elementwise.div(dy, along.scatter("add", mine, d, at, theirs))
    return elementwise.mul(mine, share), elementwise.mul(theirs, along.gather(share, d, at))


def _prod_backward(dy, x, d, at, src, y, include_self):
    whole, src = src, _part(src, at)
    nonzero_x = elementwise.masked_fill(x, elementwise.compare("eq", x, 0), 1)
    dx = elementwise.div(elementwise.mul(dy, _reduced(nonzero_x, d, at, whole, "prod", include_self)), nonzero_x)
    zero = elementwise.compare("eq", src, 0)
    zeros = along.gather(along.scatter("add", elementwise.zeros_of(x), d, at, zero._cast(x._dtype)), d, at)
    single = elementwise.logical_and(zero, elementwise.compare("eq", zeros, 1))
    without = _reduced(x, d, at, elementwise.masked_fill(src, single, 1), "prod", include_self)
    rest = elementwise.div(along.gather(elementwise.mul(dy, y), d, at), elementwise.masked_fill(src, zero, 1))
    return dx, elementwise.where(single, along.gather(elementwise.mul(dy, without), d, at), rest)


def _part(src: Tensor, at: Tensor) -> Tensor:
    return along._narrowed(src, at._shape, -1)


_REDUCE_BACKWARD: Any = dict(
    sum=_sum_backward, mean=_mean_backward, amax=_extreme_backward, amin=_extreme_backward, prod=_prod_backward
)


@function
def scatter_reduce_(
    input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """scatter_reduce in place. Returns input."""
    return _in_place(
        input,
        "scatter_reduce_",
        (src,),
        lambda x: scatter_reduce(x, dim, index, src, reduce, include_self=include_self),
        reads=reduce not in ("sum", "mean"),
    )


# ---- index_* -------------------------------------------------------------------------------------


def _vector(name: str, index: Any, kinds: Any = _LONG, error: Any = RuntimeError) -> Tensor:
    """A one-dimensional int32 index; PyTorch's errors for another."""
    if not isinstance(index, Tensor):
        raise TypeError("%s(): argument 'index' must be Tensor, not %s" % (name, type(index).__name__))
    if index.ndim > 1:
        raise IndexError("%s(): Index is supposed to be a vector, but got shape %s" % (name, list(index._shape)))
    if index._dtype not in kinds:
        raise error("%s(): Expected dtype int32 or int64 for index, but got %s" % (name, index._dtype.name))
    return embedding.as_index(index).reshape(-1)


@function
def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """The slices of input along dim that a one-dimensional index names."""
    d = movement.dim_of(input, dim)
    at = _vector("index_select", index)
    elementwise.same_device(input, index)
    if not input._shape:
        if at.numel() != 1:
            raise RuntimeError("index_select(): Index to scalar can have only 1 value, got %d value(s)" % at.numel())
        return movement.no_view(along.index_select(input.reshape(1), 0, at).reshape(()))
    return along.index_select(input, d, at)


def _slices(
    name: str, input: Tensor, dim: int, index: Tensor, source: Tensor, kinds: Any, error: Any
) -> tuple[Tensor, int, Tensor, Tensor]:
    """x, d, index and source of index_add, index_copy and index_reduce, checked."""
    d = movement.dim_of(input, dim)
    at = _vector(name, index, kinds)
    if source._dtype is not input._dtype:
        raise RuntimeError(
            "%s(): self (%s) and source (%s) must have the same scalar type"
            % (name, input._dtype.name, source._dtype.name)
        )
    elementwise.same_device(input, source)
    if source.ndim > 1 and _ranked(input) != source.ndim or source.ndim == 1 and input.ndim > 1:
        if not (not source._shape and index.numel() == 1):
            raise error(
                "%s(): When source and destination are not scalars, their dimensionality must match. "
                "Source dimensionality (%d), destination dimensionality (%d)" % (name, source.ndim, input.ndim)
            )
    x, values = _as_vector(input, source)
    if values.ndim != x.ndim:
        values = values.reshape((1,) * x.ndim)
    if at.numel() != (source._shape[d] if source._shape else 1):
        raise error(
            "%s(): Number of indices (%d) should be equal to source.size(dim) (%d)"
            % (name, at.numel(), values._shape[d])
        )
    rest = [n for e, n in enumerate(x._shape) if e != d]
    if [n for e, n in enumerate(values._shape) if e != d] != rest:
        raise RuntimeError(
            "source tensor shape must match self tensor shape, excluding the specified dimension. "
            "Got self.shape = %s source.shape = %s" % (list(input._shape), list(source._shape))
        )
    return x, d, at, values


def _written_at(op: str, x: Tensor, d: int, at: Tensor, values: Tensor, error: Any = RuntimeError) -> Tensor:
    try:
        return along.scatter(op, x, d, along.spread_index(at, values._shape, d), values)
    except RuntimeError as problem:
        raise (error if x.numel() else along.BoundsError)(*problem.args) from None


@shown("IndexAddBackward0")
@function
def index_add(input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: float = 1) -> Tensor:
    """A copy of input with alpha * source added to the slices along dim that index names."""
    x, d, at, values = _slices("index_add_", input, dim, index, source, _LONG, RuntimeError)
    if not x.numel() and x.ndim > 1:
        return _untouched(input, source)
    if alpha != 1:
        values = elementwise.mul(values, fitted(alpha, values._dtype))
    return movement.no_view(_written_at("add", x, d, at, values, along.BoundsError).reshape(input._shape))


@function
def index_add_(input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: float = 1) -> Tensor:
    """index_add in place. Returns input."""
    return _in_place(input, "index_add_", (source,), lambda x: index_add(x, dim, index, source, alpha=alpha))


@shown("IndexCopyBackward0")
@function
def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """A copy of input with the slices along dim that index names taken from source."""
    x, d, at, values = _slices("index_copy_", input, dim, index, source, (int64,), IndexError)
    return movement.no_view(_written_at("put", x, d, at, values, IndexError).reshape(input._shape))


@function
def index_copy_(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """index_copy in place. Returns input."""
    return _in_place(input, "index_copy_", (source,), lambda x: index_copy(x, dim, index, source))


@function
def index_reduce(
    input: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """A copy of input with source combined into the slices along dim that index names.

    reduce: "prod", "mean", "amax" or "amin".
    """
    if reduce not in ("prod", "mean", "amax", "amin"):
        raise RuntimeError("index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got %s." % reduce)
    x, d, at, values = _slices("index_reduce", input, dim, index, source, _LONG, RuntimeError)
    return movement.no_view(
        _reduced(x, d, along.spread_index(at, values._shape, d), values, reduce, include_self).reshape(input._shape)
    )


@function
def index_reduce_(
    input: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """index_reduce in place. Returns input."""
    return _in_place(
        input,
        "index_reduce_",
        (source,),
        lambda x: index_reduce(x, dim, index, source, reduce, include_self=include_self),
        reads=reduce != "mean",
    )


@shown("IndexFillBackward0")
@function
def index_fill(input: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """A copy of input with `value`, a number or a 0-d tensor, in the slices along dim that index
    names; negative indices count from the end.
    """
    d = movement.dim_of(input, dim)
    if isinstance(index, Tensor) and index._dtype is not int64:
        raise IndexError("index_fill_(): Expected dtype int64 for index.")
    at = _vector("index_fill_", index)
    if isinstance(value, Tensor) and value._shape:
        raise RuntimeError(
            "index_fill_ only supports a 0-dimensional value tensor, but got tensor with %d dimension(s)." % value.ndim
        )
    (x,) = _as_vector(input)
    one = value._cast(x._dtype) if isinstance(value, Tensor) else full((), fitted(value, x._dtype), x._dtype, x.device)
    at = elementwise.where(elementwise.compare("lt", at, 0), elementwise.binary_scalar("add", at, x._shape[d]), at)
    at = embedding.as_index(at)
    mask = full((x._shape[d],), False, bool_, x.device)
    mask = _written_at("put", mask, 0, at, full(at._shape, True, device=x.device), IndexError)
    mask = mask.reshape((x._shape[d],) + (1,) * (x.ndim - d - 1))
    return elementwise.where(mask, one, x).reshape(input._shape)


@function
def index_fill_(input: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """index_fill in place. Returns input."""
    return _in_place(input, "index_fill_", (value,), lambda x: index_fill(x, dim, index, value))


@function
def index_put_(input: Tensor, indices: Any, values: Tensor, accumulate: bool = False) -> Tensor:
    """input[indices] = values, or += values when accumulate. Returns input."""
    keys = list(indices)
    for k in keys:
        if not isinstance(k, Tensor):
            raise TypeError("index_put_(): argument 'indices' must be tuple of Tensors, not %s" % type(k).__name__)
    if not isinstance(values, Tensor):
        raise TypeError("index_put_(): argument 'values' must be Tensor, not %s" % type(values).__name__)
    if values._dtype is not input._dtype:
        raise RuntimeError(
            "Index put requires the source and destination dtypes match, got %s for the destination and %s for the "
            "source." % (input._dtype.name, values._dtype.name)
        )
    keys = [k.reshape(1) if not k._shape and k._dtype is not bool_ else k for k in keys]
    return inplace._put(input, keys, values, accumulate)


@shown("IndexPutBackward0")
@function
def index_put(input: Tensor, indices: Any, values: Tensor, accumulate: bool = False) -> Tensor:
    """A copy of input with values written at indices, or added when accumulate."""
    return index_put_(input.clone(), indices, values, accumulate)


# ---- the flattened tensor ------------------------------------------------------------------------


def _flat_index(name: str, index: Any, n: int) -> Tensor:
    if index._dtype is not int64:
        raise RuntimeError("%s(): Expected a long tensor for index, but got %s" % (name, index._dtype.name))
    at = embedding.as_index(index)
    return elementwise.where(elementwise.compare("lt", at, 0), elementwise.binary_scalar("add", at, n), at)


@function
def take(input: Tensor, index: Tensor) -> Tensor:
    """The elements of the flattened input at index, of index's shape."""
    n = input.numel()
    at = _flat_index("take", index, n).reshape(-1)
    if not n and at.numel():
        raise IndexError("take(): tried to take from an empty tensor")
    try:
        return movement.no_view(along.gather(input.reshape(-1), 0, at).reshape(index._shape))
    except RuntimeError as problem:
        raise IndexError("out of range: %s on a tensor of %d elements" % (problem, n)) from None


@function
def put(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """A copy of input with source written (or added) at index into the flattened tensor."""
    if source._dtype is not input._dtype:
        raise RuntimeError("put_(): self and source expected to have the same dtype")
    at = _flat_index("put_", index, input.numel())
    if source.numel() != index.numel():
        raise IndexError(
            "put_(): Expected source and index to have the same number of elements, but got source.numel() = %d, "
            "index.numel() = %d" % (source.numel(), index.numel())
        )
    flat = input.reshape(-1)
    return _written_at("add" if accumulate else "put", flat, 0, at.reshape(-1), source.reshape(-1), IndexError).reshape(
        input._shape
    )


@function
def put_(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """put in place. Returns input."""
    return _in_place(input, "put_", (source,), lambda x: put(x, index, source, accumulate))


@function
def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """gather with broadcasting, indices modulo the size; of the flattened tensors without dim."""
    if dim is None:
        return take_along_dim(input.reshape(-1), indices.reshape(-1), 0)
    if input.ndim != indices.ndim:
        raise RuntimeError(
            "torch.take_along_dim(): input and indices should have the same number of dimensions, but got %d "
            "dimensions for input, and %d dimensions for indices" % (input.ndim, indices.ndim)
        )
    d = movement.dim_of(input, dim)
    if indices._dtype not in _LONG:
        raise RuntimeError("gather(): Expected dtype int32/int64 for index")
    if not input._shape:
        return gather(input, 0, indices)
    shape = list(
        elementwise.broadcast_shapes(
            tuple(1 if e == d else n for e, n in enumerate(input._shape)),
            tuple(1 if e == d else n for e, n in enumerate(indices._shape)),
        )
    )
    x = input.expand(*shape[:d], input._shape[d], *shape[d + 1 :])
    at = indices.expand(*shape[:d], indices._shape[d], *shape[d + 1 :])
    return gather(x, d, elementwise.remainder(at, max(input._shape[d], 1)))


__all__ = [
    "gather", "index_add", "index_copy", "index_fill", "index_put", "index_put_", "index_reduce", "index_select",
    "put", "scatter", "scatter_add", "scatter_reduce", "take", "take_along_dim",
]  # fmt: skip
METHODS = {
    "gather": gather, "index_add": index_add, "index_add_": index_add_, "index_copy": index_copy,
    "index_copy_": index_copy_, "index_fill": index_fill, "index_fill_": index_fill_, "index_put": index_put,
    "index_put_": index_put_, "index_reduce": index_reduce, "index_reduce_": index_reduce_,
    "index_select": index_select, "put": put, "put_": put_, "scatter": scatter, "scatter_": scatter_,
    "scatter_add": scatter_add, "scatter_add_": scatter_add_, "scatter_reduce": scatter_reduce,
    "scatter_reduce_": scatter_reduce_, "take": take, "take_along_dim": take_along_dim,
}  # fmt: skip
LIMITED = {
    "index_select": "an index outside raises an error that is both IndexError and RuntimeError: PyTorch's depends on "
    "the memory's layout",
    "scatter": "reduce= has no gradient, as in PyTorch; use scatter_reduce",
}
