"""Python's side of the page: one interpreter that the editor, the console and `tinygpt.run` share.

`start` is called once by app/worker/python_start.js, `run` for every source, `interrupt` when a
Stop finds Python waiting; where nothing runs, `use_device` when the user chooses a device and
`serve_idle` when the page requests something. The server packs this package beside `tinygpt`.

output_channel.py        text to the page
rich_output.py           `display`: values as HTML or a picture
execute.py               runs one source in the `__main__` namespace
console.py               the console's entries: complete or not, compiled, the names that they find
dispatch.py              the dispatcher: what the page requests while code runs or idles
step_boundary.py         where a training loop serves requests, pauses, and takes edited code
features/hot_apply.py    edited code takes over from the code that runs
features/live_settings.py  inputs that change while a run trains
features/console_entry.py  a console entry while a loop trains or is paused
features/checkpoints.py  the model as a file, and back
features/saved_programs.py  a saved program's state_dicts, for torch.load
features/texts.py        the page's own texts
features/generation.py, features/inspection.py  text from the model, and what is in it
language/completion.py, language/diagnostics.py  the editor's requests: completions, hover, problems
source_limits.py         the one place that compiles a source: what nests too deeply is refused
language/inference.py, language/members.py, language/scopes.py  what names in the source stand for
features/recommendation.py, features/speed_measurement.py  what training takes on this machine
protocol.py              every message, with its fields
json_values.py           values as JSON
tracebacks.py            tracebacks without our own frames, and the editor's line
interruptible.py         `time.sleep` and `run_sync` that a Stop ends
fetching.py              files of the server and of the page, read while Python waits
wheel_finder.py          NumPy and micropip, installed on first import
torch_finder.py          `import torch`: the front of PyTorch's names
torch_program.py, torch_total.py  the steps of a program of plain PyTorch code, and how many
torch_states.py          what autosave keeps of such a program
torch_lines.py           the validation losses that it prints
named_texts.py           the texts of the panel Data as files
page_files.py            the visitor's files as the folder that code works in
features/files.py        the page places files and reads what was written
features/memory.py       what a run will hold in memory
features/gpu_report.py   the GPU in a text, for a bug
training_bridge.py       the inputs of the page to `tinygpt.loop`, its messages back; the device

`tinygpt` is imported inside the functions that use it, never at the head of a module here, for two
reasons. The session must start where an edit has broken the package: Python, the console and the
editor's problems work without it. And an edited model.py or generate.py takes the place of the
module in `sys.modules` and in the package (hot_apply.py); a name that a module here had bound
before would stay the old one.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import sys
from typing import TYPE_CHECKING

from . import (
    dispatch,
    interruptible,
    named_texts,
    output_channel,
    page_files,
    rich_output,
    step_boundary,
    torch_finder,
    training_bridge,
    wheel_finder,
)
from .dispatch import serve_idle
from .execute import interrupt, run
from .training_bridge import use_device

if TYPE_CHECKING:
    from . import protocol

__all__ = ["interrupt", "run", "serve_idle", "start", "use_device"]


def start(settings_json: str) -> str:
    """settings_json: protocol.StartSettings. Returns JSON of protocol.StartFacts."""
    settings: protocol.StartSettings = json.loads(settings_json)
    output_channel.install()
    rich_output.install()
    interruptible.install()
    wheel_finder.install(settings["wheels"], settings["base"])
    torch_finder.install(settings["base"])
    named_texts.install()
    page_files.install()
    dispatch.features_from(_import_features)
    facts = training_bridge.start(settings["extension"], settings["missing"], step_boundary.install)
    if "tinygpt" in sys.modules:
        named_texts.place(None)
    return json.dumps(facts)


def _import_features() -> None:
    """The modules that register handlers: imported at the first request, so that the start does not
    wait 8 to 16 ms for them.
    """
    from . import features
    from .language import completion  # noqa: F401

    for module in pkgutil.iter_modules(features.__path__):
        importlib.import_module("%s.%s" % (features.__name__, module.name))
