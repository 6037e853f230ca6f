"""The model being trained as a file (docs/format.md), and back: what `tinygpt.exportModel` and
`importModel`, the page's autosave and its downloads request.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import tinygpt_host as host

from .. import dispatch, torch_program, torch_states, training_bridge
from ..fetching import fetched
from ..json_values import exact
from . import hot_apply

if TYPE_CHECKING:
    from tinygpt.loop import Run

    from .. import protocol

SHOWN = 2000  # points of a file's curve that go to the page


@dispatch.handles("export", deferred=True)
def export(args: protocol.ExportArgs, answer: dispatch.Answer) -> object:
    """The bytes of a file of the current run, or made from the .tinygpt file at {url}.

    kind: "tinygpt" (the default; {optimizer: with moments and step counts}) or "safetensors"
    (PyTorch's names, weights alone). {unsealed: true}: the page hashes the tensors and fills
    data_sha256 in; the answer is {bytes, step, ms} then.

    Of a program of plain PyTorch code: a file of torch.save with its state_dicts.
    """
    from tinygpt import checkpoint, loop
    from tinygpt.training import run_checkpoint

    run: Any = loop.current
    optimizer, plain = bool(args.get("optimizer")), args.get("kind") == "safetensors"
    url = args.get("url")
    program = None if training_bridge.running() else torch_program.kept
    if args.get("unsealed"):
        return _unsealed(run, program, answer)
    if program is not None and not url:
        host.answerBytes(answer.number, program.saved())
        return dispatch.LATER
    if url:
        file = checkpoint.loads(fetched(url), own=True)
        made = run_checkpoint.weights_in(file) if plain else run_checkpoint.without_optimizer(file)
    else:
        made = run_checkpoint.weights_of(run) if plain else run_checkpoint.dumps(run, optimizer)
    host.answerBytes(answer.number, made)
    return dispatch.LATER


def _unsealed(run: Run, program: torch_program.Program | None, answer: dispatch.Answer) -> object:
    from tinygpt.training import run_checkpoint

    started = time.perf_counter()
    buffers: list[Any] = []

    def room(nbytes: int) -> None:
        buffers.append(host.newBuffer(nbytes))

    def put(at: int, data: Any) -> None:
        host.copyInto(buffers[0], at, data)

    if program is None:
        run_checkpoint.hand_over(run, room, put)
    else:
        torch_states.hand_over(program.saved(), room, put)
    about = {"step": run.step if program is None else program.step, "ms": (time.perf_counter() - started) * 1e3}
    host.answerBytes(answer.number, buffers[0], json.dumps(about))
    return dispatch.LATER


@dispatch.handles("import")
def load(args: protocol.ImportArgs, part: object) -> protocol.ImportAnswer:
    """{url}: a file that the page holds. Its model is the current run's from now on, at its step;
    resuming continues with the same batches and random numbers as if it had never ended.
    {name}: what the run is called.

    {own: true}: the file is one of the page's own saved runs, whose model may be an edited one;
    {files: the editor's} make that one.
    """
    from tinygpt import checkpoint, loop
    from tinygpt.training import run_checkpoint

    if training_bridge.running():
        raise ValueError("a run is in progress: stop it first, so that the file does not replace it")
    own = bool(args.get("own"))
    try:
        file: Any = checkpoint.loads(fetched(args["url"]), own=own)
        files = args.get("files")
        if own and files:
            hot_apply.use(files)
        run = run_checkpoint.restored(file, args.get("name") or "imported")
    except MemoryError:
        raise ValueError(
            "the file needs more memory than this tab has; close other tabs, or use a smaller model"
        ) from None
    loop.current = run
    torch_program.forget()
    return {
        "step": file.step,
        "optimizer": "optimizer" in run.kept,
        "train": file.train_config and exact(file.train_config.to_dict()),
        "history": _curve(file.history) if args.get("history") else None,
        "config": file.model_config.to_dict(),
        "parameters": run.kept["model"].num_parameters() if not file.edited else 0,
    }


def _curve(history: list[Any]) -> list[list[Any]]:
    """The [step, loss] and [step, null, validation loss] of a file's history, at most SHOWN of
    each.
    """
    out: list[list[Any]] = []
    for length in (2, 3):
        points = [
            e
            for e in history
            if isinstance(e, list) and len(e) == length and type(e[0]) is int and type(e[-1]) in (int, float)
        ]
        points = [[e[0], e[1]] if length == 2 else [e[0], None, e[2]] for e in points if 0 <= e[0] < 2**31]
        out += points[:: 1 + len(points) // SHOWN]
    return out
