"""Ops that move data or only change how it is seen: views, transposes, slices, indexing, cat, stack, split, tril, fill.

A view shares its storage and launches nothing; its gradient is the gradient seen through the reverse view.
"""

from .. import kernels
from ..autograd import attach, wanted
from ..creation import full, like, tensor
from ..program import launch
from ..tensor import Tensor, bool_, float32, int32, numel_of, row_major
from . import elementwise


def _view(x, shape, strides, offset, name, backward):
    out = Tensor(x._storage, shape, x.dtype, offset, strides)
    if wanted(x):
        attach(name, (out,), (x,), backward)
    return out


def contiguous(x):
    """x itself where it is dense, else a dense copy."""
    return x if x.is_contiguous() else clone(x)


def clone(x):
    out = like(x)
    elementwise.copy_into(out, x)
    if wanted(x):
        attach("clone", (out,), (x,), lambda dy: (dy,))
    return out


# ---- views ---------------------------------------------------------------------------------------------


def _resolve(x, shape, name):
    """`shape` with -1 filled in. RuntimeError where the element counts differ."""
    shape = tuple(shape[0]) if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else tuple(shape)
    if shape.count(-1) > 1:
        raise RuntimeError("only one dimension can be inferred: %s" % list(shape))
    if -1 in shape:
        rest = numel_of([n for n in shape if n != -1])
        if rest == 0 or x.numel() % rest:
            raise RuntimeError("shape %s is invalid for input of size %d" % (list(shape), x.numel()))
        shape = tuple(x.numel() // rest if n == -1 else n for n in shape)
    if numel_of(shape) != x.numel() or any(n < 0 for n in shape):
        raise RuntimeError("%s: shape %s is invalid for input of size %d (shape %s)" % (name, list(shape), x.numel(), list(x.shape)))
    return shape


def _view_strides(x, shape):
    """Strides of x seen as `shape` without a copy, or None: runs of old dimensions that are laid out as one are split anew."""
    if x.is_contiguous():
        return row_major(shape)
    strides, d = [0] * len(shape), len(shape) - 1
    base = x._strides[-1]
    run = seen = 1  # elements of the current run of old dimensions, and of the new dimensions laid over it
    for i in range(x.ndim - 1, -1, -1):
        run *= x.shape[i]
        if i == 0 or (x.shape[i - 1] != 1 and x._strides[i - 1] != run * base):
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


def view(x, *shape):
    """x seen as another shape; RuntimeError where that needs a copy (then use reshape)."""
    shape = _resolve(x, shape, "view")
    strides = _view_strides(x, shape)
    if strides is None:
        raise RuntimeError(
            "view size is not compatible with input tensor's size %s and stride %s "
            "(at least one dimension spans across two contiguous subspaces). "
            "Use .reshape(...) instead." % (list(x.shape), list(x._strides))
        )
    old = x.shape
    return _view(x, shape, strides, x._offset, "view", lambda dy: (dy.reshape(old),))


def reshape(x, *shape):
    """view where possible, else a copy."""
    shape = _resolve(x, shape, "reshape")
    if shape == x.shape:
        return x
    return view(x if _view_strides(x, shape) is not None else clone(x), shape)


def dim_of(x, dim, extra=0):
    """dim as a non-negative index; IndexError outside x's dimensions (one more with extra=1)."""
    n = max(x.ndim + extra, 1)
    if not -n <= dim < n:
        raise IndexError("Dimension out of range (expected to be in range of [%d, %d], but got %d)" % (-n, n - 1, dim))
    return dim % n


def permute(x, *dims):
    dims = tuple(dims[0]) if len(dims) == 1 and isinstance(dims[0], (tuple, list)) else dims
    dims = tuple(dim_of(x, d) for d in dims)
    if sorted(dims) != list(range(x.ndim)):
        raise RuntimeError("permute(%s) does not name each of the %d dimensions once" % (list(dims), x.ndim))
    back = tuple(sorted(range(len(dims)), key=dims.__getitem__))
    return _view(
        x, tuple(x.shape[d] for d in dims), tuple(x._strides[d] for d in dims), x._offset, "permute", lambda dy: (permute(dy, back),)
    )


def transpose(x, dim0, dim1):
    dims = list(range(x.ndim))
    if not dims:
        return x
    i, j = dim_of(x, dim0), dim_of(x, dim1)
    dims[i], dims[j] = dims[j], dims[i]
    return permute(x, dims)


def t(x):
    if x.ndim > 2:
        raise RuntimeError("t() expects a tensor with <= 2 dimensions, but self is %dD" % x.ndim)
    return transpose(x, 0, 1) if x.ndim == 2 else x


def unsqueeze(x, dim):
    d = dim_of(x, dim, 1)
    return view_as(x, x.shape[:d] + (1,) + x.shape[d:], x._strides[:d] + (0,) + x._strides[d:], "unsqueeze")


def squeeze(x, dim=None):
    drop = [d for d, n in enumerate(x.shape) if n == 1] if dim is None else [d for d in [dim_of(x, dim)] if x.ndim and x.shape[d] == 1]
    keep = [d for d in range(x.ndim) if d not in drop]
    return view_as(x, tuple(x.shape[d] for d in keep), tuple(x._strides[d] for d in keep), "squeeze")


def view_as(x, shape, strides, name):
    old = x.shape
    return _view(x, shape, strides, x._offset, name, lambda dy: (dy.reshape(old),))


def flatten(x, start_dim=0, end_dim=-1):
    if not x.ndim:
        return x.reshape(1)
    a, b = dim_of(x, start_dim), dim_of(x, end_dim)
    return reshape(x, x.shape[:a] + (numel_of(x.shape[a : b + 1]),) + x.shape[b + 1 :])


def expand(x, *shape):
    """x repeated along dimensions of size 1, without a copy; -1 keeps a size."""
    shape = tuple(shape[0]) if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else tuple(shape)
    pad = len(shape) - x.ndim
    shape = tuple(x.shape[i - pad] if n == -1 and i >= pad else n for i, n in enumerate(shape))
    if pad < 0 or elementwise.broadcast_shapes(x.shape, shape) != shape:
        raise RuntimeError(
            "the expanded size %s must match the existing size %s at non-singleton dimensions" % (list(shape), list(x.shape))
        )
    old = x.shape
    return _view(x, shape, elementwise.expand_strides(x, shape), x._offset, "expand", lambda dy: (elementwise.reduce_to(dy, old),))


# ---- slices and indexing -------------------------------------------------------------------------------


def narrow(x, dim, start, length, step=1):
    """x[..., start : start + length * step : step, ...] along dim, a view."""
    d = dim_of(x, dim)
    if length == x.shape[d] and step == 1:
        return x
    shape = x.shape[:d] + (length,) + x.shape[d + 1 :]
    strides = x._strides[:d] + (x._strides[d] * step,) + x._strides[d + 1 :]
    whole = x.shape

    def backward(dy):
        dx = full(whole, 0.0, device=dy.device)
        elementwise.copy_into(narrow(dx, d, start, length, step), dy)
        return (dx,)

    return _view(x, shape, strides, x._offset + start * x._strides[d], "slice", backward)


def select(x, dim, index):
    """x[..., index, ...] along dim, which disappears."""
    d = dim_of(x, dim)
    n = x.shape[d]
    if not -n <= index < n:
        raise IndexError("index %d is out of bounds for dimension %d with size %d" % (index, d, n))
    return view_as_dropped(narrow(x, d, index % n, 1), d)


def view_as_dropped(x, d):
    return view_as(x, x.shape[:d] + x.shape[d + 1 :], x._strides[:d] + x._strides[d + 1 :], "select")


def index(x, key):
    """x[key]: ints, slices with a positive step, None, Ellipsis, and int32 tensors or lists in the leading dimensions."""
    keys = list(key) if isinstance(key, tuple) else [key]
    if any(is_advanced(k) for k in keys):
        return _advanced(x, keys)
    return basic_index(x, keys)


def is_advanced(k):
    return (isinstance(k, Tensor) and k.ndim > 0) or isinstance(k, list) or hasattr(k, "__array__") and not isinstance(k, Tensor)


def basic_index(x, keys):
    named = sum(1 for k in keys if k is not None and k is not Ellipsis)
    if named > x.ndim:
        raise IndexError("too many indices for tensor of dimension %d" % x.ndim)
    if keys.count(Ellipsis) > 1:
        raise IndexError("an index can only have a single ellipsis")
    d = 0
    for k in keys:
        if k is None:
            x = unsqueeze(x, d)
            d += 1
        elif k is Ellipsis:
            d += x.ndim - d - sum(1 for j in keys[keys.index(Ellipsis) + 1 :] if j is not None)
        elif isinstance(k, slice):
            start, stop, step = k.indices(x.shape[d])
            if step <= 0:
                raise ValueError("step must be greater than zero, not %d" % step)
            x = narrow(x, d, start, max(0, -(-(stop - start) // step)), step)
            d += 1
        elif isinstance(k, (int, Tensor)) and not isinstance(k, bool):
            x = select(x, d, int(k))
        else:
            raise TypeError("tensors are indexed with ints, slices, None, ... or int32 tensors, not %s" % type(k).__name__)
    return x


def _advanced(x, keys):
    """Gathers rows: k index tensors for the first k dimensions, then full slices. The flat row number goes to the embedding kernel."""
    from . import embedding

    while keys and isinstance(keys[-1], slice) and keys[-1] == slice(None):
        keys.pop()
    indices = []
    for k in keys:
        k = k if isinstance(k, (Tensor, int)) else tensor(k, device=x.device)
        if isinstance(k, Tensor) and k.dtype is bool_:
            raise IndexError(
                "indexing with a bool mask is not supported, because its result's shape depends on the data; use where or masked_fill"
            )
        if not isinstance(k, int) and k.dtype is not int32:
            raise IndexError("tensors used as indices must be int32, not %r" % (k.dtype,))
        indices.append(k)
    if any(not isinstance(k, (Tensor, int)) for k in keys if not isinstance(k, list)) or len(indices) > x.ndim:
        raise IndexError("index tensors must come first, one for each leading dimension, followed by full slices only")
    rows, flat = 1, None
    for size, k in zip(x.shape, indices):
        if isinstance(k, int):
            if not -size <= k < size:
                raise IndexError("index %d is out of bounds for a dimension of size %d" % (k, size))
            k = k % size
        else:
            k = elementwise.where(elementwise.compare("lt", k, 0), k + size, k)  # negative indices count from the end
        flat = k if flat is None else flat * size + k
        rows *= size
    rest = x.shape[len(indices) :]
    table = x.reshape(rows, numel_of(rest))
    return embedding.embedding(flat, table).reshape(flat.shape + rest)


# ---- joining and splitting -----------------------------------------------------------------------------


def cat(tensors, dim=0):
    """Tensors of equal shape but for `dim`, one after the other along it."""
    tensors = list(tensors)
    if not tensors:
        raise RuntimeError("cat expects a non-empty list of tensors")
    first = tensors[0]
    d = dim_of(first, dim)
    for x in tensors[1:]:
        if x.ndim != first.ndim or any(a != b for i, (a, b) in enumerate(zip(x.shape, first.shape)) if i != d):
            raise RuntimeError(
                "Sizes of tensors must match except in dimension %d: got shapes %s and %s" % (d, list(first.shape), list(x.shape))
            )
        elementwise.same_device(first, x)
    if any(x.dtype is float32 for x in tensors):
        tensors = [elementwise.as_float(x) for x in tensors]
    sizes = [x.shape[d] for x in tensors]
    out = like(tensors[0], first.shape[:d] + (sum(sizes),) + first.shape[d + 1 :])
    _fill_parts(out.detach(), tensors, d, sizes)
    if wanted(*tensors):

        def backward(dy):
            at, grads = 0, []
            for n in sizes:
                grads.append(narrow(dy, d, at, n))
                at += n
            return grads

        attach("cat", (out,), tuple(tensors), backward)
    return out


def _fill_parts(whole, parts, d, sizes):
    at = 0
    for part, n in zip(parts, sizes):
        elementwise.copy_into(narrow(whole, d, at, n), part)
        at += n


def stack(tensors, dim=0):
    tensors = list(tensors)
    for x in tensors[1:]:
        if x.shape != tensors[0].shape:
            raise RuntimeError("stack expects each tensor to be equal size, but got %s and %s" % (list(tensors[0].shape), list(x.shape)))
    return cat([unsqueeze(x, dim) for x in tensors], dim if dim >= 0 else dim_of(tensors[0], dim, 1))


def split(x, size, dim=0):
    """Views along dim: of `size` each (the last may be smaller), or of the sizes in a list."""
    d = dim_of(x, dim)
    n = x.shape[d]
    if isinstance(size, int):
        if size <= 0:
            raise RuntimeError("split expects split_size to be positive, but got %d" % size)
        sizes = [min(size, n - at) for at in range(0, n, size)] or [0]
    else:
        sizes = list(size)
        if sum(sizes) != n:
            raise RuntimeError(
                "split_with_sizes expects split_sizes to sum exactly to %d (input size at dimension %d), but got %s" % (n, d, sizes)
            )
    outs, at = [], 0
    for length in sizes:
        outs.append(Tensor(x._storage, x.shape[:d] + (length,) + x.shape[d + 1 :], x.dtype, x._offset + at * x._strides[d], x._strides))
        at += length
    if wanted(x):
        whole = x.shape

        def backward(*grads):
            dx = like(next(g for g in grads if g is not None), whole)
            parts = [full(o, 0.0, device=dx.device) if g is None else g for g, o in zip(grads, shapes)]
            _fill_parts(dx, parts, d, sizes)
            return (dx,)

        shapes = [o.shape for o in outs]
        attach("split", tuple(outs), (x,), backward)
    return tuple(outs)


def chunk(x, chunks, dim=0):
    return split(x, max(1, -(-x.shape[dim_of(x, dim)] // chunks)), dim)


def tril(x, diagonal=0, upper=False):
    """The lower triangle of the last two dimensions (the upper one with upper=True), zeros elsewhere."""
    if x.ndim < 2:
        raise RuntimeError("tril: input tensor must have at least 2 dimensions, not shape %s" % list(x.shape))
    x = contiguous(x)
    out = like(x)
    m, n = x.shape[-2:]
    launch(kernels.tril, (out, x), (x.dtype.code, numel_of(x.shape[:-2]), m, n, diagonal, int(upper)))
    if wanted(x):
        attach("tril", (out,), (x,), lambda dy: (tril(dy, diagonal, upper),))
    return out


def triu(x, diagonal=0):
    return tril(x, diagonal, True)


def arange(start, end=None, step=1, dtype=None, device=None):
    """Numbers from start (0) to end, exclusive, by step."""
    from ..creation import empty

    if end is None:
        start, end = 0, start
    if step == 0:
        raise RuntimeError("step must be nonzero")
    dtype = dtype or (int32 if all(isinstance(v, int) for v in (start, end, step)) else float32)
    n = max(0, -int(-(end - start) // step) if step > 0 else -int(-(start - end) // -step))
    out = empty(n, dtype=dtype, device=device)
    if n:
        launch(kernels.arange, (out,), (dtype.code, n, float(start), float(step)))
    return out
