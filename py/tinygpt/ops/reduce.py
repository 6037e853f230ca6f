"""Sum, mean, max, min, argmax, var over any dimensions. A reduction over several dimensions moves them to the end first."""

import math

from .. import kernels
from ..autograd import attach, wanted
from ..creation import like
from ..program import launch
from ..tensor import bool_, float32, int32, numel_of
from . import elementwise, inplace, movement


def _dims(x, dim):
    if dim is None:
        return tuple(range(x.ndim))
    dims = tuple(movement.dim_of(x, d) for d in (dim if isinstance(dim, (tuple, list)) else (dim,))) if x.ndim else ()
    if len(set(dims)) != len(dims):
        raise RuntimeError("dim %s appears multiple times in the list of dims" % (dim,))
    return dims


def _launch(name, x, dims, dtype):
    """Reduces `dims` away. Neighbouring dimensions of a dense x are reduced in place ([outer, n, inner]); others move to the end."""
    dims = tuple(sorted(dims))
    kept = tuple(d for d in range(x.ndim) if d not in dims)
    shape = tuple(x.shape[d] for d in kept)
    if dims and dims == tuple(range(dims[0], dims[-1] + 1)):
        x = movement.contiguous(x)
        outer, inner = numel_of(x.shape[: dims[0]]), numel_of(x.shape[dims[-1] + 1 :])
    else:
        x = movement.contiguous(movement.permute(x, kept + dims)) if dims else movement.contiguous(x)
        outer, inner = numel_of(shape), 1
    n = x.numel() // (outer * inner) if outer * inner else 1
    out = like(x, shape, dtype)
    if out.numel():
        if n:
            launch(kernels.reduce, (out, x), (kernels.REDUCE[name], x.dtype.code, outer, n, inner))
        else:
            inplace.fill_(out, 0 if name == "sum" else math.nan)
    return out


def _keepdim(out, x, dims):
    return movement.reshape(out, tuple(1 if d in dims else n for d, n in enumerate(x.shape)))


def _spread(dy, x_shape, dims):
    """dy seen in the shape before the reduction."""
    return movement.expand(movement.reshape(dy, tuple(1 if d in dims else n for d, n in enumerate(x_shape))), x_shape)


def sum_(x, dim=None, keepdim=False):
    """The sum; integers and bools give int32."""
    dims = _dims(x, dim)
    out = _launch("sum", x.detach(), dims, int32 if x.dtype is bool_ else x.dtype)
    if wanted(x):
        shape = x.shape
        attach("sum", (out,), (x,), lambda dy: (_spread(dy, shape, dims),))
    return _keepdim(out, x, dims) if keepdim else out


def mean(x, dim=None, keepdim=False):
    if x.dtype is not float32:
        raise RuntimeError("mean(): could not infer output dtype. Input dtype must be a floating point dtype. Got: %s" % x.dtype.name)
    dims = _dims(x, dim)
    out = _launch("mean", x.detach(), dims, float32)
    if wanted(x):
        shape = x.shape
        n = numel_of([shape[d] for d in dims])
        attach("mean", (out,), (x,), lambda dy: (_spread(dy * (1.0 / n), shape, dims),))
    return _keepdim(out, x, dims) if keepdim else out


def var(x, dim=None, correction=1, keepdim=False, unbiased=None):
    """The variance: sum (x - mean)^2 / (n - correction)."""
    if unbiased is not None:
        correction = int(unbiased)
    dims = _dims(x, dim)
    n = numel_of([x.shape[d] for d in dims])
    centred = elementwise.sub(x, mean(x, dims, keepdim=True))
    total = sum_(elementwise.square(centred), dims, keepdim)
    return total / (n - correction) if n != correction else total * math.nan


def std(x, dim=None, correction=1, keepdim=False):
    return elementwise.unary("sqrt", var(x, dim, correction, keepdim))


class _ValuesIndices(tuple):
    """What max and min along a dimension return: (values, indices)."""

    values = property(lambda self: self[0])
    indices = property(lambda self: self[1])


def _extremum(name, x, dim, keepdim):
    if not x.numel():
        raise RuntimeError("%s(): expected a tensor with at least one element, not shape %s" % (name, list(x.shape)))
    dims = _dims(x, dim)
    out = _launch(name, x.detach(), dims, x.dtype)
    where_ = _launch("arg" + name, x.detach(), dims, int32) if dim is not None else None
    if wanted(x):
        shape, y, source = x.shape, out.detach(), x.detach()

        def backward(dy):
            if where_ is None:  # all dimensions: ties share the gradient evenly
                hits = elementwise.compare("eq", source, y)._cast(float32)
                return (elementwise.mul(hits, elementwise.div(dy, sum_(hits))),)
            d = dims[0]
            places = movement.arange(shape[d], device=dy.device)
            places = movement.reshape(places, tuple(shape[d] if i == d else 1 for i in range(len(shape))))
            hits = elementwise.compare("eq", _spread(where_, shape, dims), places)
            return (elementwise.where(hits, _spread(dy, shape, dims), 0.0),)

        attach(name, (out,), (x,), backward)
    if where_ is None:
        return out
    if keepdim:
        return _ValuesIndices((_keepdim(out, x, dims), _keepdim(where_, x, dims)))
    return _ValuesIndices((out, where_))


def max_(x, dim=None, keepdim=False):
    """The largest element; with dim: (values, indices). A tensor as `dim`: elementwise maximum."""
    if hasattr(dim, "_storage"):
        return elementwise.maximum(x, dim)
    return _extremum("max", x, dim, keepdim)


def min_(x, dim=None, keepdim=False):
    if hasattr(dim, "_storage"):
        return elementwise.minimum(x, dim)
    return _extremum("min", x, dim, keepdim)


def argmax(x, dim=None, keepdim=False):
    return _arg("argmax", x, dim, keepdim)


def argmin(x, dim=None, keepdim=False):
    return _arg("argmin", x, dim, keepdim)


def _arg(name, x, dim, keepdim):
    if not x.numel():
        raise RuntimeError("%s(): expected a tensor with at least one element, not shape %s" % (name, list(x.shape)))
    dims = _dims(x, dim)
    out = _launch(name, x.detach(), dims, int32)
    return _keepdim(out, x, dims) if keepdim else out


def any_(x):
    return _launch("max", elementwise.as_bool(x.detach()), _dims(x, None), bool_)


def all_(x):
    return _launch("min", elementwise.as_bool(x.detach()), _dims(x, None), bool_)
