"""One step for the page (tinygpt.tools.one_step): requested at the pauses before and after it. With
`lines`, the step notes which lines of the editor's code it executes: a trace of `train` and of
functions inside it, from the request until the next one, and only then.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from ..dispatch import handles
from .generation import the_model, token_text
from .model_parts import shown_file

if TYPE_CHECKING:
    from types import CodeType, FrameType

    from .. import protocol

MOST_LINES = 400  # that a step notes

_before: Any = None  # the Before of the step to come, where the weights are watched
_lines: Lines | None = None


@handles("step_ahead")
def step_ahead(args: protocol.StepAheadArgs, part: object) -> protocol.StepAheadAnswer:
    """The batch of the step to come, with the model's guesses. watch: `step_made` will say what the
    step changed. RuntimeError where there is no model.
    """
    global _before, _lines
    from tinygpt.tools.one_step import Before

    _, tokenizer, run = the_model()
    _forget()
    before = Before(run, watch=bool(args.get("watch")))
    if args.get("watch"):
        _before = before
        _lines = Lines(run) if args.get("lines") else None
    ids = {
        i for first, row in before.rows or () for i in (first, *(g["token"] for g in row), *(g["guess"] for g in row))
    }
    names = {i: token_text(tokenizer, i) for i in ids}
    rows: list[protocol.GuessedRow] = [
        {
            "first": names[first],
            "guesses": [(names[g["token"]], g["loss"], names[g["guess"]], g["probability"]) for g in row],
        }
        for first, row in before.rows or ()
    ]
    return {
        "step": before.step,
        "rows": rows if before.rows is not None else None,
        "batch": before.batch_size,
        "problem": before.problem,
    }


@handles("step_made")
def step_made(args: protocol.NoArgs, part: object) -> protocol.StepMadeAnswer:
    """What the step since `step_ahead` changed. RuntimeError where no step was watched, or none or
    several were made since.
    """
    from tinygpt.tools.one_step import after

    run, before, lines = the_model()[2], _before, _lines
    _forget()
    if before is None or run.step != before.step + 1:
        raise RuntimeError("No single step was watched.")
    optimizer: Any = run.kept.get("optimizer")
    groups: Any = getattr(optimizer, "param_groups", None)
    rate = groups[0].get("lr") if groups else None
    losses = [entry[1] for entry in run.history[-3:] if len(entry) == 2 and entry[0] == before.step]
    return {
        "step": before.step,
        "layers": after(run, before),
        "drew": before.drew(run),
        "same": run.kept.get("model") is before.model,
        "lr": rate if isinstance(rate, float) else None,
        "loss": losses[-1] if losses else None,
        "lines": lines.found() if lines is not None else [],
    }


def _forget() -> None:
    global _before, _lines
    if _lines is not None:
        _lines.end()
    _before = _lines = None


class Lines:
    """The lines that a run's train() and the functions inside it execute, from now on. A compiled
    function that is replayed executes none: its lines stand in their order, as it recorded them.
    """

    def __init__(self, run: Any) -> None:
        from tinygpt.core.compile import Compiled

        self.noted: list[tuple[CodeType, int | None]] = []  # line None: the code is called here
        self.call = Compiled.__call__.__code__
        self.frame: FrameType | None = None
        version = run.state.version
        code = getattr(version and version.train, "__code__", None)
        if code is None or shown_file(code.co_filename) is None:
            return
        self.codes = set(_inside(code))
        frame = sys._getframe()
        while frame is not None and frame.f_code is not code:
            frame = frame.f_back
        if frame is not None:
            self.frame = frame
            frame.f_trace = self._line
            sys.settrace(self._entered)

    def _entered(self, frame: FrameType, event: str, argument: object) -> Any:
        if frame.f_code in self.codes:
            return self._line
        if frame.f_code is self.call and len(self.noted) < MOST_LINES:
            code = getattr(getattr(frame.f_locals.get("self"), "function", None), "__code__", None)
            if code in self.codes:
                self.noted.append((code, None))
        return None

    def _line(self, frame: FrameType, event: str, argument: object) -> Any:
        if event == "line" and len(self.noted) < MOST_LINES:
            self.noted.append((frame.f_code, frame.f_lineno))
        elif event == "return" and frame is self.frame:
            self.end()
        return self._line

    def end(self) -> None:
        """The trace is over."""
        if self.frame is not None:
            sys.settrace(None)
            self.frame.f_trace = None
            self.frame = None

    def found(self) -> list[protocol.StepLine]:
        """The lines in the order of their execution."""
        executed = {code for code, line in self.noted if line is not None}
        lines: list[protocol.StepLine] = []
        for code, line in self.noted:
            file = shown_file(code.co_filename)
            if file is None:
                continue
            if line is not None:
                lines.append({"file": file, "line": line, "replayed": False})
            elif code not in executed:
                for each in _statements(code):
                    lines.append({"file": file, "line": each, "replayed": True})
        return lines[:MOST_LINES]


def _inside(code: CodeType) -> list[CodeType]:
    """The code and all codes of functions inside it."""
    return [code, *(one for each in code.co_consts if hasattr(each, "co_lines") for one in _inside(each))]


def _statements(code: CodeType) -> list[int]:
    """The lines of a function's body, in the order of its bytecode, each once."""
    lines = dict.fromkeys(line for _, _, line in code.co_lines() if line)
    return [line for line in lines if line != code.co_firstlineno]
