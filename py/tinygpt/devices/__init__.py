"""Devices implement the kernel contract. `get(name)` makes (once) and returns the device of that name.

reference  NumPy in float64, the oracle (CPython only)
native     the C++ extension through ctypes (CPython only)
wasm       the C++ extension as WebAssembly, through app/bridges/wasm.js (Pyodide, in a browser or in Node)
webgpu     WGSL shaders on the GPU, through app/bridges/webgpu.js (Pyodide, in a browser or in Node)
"""

import importlib

from . import base  # noqa: F401

NAMES = ("reference", "native", "wasm", "webgpu")
_made = {}


def get(name):
    """The device called `name`, made on first use. Raises ValueError for an unknown name, RuntimeError where it cannot run."""
    device = _made.get(name)
    if device is None:
        if name not in NAMES:
            raise ValueError("there is no device %r; choose one of %s" % (name, ", ".join(NAMES)))
        device = _made[name] = importlib.import_module("tinygpt.devices." + name).make()
    return device
