"""The tests mirror the tree; `tests.hosts` runs Python on each host, and everything else builds on
that.
"""

import sys

if sys.version_info < (3, 11):  # before what an older Python cannot import
    sys.exit("TinyGPT needs Python 3.11 or newer, and this is Python %d.%d" % sys.version_info[:2])

import pathlib

# `python3 -m tests...` works from the checkout without installing the package.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "py"))
