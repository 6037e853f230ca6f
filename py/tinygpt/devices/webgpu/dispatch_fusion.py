"""Launches that become one dispatch on this device alone: what the contract's passes cannot say.

matmul (dW = dY^T X), sum of dY over its rows     -> the product also writes the row sums (bias
                                                     gradient)
clip_scale, adamw on the same gradient            -> one pass over the flat arenas
clip_scale, its gradient's norm, adamw with that  -> the same; the norm before the clipping is
                                                     finite where the one after it is
layer_norm or rms_norm of one row, its product    -> the product's workgroups norm the row as they
                                                     read it
kv_append of one token, attention_decode          -> decoding takes the new key and value from where
                                                     they are, and puts them into the cache

The last two make a decoding step a third shorter: its launches are so small that their number is
what it costs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ... import kernels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...kernels import Buffer, Kernel

    Place = tuple[Any, int, int]  # handle, first byte, end


MAX_NORMED_ROWS = 4096  # of a product whose workgroups each norm the vector again


class GpuLaunch(NamedTuple):
    """A launch of a Program with what was merged into it. extra: {name: (place, elements, dtype) or
    a number}.
    """

    kernel: Kernel
    buffers: list[Any]
    params: tuple[float, ...]
    extra: dict[str, Any]


def run(launches: Sequence[tuple[Kernel, Sequence[Any], Sequence[float]]]) -> list[GpuLaunch]:
    """GpuLaunches in the order of `launches` (kernel, buffers, params), some of them merged."""
    out: list[GpuLaunch | None] = [GpuLaunch(k, list(b), tuple(p), {}) for k, b, p in launches]
    for i, launch in enumerate(out):
        if launch is None:
            continue
        if launch.kernel is kernels.matmul:
            _with_sums(out, i)
        elif launch.kernel is kernels.clip_scale:
            _with_clip(out, i)
        elif launch.kernel in (kernels.layer_norm, kernels.rms_norm):
            _with_norm(out, i)
        elif launch.kernel is kernels.kv_append:
            _with_append(out, i)
    return [launch for launch in out if launch is not None]


def _next(out: list[Any], i: int) -> Any:
    for j in range(i + 1, len(out)):
        if out[j] is not None:
            return j
    return None


def _with_sums(out: list[Any], i: int) -> None:
    """The launch after a dW product sums the rows of the product's own dY."""
    j = _next(out, i)
    if j is None or out[j].kernel is not kernels.reduce:
        return
    p, q = kernels.matmul.Params(*out[i].params), kernels.reduce.Params(*out[j].params)
    if not (
        p.ta == 1
        and p.batch == 1
        and p.lda == p.M
        and p.beta == 0.0
        and p.alpha == 1.0
        and not p.epilogue & ~kernels.GRADIENT
    ):
        return
    if (
        q.op != kernels.REDUCE["sum"]
        or q.dtype != 0
        or (q.outer, q.n, q.inner) != (1, p.K, p.M)
        or out[j].buffers[1] != out[i].buffers[1]
    ):
        return
    out[i].extra["sums"] = (out[j].buffers[0], p.M, "f")
    out[j] = None


def _with_clip(out: list[Any], i: int) -> None:
    """The launch after a clip_scale is adamw on exactly that gradient, perhaps with a norm of it in
    between that only adamw reads.
    """
    j = _next(out, i)
    if j is None:
        return
    again = None
    if (
        out[j].kernel is kernels.global_norm
        and out[j].buffers[1] == out[i].buffers[0]
        and out[j].params[0] == out[i].params[0]
    ):
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


def _only_skips(out: list[Any], again: Any, j: int) -> bool:
    """The norm that launch `again` writes is an intermediate that adamw, launch j, reads as its
    norm, and nobody else does.
    """
    place = _places(out[again], "w")["out"]
    return out[j].buffers[5] == place[:2] and _unread(out, j, place, but="norm")


