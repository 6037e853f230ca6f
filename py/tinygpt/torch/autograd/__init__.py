"""`torch.autograd`: gradients of any order, functions with a gradient of their own, hooks, gradient
modes, anomaly mode, checks of gradients.

core/autograd.py has the tape and the plain walk; engine.py has the walk that knows the rest.
"""

from __future__ import annotations

from .. import table
from .anomaly_mode import detect_anomaly as detect_anomaly
from .anomaly_mode import is_anomaly_enabled
from .anomaly_mode import set_detect_anomaly as set_detect_anomaly
from .function import Function as Function
from .grad_mode import LIMITED as _MODES
from .grad_mode import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from .gradcheck import gradcheck as gradcheck
from .gradcheck import gradgradcheck as gradgradcheck
from .gradients import backward as backward
from .gradients import grad as grad
from .tensor_methods import METHODS as METHODS
from .variable import Variable as Variable

__all__ = [
    "enable_grad", "inference_mode", "is_anomaly_enabled", "is_grad_enabled", "is_inference_mode_enabled", "no_grad",
    "set_grad_enabled",
]  # fmt: skip

LIMITED = {"grad": "is_grads_batched=True is refused: call it for each gradient", **_MODES}
ABSENT = {
    "forward_ad": "use torch.autograd.functional.jvp, or grad with create_graph=True",
    "profiler": "use the Profile panel, or tinygpt.profile",
}


def __getattr__(name: str):
    """Modules that start-up does not wait for, and the sentence on a name that is not here."""
    return table.missing(__name__, name)
