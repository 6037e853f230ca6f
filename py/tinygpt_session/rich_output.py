"""Values that show as more than text: HTML, SVG or PNG, as in a notebook.

`display(x)` is a builtin of the tab. The value of a console entry takes the same way. A value says
what it looks like with `_repr_html_`, `_repr_svg_` (text) or `_repr_png_` (bytes, or base64 as
text): the first of them that does not return None counts. Others print their repr. What is sent is
data: app/rich/ shows it without its scripts, styles and loads.
"""

from __future__ import annotations

import base64
import builtins
import io
import json
import os
import sys
from typing import TYPE_CHECKING, Any, Literal

from . import dispatch, output_channel, training_bridge
from .json_values import bounded_repr

if TYPE_CHECKING:
    from . import protocol

    Kind = Literal["html", "svg", "png"]

METHODS: tuple[tuple[str, Kind], ...] = (("_repr_html_", "html"), ("_repr_svg_", "svg"), ("_repr_png_", "png"))
MOST = {"html": 500_000, "svg": 2_000_000, "png": 4_000_000}  # characters, as in app/rich/rich.js; PNG in base64
MOST_TEXT = 1000  # characters of the repr that goes along


def display(*values: Any) -> None:
    """Shows values in the console, each as a console entry's value is shown. What a training loop
    displays is beside its samples too.
    """
    for value in values:
        text = shown(value)
        if text is not None:
            print(text)


def shown(value: Any) -> str | None:
    """The text that stands for a value. None: it is HTML or a picture, and has been sent."""
    found = _rich(value)
    text = output_channel.shown(bounded_repr(value))
    if found is None:
        return text
    kind, content = found
    if len(content) > MOST[kind]:
        return "%s\n%s of %s characters is not shown: at most %s are. Make it smaller." % (
            text,
            kind.upper() + (" in base64" if kind == "png" else ""),
            format(len(content), ","),
            format(MOST[kind], ","),
        )
    record: protocol.DisplayRecord = {"kind": kind, "content": content, "text": text[:MOST_TEXT], "step": _step()}
    output_channel.show(json.dumps(record))
    return None


def install() -> None:
    """`display` is a builtin from now on. Where matplotlib is installed it draws without a
    window."""
    builtins.display = display  # pyright: ignore[reportAttributeAccessIssue]
    os.environ.setdefault("MPLBACKEND", "agg")


def _rich(value: Any) -> tuple[Kind, str] | None:
    """(kind, content) of the richest form that the value has; png as base64."""
    if isinstance(value, type):
        return None  # a class has the methods of its objects
    figure = sys.modules.get("matplotlib.figure")
    if figure is not None and isinstance(value, figure.Figure):
        buffer = io.BytesIO()
        value.savefig(buffer, format="png")
        return "png", base64.b64encode(buffer.getvalue()).decode()
    for name, kind in METHODS:
        method = getattr(type(value), name, None)
        content = method(value) if callable(method) else None
        if isinstance(content, tuple) and content:
            content = content[0]  # beside it is metadata, as IPython has it
        if content is None:
            continue
        if kind == "png" and isinstance(content, (bytes, bytearray, memoryview)):
            content = base64.b64encode(content).decode()
        if not isinstance(content, str):
            wanted = "bytes, base64 as text" if kind == "png" else "text"
            raise TypeError(
                "%s.%s returned %s: it must return %s or None"
                % (type(value).__name__, name, type(content).__name__, wanted)
            )
        return kind, str(content)
    return None


def _step() -> int | None:
    """The step of the loop that displays; None: it is a console entry, or no loop."""
    if dispatch.serving() or not training_bridge.running():
        return None
    run = sys.modules["tinygpt.loop"].current
    return None if run is None else run.step
