"""Edited code: the files of the editor become the loop's next version, or the one a run begins
with.

train.py is executed in a namespace of its own, where its `loop.run(train)` only notes what it would
run. model.py and generate.py are modules of the package: an edited one is executed as that module,
and every name in the package that came from the old one is bound to what the new one has under it.
`undo` puts all of it back.
"""

from __future__ import annotations

import sys
import types
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import __main__

from .. import dispatch, page_files, step_boundary, torch_program, training_bridge
from ..source_limits import compiled
from ..tracebacks import describe, remember_source

if TYPE_CHECKING:
    from collections.abc import Callable

    from tinygpt.loop import Version

    from .. import protocol

    Undo = Callable[[], None]
    Report = Callable[[BaseException | None, list[str]], None]  # the error or None; what did not carry over

MODULES = {"model.py": "tinygpt.model", "generate.py": "tinygpt.generate"}
_shown: dict[str, str] = {}  # name -> text of the modules as they are in use; absent: as in the package


def _source(path: str) -> str:
    """The text of a module of the package, from its file: it may have been edited since."""
    spec = find_spec(path)
    assert spec is not None and spec.origin is not None, path
    with open(spec.origin) as file:
        return file.read()


def use(files: dict[str, str]) -> Undo:
    """Makes the edited modules among `files` those of the package. Returns the function that undoes
    it; errors leave all as it was.
    """
    undone: list[Undo] = []
    before = dict(_shown)

    def undo() -> None:
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


_texts: dict[str, str] = {}


def _in_package(name: str) -> str:
    if name not in _texts:
        _texts[name] = _source(MODULES[name])
    return _texts[name]


def _rebind(name: str, path: str, text: str) -> Undo:
    """Executes `text` as the module `path` and binds the package's names to it. Returns what puts
    the old one back. ImportError where `text` lacks a name that the package has from it.
    """
    old = sys.modules[path]
    new = types.ModuleType(path, None)
    new.__dict__.update(__package__="tinygpt", __file__=old.__file__, __spec__=old.__spec__)
    remember_source(name, text)
    sys.modules[path] = new
    places: list[tuple[types.ModuleType, str, Any, Any]] = []
    try:
        exec(compiled(text, name), new.__dict__)
        for module in [
            m
            for n, m in list(sys.modules.items())
            if (n + ".").startswith("tinygpt.") and m is not new and m is not old
        ]:
            for key, value in list(vars(module).items()):
                if value is old:
                    places.append((module, key, value, new))
                elif isinstance(value, (type, types.FunctionType)) and value.__module__ == path:
                    if not hasattr(new, value.__name__):
                        raise ImportError(
                            "%s does not define %s, which %s uses. Keep a class or function of that name."
                            % (name, value.__name__, module.__name__)
                        )
                    places.append((module, key, value, getattr(new, value.__name__)))
    except BaseException:
        sys.modules[path] = old
        raise
    for module, key, _, value in places:
        setattr(module, key, value)

    def back() -> None:
        sys.modules[path] = old
        for module, key, value, _ in places:
            setattr(module, key, value)

    return back


def version(files: dict[str, str], report: Report) -> Version:
    """The loop.Version that `files` make. Errors, of the syntax too, are raised, and nothing has
    changed then.
    """
    from tinygpt import loop

    undo = use(files)
    try:
        main = torch_program.main()
        source, filename = files[main], page_files.filename(main)
        remember_source(filename, source)
        names: dict[str, Any] = {"__name__": "__main__", "__builtins__": __builtins__}
        if filename != main:
            names["__file__"] = filename
        code = compiled(source, filename)
        train = loop.collect(lambda: exec(code, names))
    except BaseException:
        undo()
        raise

    def arrived(error: BaseException | None, notes: list[str]) -> None:
        if error is None:
            __main__.__dict__.update({k: v for k, v in names.items() if not k.startswith("__")})
        later = [path for path in torch_program.changed(files) if path != main]
        report(error, [*notes, *("%s applies at the next run" % path for path in later)])

    return loop.Version(train, undo, arrived, described)


def described(error: BaseException) -> dict[str, Any]:
    """{error, traceback, file, line} for the page."""
    text, place = describe(error)
    return {"error": text.splitlines()[-1], "traceback": text, **place}


_unanswered: list[dispatch.Answer] = []  # of edits that wait for their first step


@dispatch.handles("apply", deferred=True)
def apply(args: protocol.ApplyArgs, answer: dispatch.Answer) -> object:
    """The files take over at the next step boundary; where no loop runs, they are only compiled."""
    from tinygpt import loop

    program = torch_program.current
    if not training_bridge.running() and program is None:
        for name, text in args["files"].items():
            compiled(text, name)
        answer.result({"applied": False, "notes": [], "step": None})
        return dispatch.LATER

    end("a later edit replaced it")

    def report(error: BaseException | None, notes: list[str]) -> None:
        if answer not in _unanswered:
            return
        _unanswered.remove(answer)
        if error is None:
            run = torch_program.current or loop.current
            step = run.step if run is not None else None
            answer.result({"applied": True, "notes": notes, "step": step})
        else:
            answer.error(error)

    files = args["files"]
    step_boundary.replace(version(files, report) if program is None else torch_program.Edit(files, report))
    _unanswered.append(answer)
    return dispatch.LATER


def end(reason: str) -> None:
    """No edit that waits will take over: its request is answered with the reason."""
    while _unanswered:
        _unanswered.pop().error(RuntimeError(reason))


@dispatch.handles("reset")
def reset(args: protocol.NoArgs, part: object) -> None:
    """Forgets the run before: the next one starts from new weights."""
    from tinygpt import loop

    if not training_bridge.running():
        loop.current = None
        torch_program.forget()
