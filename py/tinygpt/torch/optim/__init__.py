"""torch.optim: optimizers, learning rate schedules, averaged weights."""

from __future__ import annotations

from .. import table
from . import lr_scheduler, swa_utils
from ._adafactor import Adafactor
from ._muon import Muon
from .adadelta import Adadelta
from .adagrad import Adagrad
from .adam import Adam
from .adamax import Adamax
from .adamw import AdamW
from .asgd import ASGD
from .lbfgs import LBFGS
from .nadam import NAdam
from .optimizer import Optimizer, on_step
from .radam import RAdam
from .rmsprop import RMSprop
from .rprop import Rprop
from .sgd import SGD
from .sparse_adam import SparseAdam

__all__ = [
    "ASGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "LBFGS", "Muon", "NAdam", "Optimizer",
    "RAdam", "RMSprop", "Rprop", "SGD", "SparseAdam", "lr_scheduler", "on_step", "swa_utils",
]  # fmt: skip
LIMITED = {
    "Optimizer": "differentiable=True is refused; foreach, fused and capturable change nothing",
    "SparseAdam": "refused: gradients are dense; use Adam",
}
ABSENT = {"swap_in_optimizer_params_and_state": "copy the state_dict and load it again"}


def __getattr__(name: str):
    """Submodules at their first use, and the sentence on a name that is not here."""
    return table.missing(__name__, name)
