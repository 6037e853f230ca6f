"""A Run as a checkpoint, and a checkpoint as a Run that goes on.

`state_of` says what a checkpoint holds of a run besides its tensors; `dumps` gives the whole file, `hand_over` the same bytes piece by
piece for a host that writes and hashes them itself, which is what an autosave does between two steps. `restored` makes the Run: what the
next train() builds takes over what the file held (carry.py), as if the run had never ended.
"""

import io
import json
from array import array

from . import carry, checkpoint, loop, nn, optim, tensorfile
from .creation import tensor
from .model import GPT
from .tensor import float32

MOST_BYTES = 1.5e9  # of a file that is handed over: the page's Python has at most 4 GB, and holds it more than once when it reads it


def kept_model(run):
    """The model of a Run, which a checkpoint can hold. ValueError with a sentence where there is none."""
    model = run.kept.get("model") if run is not None else None
    if model is None:
        raise ValueError("there is no model yet: run train.py first")
    if not hasattr(model, "config"):
        raise ValueError("this model cannot be saved: it has no `config` (a ModelConfig), from which a reader could make it again")
    return model


def state_of(run):
    """The keyword arguments of checkpoint.save for a Run."""
    data, position = run.kept.get("data"), None
    if data is not None and hasattr(data, "get_state"):
        position = data.get_state()
        if getattr(data, "corpus", None) is not None:
            position["corpus"] = data.corpus
    return dict(
        train=run.train_config or (run.loaded and run.loaded[1]),
        tokenizer=getattr(data, "tokenizer", None) or getattr(run, "tokenizer", None),
        step=run.step,
        random=run.random_state(),
        data=position,
        history=_history(run),
    )


def _history(run):
    """run.history as JSON; of what was encoded before, only what is new since is encoded."""
    history = run.history
    count, last, pieces = getattr(run, "_encoded", (0, None, []))
    if count > len(history) or count and history[count - 1] is not last:
        count, pieces = 0, []
    if len(history) > count:
        pieces.append(json.dumps([checkpoint.finite(list(entry)) for entry in history[count:]], separators=(",", ":"))[1:-1])
        run._encoded = len(history), history[-1], pieces
    return checkpoint.Encoded("[" + ",".join(pieces) + "]")


def _settled(run, optimizer):
    """(metadata, tensors) when all numbers on their way have arrived."""
    model = kept_model(run)
    try:
        run.drain()
    except loop.TrainingError as error:
        run.failure = error  # it is the run's, not the asker's
        raise
    return checkpoint.collect(model, run.kept.get("optimizer") if optimizer else None, state_of(run))


def dumps(run, optimizer=True):
    """The .tinygpt file of a Run as bytes; optimizer: with moments and step counts. ValueError, TrainingError."""
    file = io.BytesIO()
    tensorfile.write(file, *_settled(run, optimizer))
    return file.getvalue()


def hand_over(run, room, put, optimizer=True):
    """The same file for a host: `room(bytes)` is called once, then `put(position, bytes-like)` for every piece.

    data_sha256 in the header is left as zeros (tensorfile.NO_DIGEST): the host hashes what comes after the header and fills it in. Memory
    is read as a whole, once for each Storage, since a GPU answers each question only after all its work. ValueError (a sentence) where the
    file would be larger than MOST_BYTES.
    """
    told, tensors = _settled(run, optimizer)
    head, spans = tensorfile.laid_out(told, tensors)
    start = len(head)
    nbytes = start + max([end for _, end in spans.values()], default=0)
    if nbytes > MOST_BYTES:
        raise ValueError(
            "this run is too large to be saved: its file would have %.1f GB, and a page can read back at most %.1f GB"
            % (nbytes / 1e9, MOST_BYTES / 1e9)
        )
    room(nbytes)
    put(0, head)
    shared = {}
    for name, (begin, end) in spans.items():
        x = tensors[name][3]
        shared.setdefault(x._storage, []).append((x, start + begin, end - begin))
    for storage, parts in shared.items():
        whole = sum(n for _, _, n in parts) * 2 > storage.nbytes and all(x.is_contiguous() for x, _, _ in parts)
        data = memoryview(storage.device.download(storage.handle, storage.nbytes)) if whole else None
        for x, at, n in parts:
            offset = x._offset * float32.itemsize
            put(at, data[offset : offset + n] if whole else x.tobytes())


