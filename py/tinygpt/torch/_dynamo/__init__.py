"""torch._dynamo: the settings of PyTorch's compiler. They can be set, and change nothing."""

from __future__ import annotations

from types import SimpleNamespace

from ..compiler import OptimizedModule, allow_in_graph, disable, is_compiling, list_backends, reset

config = SimpleNamespace(
    suppress_errors=False, cache_size_limit=8, recompile_limit=8, verbose=False, optimize_ddp=True,
    accumulated_cache_size_limit=256, capture_scalar_outputs=False, automatic_dynamic_shapes=True,
)  # fmt: skip
eval_frame = SimpleNamespace(OptimizedModule=OptimizedModule)


def mark_dynamic(*args: object, **kwargs: object) -> None:
    """Changes nothing."""


__all__ = ["OptimizedModule", "allow_in_graph", "config", "disable", "is_compiling", "list_backends", "reset"]
