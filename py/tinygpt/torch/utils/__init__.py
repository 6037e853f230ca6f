"""torch.utils: data loading, hooks; other names say what to use instead."""

from __future__ import annotations

from .. import table

__all__: list[str] = []  # submodules come at their first use
ABSENT = {
    "cpp_extension": "TinyGPT compiles no C++ at run time; write the op in Python",
    "model_zoo": "load weights with torch.load or safetensors",
    "dlpack": "exchange arrays through NumPy",
}


def __getattr__(name: str):
    """Submodules at their first use, and the sentence on a name that is not here."""
    return table.missing(__name__, name)
