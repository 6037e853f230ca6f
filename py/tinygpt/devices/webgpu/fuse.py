"""Launches that become one dispatch on this device alone: what the contract's passes cannot say.

matmul (dW = dY^T X), sum of dY over its rows     -> the product also writes the row sums (bias gradient)
clip_scale, adamw on the same gradient            -> one pass over the flat arenas
clip_scale, its gradient's norm, adamw with that  -> the same; the norm before the clipping is finite where the one after it is
"""

from collections import namedtuple

from ... import kernels

GpuLaunch = namedtuple("GpuLaunch", "kernel buffers params extra")  # extra: {name: (place, elements, dtype) or a number}


def run(launches):
    """GpuLaunches in the order of `launches` (kernel, buffers, params), some of them merged."""
    out = [GpuLaunch(k, list(b), p, {}) for k, b, p in launches]
    for i, launch in enumerate(out):
        if launch is None:
            continue
        if launch.kernel is kernels.matmul:
            _with_sums(out, i)
        elif launch.kernel is kernels.clip_scale:
            _with_clip(out, i)
    return [launch for launch in out if launch is not None]


def _next(out, i):
    for j in range(i + 1, len(out)):
        if out[j] is not None:
            return j
    return None


def _with_sums(out, i):
    """The launch after a dW product sums the rows of the product's own dY."""
    j = _next(out, i)
    if j is None or out[j].kernel is not kernels.reduce:
        return
    p, q = kernels.matmul.Params(*out[i].params), kernels.reduce.Params(*out[j].params)
    if not (p.ta == 1 and p.batch == 1 and p.lda == p.M and p.beta == 0.0 and p.alpha == 1.0 and not p.epilogue & ~kernels.GRADIENT):
        return
    if q.op != kernels.REDUCE["sum"] or q.dtype != 0 or (q.outer, q.n, q.inner) != (1, p.K, p.M) or out[j].buffers[1] != out[i].buffers[1]:
        return
    out[i].extra["sums"] = (out[j].buffers[0], p.M, "f")
    out[j] = None


def _with_clip(out, i):
    """The launch after a clip_scale is adamw on exactly that gradient, perhaps with a norm of it in between that only adamw reads."""
    j = _next(out, i)
    if j is None:
        return
    again = None
    if out[j].kernel is kernels.global_norm and out[j].buffers[1] == out[i].buffers[0] and out[j].params[0] == out[i].params[0]:
        again, j = j, _next(out, j)
    if j is None or out[j].kernel is not kernels.adamw or (again is not None and not _only_skips(out, again, j)):
        return
    p, q = kernels.clip_scale.Params(*out[i].params), kernels.adamw.Params(*out[j].params)
    if p.n != q.n or out[j].buffers[3] != out[i].buffers[0]:
        return
    out[j].extra["clip_norm"] = (out[i].buffers[1], 1, "f")
    out[j].extra["max_norm"] = p.max_norm
    if again is not None:
        out[j].buffers[5] = out[i].buffers[1]
        out[again] = None
    out[i] = None


def _only_skips(out, again, j):
    """The norm that launch `again` writes is an intermediate that adamw, launch j, reads as its norm, and nobody else does."""
    handle, offset = place = out[again].buffers[0]
    if handle != "arena" or out[j].buffers[5] != place:
        return False
    for launch in out[j + 1 :]:
        if launch is None:
            continue
        extent = launch.kernel.extent(launch.params)
        used = set()
        for spec, b in zip(launch.kernel.buffers, launch.buffers):
            size = 1 if spec.dtype == "b" else 4
            if b is not None and b[0] == handle and b[1] <= offset < b[1] + size * extent[spec.name]:
                used.add(spec.access)
        if used:
            return used == {"w"}  # overwritten first
    return True