def _with_norm(out: list[Any], i: int) -> None:
    """The launch after a norm of one row is a product of that row with the rows of a matrix, and
    nobody else reads what the norm wrote.
    """
    j = _next(out, i)
    if j is None or out[j].kernel is not kernels.matmul:
        return
    norm, p = out[i].kernel.Params(*out[i].params), kernels.matmul.Params(*out[j].params)
    if norm.rows != 1 or (p.batch, p.M, p.K, p.ta, p.tb) != (1, 1, norm.C, 0, 1) or p.N > MAX_NORMED_ROWS:
        return
    made, read = _places(out[i], "w"), _places(out[i], "r")
    if _places(out[j], "r")["a"] != made["out"] or _overlap(read, _places(out[j], "wu")):
        return
    if not all(_unread(out, j, place, but="a") for place in made.values()):
        return
    out[j].extra.update(
        {"norm_" + name: _extra(place) for name, place in read.items()}, norm_eps=norm.eps, norm_kind=out[i].kernel.name
    )
    out[i] = None


def _with_append(out: list[Any], i: int) -> None:
    """The launch after the append of one token decodes with the same cache at the same position."""
    j = _next(out, i)
    if j is None or out[j].kernel is not kernels.attention_decode:
        return
    p, q = kernels.kv_append.Params(*out[i].params), kernels.attention_decode.Params(*out[j].params)
    k_cache, v_cache, _, _, position = out[i].buffers
    if p.T != 1 or (p.B, p.G, p.S, p.D) != (q.B, q.G, q.S, q.D) or out[j].buffers[2:] != [k_cache, v_cache, position]:
        return
    read = _places(out[i], "r")
    if _overlap(read, _places(out[j], "w")):
        return
    out[j].extra.update(k_new=_extra(read["k"]), v_new=_extra(read["v"]), k_b=p.k_b, v_b=p.v_b)
    out[i] = None


def _places(launch: GpuLaunch, accesses: str) -> dict[str, Place]:
    """{name: (handle, first byte, end)} of a launch's buffers with one of these access letters."""
    extent = launch.kernel.extent(launch.params)
    return {
        spec.name: (b[0], b[1], b[1] + extent[spec.name] * (1 if spec.dtype == "b" else 4))
        for spec, b in zip(launch.kernel.buffers, launch.buffers)
        if b is not None and extent[spec.name] and _access(launch, spec) in accesses
    }


def _access(launch: GpuLaunch, spec: Buffer) -> str:
    """The access letter of a launch's buffer; matmul's "u" is one of the others, as its parameters
    say.
    """
    if launch.kernel is kernels.matmul and spec.access == "u":
        p = kernels.matmul.Params(*launch.params)
        if spec.name == "out":
            return "u" if p.beta else "w"
        return "w" if p.epilogue & kernels.GELU else "r"
    return spec.access


def _overlap(some: dict[str, Place], others: dict[str, Place]) -> bool:
    """True when a place of `some` has a byte in common with one of `others`."""
    return any(a[0] == b[0] and a[1] < b[2] and b[1] < a[2] for a in some.values() for b in others.values())


def _extra(place: Place) -> tuple[tuple[Any, int], int, str]:
    """A place of floats as an entry of GpuLaunch.extra."""
    handle, start, end = place
    return (handle, start), (end - start) // 4, "f"


def _unread(out: list[Any], j: int, place: Place, but: str) -> bool:
    """True when `place` is an intermediate that no launch from j on reads before it is overwritten
    completely.

    but: the buffer of launch j that may read it.
    """
    if place[0] != "arena":
        return False
    here = {"place": place}
    for launch in out[j:]:
        if launch is None:
            continue
        read = _places(launch, "ru")
        if launch is out[j]:
            read.pop(but, None)
        added: dict[str, Any] = {
            name: (*value[0], value[0][1] + 4 * value[1])
            for name, value in launch.extra.items()
            if isinstance(value, tuple)
        }
        if _overlap(here, read) or _overlap(here, added):
            return False
        if any(w[0] == place[0] and w[1] <= place[1] and place[2] <= w[2] for w in _places(launch, "w").values()):
            return True
    return True
