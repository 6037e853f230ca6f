"""Drawing the next token: a workgroup a row (shaders/sampling.wgsl)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..dispatch_plan import kernel
from .random_plan import words

if TYPE_CHECKING:
    from ..dispatch_plan import Planner


ROW = 1024  # tokens that fit into workgroup memory beside the sums


@kernel("sample")
def sample(d: Planner, p: Any, b: Any) -> None:
    small = p.V <= ROW
    # A long row is read many times by its workgroup alone, so that should be as large as it may.
    large = (
        d.limits["maxComputeInvocationsPerWorkgroup"] >= 1024 and d.limits["maxComputeWorkgroupStorageSize"] >= 20000
    )
    W = (64 if p.V <= 64 else 256) if small else 1024 if large and p.V > 4096 else 256
    U = min(4, 1 << (-(-p.V // W) - 1).bit_length())
    buffers = dict(
        out=b.out, logits=b.logits, rng=b.rng, settings=b.settings, weights=None if small else d.scratch(p.B * p.V)
    )
    d.run("sampling.sample", p.B, buffers, dict(B=p.B, V=p.V, **words(p.offset)), W=W, U=U, ROW=ROW, small=small)
