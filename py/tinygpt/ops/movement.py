"""Ops that move data or only change how it is seen: views, transposes, slices, indexing, cat,
stack, split, tril, fill.

A view shares its storage and launches nothing; its gradient is the gradient seen through the
reverse view.
"""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING

from .. import kernels
from ..core.autograd import ONE_OF_MANY, PLAIN, attach, made_view, needs_grad, shown_as
from ..core.eager import in_c
from ..core.factory import empty, full, like, tensor
from ..core.quoting import quoted
from ..core.state import state
from ..core.tensor import DTYPES, RangeError, Tensor, bool_, fitted, int32, ints_of, numel_of, uint8, whole_number
from ..graph.program import launch
from . import elementwise, embedding

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from ..core.autograd import Backward
    from ..core.tensor import Shape
    from ..core.tensor import dtype as DType
    from ..devices.base import Device


def _view(x: Tensor, shape: Shape, strides: Shape | None, offset: int, name: str, backward: Backward) -> Tensor:
    return _viewed(x, Tensor(x._storage, shape, x._dtype, offset, strides), name, backward)


@in_c
def _viewed(x: Tensor, out: Tensor, name: str, backward: Backward) -> Tensor:
    if not state.grad_enabled:
        return made_view(out, x)
    if x._base is not None:
        if needs_grad(x):
            attach(name, (out,), (x,), backward, ())
        return made_view(out, x)
    if x._requires_grad:
        attach(name, (out,), (x,), backward, ())
    storage = x._storage  # as made_view, without its call: views cost little more than that
    out._base, out._made = x, PLAIN
    out._seen = storage.version if storage.owner is None else storage.writes()
    return out


def no_view(x: Tensor) -> Tensor:
    """x, a view that an op returns of its own fresh result, as a tensor of its own: nobody else has
    the base, and PyTorch's result is no view.
    """
    x._base = None
    return x


def contiguous(x: Tensor) -> Tensor:
    """x itself where it is dense, else a dense copy."""
    return x if x.is_contiguous() else clone(x)


def clone(x: Tensor) -> Tensor:
    """A dense copy; the gradient passes through."""
    out = like(x)
    elementwise.copy_into(out, x)
    if needs_grad(x):
        attach("clone", (out,), (x,), lambda dy: (dy,), ())
    return out


# ---- views -------------------------------------------------------------------------------------


def alias(x: Tensor) -> Tensor:
    """All of x as another Tensor, a view."""
    return _view(x, x._shape, x._strides, x._offset, "alias", lambda dy: (dy,))


def _resolve(x: Tensor, given: Sequence[Any], name: str) -> Shape:
    """`given` as a shape with -1 filled in. RuntimeError where the element counts differ."""
    shape = ints_of(given, "a size of %s" % name)
    count = x.numel()
    size = 1
    for n in shape:
        size *= n
        if n < 0:
            return _inferred(shape, count)
    if size != count:
        raise RuntimeError(
            "%s: shape %s is invalid for input of size %d (shape %s)" % (name, list(shape), count, list(x._shape))
        )
    if not count:
        _countable(shape)
    return shape


def _countable(shape: Sequence[int]) -> None:
    """RuntimeError where 64 bits do not hold the number of elements, sizes of 0 aside."""
    if numel_of([n for n in shape if n]) >= 1 << 63:
        raise RuntimeError("shape %s has 2^63 elements or more" % list(shape))


