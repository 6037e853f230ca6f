"""The GPU in a text that can be pasted into a bug: `tinygpt.tools.gpu_report`, on request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import dispatch, training_bridge

if TYPE_CHECKING:
    from collections.abc import Callable

    from .. import protocol


@dispatch.handles("gpu report")
def gpu_report(args: protocol.NoArgs, part: Callable[[protocol.ReportPart], None]) -> str:
    """The report; a part before each of its stages."""
    from tinygpt.tools import gpu_report

    if training_bridge.running():
        raise ValueError("a run is in progress: stop it first, because its steps would disturb the measurement")
    return gpu_report.write(lambda stage: part({"stage": stage}), dispatch.cancelled)
