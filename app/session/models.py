"""The model being trained as a file (docs/format.md), and back: what `tinygpt.exportModel` and `importModel` ask for."""

import tinygpt_host as host

from . import requests


@requests.handles("export", deferred=True)
def export(args, answer):
    """{optimizer: with moments and step counts}: the bytes of a .tinygpt file of the current run."""
    from tinygpt import checkpoint, loop
    from tinygpt.ops import random

    run = loop.current
    kept = run.kept if run else {}
    if "model" not in kept:
        raise ValueError("there is no model yet: run train.py first")
    run.drain()
    data = kept.get("data")
    _, config = run.settings(run.preset or "small")
    made = checkpoint.dumps(
        kept["model"],
        kept.get("optimizer") if args.get("optimizer") else None,
        train=config,
        tokenizer=getattr(data, "tokenizer", None),
        step=run.step,
        random=random.default_generator.get_state(),
        data=data.get_state() if data else None,
        history=[list(entry) for entry in run.history],
    )
    host.hand(answer.number, made)
    return requests.LATER


@requests.handles("import")
def load(args, part):
    """{url, name}: a file that the page holds. Its model is the current run's from now on, at its step; resuming goes on with it."""
    import tinygpt
    from tinygpt import checkpoint, loop, optim

    from . import training

    if training.running():
        raise ValueError("a run is under way: stop it first, so that the file does not take the place of what it trains")
    file = checkpoint.loads(_fetched(args["url"]))
    model = tinygpt.GPT(file.model_config)
    kept = {"model": model}
    if file.optimizer is not None and file.optimizer["kind"] == "AdamW":
        groups = _groups(model, file.optimizer["groups"])
        kept["optimizer"] = optim.AdamW(groups)
    file.load_into(model, kept.get("optimizer"))
    run = loop.Run(args.get("name") or "imported")
    run.shape = file.model_config
    run.kept, run.step, run.history = kept, file.step, [tuple(entry) for entry in file.history if isinstance(entry, list)]
    run.version = loop.Version(None)
    if file.tokenizer is not None:
        run.tokenizer = file.tokenizer
    loop.current = run
    about = {"config": file.model_config.to_dict(), "parameters": model.num_parameters()}
    return {"step": file.step, "optimizer": "optimizer" in kept, **about}


def _groups(model, saved):
    named = dict(model.named_parameters())
    return [{**{k: v for k, v in group.items() if k != "params"}, "params": [named[name] for name in group["params"]]} for group in saved]


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
