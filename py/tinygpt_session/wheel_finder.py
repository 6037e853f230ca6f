"""The wheels of the page (NumPy, micropip), installed from its own server when first imported.

A finder on sys.meta_path fetches the wheel synchronously (a worker may), in pieces, and reports
its progress to the page. So `import numpy` works in the editor, in the console and deep inside a
function alike. Where set-up had no wheel, the import raises the sentence that says why.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import sys
from typing import TYPE_CHECKING

import pyodide_js
from js import Uint8Array
from pyodide._package_loader import get_install_dir, unpack_buffer

from .fetching import fetch
from .output_channel import notice

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    from pyodide.ffi import JsBuffer

    from . import protocol

PIECE = 1 << 19
# Packages that users look for and that the page has no wheel of: what to do in their place.
ABSENT = {
    "matplotlib": "this page has no wheel of it. Draw with tinygpt.plot.line, heatmap or hist. Who serves "
    "the page adds it with `python3 -m tools.add_wheels matplotlib`"
}


class WheelFinder:
    """A meta path finder for the top-level names that the wheels provide."""

    def __init__(self, wheels: list[protocol.Wheel], base: str) -> None:
        self.base = base
        self.wheels = {name: wheel for wheel in wheels for name in wheel["imports"]}

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The module's spec, after its wheel has been installed. None: it is not in a wheel."""
        wheel = self.wheels.get(name)
        if wheel is None and name not in ABSENT:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is not None:  # installed meanwhile, by micropip
            return spec
        if wheel is None:
            raise ModuleNotFoundError("import %s: %s." % (name, ABSENT[name]), name=name)
        if wheel["missing"]:
            raise ModuleNotFoundError("import %s: %s" % (name, wheel["missing"]), name=name)
        self._install(wheel)
        return importlib.machinery.PathFinder.find_spec(name, path)

    def _install(self, wheel: protocol.Wheel) -> None:
        content = self._fetch(wheel)
        unpack_buffer(content, filename=wheel["file"], extract_dir=get_install_dir("site"), calculate_dynlibs=False)
        importlib.invalidate_caches()
        setattr(pyodide_js.loadedPackages, wheel["name"], "default channel")
        notice("Loaded %s %s (%.1f MB)." % (wheel["name"], wheel["version"], wheel["bytes"] / 1e6))

    def _fetch(self, wheel: protocol.Wheel) -> JsBuffer:
        """The wheel's bytes, as a JavaScript ArrayBuffer."""
        url, total = self.base + "public/wheels/" + wheel["file"], wheel["bytes"]
        content, have = Uint8Array.new(total), 0
        while have < total:
            try:
                status, answer = fetch(url, (have, min(have + PIECE, total) - 1))
            except Exception as error:
                raise ImportError(
                    "%s could not be fetched from %s: %s" % (wheel["file"], url, error), name=wheel["name"]
                ) from None
            if status not in (200, 206):
                raise ImportError(
                    "%s could not be fetched from %s: HTTP %d" % (wheel["file"], url, status),
                    name=wheel["name"],
                )
            piece = Uint8Array.new(answer)
            if status == 200:  # a server without ranges sent the complete file
                have = 0
            if piece.length == 0 or have + piece.length > total:
                raise ImportError(
                    "%s is not the file that set-up placed; run serve.py again" % wheel["file"], name=wheel["name"]
                )
            content.set(piece, have)
            have += piece.length
            if total > PIECE:
                notice("Loading %s %s: %.1f of %.1f MB" % (wheel["name"], wheel["version"], have / 1e6, total / 1e6))
        return content.buffer


def install(wheels: list[protocol.Wheel], base: str) -> None:
    """Imports look into the wheels from now on. base: the address of the page's folder."""
    # Before Pyodide's own finder, which would only advise another server.
    sys.meta_path.insert(0, WheelFinder(wheels, base))
