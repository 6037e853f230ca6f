"""Adding up partial sums: one dispatch for all sums that were cut since the last one
(dispatch_plan.Planner.defer).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Protocol

from .. import template
from ..dispatch_plan import ALIGN, MAX_GROUPS, Deferred, Dispatch, Operand

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..dispatch_plan import Placer


WIDTH = 256  # threads in a workgroup, each with one element (or one vector of four)


class PlacesConstants(Protocol):
    """The part of the device that holds the table."""

    def place(self, base: Any) -> tuple[int, int]: ...


def sums(device: PlacesConstants, pending: Sequence[tuple[Deferred, Placer]]) -> list[tuple[Dispatch, Placer]]:
    """[(dispatch, place)] that add up deferred partial sums: one for each pair of memory that they
    are in.
    """
    groups: dict[tuple[int, int], list[Deferred]] = {}
    for d, place in pending:
        out, out_at = place(d.out.base)
        part, part_at = place(d.part.base)
        groups.setdefault((out, part), []).append(
            Deferred(out_at + d.out.offset, part_at + d.part.offset, d.splits, d.n, d.accumulate)
        )
    return [dispatches(device, out, part, entries) for (out, part), entries in groups.items()]


def dispatches(device: PlacesConstants, out: int, part: int, entries: Sequence[Deferred]) -> tuple[Dispatch, Placer]:
    """(dispatch, place) for sums whose results are in buffer `out` and whose partial sums are in
    buffer `part`.

    entries: [dispatch_plan.Deferred] with absolute byte offsets. The table has, for each sum: first
    workgroup, elements, splits, where its partial sums begin, where its result begins, whether it
    adds to what is there.
    """
    wide = 4 if all(e.out % 16 == e.part % 16 == e.n % 4 == 0 for e in entries) else 1
    size = 4 * wide
    first_out = min(e.out for e in entries) // ALIGN * ALIGN
    last_out = max(e.out + e.n * 4 for e in entries)
    first_part = min(e.part for e in entries) // ALIGN * ALIGN
    last_part = max(e.part + e.n * e.splits * 4 for e in entries)
    table: list[int] = []
    groups = 0
    for e in entries:
        n = e.n // wide
        table += [groups, n, e.splits, (e.part - first_part) // size, (e.out - first_out) // size, int(e.accumulate)]
        groups += -(-n // WIDTH)
    data = struct.pack("<%dI" % len(table), *table)
    operands = {
        "out": Operand("out", 0, (last_out - first_out) // 4, "f"),
        "part": Operand("part", 0, (last_part - first_part) // 4, "f"),
        "table": Operand(("constant", data), 0, len(table), "i"),
    }
    given = dict.fromkeys(("out", "part", "table"), True)
    defines = tuple(sorted({"V": "vec4<f32>" if wide == 4 else "f32", "W": WIDTH, "kernel_id": 0, **given}.items()))
    fields, _ = template.header("segments.sum", defines)
    rows = -(-groups // MAX_GROUPS)
    dispatch = Dispatch(
        "segments.sum", defines, (-(-groups // rows), rows, 1), tuple((f, operands[f.name]) for f in fields),
        (("u32", len(entries)), ("u32", groups)), "segments.sum",
    )  # fmt: skip

    def place(base: Any) -> tuple[int, int]:
        return (
            {"out": (out, first_out), "part": (part, first_part)}[base] if isinstance(base, str) else device.place(base)
        )

    return dispatch, place
