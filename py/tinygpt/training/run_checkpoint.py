"""A Run as a checkpoint, and a checkpoint as a Run that resumes.

`state_of` says what a checkpoint holds of a run besides its tensors; `dumps` gives the whole file,
`hand_over` the same bytes piece by piece for a host that writes and hashes them itself, which is
what an autosave does between two steps. `restored` makes the Run: what the next train() builds
takes over what the file held (state_transfer.py), as if the run had never ended.
"""

from __future__ import annotations

import io
import json
from array import array
from typing import TYPE_CHECKING, Any

from .. import checkpoint, nn, optim
from ..core import generator
from ..core.factory import tensor
from ..core.tensor import float32
from ..model import GPT
from ..storage import safetensors_file
from . import state_transfer
from .hot_reload import Version
from .run import Run, TrainingError

if TYPE_CHECKING:
    from collections.abc import Callable


# of a file that is handed over: the page's Python has at most 4 GB, and holds it more than once
# when it reads it
MOST_BYTES = 1.5e9


def kept_model(run: Run | None) -> Any:
    """The model of a Run, which a checkpoint can hold. ValueError with a sentence where there is
    none.
    """
    model = run.kept.get("model") if run is not None else None
    if model is None:
        raise ValueError("there is no model yet: run train.py first")
    if not hasattr(model, "config"):
        raise ValueError(
            "this model cannot be saved: it has no `config` (a ModelConfig), from which a reader could make it again"
        )
    return model


def state_of(run: Any) -> Any:
    """The keyword arguments of checkpoint.save for a Run."""
    data, position = run.kept.get("data"), None
    if data is not None and hasattr(data, "get_state"):
        position = data.get_state()
        if getattr(data, "corpus", None) is not None:
            position["corpus"] = data.corpus
    return dict(
        train=run.train_config or (run.loaded and run.loaded[1]),
        tokenizer=getattr(data, "tokenizer", None) or run.tokenizer,
        step=run.step,
        random=run.random_state(),
        data=position,
        history=_history(run),
    )


def _history(run: Any) -> Any:
    """run.history as JSON; of what was encoded before, only what is new since is encoded."""
    history = run.history
    count, last, pieces = getattr(run, "_encoded", (0, None, []))
    if count > len(history) or count and history[count - 1] is not last:
        count, pieces = 0, []
    if len(history) > count:
        pieces.append(
            json.dumps([checkpoint.finite(list(entry)) for entry in history[count:]], separators=(",", ":"))[1:-1]
        )
        run._encoded = len(history), history[-1], pieces
    return checkpoint.Encoded("[" + ",".join(pieces) + "]")


def _settled(run: Any, optimizer: Any) -> Any:
    """(metadata, tensors) when all numbers on their way have arrived."""
    model = kept_model(run)
    try:
        run.drain()
    except TrainingError as error:
        run.failure = error  # it is the run's, not the asker's
        raise
    return checkpoint.collect(model, run.kept.get("optimizer") if optimizer else None, state_of(run))


def dumps(run: Run | None, optimizer: bool = True) -> bytes:
    """The .tinygpt file of a Run as bytes; optimizer: with moments and step counts. ValueError,
    TrainingError.
    """
    file = io.BytesIO()
    safetensors_file.write(file, *_settled(run, optimizer))
    return file.getvalue()


def hand_over(
    run: Run, room: Callable[[int], object], put: Callable[[int, Any], object], optimizer: bool = True
) -> None:
    """The same file for a host: `room(bytes)` is called once, then `put(position, bytes-like)` for
    every piece.

    data_sha256 in the header is left as zeros (safetensors_file.NO_DIGEST): the host hashes what
    comes after the header and fills it in. Memory is read as a whole, once for each Storage, since
    a GPU answers each question only after all its work. ValueError (a sentence) where the file
    would be larger than MOST_BYTES.
    """
    told, tensors = _settled(run, optimizer)
    head, spans = safetensors_file.laid_out(told, tensors)
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
        storage = x._storage
        while storage.owner is not None:
            storage = storage.owner
        shared.setdefault(storage, []).append((x, start + begin, end - begin))
    for storage, parts in shared.items():
        whole = sum(n for _, _, n in parts) * 2 > storage.nbytes and all(x.is_contiguous() for x, _, _ in parts)
        data = memoryview(storage.device.download(storage.handle, storage.nbytes)) if whole else None
        for x, at, n in parts:
            offset = x._storage.base + x._offset * float32.itemsize
            put(at, data[offset : offset + n] if data is not None else x.tobytes())


