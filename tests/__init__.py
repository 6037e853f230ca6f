"""The tests mirror the tree; `tests.hosts` runs Python on each host, and everything else builds on that."""

import pathlib
import sys

# `python3 -m tests...` works from the checkout without installing the package.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "py"))
