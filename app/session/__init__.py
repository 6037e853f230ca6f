"""Python's side of the page: one interpreter that the editor, the console and `tinygpt.run` share.

`start` is called once by app/python_start.js, `run` for every source, `interrupt` when a Stop finds Python waiting; where nothing runs,
`use_device` when the user chooses a device and `serve_idle` when the page asks something. The server packs this folder as the package
`tinygpt_session`.

output.py    text to the page
running.py   compiles and runs one source in the `__main__` namespace
requests.py  what the page asks while code runs or idles; pause, step, resume
editing.py   edited code takes over from the code that runs
models.py    the model as a file, and back
texts.py     the page's own texts
generating.py, inside.py   text from the model, and what is in it
completing.py, checking.py  what the editor asks: completions, hover, problems (inferring.py, known.py, scopes.py)
recommending.py, measuring.py  what training takes on this machine, for *Train your own* and the Speed page
results.py   values as JSON
errors.py    tracebacks without our own frames, and the editor's line
waiting.py   `time.sleep` and `run_sync` that a Stop ends
wheels.py    NumPy and micropip, installed on first import
planning.py  what a run will hold in memory
training.py  the inputs of the page to `tinygpt.loop`, its messages back; the device
"""

import json

from .requests import serve_idle
from .running import interrupt, run
from .training import use_device

__all__ = ["interrupt", "run", "serve_idle", "start", "use_device"]


def start(settings):
    """settings: JSON {wheels, base, extension, missing}. Returns JSON {python, device, build, threads, precision, missing}."""
    from . import output, training, waiting, wheels

    settings = json.loads(settings)
    output.install()
    waiting.install()
    wheels.install(settings["wheels"], settings["base"])
    return json.dumps(training.start(settings["extension"], settings["missing"] if "missing" in settings else None))