def weights(named: Any, config: Any, tied: bool, step: int = 0, tokenizer: Any = None) -> Any:
    """A safetensors file with the names of reference/model.py's state_dict, for PyTorch. named:
    {parameter: shape and tobytes}. step, tokenizer: for those who read it back (weights_file.py).

    tied: lm_head.weight is the token embedding, and is there under both names, as in state_dict().
    """
    named = dict(named)
    if tied:
        named.setdefault("lm_head.weight", named["tok_emb.weight"])
    tensors = {name: ("F32", tuple(t.shape), t.tobytes) for name, t in named.items()}
    file = io.BytesIO()
    about = {"format": "pt", "tinygpt_model": json.dumps(config.to_dict()), "tinygpt_step": str(step)}
    if tokenizer is not None:
        about["tinygpt_tokenizer"] = json.dumps(tokenizer.to_dict())
    safetensors_file.write_weights(file, about, tensors)
    return file.getvalue()


def weights_of(run: Run | None) -> Any:
    """`weights` of a Run's model."""
    model = kept_model(run)
    tied = _is_tied(model.config, dict(model.named_parameters()))
    assert run is not None  # it has a model
    tokenizer = getattr(run.kept.get("data"), "tokenizer", None) or run.tokenizer
    return weights(model.named_parameters(), model.config, tied, run.step, tokenizer)


def without_optimizer(file: Any) -> Any:
    """The .tinygpt file of a checkpoint.Checkpoint without its moments, as bytes."""
    told = {**file.metadata, "optimizer": "null"}
    for key in ("header_sha256", "data_sha256"):
        told.pop(key, None)
    out = io.BytesIO()
    views = {
        **{"model." + name: v for name, v in file.model.items()},
        **{"scale." + name: v for name, v in file.scales.items()},
    }
    safetensors_file.write(out, told, {name: (v.dtype, v.shape, v.tobytes) for name, v in views.items()})
    return out.getvalue()


def weights_in(file: Any) -> Any:
    """`weights` of a checkpoint.Checkpoint, which must be float32."""
    if file.scales:
        raise ValueError("the file holds int8 weights: load its model, and download that")
    tied = _is_tied(file.model_config, file.model)
    return weights(file.model, file.model_config, tied, file.step, file.tokenizer)


def _is_tied(config: Any, named: Any) -> Any:
    return config.tie_embeddings and "tok_emb.weight" in named


def restored(file: Any, name: str = "imported") -> Run:
    """A Run with what the Checkpoint `file` holds, on the current device; `loop.run(train,
    resume=run)` goes on with it.

    Its model is a GPT with the file's settings, or, where the file is of an edited one, the bare
    parameters until train() has made its.
    """
    stream = generator.default_generator
    with stream.again_from(stream.get_state()):  # a new model's numbers are drawn for nothing
        model = _bare(file.model) if file.edited else GPT(file.model_config)
    kept: dict[str, Any] = {"model": model}
    if file.optimizer is not None:
        parameters = dict(model.named_parameters())
        kind = {"AdamW": optim.AdamW, "SGD": optim.SGD}[file.optimizer["kind"]]
        groups = [
            {**group, "params": [parameters[name] for name in group["params"]]} for group in file.optimizer["groups"]
        ]
        for group in groups:
            if "betas" in group:
                group["betas"] = tuple(group["betas"])
        if groups:
            kept["optimizer"] = kind(groups) if kind is optim.AdamW else kind(groups, lr=groups[0].get("lr", 0.0))
    file.load_into(model, kept.get("optimizer"))
    if file.data is not None:
        kept["data"] = state_transfer.DataPosition(file.data, file.tokenizer)
    run = Run(name)
    state = run.state
    state.kept, state.step = kept, file.step
    state.history = [tuple(entry) for entry in file.history if isinstance(entry, list)]
    state.loaded = file.model_config, file.train_config
    state.version = Version(None)
    state.final_random = file.random
    run.tokenizer = file.tokenizer
    return run


def _bare(views: Any) -> Any:
    """A Module that has these parameters under their names, and no forward()."""
    root: Any = nn.Module()
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
