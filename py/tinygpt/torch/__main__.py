"""`python -m tinygpt.torch FILE [arguments]`: runs a program in which `import torch` is TinyGPT."""

from __future__ import annotations

import os
import runpy
import sys

from .install import install


def main() -> None:
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit("usage: python -m tinygpt.torch FILE [arguments]")
    install()
    path = sys.argv[1]
    sys.argv[:] = sys.argv[1:]
    sys.path[0] = os.path.dirname(os.path.abspath(path))
    runpy.run_path(path, run_name="__main__")


main()
