"""Devices implement the kernel contract. `get(name)` makes (once) and returns the device of that
name.

reference  NumPy in float64, the oracle (CPython only)
native     the C++ extension through ctypes (CPython only)
wasm       the C++ extension as WebAssembly, through app/bridges/wasm.js (Pyodide, in a browser or
           in Node)
wasm64     the same with 64-bit addresses, loaded on first use: for models that 4 GiB cannot hold
webgpu     WGSL shaders on the GPU, through app/bridges/webgpu.js (Pyodide, in a browser or in Node)
"""

from __future__ import annotations

import importlib
from typing import Any

from . import base

NAMES = ("reference", "native", "wasm", "wasm64", "webgpu")
_made: dict[str, base.Device] = {}
_threads: int | None = None  # the last request of set_threads; None: each device measures


def get(name: str) -> base.Device:
    """The device called `name`, made on first use. Raises ValueError for an unknown name,
    RuntimeError where it cannot run.
    """
    device = _made.get(name)
    if device is None:
        if name not in NAMES:
            raise ValueError("there is no device %r; choose one of %s" % (name, ", ".join(NAMES)))
        device = _made[name] = importlib.import_module("tinygpt.devices." + name).make()
        if _threads:
            device.set_threads(_threads)
    return device


def _reduce(self: base.Device) -> tuple[Any, ...]:
    """A copy of what holds a device holds that device, and a pickle the device of its name."""
    return get, (self.name,)


base.Device.__reduce__ = _reduce


def close(name: str) -> None:
    """Lets a device go that is not in use now, with its memory; `get` makes another one."""
    _made.pop(name).close()


def set_threads(n: int | None) -> None:
    """Every device uses n threads from now on, those that are made later too, where it has threads.
    None: as many as it measures to be fastest.
    """
    global _threads
    _threads = n
    for device in _made.values():
        device.set_threads(n)
