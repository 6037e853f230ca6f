"""The oracle's recurrent layers, forward and backward: one sequence and one step at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..kernels import CELL, GATES
from .base import status_error

if TYPE_CHECKING:
    from collections.abc import Iterator

    Array = Any

NAME = {code: name for name, code in CELL.items()}


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def _walk(p: Any, sizes: Array | None, name: str) -> Iterator[tuple[int, list[int]]]:
    """(sequence, the rows of its steps in the order of computation)."""
    counts = [p.B] * p.T if sizes is None else [int(n) for n in sizes]
    falls = all(1 <= n <= before for n, before in zip(counts, [p.B, *counts]))
    if not falls or sum(counts) != p.rows or counts and counts[0] != p.B:
        raise status_error(2, name)
    firsts = [0, *np.cumsum(counts)]
    for b in range(p.B):
        rows = [int(first) + b for first, n in zip(firsts, counts) if b < n]
        yield b, rows[::-1] if p.reverse else rows


def _rows_of(flat: Array, p: Any, step: int) -> Array:
    """[rows, H], `step` elements apart."""
    return np.lib.stride_tricks.as_strided(flat, (p.rows, p.H), (step * flat.itemsize, flat.itemsize))


def recurrent(p: Any, y: Array, hn: Array, cn: Any, gates: Array, kept: Any, h0: Array, c0: Any, w: Array,
              bias: Any, sizes: Any) -> None:  # fmt: skip
    cell, G = NAME[p.cell], GATES[p.cell]
    gates, w, y = gates.reshape(p.rows, G, p.H), w.reshape(G * p.H, p.H), _rows_of(y, p, p.ldy)
    for b, rows in list(_walk(p, sizes, "recurrent")):
        at = slice(b * p.H, (b + 1) * p.H)
        h, c = h0[at], c0[at] if c0 is not None else None
        for row in rows:
            s = (w @ h + (0.0 if bias is None else bias)).reshape(G, p.H)
            x = gates[row].copy()
            if cell == "lstm":
                i, f, g, o = _sigmoid(x[0] + s[0]), _sigmoid(x[1] + s[1]), np.tanh(x[2] + s[2]), _sigmoid(x[3] + s[3])
                c = f * c + i * g
                h, gates[row] = o * np.tanh(c), (i, f, g, o)
                if kept is not None:
                    kept[row * p.H : (row + 1) * p.H] = c
            elif cell == "gru":
                r, z = _sigmoid(x[0] + s[0]), _sigmoid(x[1] + s[1])
                n = np.tanh(x[2] + r * s[2])
                h, gates[row] = (h - n) * z + n, (r, z, n)
                if kept is not None:
                    kept[row * p.H : (row + 1) * p.H] = s[2]
            else:
                h = np.tanh(x[0] + s[0]) if cell == "tanh" else np.maximum(x[0] + s[0], 0)
                gates[row] = h
            y[row] = h
        hn[at] = h
        if cn is not None:
            cn[at] = c


def recurrent_backward(p: Any, dgates: Array, dhidden: Any, hprev: Array, dh0: Array, dc0: Any, dy: Any, dhn: Any,
                       dcn: Any, gates: Array, kept: Any, y: Array, h0: Array, c0: Any, w: Array,
                       sizes: Any) -> None:  # fmt: skip
    cell, G = NAME[p.cell], GATES[p.cell]
    gates, dgates = gates.reshape(p.rows, G, p.H), dgates.reshape(p.rows, G, p.H)
    dhidden = dgates if dhidden is None else dhidden.reshape(p.rows, G, p.H)
    hprev, w, y = hprev.reshape(p.rows, p.H), w.reshape(G * p.H, p.H), _rows_of(y, p, p.ldy)
    kept = None if kept is None else kept.reshape(p.rows, p.H)
    dy = np.zeros((p.rows, p.H)) if dy is None else _rows_of(dy, p, p.lddy)
    for b, rows in list(_walk(p, sizes, "recurrent_backward")):
        at = slice(b * p.H, (b + 1) * p.H)
        dh = np.zeros(p.H) if dhn is None else dhn[at]
        dc = np.zeros(p.H) if dcn is None else dcn[at]
        for row, before in zip(rows[::-1], [*rows[-2::-1], None]):
            h = h0[at] if before is None else y[before]
            dh, hprev[row] = dh + dy[row], h
            if cell == "lstm":
                i, f, g, o = gates[row]
                squashed = np.tanh(kept[row])
                dc = dc + dh * o * (1 - squashed**2)
                c = c0[at] if before is None else kept[before]
                di, df, do = dc * g * i * (1 - i), dc * c * f * (1 - f), dh * squashed * o * (1 - o)
                dgates[row] = di, df, dc * i * (1 - g**2), do
                dc, through = dc * f, 0.0
            elif cell == "gru":
                r, z, n = gates[row]
                dn = dh * (1 - z) * (1 - n**2)
                dr, dz = dn * kept[row] * r * (1 - r), dh * (h - n) * z * (1 - z)
                dgates[row], dhidden[row] = (dr, dz, dn), (dr, dz, dn * r)
                through = dh * z
            else:
                out = gates[row, 0]
                dgates[row, 0] = dh * (1 - out**2) if cell == "tanh" else np.where(out <= 0, 0.0, dh)
                through = 0.0
            dh = through + dhidden[row].ravel() @ w
        dh0[at] = dh
        if dc0 is not None:
            dc0[at] = dc
