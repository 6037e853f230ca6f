"""Order: sort, argsort, topk, kthvalue, and where numbers fall between sorted ones.

Equal elements keep their order here, where PyTorch's topk and kthvalue promise none.
"""

from __future__ import annotations

from typing import Any

from .. import kernels
from ..core.autograd import attach, needs_grad
from ..core.factory import full, like
from ..core.tensor import Tensor, bool_, int32, int64, is_number, whole_number
from ..graph.program import launch
from ..ops import elementwise, movement
from ..ops import gather as along
from . import return_types
from .keywords import function
from .shown import shown


def sorted_along(x: Tensor, d: int, descending: bool) -> tuple[Tensor, Tensor]:
    """(values, int32 order) of x sorted along dimension d, stable; no gradient here."""
    if not x._shape:
        return movement.clone(x.detach()), full((), 0, int32, x.device)
    computed = x._dtype.computed
    last = x.ndim - 1
    rows = movement.contiguous((x if d == last else movement.transpose(x, d, last)).detach()._cast(computed))
    values, order = like(rows), like(rows, dtype=int32)
    if values.numel():
        n = rows._shape[-1]
        launch(kernels.sort, (values, order, rows), (computed.code, rows.numel() // n, n, int(descending)))
    values = values._cast(x._dtype)
    if d != last:
        values, order = [movement.contiguous(movement.transpose(v, d, last)) for v in (values, order)]
    return values.detach(), order.detach()


def _with_gradient(name: str, values: Tensor, x: Tensor, d: int, order: Tensor) -> Tensor:
    """values, which are x's elements at `order` along d, on the tape."""
    if needs_grad(x):
        shape = x._shape

        def backward(dy):
            if not shape:
                return (dy.reshape(()),)
            return (along.scatter("put", full(shape, 0, dy._dtype, dy.device), d, order, dy),)

        attach(name, (values,), (x,), backward, (order,))
    return values


@function
def sort(input: Tensor, dim: int = -1, descending: bool = False, *, stable: bool | None = False) -> Any:
    """(values, int64 indices): input sorted along dim."""
    d = movement.dim_of(input, dim)
    values, order = sorted_along(input, d, bool(descending))
    return return_types.sort((_with_gradient("sort", values, input, d, order), order._cast(int64)))


@function
def argsort(input: Tensor, dim: int = -1, descending: bool = False, *, stable: bool = False) -> Tensor:
    """int64: the indices that sort input along dim."""
    return sorted_along(input, movement.dim_of(input, dim), bool(descending))[1]._cast(int64)


@function
def msort(input: Tensor) -> Tensor:
    """input sorted along its first dimension."""
    return sort(input, 0)[0]


def _cut(v: Tensor, d: int, start: int, length: int) -> Tensor:
    return movement.contiguous(movement.sliced(v, d, start, length)) if v._shape else v


def _first(x: Tensor, d: int, k: int, largest: bool) -> tuple[Tensor, Tensor]:
    """(values, int32 order) of the k largest along dimension d, largest first, or of the least."""
    last = x.ndim - 1
    n = x._shape[d] if x._shape else 1
    if not x._shape or not k or not x.numel():
        values, order = sorted_along(x, d, largest)
        if x._shape:
            values, order = [_cut(v, d, 0, k).detach() for v in (values, order)]
        return values, order
    computed = x._dtype.computed
    rows = movement.contiguous((x if d == last else movement.transpose(x, d, last)).detach()._cast(computed))
    values = like(rows, (*rows._shape[:-1], k))
    order = like(values, dtype=int32)
    launch(kernels.topk, (values, order, rows), (computed.code, rows.numel() // n, n, k, int(largest)))
    values = values._cast(x._dtype)
    if d != last:
        values, order = [movement.contiguous(movement.transpose(v, d, last)) for v in (values, order)]
    return values.detach(), order.detach()


@function
def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    """(values, int64 indices) of the k largest elements along dim, or of the smallest."""
    d = movement.dim_of(input, dim)
    count = whole_number(k, "k")
    if not 0 <= count <= (input._shape[d] if input._shape else 1):
        raise RuntimeError("selected index k out of range")
    if input._dtype is bool_:
        raise NotImplementedError("\"topk_cpu\" not implemented for 'Bool'")
    values, order = _first(input, d, count, bool(largest))
    return return_types.topk((_with_gradient("topk", values.detach(), input, d, order), order._cast(int64)))


@shown("KthvalueBackward0")
@function
def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    """(values, int64 indices): the k-th smallest element along dim, counted from 1."""
    d = movement.dim_of(input, dim)
    n = input._shape[d] if input._shape else 1
    if input._shape and not n:
        raise IndexError("kthvalue(): Expected reduction dim %d to have non-zero size." % d)
    at = whole_number(k, "k")
    if not 1 <= at <= n:
        raise RuntimeError("kthvalue(): selected number k out of range for dimension %d" % d)
    if input._dtype is bool_:
        raise NotImplementedError("\"kthvalue_cpu\" not implemented for 'Bool'")
    values, order = sorted_along(input, d, False)
    values, order = _cut(values, d, at - 1, 1).detach(), _cut(order, d, at - 1, 1).detach()
    values = _with_gradient("kthvalue", values, input, d, order)
    if input._shape and not keepdim:
        values, order = movement.no_view(movement.squeeze(values, d)), movement.squeeze(order, d)
    return return_types.kthvalue((values, order._cast(int64)))


# ---- between sorted numbers ----------------------------------------------------------------------


def _found(name: str, sequence: Tensor, values: Tensor, right: bool, out_int32: bool) -> Tensor:
    """How many elements of each row of a sorted sequence are before a value: a binary search of all
    values at once.
    """
    n = sequence._shape[-1]
    place = full(values._shape, 0, int32, values.device)
    shape = sequence._shape[:-1] + (values._shape[-1] if values._shape else 1,)
    step = 1 << max(n.bit_length() - 1, 0) if n else 0
    flat = values.reshape(shape) if sequence.ndim > 1 else values.reshape(-1)
    place = place.reshape(flat._shape)
    while step:
        further = elementwise.binary_scalar("add", place, step)
        at = elementwise.binary_scalar("minimum", further, n)
        seen = along.gather(sequence, sequence.ndim - 1, elementwise.binary_scalar("sub", at, 1))
        behind = elementwise.compare("gt" if right else "ge", seen, flat)
        fits = elementwise.compare("le", further, n)
        go = elementwise.logical_and(fits, elementwise.logical_not(behind))
        place = elementwise.where(go, further, place)
        step >>= 1
    return place.reshape(values._shape)._cast(int32 if out_int32 else int64)


@function
def searchsorted(
    sorted_sequence: Tensor,
    input: Any,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Tensor | None = None,
) -> Tensor:
    """int64: where each value of input would stand in a sorted sequence, of its row where that has
    several; right: behind equal ones.
    """
    if side not in (None, "left", "right"):
        raise RuntimeError("torch.searchsorted(): side can only be 'left' or 'right' but got %s" % side)
    if side == "left" and right:
        raise RuntimeError(
            "torch.searchsorted(): side and right can't be set to opposites, got side of left while right was True"
        )
    sequence = sorted_sequence
    values = input
    if not isinstance(values, Tensor):
        if not is_number(values):
            raise TypeError("searchsorted(): argument 'input' must be Tensor or Number, not %s" % type(values).__name__)
        values = full((), values, None, sequence.device)
    if values.numel() == 1:
        kind = elementwise.promote_types(sequence._dtype, values._dtype)
        sequence, values = sequence._cast(kind), values._cast(kind)
    if sequence._dtype is not values._dtype:
        raise RuntimeError(
            "torch.searchsorted(): boundary tensor and input value tensor should have same dtype, but got boundary "
            "tensor dtype %s and input value tensor dtype %s" % (sequence._dtype.name, values._dtype.name)
        )
    if not sequence._shape:
        raise RuntimeError(
            "torch.searchsorted(): boundaries tensor should have positive dimension, but got 0 dimension"
        )
    if sequence.ndim > 1 and sequence._shape[:-1] != values._shape[:-1]:
        raise RuntimeError(
            "torch.searchsorted(): boundaries tensor should be 1 dimension or the first N-1 dimensions of boundaries "
            "tensor and input value tensor must match, but we got boundaries tensor %s and input value tensor %s"
            % (list(sequence._shape), list(values._shape))
        )
    if sorter is not None:
        if sorter._shape != sequence._shape:
            raise RuntimeError(
                "torch.searchsorted(): boundary and sorter must have the same size, but got %s and %s"
                % (list(sequence._shape), list(sorter._shape))
            )
        if sorter._dtype is not int64:
            raise RuntimeError("torch.searchsorted(): sorter must be a tensor of long dtype but got %r" % sorter._dtype)
        sequence = along.gather(sequence.detach(), sequence.ndim - 1, sorter._cast(int32))
    return _found("searchsorted", sequence.detach(), values.detach(), right or side == "right", out_int32)


@function
def bucketize(input: Any, boundaries: Tensor, *, out_int32: bool = False, right: bool = False) -> Tensor:
    """int64: between which boundaries, a sorted vector, each value is."""
    if boundaries.ndim != 1:
        raise RuntimeError("bucketize(): boundaries tensor must be 1 dimension, but got dim(%d)" % boundaries.ndim)
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


__all__ = ["argsort", "bucketize", "kthvalue", "msort", "searchsorted", "sort", "topk"]
METHODS = {
    "argsort": argsort, "kthvalue": kthvalue, "msort": msort, "sort": sort, "topk": topk,
}  # fmt: skip
LIMITED = {
    "sort": "stable at all times: of equal elements PyTorch's unstable sort may give other indices",
    "topk": "of equal elements the first ones are chosen; PyTorch promises no order among them",
    "kthvalue": "of equal elements the indices are in order; PyTorch promises no order among them",
}
