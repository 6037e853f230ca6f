# Pyodide's own JavaScript interface, as Python sees it.
from typing import Any

loadedPackages: Any

def checkInterrupt() -> None: ...
