"""Views beyond slices: diagonals, windows, any strides, one view for each index.

A gradient is zeros with the view's gradient in its place, added where the view shows an element
several times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import kernels
from ..core.autograd import ONE_OF_MANY, attach, made_view, needs_grad
from ..core.factory import full, like
from ..core.tensor import Tensor, int32, ints_of, numel_of, row_major, whole_number
from ..graph.program import launch
from . import elementwise, embedding, movement

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from ..core.tensor import Shape
    from ..core.tensor import dtype as DType


def placed(dy: Tensor, shape: Shape, part: Callable[[Tensor], Tensor]) -> Tensor:
    """Zeros of `shape` with dy in the view `part` of them; the gradient is that view's."""
    out = full(shape, 0, dy._dtype, dy.device)
    elementwise.copy_into(part(out), dy)
    if needs_grad(dy):
        attach("slice_backward", (out,), (dy,), lambda g: (part(g),), ())
    return out


def replaced(x: Tensor, src: Tensor, part: Callable[[Tensor], Tensor], name: str) -> Tensor:
    """A copy of x with src, of the view's shape, in the view `part`."""
    out = like(x)
    elementwise.copy_into(out, x)
    seen = part(out)
    if seen._shape != src._shape:
        raise RuntimeError(
            "expected src to have a size equal to the slice of self. src size = %s, slice size = %s"
            % (list(src._shape), list(seen._shape))
        )
    elementwise.copy_into(seen, src.detach())
    out = out.detach()
    if needs_grad(x, src):

        def backward(dy):
            if dy._offset or not dy.is_contiguous():  # as_strided looks at the memory
                dy = movement.clone(dy)
            rest = replaced(dy, elementwise.zeros_of(part(dy)), part, name) if x._requires_grad else None
            return rest, part(dy)._cast(src._dtype) if src._requires_grad else None

        attach(name, (out,), (x, src), backward, ())
    return out


# ---- diagonals -----------------------------------------------------------------------------------


