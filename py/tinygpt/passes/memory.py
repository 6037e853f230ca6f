"""The memory plan: every intermediate gets a place in one arena, so the peak is known before the first replay.

An intermediate lives from the first launch that names it to the last. Places are found greedily, largest first, each at the lowest offset
where no buffer that lives at the same time is in the way.
"""

ALIGN = 256  # bytes: a WebGPU binding offset, and more than a cache line


def lifetimes(launches, temporaries):
    """{uid: (first launch, last launch)} of the intermediates that are still named."""
    spans = {}
    for i, (_, buffers, _) in enumerate(launches):
        for buffer in buffers:
            if buffer is not None and buffer[0] in temporaries:
                uid = buffer[0]
                spans[uid] = (spans[uid][0] if uid in spans else i, i)
    return spans


def plan(launches, temporaries):
    """({uid: byte offset}, arena bytes) for `launches` and the sizes of `temporaries`, {uid: bytes}."""
    spans = lifetimes(launches, temporaries)
    placed = []  # (offset, end, first, last), kept sorted by offset
    places, peak = {}, 0
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
