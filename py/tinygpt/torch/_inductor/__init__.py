"""torch._inductor: settings of PyTorch's code generator. They can be set, and change nothing."""

from __future__ import annotations

from types import SimpleNamespace

config = SimpleNamespace(
    coordinate_descent_tuning=False, fx_graph_cache=True, triton=SimpleNamespace(unique_kernel_names=False)
)
__all__ = ["config"]