def diagonal(x: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """The diagonal of two dimensions, a view's last dimension; offset: above the main one."""
    offset = whole_number(offset, "offset")
    first, second = movement.dim_of(x, dim1), movement.dim_of(x, dim2)
    if first == second:
        raise RuntimeError("diagonal dimensions cannot be identical %d, %d" % (dim1, dim2))
    shape, strides = x._shape, x._strides
    rows, columns = shape[first], shape[second]
    length = max(min(rows, columns - offset) if offset >= 0 else min(rows + offset, columns), 0)
    start = offset * strides[second] if offset >= 0 else -offset * strides[first]
    kept = [d for d in range(x.ndim) if d not in (first, second)]

    def backward(dy):
        return (placed(dy, shape, lambda whole: diagonal(whole, offset, first, second)),)

    return movement._view(
        x,
        (*[shape[d] for d in kept], length),
        (*[strides[d] for d in kept], strides[first] + strides[second]),
        x._offset + start if length else x._offset,
        "diagonal",
        backward,
    )


# ---- windows and any strides ---------------------------------------------------------------------


def windows(x: Tensor, dim: int, size: int, step: int) -> Tensor:
    """Tensor.unfold: all slices of `size` along dim, each `step` behind the one before, as a view's
    last dimension.
    """
    d = movement.dim_of(x, dim)
    size, step = whole_number(size, "size"), whole_number(step, "step")
    n = x._shape[d] if x.ndim else 1
    if size < 0:
        raise RuntimeError("size is %d but must be >= 0" % size)
    if size > n:
        raise RuntimeError("maximum size for tensor at dimension %d is %d but size is %d" % (d, n, size))
    if step <= 0:
        raise RuntimeError("step is %d but must be > 0" % step)
    count = (n - size) // step + 1
    stride = x._strides[d] if x.ndim else 1
    shape = (*x._shape[:d], count, *x._shape[d + 1 :], size) if x.ndim else (size,)
    strides = (*x._strides[:d], stride * step, *x._strides[d + 1 :], stride) if x.ndim else (1,)
    whole = x._shape
    return movement._view(x, shape, strides, x._offset, "unfold", lambda dy: (_folded(dy, whole, d, size, step),))


def _folded(dy: Tensor, shape: Shape, d: int, size: int, step: int) -> Tensor:
    """The gradient of `windows`: what each element has in all of its slices."""
    if not shape:
        return dy.reshape(shape) if size else full(shape, 0, dy._dtype, dy.device)
    out = full(shape, 0, dy._dtype, dy.device)
    source = dy.detach()
    count = source._shape[d]
    for j in range(size):
        seen = movement.sliced(out, d, j, count, step)
        elementwise.copy_into(seen, elementwise.add(seen.detach(), movement.select(source, -1, j)))
    if needs_grad(dy):
        attach("unfold_backward", (out,), (dy,), lambda g: (windows(g, d, size, step),), ())
    return out


def as_strided(x: Tensor, size: Any, stride: Any, storage_offset: int | None = None) -> Tensor:
    """x's memory seen with any sizes and strides, which may overlap; a view.

    storage_offset: in elements from the start of the memory, x's own unless given. RuntimeError
    where the view leaves the memory.
    """
    shape, strides = ints_of((size,)), ints_of((stride,), "a stride")
    offset = x._offset if storage_offset is None else whole_number(storage_offset, "storage_offset")
    if len(shape) != len(strides):
        raise RuntimeError("mismatch in length of strides and shape: %s and %s" % (list(shape), list(strides)))
    if any(n < 0 for n in shape):
        raise RuntimeError("as_strided: a size is negative: %s" % list(shape))
    if any(n < 0 for n in strides):
        raise RuntimeError("as_strided: Negative strides are not supported: %s" % list(strides))
    if offset < 0:
        raise RuntimeError("Tensor: invalid storage offset %d" % offset)
    if x._storage.nbytes <= 4 and 0 not in shape:  # the least memory there is: what a tensor sees of it counts
        base = x if x._base is None else x._base
        stop = _range((base._shape, base._strides, base._offset))[1]
        if _range((shape, strides, offset))[1] > stop:
            raise RuntimeError("setStorage: sizes %s are out of bounds for storage of size %d" % (list(shape), stop))
    place, whole = (shape, strides, offset), (x._shape, x._strides, x._offset)
    return movement._view(x, shape, strides, offset, "as_strided", lambda dy: (_strided_gradient(dy, place, whole),))


def _elements(place: tuple[Shape, Shape, int], first: int, device: Any) -> Tensor:
    """int32: the number, counted from `first`, of each element that a view shows in the memory."""
    shape, strides, offset = place
    index = full(shape, offset - first, int32, device)
    for d, (n, step) in enumerate(zip(shape, strides)):
        if n > 1 and step:
            steps = full((n,), 0, int32, device)
            launch(kernels.arange, (steps,), (int32.code, n, 0.0, float(step)))
            index = elementwise.binary("add", index, steps.reshape((n,) + (1,) * (len(shape) - d - 1)))
    return index


def _range(place: tuple[Shape, Shape, int]) -> tuple[int, int]:
    """The first element of the memory that a view shows, and one behind the last."""
    shape, strides, offset = place
    if 0 in shape:
        return offset, offset
    return offset, offset + 1 + sum([(n - 1) * step for n, step in zip(shape, strides)])


def _strided_gradient(dy: Tensor, place: Any, whole: Any) -> Tensor:
    """The gradient of a view `place` of a tensor `whole`, each (shape, strides, offset): summed in
    the memory, and read as the tensor sees it. Where that shows an element several times, each gets
    its part (PyTorch's as_strided_backward).
    """
    (start, stop), (first, last) = _range(place), _range(whole)
    first, last = min(first, start), max(last, stop)
    if 0 in whole[0] or 0 in place[0]:
        return full(whole[0], 0, dy._dtype, dy.device)
    out = _summed(dy, _elements(place, first, dy.device), last - first)
    index = _elements(whole, first, dy.device)
    if len(set(whole[1])) != len(whole[1]) or 0 in whole[1]:
        ones = full(whole[0], 1, dy._dtype, dy.device)
        counts = _summed(ones, index, last - first)
        out = elementwise.div(out, elementwise.maximum(counts, 1))
    return embedding.rows(index, out.reshape(-1, 1)).reshape(whole[0])


def _summed(dy: Tensor, index: Tensor, count: int) -> Tensor:
    """[count]: the sums of the elements of dy that an int32 index of its shape sends to a place."""
    out = full((count, 1), 0, dy._dtype, dy.device)
    embedding.put(out, index, dy, accumulate=True)
    out = out.reshape(-1)
    if needs_grad(dy):
        shape = dy._shape
        attach("put", (out,), (dy,), lambda g: (embedding.rows(index, g.reshape(-1, 1)).reshape(shape),), ())
    return out


# ---- one view for each index ---------------------------------------------------------------------


def unbind(x: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """The views x[..., i, ...] along dim, as a tuple."""
    if not x._shape:
        raise IndexError("unbind: dimension specified as %s but tensor has no dimensions" % dim)
    d = movement.dim_of(x, dim)
    shape, strides = x._shape[:d] + x._shape[d + 1 :], x._strides[:d] + x._strides[d + 1 :]
    outs: list[Tensor] = []
    offset, step = x._offset, x._strides[d]
    for _ in range(x._shape[d]):
        out = x.detach()
        out._shape, out._strides, out._offset = shape, strides, offset
        outs.append(out)
        offset += step
    if outs and needs_grad(x):

        def backward(*grads):
            some = next(g for g in grads if g is not None)
            return (movement.stack([elementwise.zeros_of(some) if g is None else g for g in grads], d),)

        attach("unbind", tuple(outs), (x,), backward, ())
    for out in outs:
        made_view(out, x, ONE_OF_MANY)
    return tuple(outs)


def seen_as_dtype(x: Tensor, dtype: DType) -> Tensor:
    """x's memory as another element type; the last dimension changes with its size. A view.

    RuntimeError where the sizes do not fit, or where bools are seen (which take four bytes here).
    """
    if dtype is x._dtype:
        return movement.alias(x)
    if "bool" in (x._dtype.name, dtype.name):
        raise NotImplementedError("view(dtype) of bool is not in TinyGPT's subset, which stores four bytes; use to()")
    if x.device.halved in (x._dtype.name, dtype.name):
        raise NotImplementedError("view(dtype) of int64 is not on WebGPU, which holds 32 bits of it; use to()")
    old, new = x._dtype.itemsize, dtype.itemsize
    shape, strides, offset = list(x._shape), list(x._strides), x._offset
    if old != new:
        if not shape:
            raise RuntimeError("self.dim() cannot be 0 to view %s as %s (different element sizes)" % (x._dtype, dtype))
        if strides[-1] != 1:
            raise RuntimeError("self.stride(-1) must be 1 to view %s as %s, not %d" % (x._dtype, dtype, strides[-1]))
        if old > new:
            ratio = old // new
            shape[-1] *= ratio
            strides = [s * ratio for s in strides[:-1]] + [1]
            offset *= ratio
        else:
            ratio = new // old
            if shape[-1] % ratio or offset % ratio or any(s % ratio for s in strides[:-1]):
                raise RuntimeError(
                    "shape %s, strides %s and offset %d must be divisible by %d to view %s as %s"
                    % (shape, strides, offset, ratio, x._dtype, dtype)
                )
            shape[-1] //= ratio
            strides = [s // ratio for s in strides[:-1]] + [1]
            offset //= ratio
    if needs_grad(x) and dtype.is_floating_point:
        raise NotImplementedError("view(dtype) has no gradient in TinyGPT's subset; use .detach() or to()")
    return made_view(Tensor(x._storage, tuple(shape), dtype, offset, tuple(strides)), x)


def dense_strides(shape: Sequence[int]) -> Shape:
    """Strides of a dense tensor of this shape, sizes of 0 counted as 1, as PyTorch's."""
    return row_major([max(n, 1) for n in shape])


def flipped(x: Tensor, dims: Sequence[int]) -> Tensor:
    """A copy with the order of the elements reversed along `dims`."""
    out = movement.clone(x.detach())
    for d in dims:
        n = x._shape[d]
        if n > 1 and out.numel():
            back = full((n,), 0, int32, x.device)
            launch(kernels.arange, (back,), (int32.code, n, float(n - 1), -1.0))
            outer = numel_of(out._shape[:d])
            rows = full((outer, 1), 0, int32, x.device)
            launch(kernels.arange, (rows,), (int32.code, outer, 0.0, float(n)))
            table = out.reshape(outer * n, numel_of(out._shape[d + 1 :]))
            out = embedding.rows(elementwise.binary("add", rows, back), table).reshape(out._shape)
    out = out.detach()
    if needs_grad(x):
        attach("flip", (out,), (x,), lambda dy: (flipped(dy, dims),), ())
    return out
