"""The GPU through WebGPU: `make` opens it (device.py)."""

from .device import make

__all__ = ["make"]