def _inferred(shape: Shape, count: int) -> Shape:
    """`shape`, which has negative sizes, with one -1 filled in."""
    if shape.count(-1) > 1:
        raise RuntimeError("only one dimension can be inferred: %s" % list(shape))
    if min(shape) < -1:
        raise RuntimeError("invalid shape dimension %d in shape %s" % (min(shape), list(shape)))
    rest = numel_of([n for n in shape if n != -1])
    if rest == 0 or count % rest:
        raise RuntimeError("shape %s is invalid for input of size %d" % (list(shape), count))
    inferred = tuple([count // rest if n == -1 else n for n in shape])
    _countable(inferred)
    return inferred


def _split_strides(x: Tensor, shape: Shape) -> Shape | None:
    """Strides of x, which has a dimension, seen as `shape` without a copy, or None: runs of old
    dimensions that are laid out as one are split anew.
    """
    strides, d = [0] * len(shape), len(shape) - 1
    base = x._strides[-1]
    run = seen = 1  # elements of the current run of old dimensions, and of the new dimensions laid over it
    for i in range(x.ndim - 1, -1, -1):
        run *= x._shape[i]
        if i == 0 or (x._shape[i - 1] != 1 and x._strides[i - 1] != run * base):
            while d >= 0 and (seen < run or shape[d] == 1):
                strides[d] = seen * base
                seen *= shape[d]
                d -= 1
            if seen != run:
                return None
            if i > 0:
                base = x._strides[i - 1]
                run = seen = 1
    return tuple(strides) if d == -1 else None


def view(x: Tensor, *shape: int | Sequence[int]) -> Tensor:
    """x seen as another shape, one size may be -1; RuntimeError where that needs a copy."""
    shape = _resolve(x, shape, "view")
    return _seen_as(x, shape)


def _seen_as(x: Tensor, shape: Shape) -> Tensor:
    old, strides = x._shape, None  # dense
    # The strides of sizes of 1 mean nothing, but PyTorch compares them where memory overlaps.
    if (not x.is_contiguous() or (1 in old and 0 not in old)) and (strides := _split_strides(x, shape)) is None:
        raise RuntimeError(
            "view size is not compatible with input tensor's size %s and stride %s "
            "(at least one dimension spans across two contiguous subspaces). "
            "Use .reshape(...) instead." % (list(old), list(x._strides))
        )
    return _view(x, shape, strides, x._offset, "view", lambda dy: (dy.reshape(old),))


def reshape(x: Tensor, *shape: int | Sequence[int]) -> Tensor:
    """x in another shape, one size may be -1: a view where possible, else a copy.

    RuntimeError where the element counts differ.
    """
    shape = _resolve(x, shape, "reshape")
    if shape == x._shape and 1 not in shape:
        return alias(x)
    return _seen_as(x if x.is_contiguous() or _split_strides(x, shape) is not None else clone(x), shape)


def dim_of(x: Tensor, dim: int, extra: int = 0) -> int:
    """dim as a non-negative index; IndexError outside x's dimensions (one more with extra=1)."""
    n = len(x._shape) + extra or 1
    if type(dim) is not int:
        dim = whole_number(dim, "a dimension")
    if not -n <= dim < n:
        raise IndexError(
            "Dimension out of range (expected to be in range of [%d, %d], but got %s)" % (-n, n - 1, quoted(dim))
        )
    return dim % n


def permute(x: Tensor, *dims: int | Sequence[int]) -> Tensor:
    """x with its dimensions in the order `dims`, a view. RuntimeError unless each is named once."""
    given = ints_of(dims, "a dimension of permute")
    order = tuple([dim_of(x, d) for d in given]) if len(given) == len(x._shape) else given
    if sorted(order) != list(range(x.ndim)):
        raise RuntimeError("permute(%s) does not name each of the %d dimensions once" % (list(order), x.ndim))
    back = tuple(sorted(range(len(order)), key=order.__getitem__))
    return permuted(x, order, back)


def permuted(x: Tensor, order: Shape, back: Shape) -> Tensor:
    """As permute, of an order that names each dimension once; back: the order that undoes it."""
    shape, strides, out = x._shape, x._strides, x.detach()
    # The same elements: nothing to check again.
    out._shape, out._strides = tuple([shape[d] for d in order]), tuple([strides[d] for d in order])
    return _viewed(x, out, "permute", lambda dy: (permute(dy, back),))


def transpose(x: Tensor, dim0: int, dim1: int) -> Tensor:
    """x with dim0 and dim1 exchanged, a view. IndexError for a dimension that x does not have."""
    dims = list(range(len(x._shape)))
    i, j = dim_of(x, dim0), dim_of(x, dim1)
    if not dims:
        return alias(x)
    dims[i], dims[j] = dims[j], dims[i]
    order = tuple(dims)
    return permuted(x, order, order)  # it undoes itself


def t(x: Tensor) -> Tensor:
    """The transpose of a matrix, a view. RuntimeError for more than two dimensions."""
    if x.ndim > 2:
        raise RuntimeError("t() expects a tensor with <= 2 dimensions, but self is %dD" % x.ndim)
    return transpose(x, 0, 1) if x.ndim == 2 else alias(x)


def unsqueeze(x: Tensor, dim: int) -> Tensor:
    """x with a new dimension of size 1 at `dim`, a view. IndexError for a `dim` out of range."""
    d = dim_of(x, dim, 1)
    shape, strides = x._shape, x._strides
    step = shape[d] * strides[d] if d < len(shape) else 1
    return view_as(x, (*shape[:d], 1, *shape[d:]), (*strides[:d], step, *strides[d:]), "unsqueeze")


def squeeze(x: Tensor, dim: int | Sequence[int] | None = None) -> Tensor:
    """x without `dim` (one or several) where its size is 1, or without all such; a view."""
    named = range(x.ndim) if dim is None else [dim_of(x, d) for d in ints_of((dim,), "a dimension")]
    drop = [d for d in named if x.ndim and x._shape[d] == 1]
    keep = [d for d in range(x.ndim) if d not in drop]
    return view_as(x, tuple(x._shape[d] for d in keep), tuple(x._strides[d] for d in keep), "squeeze")


def view_as(x: Tensor, shape: Shape, strides: Shape, name: str) -> Tensor:
    """x seen with `shape` and `strides`, of equal elements; name: of the op on the tape."""
    old, out = x._shape, x.detach()
    out._shape, out._strides = shape, strides  # equal elements: nothing to check again
    return _viewed(x, out, name, lambda dy: (dy.reshape(old),))


def flatten(x: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """The dimensions start_dim to end_dim (inclusive) as one; a view where that is possible."""
    a, b = dim_of(x, start_dim), dim_of(x, end_dim)
    if not x.ndim:
        return x.reshape(1)
    if a > b:
        raise RuntimeError(
            "flatten() has invalid args: start_dim %d cannot come after end_dim %d" % (start_dim, end_dim)
        )
    if a == b:
        return x
    return reshape(x, x._shape[:a] + (numel_of(x._shape[a : b + 1]),) + x._shape[b + 1 :])


def expand(x: Tensor, *shape: int | Sequence[int]) -> Tensor:
    """x repeated along dimensions of size 1, without a copy; -1 keeps a size.

    RuntimeError where x does not broadcast to the shape.
    """
    given = ints_of(shape, "a size of expand")
    pad = len(given) - len(x._shape)
    if pad < 0:
        raise RuntimeError("expand: %s has fewer sizes than shape %s" % (list(given), list(x._shape)))
    sizes, strides = list(given), [0] * len(given)
    for i, n in enumerate(given):
        old = x._shape[i - pad] if i >= pad else 1
        if n == -1 and i >= pad:
            sizes[i] = n = old
        if n < 0 or (old != n and old != 1):
            raise RuntimeError(
                "expand: the size %d of %s does not fit shape %s; a size of 1 takes any other, -1 keeps an existing one"
                % (n, list(given), list(x._shape))
            )
        if old == n and i >= pad:
            strides[i] = x._strides[i - pad]
    if x._shape:
        for i in range(pad - 1, -1, -1):
            if sizes[i] == 1:  # PyTorch's stride of a new dimension of size 1
                strides[i] = sizes[i + 1] * strides[i + 1]
    if sizes and max(sizes) > 1 << 16:
        _countable(sizes)
    old_shape = x._shape
    return _view(
        x, tuple(sizes), tuple(strides), x._offset, "expand", lambda dy: (elementwise.reduce_to(dy, old_shape),)
    )


# ---- slices and indexing -----------------------------------------------------------------------


def narrow(x: Tensor, dim: int, start: int, length: int) -> Tensor:
    """x[..., start : start + length, ...] along dim, a view; a negative start counts from the end.

    IndexError for a dimension or a start that x does not have, RuntimeError for a length that
    passes the end.
    """
    if not x.ndim:
        raise RuntimeError("narrow() cannot be applied to a 0-dim tensor")
    start, length = whole_number(start, "the start"), whole_number(length, "the length")
    if length < 0:
        raise RuntimeError("narrow(): length must be non-negative, not %d" % length)
    d = dim_of(x, dim)
    n = x._shape[d]
    if not -n <= start <= n:
        raise IndexError("start out of range (expected to be in range of [%d, %d], but got %d)" % (-n, n, start))
    start = start if start >= 0 else start + n
    if start + length > n:
        raise RuntimeError("start (%d) + length (%d) exceeds dimension size (%d)" % (start, length, n))
    return sliced(x, d, start, length)


def sliced(x: Tensor, d: int, start: int, length: int, step: int = 1) -> Tensor:
    """x[..., start : start + length * step : step, ...] along dimension d, a view; d >= 0."""
    shape, strides = x._shape, x._strides
    if length == shape[d] and step == 1:
        return alias(x)

    def backward(dy):
        dx = full(shape, 0.0, dy._dtype, dy.device)
        elementwise.copy_into(sliced(dx, d, start, length, step), dy)
        return (dx,)

    return _view(
        x,
        (*shape[:d], length, *shape[d + 1 :]),
        (*strides[:d], strides[d] * step, *strides[d + 1 :]),
        x._offset + start * strides[d],
        "slice",
        backward,
    )


def select(x: Tensor, dim: int, index: int) -> Tensor:
    """x[..., index, ...] along dim, which disappears; a view. IndexError out of bounds."""
    if not x._shape:
        raise IndexError("select() cannot be applied to a 0-dim tensor")
    d, index = dim_of(x, dim), whole_number(index, "an index")
    shape, strides = x._shape, x._strides
    n = shape[d]
    if not -n <= index < n:
        raise IndexError("index %d is out of bounds for dimension %d with size %d" % (index, d, n))
    at = index if index >= 0 else index + n

    def backward(dy):
        dx = full(shape, 0.0, dy._dtype, dy.device)
        elementwise.copy_into(select(dx, d, at), dy)
        return (dx,)

    return _view(
        x, shape[:d] + shape[d + 1 :], strides[:d] + strides[d + 1 :], x._offset + at * strides[d], "select", backward
    )


def index(x: Tensor, key: Any) -> Tensor:
    """x[key]: a view for ints, slices, None and Ellipsis, a copy for index tensors or lists.

    Slices have a positive step. Index tensors are int32 and name the leading dimensions; their
    shape takes the place of those. IndexError for an index out of bounds or another key.
    """
    if key.__class__ is int and x._shape:
        return select(x, 0, key)
    keys = keys_of(key)
    if any(is_advanced(k) or _is_mask(k) for k in keys):
        return _advanced(x, keys)
    part = basic_index(x, keys)
    return alias(x) if part is x else part


def keys_of(key: Any) -> list[Any]:
    """x[key] as one key for each of its parts. A range is a list.

    PyTorch takes a short list that holds lists, tensors or slices for a tuple; TinyGPT's own front
    refuses it.
    """
    if isinstance(key, tuple):
        return [list(k) if isinstance(k, range) else k for k in key]
    if isinstance(key, list) and len(key) < 32:
        if any(k is None or k is Ellipsis or isinstance(k, (list, tuple, range, slice, Tensor)) for k in key):
            if state.front == "torch":
                return keys_of(tuple(key))
            raise IndexError(
                "a list index holds ints alone, as PyTorch takes one of lists or tensors for a tuple; "
                "use a tuple for several dimensions, or tensor(...)"
            )
    return [list(key) if isinstance(key, range) else key]


def is_advanced(k: Any) -> bool:
    """Whether a key is a list or array of indices (a scalar tensor or NumPy integer counts as an
    int).
    """
    return (
        k.ndim > 0
        if isinstance(k, Tensor)
        else isinstance(k, list) or (hasattr(k, "__array__") and getattr(k, "ndim", 1) > 0)
    )


def basic_index(x: Tensor, keys: list[Any]) -> Tensor:
    """x[keys] for ints, slices, None and Ellipsis: a view, or x itself where the keys name all of
    it, which an assignment writes.

    IndexError for too many keys, an index out of bounds or another key, ValueError for a step <= 0.
    """
    named = sum([k is not None and k is not Ellipsis for k in keys])
    if named > len(x._shape):
        raise IndexError("too many indices for tensor of dimension %d" % x.ndim)
    if named < len(keys) and sum([k is Ellipsis for k in keys]) > 1:
        raise IndexError("an index can only have a single ellipsis")
    if named == 0 and None not in keys:
        return x
    d = 0
    for at, k in enumerate(keys):
        if k is None:
            x = unsqueeze(x, d)
            d += 1
        elif k is Ellipsis:
            d += x.ndim - d - sum([j is not None for j in keys[at + 1 :]])
        elif isinstance(k, slice):
            start, stop, step = k.indices(x._shape[d])
            if step <= 0:
                raise ValueError("step must be greater than zero, not %d" % step)
            length = max(0, -(-(stop - start) // step))
            if length != x._shape[d] or step != 1:
                x = sliced(x, d, start, length, step)
            d += 1
        else:
            x = select(x, d, k if type(k) is int else _index_of(k))
    return x


def _index_of(k: Any) -> int:
    """A key that stands for one int as an int. IndexError for another key."""
    try:
        return whole_number(k, "an index")
    except TypeError:
        pass
    if isinstance(k, str):
        raise TypeError("new(): invalid data type 'str': tensors are indexed with numbers, not %r" % k)
    raise IndexError(
        "tensors are indexed with ints, slices, None, ... or int32 tensors, not %s"
        % ("a tensor of %s" % k._dtype.name if isinstance(k, Tensor) else "%s %r" % (type(k).__name__, k))
    )


def _advanced(x: Tensor, keys: list[Any]) -> Tensor:
    """x[keys] where some key is a tensor or a list of indices: a copy, in PyTorch's order."""
    place = Place(x, keys)
    out = no_view(contiguous(permute(place.read(), place.back)) if place.back else place.read())
    return shown_as(out, "IndexBackward0")


class Place:
    """Which elements x[keys] are, where some key is a tensor, a list or a mask.

    As in PyTorch ints, slices and None come first and give a view of x; then the index tensors
    broadcast. Their dimensions stand where the first index tensor stood, or in front where others
    are between them. A mask is the index tensors of its true elements, which reads it.

    view: x with the indexed dimensions in front; index: int32, the number of a row of it, -1 for
    one that is out of its dimension; shape: of the result before `back`, which permutes it (None:
    as it is).
    """

    def __init__(self, x: Tensor, keys: list[Any]) -> None:
        named: list[Any] = []
        for k in keys:
            named += _index_tensors(x, k, named) if is_advanced(k) or _is_mask(k) else [k]
        basic, indices = [k.basic if isinstance(k, _Index) else k for k in named], []
        view = basic_index(x, basic)
        at = 0
        skipped = view.ndim - sum([k is None or isinstance(k, (slice, _Index)) for k in named])
        for k in named:  # the dimension of the view that each index tensor names
            if isinstance(k, _Index):
                indices.append((at, k.tensor))
            at += skipped if k is Ellipsis else 1 if k is None or isinstance(k, (slice, _Index)) else 0
        dims = [d for d, _ in indices]
        rest = [d for d in range(view.ndim) if d not in dims]
        sizes = [view._shape[d] for d in dims]
        self.index = _row_numbers(sizes, [k for _, k in indices])
        self.source = x
        self.view = permute(view, tuple(dims + rest)) if dims + rest != list(range(view.ndim)) else view
        self.rows, self.rest = numel_of(sizes), tuple([view._shape[d] for d in rest])
        self.shape = self.index._shape + self.rest
        lead, ndim = dims[0], self.index.ndim
        adjacent = dims == list(range(dims[0], dims[0] + len(dims)))
        self.back = None
        if adjacent and lead:
            order = [*range(ndim, ndim + lead), *range(ndim), *range(ndim + lead, ndim + len(rest))]
            self.back = tuple(order)

    def table(self) -> Tensor:
        """The view as rows [rows, elements]."""
        return self.view.reshape(self.rows, numel_of(self.rest))

    def read(self) -> Tensor:
        """The elements, of `shape`."""
        return embedding.rows(self.index, self.table()).reshape(self.shape)

    def write(self, values: Tensor, accumulate: bool = False) -> None:
        """Writes values, which broadcast to x[keys], into x's memory, or adds them; no gradient
        here.
        """
        shape = tuple([self.shape[d] for d in self.back]) if self.back else self.shape
        while values._shape and values._shape[0] == 1 and values.ndim > len(shape):
            values = values.reshape(values._shape[1:])
        try:
            values = values.expand(shape)
        except RuntimeError:
            raise RuntimeError(
                "shape mismatch: value tensor of shape %s cannot be broadcast to indexing result of shape %s"
                % (list(values._shape), list(shape))
            ) from None
        if self.back:
            values = permute(values, tuple(sorted(range(len(shape)), key=self.back.__getitem__)))
        seen = self.table()
        table = seen.contiguous()  # itself where it is dense
        rows = values.reshape(self.index._shape + (numel_of(self.rest),))
        embedding.put(table, self.index, rows, accumulate)
        if table._storage is not self.view._storage:
            elementwise.copy_into(self.view, table.reshape(self.view._shape))


class _Index:
    """An index tensor of one dimension: of x, or (basic None) of a new one."""

    def __init__(self, tensor: Tensor, basic: slice | None = slice(None)) -> None:
        self.tensor, self.basic = tensor, basic


def _is_mask(k: Any) -> bool:
    return isinstance(k, bool) or isinstance(k, Tensor) and k._dtype is bool_


def _index_tensors(x: Tensor, k: Any, named: list[Any]) -> list[Any]:
    """A key as the index tensors it stands for: one, or one for each dimension of a mask."""
    if isinstance(k, bool) or isinstance(k, Tensor) and k._dtype is bool_ and not k._shape:
        return [_Index(full((int(bool(k)),), 0, int32, x.device), None)]  # all of x once, or never
    if not isinstance(k, Tensor):
        empty_list = isinstance(k, list) and not numel_of(_list_shape(k))
        k = tensor(k, dtype=int32 if empty_list else None, device=x.device)
    elementwise.same_device(x, k)
    if k._dtype is uint8:
        k = elementwise.as_bool(k)
    if k._dtype is bool_:
        if Ellipsis in [n for n in named if not isinstance(n, (_Index, Tensor))]:
            first = None
        else:
            first = sum([n is not None and getattr(n, "basic", n) is not None for n in named])
        if first is not None and k._shape != x._shape[first : first + k.ndim]:
            raise IndexError(
                "The shape of the mask %s at index 0 does not match the shape of the indexed tensor %s"
                % (list(k._shape), list(x._shape))
            )
        return [_Index(t) for t in true_places(k)]
    if k._dtype not in embedding.INDEX:
        raise IndexError("tensors used as indices must be long, int, byte or bool tensors, not %r" % (k._dtype,))
    return [_Index(embedding.as_index(k))]


def true_places(mask: Tensor) -> list[Tensor]:
    """For each dimension of a mask the int32 indices of its true elements, in their order. Their
    number is read.
    """
    shape, n = mask._shape, mask.numel()
    if n <= FEW:
        flat = mask.reshape(-1).tolist() if mask.ndim else [mask.item()]
        found: Any = tensor([i for i, on in enumerate(flat) if on] or [], dtype=int32, device=mask.device)
    else:  # each true element writes its own number at the count of those before it
        flat = contiguous(mask.detach()).reshape(-1)
        counts = like(flat, dtype=int32)
        launch(kernels.scan, (counts, flat), (kernels.SCAN["sum"], int32.code, 1, n, 1, 0))
        count = int(select(counts, 0, n - 1).item())
        places = elementwise.where(flat, elementwise.binary_scalar("sub", counts, 1), count)._cast(int32)
        found = full((count + 1, 1), 0, int32, mask.device)
        embedding.put(found, places, arange(n, dtype=int32, device=mask.device))
        found = sliced(found.reshape(count + 1), 0, 0, count)
    out: list[Tensor] = []
    for size in reversed(shape):
        whole = found if len(shape) == 1 else elementwise.binary_scalar("remainder", found, max(size, 1))
        out.insert(0, whole)
        found = whole if len(shape) == 1 else elementwise.binary_scalar("floordiv", found, max(size, 1))
    return out


FEW = 256  # elements of a mask that are looked at one by one


def _row_numbers(sizes: Sequence[int], indices: Sequence[Tensor]) -> Tensor:
    """One int32 index over all the indexed dimensions: -1 where one is out of its own, which the
    kernel refuses. Negative ones count from the end.
    """
    if numel_of(sizes) > 1 << 31:
        raise IndexError("an index tensor of int32 cannot name the rows of a tensor of shape %s" % list(sizes))
    flat: Any = None
    outside: Any = None
    for d, (size, k) in enumerate(zip(sizes, indices)):
        if not size and k.numel():
            raise IndexError("an index is out of bounds for dimension %d with size 0" % d)
        if len(indices) == 1:  # negative indices count from the end; what is still outside the kernel refuses
            negative = elementwise.promoted(elementwise.compare("lt", k, 0), int32)
            return elementwise.binary("add", k, elementwise.binary_scalar("mul", negative, size))
        turns = elementwise.floor_divide(k, max(size, 1))  # 0, or -1 where k counts from the end
        wrong = elementwise.compare("gt", elementwise.binary("mul", turns, turns + 1), 0)
        outside = wrong if outside is None else _joined(elementwise.logical_or, outside, wrong, indices)
        k = elementwise.remainder(k, max(size, 1))
        flat = k if flat is None else _joined(operator.add, flat * size, k, indices)
    return elementwise.where(outside, -1, flat)._cast(int32)


def _list_shape(k: Any) -> list[int]:
    """The sizes of nested lists, down to an empty one."""
    shape: list[int] = []
    while isinstance(k, list):
        shape.append(len(k))
        if not k:
            break
        k = k[0]
    return shape


def _joined(op: Any, a: Any, b: Any, indices: Sequence[Any]) -> Any:
    try:
        return op(a, b)
    except RuntimeError:
        shapes = [list(k._shape) for k in indices if isinstance(k, Tensor)]
        raise IndexError("shape mismatch: indexing tensors of shapes %s do not broadcast" % shapes) from None


# ---- joining and splitting ---------------------------------------------------------------------


def cat(tensors: Iterable[Tensor], dim: int = 0) -> Tensor:
    """Tensors of equal shape but for `dim`, one after the other along it; a copy.

    The dtype is `elementwise.result_type` of all. Tensors of shape (0,) fit any shape, as in
    PyTorch. RuntimeError for no tensor, or where shapes or devices do not fit.
    """
    tensors = given = list(tensors)
    if not tensors:
        raise RangeError("cat expects a non-empty list of tensors")
    if any(x._shape == (0,) for x in given):
        tensors = [x for x in given if x._shape != (0,)] or given
    first = tensors[0]
    if not first._shape:
        raise RuntimeError("a 0-d tensor cannot be concatenated; use stack")
    d = 0 if first._shape == (0,) and state.whole == "int64" else dim_of(first, dim)  # PyTorch: any dim
    for x in tensors[1:]:
        if x.ndim != first.ndim or any(a != b for i, (a, b) in enumerate(zip(x._shape, first._shape)) if i != d):
            raise RuntimeError(
                "Sizes of tensors must match except in dimension %d: got shapes %s and %s"
                % (d, list(first._shape), list(x._shape))
            )
        elementwise.same_device(first, x)
    sizes = [x._shape[d] for x in tensors]
    out = like(first, first._shape[:d] + (sum(sizes),) + first._shape[d + 1 :], elementwise.result_type(*given))
    _fill_parts(out.detach(), tensors, d, sizes)
    if needs_grad(*given):
        # of one that was left out: None
        parts = [(x._dtype, None if tensors is not given and x._shape == (0,) else x._shape[d]) for x in given]

        def backward(dy):
            at, grads = 0, []
            for kind, n in parts:
                grads.append(full((0,), 0.0, kind, dy.device) if n is None else sliced(dy, d, at, n)._cast(kind))
                at += n or 0
            return grads

        attach("cat", (out,), tuple(given), backward, ())
    return out


def _fill_parts(whole: Tensor, parts: Sequence[Tensor], d: int, sizes: Sequence[int]) -> None:
    at = 0
    for part, n in zip(parts, sizes):
        elementwise.copy_into(sliced(whole, d, at, n), part)
        at += n


def stack(tensors: Iterable[Tensor], dim: int = 0) -> Tensor:
    """Tensors of one shape along a new dimension `dim`. RuntimeError where the shapes differ."""
    tensors = list(tensors)
    if not tensors:
        raise RuntimeError("stack expects a non-empty list of tensors")
    for x in tensors[1:]:
        if x._shape != tensors[0]._shape:
            raise RuntimeError(
                "stack expects each tensor to be equal size, but got %s and %s"
                % (list(tensors[0]._shape), list(x._shape))
            )
    first = tensors[0]
    d = dim_of(first, dim, 1)
    for x in tensors[1:]:
        elementwise.same_device(first, x)
    shape = first._shape
    out = like(first, (*shape[:d], len(tensors), *shape[d:]), elementwise.result_type(*tensors))
    part = out.detach()
    part._shape, part._strides, step = shape, out._strides[:d] + out._strides[d + 1 :], out._strides[d]
    for x in tensors:
        elementwise.copy_into(part, x)
        part._offset += step
    if needs_grad(*tensors):
        kinds = [x._dtype for x in tensors]
        attach("stack", (out,), tensors, lambda dy: [select(dy, d, i)._cast(k) for i, k in enumerate(kinds)], ())
    return out


def split(x: Tensor, size: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Views along dim: of `size` each (the last may be smaller), or of the sizes in a list.

    RuntimeError for a negative size, for 0 where x's is not 0, or sizes that do not sum to x's.
    """
    if not x._shape:
        raise RuntimeError("split expects at least a 1-dimensional tensor")
    d = dim_of(x, dim)
    n = x._shape[d]
    if type(size) is not int and isinstance(size, (list, tuple)):
        sizes = list(ints_of((size,), "a size of split"))
        if sizes and min(sizes) < 0:
            raise RuntimeError("split expects sizes that are not negative, but got %s" % sizes)
        if sum(sizes) != n:
            raise RuntimeError(
                "split_with_sizes expects split_sizes to sum exactly to %d (input size at dimension %d), but got %s"
                % (n, d, sizes)
            )
    else:
        each = size if type(size) is int else whole_number(size, "a size of split")
        if each < 0 or (each == 0 and n):
            raise RuntimeError("split expects split_size to be positive, but got %s" % quoted(each))
        sizes = [each] * (n // each) + [n % each] * (n % each > 0) if n else [0]
    return _parts(x, d, sizes)


def _parts(x: Tensor, d: int, sizes: Sequence[int]) -> tuple[Tensor, ...]:
    """Views of x, one behind the other along dimension d, of `sizes` that sum to x's."""
    before, after = x._shape[:d], x._shape[d + 1 :]
    offset, step = x._offset, x._strides[d]
    outs: list[Tensor] = []
    shape, last = x._shape, x._shape[d]
    for length in sizes:
        if length != last:
            shape, last = (*before, length, *after), length
        out = x.detach()
        out._shape, out._offset = shape, offset if length else 0  # parts of x: nothing to check again
        outs.append(out)
        offset += length * step
    if needs_grad(x):
        whole = x._shape

        def backward(*grads):
            dx = like(next(g for g in grads if g is not None), whole)
            parts = [full(o, 0.0, dx._dtype, dx.device) if g is None else g for g, o in zip(grads, shapes)]
            _fill_parts(dx, parts, d, sizes)
            return (dx,)

        shapes = [o._shape for o in outs]
        attach("split", tuple(outs), (x,), backward, ())
    if outs:
        first = made_view(outs[0], x, ONE_OF_MANY)
        for out in outs:
            out._base, out._seen, out._made = first._base, first._seen, first._made
    return tuple(outs)


def chunk(x: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most `chunks` views of equal size along dim; the last may be smaller."""
    count = whole_number(chunks, "chunks")
    if not x._shape:
        raise RuntimeError("chunk expects at least a 1-dimensional tensor")
    if count <= 0:
        raise RuntimeError("chunk expects `chunks` to be greater than 0, got: %d" % count)
    d = dim_of(x, dim)
    if not x._shape[d]:
        return _parts(x, d, [0] * count)
    return split(x, -(-x._shape[d] // count), d)


def tril(x: Tensor, diagonal: int = 0, upper: bool = False) -> Tensor:
    """The lower triangle of the last two dimensions, the upper one with upper=True; 0 elsewhere.

    diagonal: 0 is the main one, above it positive. RuntimeError for fewer than 2 dimensions.
    """
    if x.ndim < 2:
        raise RuntimeError("tril: input tensor must have at least 2 dimensions, not shape %s" % list(x._shape))
    x = contiguous(x)
    out = like(x)
    M, N = x._shape[-2:]
    batch = numel_of(x._shape[:-2])
    diagonal = max(
        -M - N, min(M + N, whole_number(diagonal, "the diagonal"))
    )  # farther out all or nothing is kept as well
    launch(kernels.tril, (out, x), (x._dtype.code, batch, M, N, diagonal, int(upper)))
    if needs_grad(x):
        attach("tril", (out,), (x,), lambda dy: (tril(dy, diagonal, upper),), ())
    return out


def triu(x: Tensor, diagonal: int = 0) -> Tensor:
    """The upper triangle of the last two dimensions, zeros elsewhere."""
    return tril(x, diagonal, True)


def arange(
    start: float,
    end: float | None = None,
    step: float = 1,
    dtype: DType | None = None,
    device: Device | str | None = None,
) -> Tensor:
    """Numbers from start to end, exclusive, by step; arange(end) starts at 0.

    int32 where all three are ints, else float32, unless given. RuntimeError for step 0, for an end
    that the step leads away from, and for numbers that int32 does not hold.
    """
    if end is None:
        start, end = 0, start
    start, end, step = [
        v if isinstance(v, (int, float)) else whole_number(v, "a bound of arange") for v in (start, end, step)
    ]
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if not all(-math.inf < v < math.inf for v in (start, end, step)):
        raise RuntimeError("unsupported range: arange(%r, %r, %r)" % (start, end, step))
    if (end - start) * step < 0:
        raise RuntimeError(
            "upper bound and lower bound inconsistent with step sign: arange(%r, %r, %r)" % (start, end, step)
        )
    whole = isinstance(start, int) and isinstance(end, int) and isinstance(step, int)
    dtype = dtype or DTYPES[state.whole if whole else state.real]
    n = -int(-(end - start) // step)
    if not dtype.is_floating_point:
        if start != int(start) or step != int(step):
            raise RuntimeError("arange of %s needs ints, not arange(%r, %r, %r)" % (dtype.name, start, end, step))
        if n:
            for bound in (start, start + (n - 1) * step):
                fitted(bound, dtype)
    out = empty(n, dtype=dtype, device=device)
    if n:
        launch(kernels.arange, (out,), (dtype.code, n, float(start), float(step)))
    return out
