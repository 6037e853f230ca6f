"""A program of plain PyTorch code in the editor: each `optimizer.step()` is a step boundary, at
which requests are served, the program pauses, and edited functions and classes take over.

The chart's rule: a step is a step() of the optimizer that stepped first, or of another one from
where that no longer steps. Its loss is the value of the tensor on which backward() was called last.
A printed line that names a validation loss is an evaluation (torch_lines.py). A scalar that is
logged (SummaryWriter.add_scalar, wandb.log) is a line of its own under its tag, at the step that
was made last.

Autosave keeps the state_dicts of what the optimizers update (torch_states.py). A plain program
cannot begin in its middle: it begins anew, and loads them with torch.load where it wants.
"""

from __future__ import annotations

import ast
import json
import math
import sys
import time
from typing import TYPE_CHECKING, Any

import tinygpt_host as host

import __main__

from . import output_channel, page_files, step_boundary, torch_lines, torch_states, torch_total, training_bridge
from .output_channel import TRAINING
from .source_limits import compiled, parsed
from .tracebacks import EDITOR, page_name, remember_source

if TYPE_CHECKING:
    from collections.abc import Callable

    from . import protocol

EVERY_GPU = 10  # steps between two reads of a loss on a GPU, each of which waits for its queue
LEAST = 1e-3  # seconds between two messages of steps: a chart needs no more
WATCHED = 3  # first steps whose memory is measured, and then one of each WATCHED_LATER
WATCHED_LATER = 100
RULE = (
    "Each optimizer.step() is a step. The chart shows the tensor on which backward() was called, validation losses "
    'that are printed ("val loss 1.23"), and logged scalars. Autosave keeps the state_dicts of %s: Runs has them as a '
    "file for torch.load."
)

current: Program | None = None  # the program that has made a step in this run
kept: Program | None = None  # the last one, ended or not: what is saved
_enabled = False  # the editor's code runs
_root: Any = None  # on what backward() was called last


class Edit:
    """Edited files that take over at the next step boundary."""

    def __init__(self, files: dict[str, str], report: Callable[[BaseException | None, list[str]], None]) -> None:
        self.files, self.report = files, report
        for name, source in changed(files).items():
            compiled(source, page_files.filename(name))  # a wrong syntax is said at once


