"""PyTorch's names over TinyGPT: code that says `import torch` runs unmodified.

Importing this package gives the process PyTorch's meaning (front.py). It becomes the module `torch`
through `install()`, through `python -m tinygpt.torch FILE`, or in the page.
"""

from __future__ import annotations

from . import front

front.enter()  # before the modules below: what they make is PyTorch's

from . import table  # noqa: E402
from .install import install  # noqa: E402
from .random import *  # noqa: E402, F403
from .types import *  # noqa: E402, F403

__version__ = "2.13.0+tinygpt"
__all__ = ["install"]


def __getattr__(name: str):
    """Modules that start-up does not wait for, and the sentence on a name that is not here."""
    return table.missing(__name__, name)