def weights(named, config, tied):
    """A safetensors file with the names of reference/model.py's state_dict, for PyTorch. named: {parameter: shape and tobytes}.

    tied: lm_head.weight is the token embedding, and is there under both names, as in state_dict().
    """
    named = dict(named)
    if tied:
        named.setdefault("lm_head.weight", named["tok_emb.weight"])
    tensors = {name: ("F32", tuple(t.shape), t.tobytes) for name, t in named.items()}
    file = io.BytesIO()
    tensorfile.write_weights(file, {"format": "pt", "tinygpt_model": json.dumps(config.to_dict())}, tensors)
    return file.getvalue()


def weights_of(run):
    """`weights` of a Run's model."""
    model = kept_model(run)
    return weights(model.named_parameters(), model.config, _is_tied(model.config, dict(model.named_parameters())))


def without_optimizer(file):
    """The .tinygpt file of a checkpoint.Checkpoint without its moments, as bytes."""
    told = {**file.metadata, "optimizer": "null"}
    for key in ("header_sha256", "data_sha256"):
        told.pop(key, None)
    out = io.BytesIO()
    views = {**{"model." + name: v for name, v in file.model.items()}, **{"scale." + name: v for name, v in file.scales.items()}}
    tensorfile.write(out, told, {name: (v.dtype, v.shape, v.tobytes) for name, v in views.items()})
    return out.getvalue()


def weights_in(file):
    """`weights` of a checkpoint.Checkpoint, which must be float32."""
    if file.scales:
        raise ValueError("the file holds int8 weights: load its model, and download that")
    return weights(file.model, file.model_config, _is_tied(file.model_config, file.model))


def _is_tied(config, named):
    return config.tie_embeddings and "tok_emb.weight" in named


def restored(file, name="imported"):
    """A Run with what the Checkpoint `file` holds, on the current device; `loop.run(train, resume=run)` goes on with it.

    Its model is a GPT with the file's settings, or, where the file is of an edited one, the bare parameters until train() has made its.
    """
    model = _bare(file.model) if file.edited else GPT(file.model_config)
    kept = {"model": model}
    if file.optimizer is not None:
        parameters = dict(model.named_parameters())
        kind = {"AdamW": optim.AdamW, "SGD": optim.SGD}[file.optimizer["kind"]]
        groups = [{**group, "params": [parameters[name] for name in group["params"]]} for group in file.optimizer["groups"]]
        for group in groups:
            if "betas" in group:
                group["betas"] = tuple(group["betas"])
        if groups:
            kept["optimizer"] = kind(groups) if kind is optim.AdamW else kind(groups, lr=groups[0].get("lr", 0.0))
    file.load_into(model, kept.get("optimizer"))
    if file.data is not None:
        kept["data"] = carry.Position(file.data, file.tokenizer)
    run = loop.Run(name)
    run.kept, run.step, run.history = kept, file.step, [tuple(entry) for entry in file.history if isinstance(entry, list)]
    run.loaded = file.model_config, file.train_config
    run.versions.current = loop.Version(None)
    run.tokenizer = file.tokenizer
    run._random_at_end = file.random
    return run


def _bare(views):
    """A Module that has these parameters under their names, and no forward()."""
    root = nn.Module()
    for name, view in views.items():
        *path, last = name.split(".")
        module = root
        for part in path:
            if part not in module._modules:
                setattr(module, part, nn.Module())
            module = module._modules[part]
        values = tensor(array("f", view.tobytes()), dtype=float32).view(view.shape)
        setattr(module, last, nn.Parameter(values))
    return root
