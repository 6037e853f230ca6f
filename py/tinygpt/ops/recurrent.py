"""Recurrent layers: LSTM, GRU and the plain cells over all time steps, one launch for each
direction of a layer. Value and gradient side by side.

Inputs of many lengths come packed: the rows of step 0, then those of step 1, ..., `sizes` of them
at each step, which decrease (PyTorch's PackedSequence).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import kernels
from ..core.autograd import attach, needs_grad
from ..core.factory import full, like, tensor
from ..core.tensor import Tensor, float32, int32, numel_of
from ..graph.program import launch
from . import elementwise, movement, reduce
from .matmul import gemm, linear

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

# w_ih [G * H, C], w_hh [G * H, H], b_ih and b_hh [G * H] or None
Weights = tuple[Tensor, Tensor, "Tensor | None", "Tensor | None"]


def _part(x: Tensor, first: int, shape: tuple[int, ...], strides: tuple[int, ...] | None = None) -> Tensor:
    """Memory of x from its element `first` on, off the tape."""
    return Tensor(x._storage, shape, x._dtype, x._offset + first, strides)


def layer(
    cell: str, x: Tensor, h0: Tensor, c0: Tensor | None, weights: Sequence[Weights], sizes: Sequence[int]
) -> tuple[Tensor, Tensor, Tensor | None]:
    """One layer over time, in one direction or in both.

    cell: a name of kernels.CELL. x: [T, B, C], or packed [rows, C]. h0: [D, B, H], D the number of
    directions; c0 too, of an LSTM. weights: of each direction. sizes: the rows of each step.
    Returns (y [..., D * H], hn [D, B, H], cn [D, B, H] or None), float32 or float64; 16-bit floats
    are computed as float32. Shapes and dtypes are the caller's to check.
    """
    dtype = x._dtype
    if dtype.computed is not dtype:
        wide = [tuple(w if w is None else w._cast(float32) for w in own) for own in weights]
        c0 = c0 if c0 is None else c0._cast(float32)
        made = layer(cell, x._cast(float32), h0._cast(float32), c0, wide, sizes)  # pyright: ignore[reportArgumentType]
        return tuple(v if v is None else v._cast(dtype) for v in made)  # pyright: ignore[reportReturnType]
    given: list[Tensor] = [x, h0, *([] if c0 is None else [c0]), *(w for own in weights for w in own if w is not None)]
    for v in given[1:]:
        elementwise.same_device(x, v)
    recorded = needs_grad(*given)
    lstm = c0 is not None
    lead, C = x._shape[:-1], x._shape[-1]
    rows = numel_of(lead)
    D, B, H = h0._shape
    steps = None if len(set(sizes)) == 1 else tensor(list(sizes), int32, x.device)
    flat = x.detach().contiguous()
    flat = Tensor(flat._storage, (rows, C), dtype, flat._offset)
    h0_in, c0_in = h0.detach().contiguous(), None if c0 is None else c0.detach().contiguous()
    y, hn, cn = like(x, (*lead, D * H)), like(x, (D, B, H)), like(x, (D, B, H)) if lstm else None
    kept: list[Any] = []
    for d, (w_ih, w_hh, b_ih, b_hh) in enumerate(weights):
        gates = _product(flat, w_ih.detach(), b_ih if b_ih is None else b_ih.detach())
        more = like(x, (rows, H)) if recorded and cell in ("lstm", "gru") else None
        w = w_hh.detach().contiguous()
        state = [None if v is None else _part(v, d * B * H, (B, H)) for v in (hn, cn, h0_in, c0_in)]
        out = _part(y, d * H, (rows, H), (D * H, 1))
        bias = b_hh if b_hh is None else b_hh.contiguous()
        launch(
            kernels.recurrent,
            (out, state[0], state[1], gates, more, state[2], state[3], w, bias, steps),
            (kernels.CELL[cell], dtype.code, B, len(sizes), H, rows, D * H, d),
        )
        kept.append((gates, more, w, state[2], state[3]))
    if recorded:
        made = y.detach()

        def backward(*incoming):
            dy, dhn, dcn = [None if v is None else v.contiguous() for v in (*incoming, None)[:3]]
            dx, dh0, dc0 = None, like(x, (D, B, H)), like(x, (D, B, H)) if lstm else None
            dweights: list[Any] = []
            for d, (w_ih, w_hh, b_ih, b_hh) in enumerate(weights):
                gates, more, w, first, first_c = kept[d]
                dgates, hprev = like(gates), like(x, (rows, H))
                dhidden = like(gates) if cell == "gru" else None
                at = [None if v is None else _part(v, d * B * H, (B, H)) for v in (dh0, dc0, dhn, dcn)]
                below = None if dy is None else _part(dy, d * H, (rows, H), (D * H, 1))
                out = _part(made, d * H, (rows, H), (D * H, 1))
                launch(
                    kernels.recurrent_backward,
                    (
                        dgates,
                        dhidden,
                        hprev,
                        at[0],
                        at[1],
                        below,
                        at[2],
                        at[3],
                        gates,
                        more,
                        out,
                        first,
                        first_c,
                        w,
                        steps,
                    ),
                    (kernels.CELL[cell], dtype.code, B, len(sizes), H, rows, D * H, D * H, d),
                )
                dhidden = dgates if dhidden is None else dhidden
                if given[0]._requires_grad:
                    part = gemm(dgates, w_ih.detach(), gradient=True)
                    dx = part if dx is None else elementwise.add(dx, part)
                dweights.append(gemm(dgates.transpose(0, 1), flat, gradient=True) if w_ih._requires_grad else None)
                dweights.append(gemm(dhidden.transpose(0, 1), hprev, gradient=True) if w_hh._requires_grad else None)
                if b_ih is not None:
                    dweights.append(reduce.sum_(dgates, 0))
                if b_hh is not None:
                    dweights.append(dweights[-1] if dhidden is dgates and b_ih is not None else reduce.sum_(dhidden, 0))
            dx = dx if dx is None else Tensor(dx._storage, (*lead, C), dtype, dx._offset)
            return (dx, dh0, *([dc0] if lstm else []), *dweights)

        outputs = (y, hn, cn) if cn is not None else (y, hn)
        saved = [x, h0, *(() if c0 is None else (c0,)), *(w for own in weights for w in own[:2]), made]
        attach(cell if cell in ("lstm", "gru") else "rnn_" + cell, outputs, given, backward, saved)
    return y, hn, cn


def _product(x: Tensor, w: Tensor, bias: Tensor | None) -> Tensor:
    """x w^T + bias of [rows, C] and [N, C]; no gradient here."""
    if x._dtype is float32:
        return gemm(x, w.transpose(0, 1), bias=bias)
    out = gemm(x, w.transpose(0, 1))
    return out if bias is None else elementwise.add(out, bias)


def stepwise(
    cell: str,
    x: Tensor,
    h0: Tensor,
    c0: Tensor | None,
    weights: Weights,
    project: Tensor | None,
    sizes: Sequence[int],
    reverse: bool,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """One direction of a layer composed of other ops, step by step.

    x: [rows, C], packed. h0: [B, P], P the width of the state; c0: [B, H], of an LSTM. weights:
    w_hh is [G * H, P]. project: [P, H] of an LSTM whose state is a projection (Sak et al. 2014),
    else P is H. Returns (y [rows, P], hn [B, P], cn [B, H] or None).
    """
    w_ih, w_hh, b_ih, b_hh = weights
    gates = linear(x, w_ih, b_ih)
    known = sizes[-1] if reverse else len(h0)
    first = [v for v in (h0, c0) if v is not None]
    states = [v[:known] for v in first]
    ended: list[list[Tensor]] = []
    outputs: list[Tensor] = []
    for t in range(len(sizes))[::-1] if reverse else range(len(sizes)):
        n, begin = sizes[t], sum(sizes[:t])
        if n > known:  # in reverse: sequences that begin here
            states = [movement.cat([v, given[known:n]]) for v, given in zip(states, first)]
        elif n < known:  # sequences that have ended
            ended.insert(0, [v[n:] for v in states])
            states = [v[:n] for v in states]
        known = n
        states = _step(cell, gates[begin : begin + n], linear(states[0], w_hh, b_hh), states)
        if project is not None:
            states[0] = linear(states[0], project)
        outputs.append(states[0])
    last = [movement.cat([*parts]) for parts in zip(states, *ended)]
    return movement.cat(outputs[::-1] if reverse else outputs), last[0], last[1] if len(last) == 2 else None


def _step(cell: str, x: Tensor, s: Tensor, states: list[Tensor]) -> list[Tensor]:
    """The states behind a step. x, s: what input and state give to the gates, [B, G * H]."""
    if cell == "lstm":
        i, f, g, o = movement.chunk(x + s, 4, 1)
        c = f.sigmoid() * states[1] + i.sigmoid() * g.tanh()
        return [o.sigmoid() * c.tanh(), c]
    if cell == "gru":
        (x_r, x_z, x_n), (s_r, s_z, s_n) = movement.chunk(x, 3, 1), movement.chunk(s, 3, 1)
        n = (x_n + (x_r + s_r).sigmoid() * s_n).tanh()
        return [(states[0] - n) * (x_z + s_z).sigmoid() + n]
    return [(x + s).tanh() if cell == "tanh" else (x + s).relu()]


def cell(name: str, x: Tensor, h: Tensor, c: Tensor | None, weights: Weights) -> tuple[Tensor, Tensor | None]:
    """One step of a cell of kernels.CELL: (h, c) behind it.

    x: [B, C]. h: [B, H]; c too, of an LSTM. Returns [B, H] each.
    """
    H = h._shape[-1]
    B = x._shape[0]
    if not numel_of((B, H)):
        return h * 1.0, None if c is None else c * 1.0
    _, hn, cn = layer(name, x, h.unsqueeze(0), None if c is None else c.unsqueeze(0), [weights], [B])
    return hn.squeeze(0), None if cn is None else cn.squeeze(0)


def zeros(x: Tensor, *shape: int) -> Tensor:
    """A state that nothing was seen before."""
    return full(shape, 0.0, x._dtype, x.device)
