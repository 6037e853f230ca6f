"""torch.optim: optimizers, learning rate schedules, averaged weights."""

from __future__ import annotations

from .. import table
from . import lr_scheduler
from .adam import Adam
from .adamw import AdamW
from .optimizer import Optimizer, on_step
from .sgd import SGD

__all__ = ["Adam", "AdamW", "Optimizer", "SGD", "lr_scheduler", "on_step"]


def __getattr__(name: str):
    """Submodules at their first use, and the sentence on a name that is not here."""
    return table.missing(__name__, name)
