"""Edited code: the files of the editor become the loop's next version, or the one a run begins with.

train.py is executed in a namespace of its own, where its `loop.run(train)` only tells what it would run. model.py and generate.py are
modules of the package: an edited one is executed as that module, and every name in the package that came from the old one is bound to what
the new one has under it. `undo` puts all of it back.
"""

import sys
import types

import __main__

from . import requests, training
from .errors import describe, remember_source

MODULES = {"model.py": "tinygpt.model", "generate.py": "tinygpt.generate"}
_shown = {}  # name -> text of the modules as they are in use; absent: as in the package


def _source(path):
    """The text of a module of the package, from its file: it may have been edited since."""
    from importlib.util import find_spec

    with open(find_spec(path).origin) as file:
        return file.read()


def use(files):
    """Makes the edited modules among `files` those of the package. Returns the function that undoes it; errors leave all as it was."""
    undone = []
    before = dict(_shown)

    def undo():
        for back in reversed(undone):
            back()
        _shown.clear()
        _shown.update(before)

    try:
        for name, path in MODULES.items():
            text = files.get(name)
            if text is None or text == _shown.get(name, _in_package(name)):
                continue
            undone.append(_rebind(name, path, text))
            _shown[name] = text
    except BaseException:
        undo()
        raise
    return undo


_texts = {}


def _in_package(name):
    if name not in _texts:
        _texts[name] = _source(MODULES[name])
    return _texts[name]


def _rebind(name, path, text):
    """Executes `text` as the module `path` and binds the package's names to it. Returns what puts the old one back."""
    old = sys.modules[path]
    new = types.ModuleType(path, None)
    new.__dict__.update(__package__="tinygpt", __file__=old.__file__, __spec__=old.__spec__)
    remember_source(name, text)
    sys.modules[path] = new
    places = []
    try:
        exec(compile(text, name, "exec", dont_inherit=True), new.__dict__)
        for module in [m for n, m in list(sys.modules.items()) if (n + ".").startswith("tinygpt.") and m is not new and m is not old]:
            for key, value in list(vars(module).items()):
                if value is old:
                    places.append((module, key, value, new))
                elif getattr(value, "__module__", None) == path and hasattr(new, getattr(value, "__name__", "")):
                    places.append((module, key, value, getattr(new, value.__name__)))
    except BaseException:
        sys.modules[path] = old
        raise
    for module, key, _, value in places:
        setattr(module, key, value)

    def back():
        sys.modules[path] = old
        for module, key, value, _ in places:
            setattr(module, key, value)

    return back


def version(files, tell):
    """The loop.Version that `files` make. Errors, of the syntax too, are raised, and nothing has changed then."""
    from tinygpt import loop

    undo = use(files)
    try:
        source = files["train.py"]
        remember_source("train.py", source)
        names = {"__name__": "__main__", "__builtins__": __builtins__}
        code = compile(source, "train.py", "exec", dont_inherit=True)
        train = loop.collect(lambda: exec(code, names))
    except BaseException:
        undo()
        raise

    def told(error, notes):
        if error is None:
            __main__.__dict__.update({k: v for k, v in names.items() if not k.startswith("__")})
        tell(error, notes)

    return loop.Version(train, undo, told, described)


def described(error):
    """{error, traceback, file, line} for the page."""
    text, place = describe(error)
    return {"error": text.splitlines()[-1], "traceback": text, **place}


@requests.handles("apply", deferred=True)
def apply(args, answer):
    """{files, settings}: takes over at the next step boundary. The answer: {applied, notes, step}; where no loop runs, {applied: False}."""
    from tinygpt import loop

    if not training.running():
        for name, text in args["files"].items():
            compile(text, name, "exec", dont_inherit=True)
        answer.result({"applied": False, "notes": [], "step": None})
        return requests.LATER

    def tell(error, notes):
        if error is None:
            answer.result({"applied": True, "notes": notes, "step": loop.current.step})
        else:
            answer.error(error)

    if args.get("settings") is not None:
        training.configure(args["settings"])
    requests.replace(version(args["files"], tell))
    return requests.LATER


@requests.handles("reset")
def reset(args, part):
    """Forgets the run before: the next one starts from new weights."""
    from tinygpt import loop

    if not training.running():
        loop.current = None
