"""Layer norm and RMS norm over the last dimension, each one launch forward and one backward."""

from .. import kernels
from ..autograd import attach, wanted
from ..creation import like
from ..program import launch
from . import elementwise


def _check(x, weight, bias, name):
    for part, p in (("weight", weight), ("bias", bias)):
        if p is not None:
            elementwise.same_device(x, p)
            if p.shape != x.shape[-1:]:
                raise RuntimeError("%s: %s of shape %s does not fit input of shape %s" % (name, part, list(p.shape), list(x.shape)))


def _given(grads, inputs):
    return tuple(g for g, x in zip(grads, inputs) if x is not None)


def layer_norm(x, weight=None, bias=None, eps=1e-5):
    """(x - mean) / sqrt(var + eps) * weight + bias over the last dimension (Ba et al. 2016, biased variance)."""
    _check(x, weight, bias, "layer_norm")
    x = elementwise.as_float(x).contiguous()
    c = x.shape[-1]
    rows = x.numel() // c if c else 0
    out, mean, rstd = like(x), like(x, (rows,)), like(x, (rows,))
    launch(kernels.layer_norm, (out, mean, rstd, x, weight, bias), (rows, c, eps))
    if wanted(x, weight, bias):

        def backward(dy):
            dy = dy.contiguous()
            dx = like(x)
            dw = like(x, (c,)) if weight is not None else None
            db = like(x, (c,)) if bias is not None else None
            launch(kernels.layer_norm_backward, (dx, dw, db, dy, x, weight, mean, rstd, None), (rows, c))
            return _given((dx, dw, db), (x, weight, bias))

        attach("layer_norm", (out,), _given((x, weight, bias), (x, weight, bias)), backward)
    return out


def rms_norm(x, weight=None, eps=1e-5):
    """x / sqrt(mean(x^2) + eps) * weight over the last dimension (Zhang and Sennrich 2019)."""
    _check(x, weight, None, "rms_norm")
    x = elementwise.as_float(x).contiguous()
    c = x.shape[-1]
    rows = x.numel() // c if c else 0
    out, rstd = like(x), like(x, (rows,))
    launch(kernels.rms_norm, (out, rstd, x, weight), (rows, c, eps))
    if wanted(x, weight):

        def backward(dy):
            dy = dy.contiguous()
            dx = like(x)
            dw = like(x, (c,)) if weight is not None else None
            launch(kernels.rms_norm_backward, (dx, dw, dy, x, weight, rstd, None), (rows, c))
            return _given((dx, dw), (x, weight))

        attach("rms_norm", (out,), _given((x, weight), (x, weight)), backward)
    return out
