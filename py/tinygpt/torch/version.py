"""torch.version: the version whose names and numbers this is."""

from __future__ import annotations

__version__ = "2.13.0+tinygpt"
debug = False
cuda = hip = xpu = rocm = None
git_version = "Unknown"
__all__ = ["__version__", "cuda", "debug", "git_version", "hip", "xpu"]
