"""Inputs that change while a run trains (tinygpt.training.live_settings)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import dispatch, training_bridge

if TYPE_CHECKING:
    from .. import protocol


@dispatch.handles("adjust")
def adjust(args: protocol.AdjustArgs, part: object) -> None:
    """What can apply at the next step of the running loop does, and a message says which."""
    from tinygpt import loop

    if training_bridge.running() and loop.current is not None:
        loop.current.adjust(training_bridge.taken(args["settings"]))
