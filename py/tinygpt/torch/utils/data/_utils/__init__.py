"""torch.utils.data._utils: where some programs import the collating functions from."""

from __future__ import annotations

from .. import collate

__all__ = ["collate"]
