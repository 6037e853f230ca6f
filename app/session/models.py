"""The model being trained as a file (docs/format.md), and back: what `tinygpt.exportModel` and `importModel`, the page's autosave and its
downloads ask for."""

import json
import time

import tinygpt_host as host

from . import requests

SHOWN = 2000  # points of a file's curve that go to the page


@requests.handles("export", deferred=True)
def export(args, answer):
    """The bytes of a file of the current run, or made from the .tinygpt file at {url}.

    kind: "tinygpt" (the default; {optimizer: with moments and step counts}) or "safetensors" (PyTorch's names, weights alone).
    {unsealed: true}: the page hashes the tensors and fills data_sha256 in; the answer is {bytes, step, ms} then.
    """
    from tinygpt import checkpoint, loop, saving

    run = loop.current
    optimizer, plain = bool(args.get("optimizer")), args.get("kind") == "safetensors"
    if args.get("unsealed"):
        return _unsealed(run, answer)
    if args.get("url"):
        file = checkpoint.loads(_fetched(args["url"]), own=True)
        made = saving.weights_in(file) if plain else saving.without_optimizer(file)
    else:
        made = saving.weights_of(run) if plain else saving.dumps(run, optimizer)
    host.hand(answer.number, made)
    return requests.LATER


def _unsealed(run, answer):
    from tinygpt import saving

    started = time.perf_counter()
    held = []
    saving.hand_over(run, lambda nbytes: held.append(host.room(nbytes)), lambda at, data: host.put(held[0], at, data))
    about = {"step": run.step, "ms": (time.perf_counter() - started) * 1e3}
    host.hand(answer.number, held[0], json.dumps(about))
    return requests.LATER


@requests.handles("import")
def load(args, part):
    """{url}: a file that the page holds. Its model is the current run's from now on, at its step; resuming goes on with it, with the same
    batches and random numbers as if it had never ended. {name}: what the run is called.

    {own: true}: the file is one of the page's own saved runs, whose model may be an edited one; {files: the editor's} make that one.
    """
    from tinygpt import checkpoint, loop, saving

    from . import editing, training

    if training.running():
        raise ValueError("a run is under way: stop it first, so that the file does not take the place of what it trains")
    own = bool(args.get("own"))
    try:
        file = checkpoint.loads(_fetched(args["url"]), own=own)
        if own and args.get("files"):
            editing.use(args["files"])
        run = saving.restored(file, args.get("name") or "imported")
    except MemoryError:
        raise ValueError("the file needs more memory than this tab has; close other tabs, or use a smaller model") from None
    loop.current = run
    told = {"config": file.model_config.to_dict(), "parameters": run.kept["model"].num_parameters() if not file.edited else 0}
    return {
        "step": file.step,
        "optimizer": "optimizer" in run.kept,
        "train": file.train_config and file.train_config.to_dict(),
        "history": _curve(file.history) if args.get("history") else None,
        **told,
    }


def _curve(history):
    """The [step, loss] and [step, null, validation loss] of a file's history, at most SHOWN of each."""
    out = []
    for length in (2, 3):
        points = [e for e in history if isinstance(e, list) and len(e) == length and type(e[0]) is int and type(e[-1]) in (int, float)]
        points = [[e[0], e[1]] if length == 2 else [e[0], None, e[2]] for e in points if 0 <= e[0] < 2**31]
        out += points[:: 1 + len(points) // SHOWN]
    return out


def _fetched(url):
    """The bytes behind an address of the page (a blob:), read while Python waits: a worker may."""
    from js import XMLHttpRequest

    request = XMLHttpRequest.new()
    request.open("GET", url, False)
    request.responseType = "arraybuffer"
    request.send()
    if request.status != 200:
        raise ValueError("the file could not be read (%d)" % request.status)
    return request.response.to_bytes()
