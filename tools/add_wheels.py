"""Fetches wheels on request into public/wheels, from Pyodide's distribution.

python3 -m tools.add_wheels matplotlib      matplotlib and what it needs (20 MB)
"""

import sys

from tools.setup import Progress, SetupError, wheels

if __name__ == "__main__":
    try:
        wheels.fetch(sys.argv[1:] or wheels.ON_REQUEST, Progress())
    except SetupError as problem:
        sys.exit("add_wheels: %s" % problem)
