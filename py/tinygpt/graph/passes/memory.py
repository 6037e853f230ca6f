"""The memory plan: every intermediate gets a place in one arena, so the peak is known before the
first replay.

In: launches and the sizes of the intermediates. Out: an offset for each and the size of the arena.
An intermediate lives from the first launch that names it to the last. Places are found greedily,
largest first, each at the lowest offset where no buffer that lives at the same time is in the way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .dependencies import Launch

ALIGN = 256  # bytes: a WebGPU binding offset, and more than a cache line


def lifetimes(launches: Sequence[Launch], temporaries: Mapping[int, int]) -> dict[int, tuple[int, int]]:
    """{uid: (first launch, last launch)} of the intermediates that are still named."""
    spans: dict[int, tuple[int, int]] = {}
    for i, (_, buffers, _) in enumerate(launches):
        for buffer in buffers:
            if buffer is not None and buffer[0] in temporaries:
                uid = buffer[0]
                spans[uid] = (spans[uid][0] if uid in spans else i, i)
    return spans


def plan(launches: Sequence[Launch], temporaries: Mapping[int, int]) -> tuple[dict[int, int], int]:
    """({uid: byte offset}, arena bytes) for `launches`; `temporaries`: {uid: bytes}."""
    spans = lifetimes(launches, temporaries)
    placed: list[tuple[int, int, int, int]] = []  # (offset, end, first, last), sorted by offset
    places: dict[int, int] = {}
    peak = 0
    for uid in sorted(spans, key=lambda u: (-temporaries[u], spans[u], u)):
        first, last = spans[uid]
        size = (temporaries[uid] + ALIGN - 1) // ALIGN * ALIGN
        offset = 0
        for start, end, other_first, other_last in placed:
            if other_last < first or last < other_first:
                continue
            if start - offset >= size:
                break
            offset = max(offset, end)
        places[uid] = offset
        placed.append((offset, offset + size, first, last))
        placed.sort()
        peak = max(peak, offset + size)
    return places, peak
