"""torch.backends: settings of libraries that are not here. They can be set, and change nothing."""

from __future__ import annotations

from types import SimpleNamespace

from .. import table
from . import cuda, cudnn, mkl, mkldnn, mps, openmp

opt_einsum = SimpleNamespace(enabled=True, strategy="auto", is_available=lambda: False)
quantized = SimpleNamespace(engine="none", supported_engines=["none"])
cpu = SimpleNamespace(get_cpu_capability=lambda: "DEFAULT")

__all__ = ["cpu", "cuda", "cudnn", "mkl", "mkldnn", "mps", "openmp", "opt_einsum", "quantized"]


def __getattr__(name: str):
    """The sentence on a name that is not here."""
    return table.missing(__name__, name)
