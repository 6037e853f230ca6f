"""Runs one piece of Python inside a host and answers in JSON: the half of `tests.hosts` that runs
where the device is.

A request is a JSON object: source, device, threads, configure, files {name: base64}. The answer is
{ok, stdout, result, error}; result is the value of the source's last expression (bytes anywhere in
it travel as {"base64": ...}), error a traceback. The source sees `files`, a pathlib.Path of the
directory that holds the request's files. Standard library only: it runs in Pyodide as well.
"""

import ast
import base64
import contextlib
import io
import json
import os
import pathlib
import shutil
import tempfile
import traceback

FILES = pathlib.Path(tempfile.gettempdir()) / ("tinygpt-files-%d" % os.getpid())
_configured = {}  # {device name: what it began with}


def execute(text):
    """JSON request in, JSON answer out."""
    request = json.loads(text)
    stdout = io.StringIO()
    try:
        with contextlib.redirect_stdout(stdout):
            for name, data in (request.get("files") or {}).items():
                append_file(name, data, fresh=True)
            result = _evaluate(
                request["source"], request.get("device"), request.get("threads"), request.get("configure")
            )
        answer = {"ok": True, "stdout": stdout.getvalue(), "result": encode(result), "error": None}
        return json.dumps(answer)
    except BaseException:
        return json.dumps({"ok": False, "stdout": stdout.getvalue(), "result": None, "error": traceback.format_exc()})


def append_file(name, data, fresh=False):
    """Writes base64 data to the end of a file that the snippets see; fresh: to its beginning."""
    FILES.mkdir(parents=True, exist_ok=True)
    with open(FILES / name, "wb" if fresh else "ab") as file:
        file.write(base64.b64decode(data))


def forget_files():
    shutil.rmtree(FILES, ignore_errors=True)


def _configure(device, wanted):
    """Configures a device as requested. Only a change is set: Programs are
    recorded again after it.
    """
    beginning = _configured.setdefault(device.name, {"precision": device.precision, "subgroups": device.subgroups})
    wanted = {**beginning, **(wanted or {})}
    if wanted != {"precision": device.precision, "subgroups": device.subgroups}:
        device.configure(**wanted)


def _evaluate(source, device, threads, configure):
    import tinygpt

    if device:
        tinygpt.set_device(device)
    if configure or hasattr(tinygpt.get_device(), "configure"):
        _configure(tinygpt.get_device(), configure)
    if threads:
        reached = tinygpt.get_device().set_threads(threads)
        if reached != threads:
            raise RuntimeError("requested %d threads, the device has %d" % (threads, reached))
    FILES.mkdir(parents=True, exist_ok=True)
    tree = ast.parse(source, "<snippet>")
    namespace = {"__name__": "snippet", "files": FILES}
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "<snippet>", "exec"), namespace)
    return eval(compile(ast.Expression(last.value), "<snippet>", "eval"), namespace) if last else None


def encode(value):
    """A JSON-able copy, bytes as {"base64": ...}."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, (list, tuple)):
        return [encode(v) for v in value]
    if isinstance(value, dict):
        return {str(k): encode(v) for k, v in value.items()}
    return value


def decode(value):
    """The reverse of encode."""
    if isinstance(value, dict):
        return (
            base64.b64decode(value["base64"])
            if value.keys() == {"base64"}
            else {k: decode(v) for k, v in value.items()}
        )
    return [decode(v) for v in value] if isinstance(value, list) else value
