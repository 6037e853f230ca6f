"""PyTorch's names over TinyGPT: code that says `import torch` runs unmodified.

Importing this package gives the process PyTorch's meaning (front.py). It becomes the module `torch`
through `install()`, through `python -m tinygpt.torch FILE`, or in the page.
"""

from __future__ import annotations

import importlib

from . import front

front.enter()  # before the modules below: what they make is PyTorch's

from . import table  # noqa: E402
from .install import install  # noqa: E402

__version__ = "2.13.0+tinygpt"
__all__ = ["install"]

# Families of functions: each module gives `torch` the names of its __all__, and a Tensor those of
# its METHODS.
for _family in filter(table.present, table.FAMILIES):
    _module = importlib.import_module("." + _family, __name__)
    globals().update({_name: getattr(_module, _name) for _name in _module.__all__})
    front.extend(front.Tensor, getattr(_module, "METHODS", {}))
    __all__ += _module.__all__  # pyright: ignore[reportUnsupportedDunderAll]
table.refuse_methods("torch.Tensor", front.Tensor)


def __getattr__(name: str):
    """Modules that start-up does not wait for, and the sentence on a name that is not here."""
    return table.missing(__name__, name)
