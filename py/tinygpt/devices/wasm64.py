"""The C++ extension with 64-bit addresses: up to 16 GiB, for models that 4 GiB cannot hold. Slower
than `wasm`, so chosen only for these.

The host registers `tinygpt_extension64`, {extension: loaded or null, open(): a promise, close(),
missing: why it cannot be}, so that it is loaded when it is first needed, beside `wasm`, which stays
as it is.
"""

from __future__ import annotations

from .wasm import WasmDevice


class Wasm64Device(WasmDevice):
    name = "wasm64"
    capacity = 1 << 34  # what an engine gives at most; said before it is loaded, too

    def close(self) -> None:
        """Gives the memory back as soon as no tensor is in it any more; the next use of the
        device loads the extension anew.
        """
        import tinygpt_extension64 as host  # only the page has it

        host.close()


def make() -> Wasm64Device:
    try:
        import tinygpt_extension64 as host  # only the page has it
    except ImportError:
        raise RuntimeError("the wasm64 device needs the page, which loads its extension on demand") from None
    if not host.extension and not host.missing:  # JavaScript's null is not None
        from pyodide.ffi import can_run_sync, run_sync  # only Pyodide has it

        if not can_run_sync():
            raise RuntimeError(
                "Python in this browser cannot wait for the 64-bit extension (it has no JSPI); "
                "choose CPU with 64-bit memory before the run"
            )
        run_sync(host.open())
    if not host.extension:
        raise RuntimeError("64-bit memory is not available here: %s" % host.missing)
    return Wasm64Device(host.extension)
