"""The same GPT in PyTorch: model, training (torchrun included), sampling, LoRA, and the same
`.tinygpt` files.

Settings, schedule and the checkpoint's fields come from py/tinygpt, which needs nothing but the
standard library for them.
"""

import sys

if sys.version_info < (3, 11):  # before what an older Python cannot import
    sys.exit("TinyGPT needs Python 3.11 or newer, and this is Python %d.%d" % sys.version_info[:2])

import importlib.util
from pathlib import Path

if importlib.util.find_spec("tinygpt") is None:  # a checkout that was not installed
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "py"))