class Program:
    """The program that runs: what step_boundary.visit works with."""

    def __init__(self, optimizer: Any) -> None:
        self.optimizer, self.step, self.last, self.sent = optimizer, 0, time.perf_counter(), 0.0
        self.source = _sources[_name]
        self.optimizers: list[Any] = []  # all that have made a step
        self.things: dict[str, Any] = {}  # what is saved, by its name in the program
        self.others: list[Any] = []  # that have made a step since the last one of `optimizer`
        self.lines = torch_lines.Lines()
        self.tags: set[str] = set()  # of the scalars on the chart
        self.scalars: dict[str, tuple[int, float | None]] = {}  # by tag what the page does not have yet: step, value
        self.peak = self.told = 0  # bytes that the device held at most, and that the page knows of
        self.meet(optimizer)
        total = torch_total.of_stack(sys._getframe(2))
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        device: Any = training_bridge.device() or {"device": "wasm", "build": None, "threads": 0}
        self.send(
            type="start",
            name="run",
            preset="PyTorch",
            parameters=sum([p.numel() for p in parameters]),
            steps=total or 0,
            eval_interval=0,
            sample_interval=0,
            batch_tokens=0,
            train={},
            vocab_size=0,
            step=0,
            corpus="",
            goes_on=False,
            resumable=False,
            **device,
        )
        names = list(self.things)
        self.send(type="note", text=RULE % (" and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)))

    def meet(self, *optimizers: Any) -> None:
        """Optimizers make their first step: what they update is saved from now on."""
        self.optimizers += optimizers
        self.things = torch_states.named(sys._getframe(), self.optimizers)

    def saved(self) -> bytes:
        """The file of torch.save that autosave keeps."""
        return torch_states.file(torch_states.content(self.things, self.step, self.source))

    def made_step(self, optimizer: Any) -> None:
        """After a step() of an optimizer."""
        global _root
        root, _root = _root, None
        if not any(optimizer is o for o in self.optimizers):
            self.meet(optimizer)
        if optimizer is not self.optimizer:
            if not any(optimizer is o for o in self.others):
                self.others.append(optimizer)
                return
            self.optimizer, self.optimizers = optimizer, []  # the one before steps no longer
            self.meet(*self.others)
        self.others = []
        now = time.perf_counter()
        ms, self.last = (now - self.last) * 1e3, now
        if root is not None and (self.step < 100 or now - self.sent >= LEAST):
            if not root.device.volatile or self.step % EVERY_GPU == 0:
                self._log(root, ms)
                self.send_scalars()
                self.sent = now
        self.step += 1
        self._tell_memory()
        step_boundary.visit(self)  # pyright: ignore[reportArgumentType]: it is a Run in what visit uses

    def _log(self, root: Any, ms: float) -> None:
        loss = float(root.item()) if root.numel() == 1 else None
        if loss is None or loss != loss or loss in (float("inf"), -float("inf")):
            return
        rate = self.optimizer.param_groups[0].get("lr")
        rate = float(rate) if rate is not None else None
        self.send(type="step", step=self.step, loss=loss, lr=rate, ms=ms)

    def printed(self, text: str) -> None:
        """A printed line may name a validation loss."""
        for line in self.lines.completed(text):
            loss = torch_lines.validation_loss(line)
            if loss is not None and self.step:
                self.send(type="eval", step=self.step, val_loss=loss, ms=0.0)

    def logged(self, tag: str, value: float) -> None:
        """A scalar that the program logs."""
        from tinygpt.training.metrics import LONGEST, MOST

        tag = "".join(filter(str.isprintable, tag))[:LONGEST] or "scalar"
        tag = "loss (logged)" if tag == "loss" else tag
        if tag not in self.tags:
            if len(self.tags) == MOST:
                self.tags.add(tag)
                self.send(
                    type="note", text="The chart has %d scalars at most: %s and later ones are left out." % (MOST, tag)
                )
            if len(self.tags) > MOST:
                return
            self.tags.add(tag)
        self.scalars[tag] = max(self.step - 1, 0), value if math.isfinite(value) else None

    def send_scalars(self) -> None:
        """What was logged since the last time; of a tag the last value."""
        for tag, (step, value) in self.scalars.items():
            self.send(type="metrics", step=step, metrics={tag: value})
        self.scalars.clear()

    def watch(self, root: Any) -> None:
        """Before a backward of `root`: everything that it needs is held."""
        if self.step < WATCHED or self.step % WATCHED_LATER == 0:
            self.peak = max(self.peak, root.device.in_use())

    def _tell_memory(self) -> None:
        """What the program holds, where it is 2 % more than the page knows."""
        device = self.optimizer.param_groups[0]["params"][0].device
        if self.step <= WATCHED:
            self.peak = max(self.peak, device.in_use())
        if self.peak <= 1.02 * self.told:
            return
        self.told = self.peak
        parameters = [p for o in self.optimizers for group in o.param_groups for p in group["params"]]
        tensors = [x for o in self.optimizers for held in o.state.values() for x in _tensors_of(held)]
        self.send(
            type="memory",
            device=device.name,
            needs=self.peak,
            holds=device.capacity,
            parts={"parameters": _bytes(parameters), "moments": _bytes(tensors)},
        )

    # ---- as a Run ----

    def send(self, **message: Any) -> None:
        """A training message to the page."""
        host.write(TRAINING, json.dumps(message))

    def drain(self) -> None:
        """Nothing is pending: each loss is read at its step."""

    def exclude_time(self, started: float) -> None:
        """What happened since `started` is no part of a step."""
        self.last += time.perf_counter() - started

    def replace(self, edit: Any) -> None:
        """Functions and classes of the edited source take the place of the old ones, which keep
        their identity: what holds them follows.
        """
        started = time.perf_counter()
        try:
            notes = _applied(edit.files)
        except BaseException as error:
            edit.report(error, [])
        else:
            self.send(type="applied", step=self.step, notes=notes)
            edit.report(None, notes)
        self.exclude_time(started)


def _tensors_of(held: Any) -> list[Any]:
    return [x for x in held.values() if hasattr(x, "numel")] if isinstance(held, dict) else []


def _bytes(tensors: list[Any]) -> int:
    return sum([x.numel() * x.element_size() for x in tensors])


def changed(files: dict[str, str]) -> dict[str, str]:
    """Those of the page's files whose text is another than the one that runs."""
    modules = page_files.modules()
    return {
        path: source
        for path, source in files.items()
        if (path == _name or path in modules) and source != _running(path)
    }


def _running(path: str) -> str:
    if path not in _sources:
        _sources[path] = page_files.text(path) or ""
    return _sources[path]


def _applied(files: dict[str, str]) -> list[str]:
    """The edited ones among the files take over. What does not apply before the next run."""
    notes: list[str] = []
    modules = page_files.modules()
    for path, source in changed(files).items():
        space = (__main__ if path == _name else modules[path]).__dict__
        notes += [note for note in _patched(source, path, space) if note not in notes]
        _sources[path] = source
    return notes


def _patched(source: str, path: str, space: dict[str, Any]) -> list[str]:
    """Executes the functions and classes of `source` and brings the running ones of the namespace
    up to date. Returns what does not apply before the next run.
    """
    file = page_files.filename(path)
    remember_source(file, source)
    tree = parsed(source, file)
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)
    body = tree.body
    tree.body = [node for node in body if isinstance(node, kinds)]
    made: dict[str, Any] = dict(space)
    exec(compile(tree, file, "exec", dont_inherit=True), made)
    for name, new in made.items():
        old = space.get(name)
        if old is new or name.startswith("__"):
            continue
        if isinstance(old, type) and isinstance(new, type):
            _patch_class(old, new)
        elif not _patch_function(old, new):
            space[name] = new
    rest = [node for node in body if not isinstance(node, kinds)]
    before = [node for node in parsed(_running(path), file).body if not isinstance(node, kinds)]
    if [ast.dump(node) for node in rest] != [ast.dump(node) for node in before]:
        return ["lines outside of functions and classes apply at the next run"]
    return []


_name = EDITOR  # of the file that runs, for the page
_sources: dict[str, str] = {}  # by the page's name: the texts that run


def _patch_function(old: Any, new: Any) -> bool:
    """Gives the old function the new one's code. False where it cannot take it."""
    if not (hasattr(old, "__code__") and hasattr(new, "__code__")):
        return False
    if old.__code__.co_freevars != new.__code__.co_freevars:
        return False
    old.__code__, old.__defaults__, old.__kwdefaults__ = new.__code__, new.__defaults__, new.__kwdefaults__
    return True


def _patch_class(old: type, new: type) -> None:
    for name, value in list(vars(new).items()):
        if name in ("__dict__", "__weakref__", "__module__", "__doc__", "__classcell__"):
            continue
        held = vars(old).get(name)
        if not _patch_function(held, value) or "__class__" in value.__code__.co_freevars:
            setattr(old, name, _rebound(value, old))


def _rebound(value: Any, owner: type) -> Any:
    """A method whose `super()` means `owner`."""
    code = getattr(value, "__code__", None)
    if code is None or "__class__" not in code.co_freevars:
        return value
    for cell, name in zip(value.__closure__, code.co_freevars):
        if name == "__class__":
            cell.cell_contents = owner
    return value


# ---- for the session ----


def main() -> str:
    """The page's name of the file that runs, or ran last."""
    return _name


def attach() -> None:
    """The front has been imported: its optimizers and its backward() report."""
    from tinygpt.core.tensor import Tensor
    from tinygpt.graph import program
    from tinygpt.torch import front, optim
    from tinygpt.torch.utils import tensorboard

    optim.on_step.append(_on_step)
    tensorboard.on_scalar.append(_on_scalar)
    backward = Tensor.backward

    def noted(self: Any, *args: Any, **kwargs: Any) -> Any:
        if _enabled:
            # In a recorded call a copy, which each replay writes anew.
            root = self.detach().clone() if program.capturing() else self.detach()
            if current is not None:
                current.watch(root)
            program.after_call(lambda: _note_root(root))
        return backward(self, *args, **kwargs)

    noted.__doc__ = backward.__doc__
    front.extend(Tensor, {"backward": noted})


def _note_root(root: Any) -> None:
    global _root
    _root = root


def _on_step(optimizer: Any) -> None:
    global current, kept
    if not _enabled or training_bridge.running():
        return
    if current is None:
        current = kept = Program(optimizer)
        output_channel.listener, step_boundary.bounded = printed, True
    current.made_step(optimizer)


def _on_scalar(tag: str, value: float, step: int | None) -> None:
    if _enabled and current is not None:
        current.logged(tag, value)


def begin(source: str, filename: str) -> None:
    """The editor's code begins, compiled under the name `filename`."""
    global _enabled, current, kept, _root, _name
    _enabled, current, kept, _root, _name = True, None, None, None, page_name(filename) or filename
    _sources.clear()
    _sources[_name] = source


def forget() -> None:
    """Another run than the last program is on the page."""
    global kept
    kept = None


def end(outcome: protocol.Outcome) -> None:
    """The editor's code has ended."""
    global _enabled, current, _root
    if current is not None:
        reason = {"finished": "done", "stopped": "stopped"}.get(outcome["status"], "error")
        current.send_scalars()
        current.send(type="finish", step=current.step, reason=reason)
    _enabled, current, _root = False, None, None
    output_channel.listener, step_boundary.bounded = None, False


def printed(text: str) -> None:
    """What the program prints, for the chart."""
    if current is not None:
        current.printed(text)
