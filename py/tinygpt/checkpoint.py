"""Checkpoints: a `.tinygpt` file is a safetensors file with the model, the optimizer's moments and everything a run needs to go on.

`save`/`dumps` write a model (and its optimizer and run state); `load`/`loads` give a Checkpoint, which is checked as a whole before
anything of it is used: names and shapes follow from its model settings, checksums hold. `Checkpoint.load_into` writes only after every
check has passed. The container is `tensorfile.py`; the fields are in docs/format.md;
`reference/checkpoint.py` reads and writes the same in PyTorch.
"""

import gzip
import io
import json
import math
import os

from . import tensorfile
from .config import WAYS, ModelConfig, TrainConfig
from .tensorfile import CheckpointError, View, parse_json
from .tokenizer import from_dict as tokenizer_from_dict

FORMAT_VERSION = 1
MAX_CONTEXT = 1 << 20  # rotary models store no table whose size would bound a hostile context
MOMENTS = {"AdamW": ("m", "v"), "SGD": ("m",)}  # kind of optimizer: its tensors per parameter, optimizer.<letter>.<name>
GROUP_SETTINGS = ("lr", "betas", "eps", "weight_decay", "momentum", "dampening", "nesterov", "lr_scale")


def parameter_shapes(config):
    """{name: shape} of every parameter of a model with these settings, in the order of docs/architecture.md."""
    c, d = config.d_model, config.head_size
    hidden, heads, kv = config.mlp_ratio * c, config.heads, config.kv_heads
    shapes = {"tok_emb.weight": (config.vocab_size, c)}
    if config.positions == "learned":
        shapes["pos_emb.weight"] = (config.context, c)

    def norm(name):
        shapes[name + ".weight"] = (c,)
        if config.norm == "layer" and config.bias:
            shapes[name + ".bias"] = (c,)

    def linear(name, out, into):
        shapes[name + ".weight"] = (out, into)
        if config.bias:
            shapes[name + ".bias"] = (out,)

    for i in range(config.layers):
        block = "blocks.%d." % i
        norm(block + "norm1")
        linear(block + "attn.qkv", (heads + 2 * kv) * d, c)
        linear(block + "attn.proj", c, heads * d)
        norm(block + "norm2")
        linear(block + "mlp.fc", hidden, c)
        if config.mlp == "swiglu":
            linear(block + "mlp.gate", hidden, c)
        linear(block + "mlp.proj", c, hidden)
    norm("norm_f")
    if not config.tie_embeddings:
        shapes["lm_head.weight"] = (config.vocab_size, c)
    return shapes


# ---- writing -----------------------------------------------------------------------------------------


class Encoded(str):
    """A text that is JSON already: a long history is not encoded anew for every save."""


def metadata(model_config, *, train=None, tokenizer=None, step=0, random=None, data=None, history=(), optimizer=None):
    """The `__metadata__` of a checkpoint: {str: str}. Shared with reference/; see `save` for the arguments.

    optimizer: {"kind", "steps": {parameter name: steps}, "groups": [{"params": [names], settings...}]} or None.
    """
    values = {
        "model": model_config.to_dict(),
        "train": train and train.to_dict(),
        "tokenizer": tokenizer and tokenizer.to_dict(),
        "step": step,
        "random": random,
        "data": data,
        "history": history if isinstance(history, Encoded) else list(history),
        "optimizer": optimizer,
    }
    told = {"format": "tinygpt", "format_version": str(FORMAT_VERSION)}
    for name, value in values.items():
        try:
            told[name] = str(value) if isinstance(value, Encoded) else json.dumps(finite(value), allow_nan=False, separators=(",", ":"))
        except TypeError as error:
            raise CheckpointError(
                "the checkpoint's %s cannot be written as JSON (%s); give numbers, strings, lists and dicts" % (name, error)
            ) from None
    _Parts({**told, "history": "[]"} if isinstance(history, Encoded) else told)  # what cannot be read back is not written
    return told


def finite(value):
    """JSON has no NaN: a loss that is not finite becomes null (docs/format.md)."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {k: finite(v) for k, v in value.items()}
    return [finite(v) for v in value] if isinstance(value, (list, tuple)) else value


def group_settings(group):
    """What of an optimizer's parameter group travels: numbers with the same meaning here and in PyTorch."""
    return {key: group[key] for key in GROUP_SETTINGS if key in group}


def save(target, model, optimizer=None, **state):
    """Writes a checkpoint to a path (whole or not at all) or to a seekable binary file.

    state: train (TrainConfig), tokenizer, step (steps done), random (Generator.get_state()), data (Dataset.get_state(), and what
    else tells the place in the data), history (list: the losses so far, JSON). Raises CheckpointError, OSError.
    """
    told, tensors = collect(model, optimizer, state)
    if hasattr(target, "write"):
        tensorfile.write(target, told, tensors)
        return
    path = os.fspath(target)
    partial = "%s.part%d" % (path, os.getpid())
    try:
        with open(partial, "wb") as file:
            tensorfile.write(file, told, tensors)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        if os.path.exists(partial):
            os.remove(partial)


def dumps(model, optimizer=None, **state):
    """The checkpoint as bytes; arguments as `save`."""
    file = io.BytesIO()
    save(file, model, optimizer, **state)
    return file.getvalue()


def collect(model, optimizer, state):
    """(metadata, {name: (dtype, shape, function -> bytes, Tensor)}) of a checkpoint; arguments as `save`, state as a dict."""
    named = list(model.named_parameters())
    tensors = {"model." + name: p for name, p in named}
    told = None
    if optimizer is not None:
        names = {id(p): name for name, p in named}
        groups = []
        for group in optimizer.param_groups:
            if any(id(p) not in names for p in group["params"]):
                raise CheckpointError(
                    "the optimizer updates a tensor that is not a parameter of the model; save a model with its own optimizer"
                )
            groups.append({"params": [names[id(p)] for p in group["params"]], **group_settings(group)})
        owned = [(names[id(p)], p) for group in optimizer.param_groups for p in group["params"]]
        told = {"kind": type(optimizer).__name__, "steps": {name: optimizer.steps[id(p)] for name, p in owned}, "groups": groups}
        tensors.update(("optimizer." + key, t) for key, t in optimizer.state_arrays(owned).items())
    return metadata(model.config, optimizer=told, **state), {
        name: ("F32", tuple(t.shape), t.tobytes, t) for name, t in tensors.items()
    }


# ---- reading -----------------------------------------------------------------------------------------


class _Parts:
    """The metadata as checked Python values."""

    def __init__(self, told):
        if told.get("format") != "tinygpt":
            raise CheckpointError(
                'this is a safetensors file, but not a TinyGPT checkpoint: its metadata has no format "tinygpt" and so no model settings'
            )
        version = told.get("format_version", "")
        if version != str(FORMAT_VERSION):
            raise CheckpointError(
                "the checkpoint has format version %.20r and this TinyGPT reads version %d; update TinyGPT" % (version, FORMAT_VERSION)
            )
        values = {}
        for name in ("model", "train", "tokenizer", "step", "random", "data", "history", "optimizer"):
            if name not in told:
                raise CheckpointError("the checkpoint's metadata has no %r; the file is damaged or was written by something else" % name)
            values[name] = parse_json(told[name], name)
        try:
            self.model_config = ModelConfig.from_dict(values["model"])
            self.train_config = None if values["train"] is None else TrainConfig.from_dict(values["train"])
            self.tokenizer = None if values["tokenizer"] is None else tokenizer_from_dict(values["tokenizer"])
        except (ValueError, TypeError) as error:
            raise CheckpointError("the checkpoint's settings cannot be used: %.300s" % error) from None
        if self.model_config.context > MAX_CONTEXT:
            raise CheckpointError(
                "the checkpoint asks for a context of %.40s; at most %d is read" % (self.model_config.context, MAX_CONTEXT)
            )
        if self.tokenizer is not None and self.tokenizer.vocab_size != self.model_config.vocab_size:
            raise CheckpointError(
                "the checkpoint's tokenizer has %d tokens, its model %d; the file is damaged"
                % (self.tokenizer.vocab_size, self.model_config.vocab_size)
            )
        self.step, self.random, self.data, self.history = (values[name] for name in ("step", "random", "data", "history"))
        if type(self.step) is not int or not 0 <= self.step < 2**31:
            raise CheckpointError("the checkpoint's step is %.40r; it must be a whole number of at least 0" % (self.step,))
        if not isinstance(self.history, list):
            raise CheckpointError("the checkpoint's loss history must be a list, not %s" % type(self.history).__name__)
        if self.random is not None:
            _check_stream(self.random, "random state")
        if self.data is not None:
            if not isinstance(self.data, dict):
                raise CheckpointError("the checkpoint's data position must be an object, not %s" % type(self.data).__name__)
            for stream in ("train", "validation"):
                if stream in self.data:
                    _check_stream(self.data[stream], "%s stream" % stream)
        self.optimizer = values["optimizer"]
        if self.optimizer is not None:
            _check_optimizer(self.optimizer)


def _check_stream(values, what):
    ok = isinstance(values, dict) and set(values) == {"seed", "offset"} and all(type(n) is int and 0 <= n < 2**64 for n in values.values())
    if not ok:
        raise CheckpointError("the checkpoint's %s is %.80r; it must be {seed, offset}, both whole numbers below 2^64" % (what, values))


def _check_optimizer(values):
    if not isinstance(values, dict) or set(values) != {"kind", "steps", "groups"} or values["kind"] not in list(MOMENTS):
        raise CheckpointError(
            "the checkpoint's optimizer is %.80r; it must have a kind (%s), steps and groups" % (values, " or ".join(MOMENTS))
        )
    steps, groups = values["steps"], values["groups"]
    if not isinstance(steps, dict) or not all(type(n) is int and 0 <= n < 2**31 for n in steps.values()):
        raise CheckpointError("the checkpoint's optimizer steps must be whole numbers of at least 0 by parameter name")
    if not isinstance(groups, list) or not all(isinstance(g, dict) and isinstance(g.get("params"), list) for g in groups):
        raise CheckpointError("the checkpoint's optimizer groups must be objects with a list of params")
    names = [name for g in groups for name in g["params"]]
    if not all(isinstance(name, str) for name in names) or len(set(names)) != len(names) or set(names) != set(steps):
        raise CheckpointError("the checkpoint's optimizer groups and steps do not name the same parameters once each")
    for group in groups:
        for key, value in group.items():
            number = (
                type(value) in (int, float, bool)
                or key == "betas"
                and isinstance(value, list)
                and [type(b) for b in value] == [float, float]
            )
            if key != "params" and not (key in GROUP_SETTINGS and number):
                raise CheckpointError("the checkpoint's optimizer has the setting %.40r = %.40r, which is not known here" % (key, value))


class Checkpoint:
    """A checked checkpoint. The tensors are views into the file's bytes.

    model_config, train_config (or None), tokenizer (or None), step, random, data, history; `model`: {parameter name: View};
    `optimizer`: None or {"kind", "steps", "groups"} with `moments`: {letter: {parameter name: View}}. `scales`: {parameter name: View} of
    the parameters whose View is int8; row n of such a parameter is its numbers times scales[n].
    own: the file is of a run of one's own, whose model may have been edited: `edited` is then True where the tensors are not those of a GPT
    with these settings.
    """

    def __init__(self, told, views, own=False):
        parts = _Parts(told)
        self.__dict__.update(parts.__dict__)
        self.metadata = told
        self.model, self.scales, self.moments = {}, {}, {letter: {} for letter in MOMENTS[self.optimizer["kind"]]} if self.optimizer else {}
        for name, view in views.items():
            family, _, rest = name.partition(".")
            letter, _, parameter = rest.partition(".")
            if family == "model":
                self.model[rest] = view
            elif family == "scale":
                self.scales[rest] = view
            elif family == "optimizer" and letter in self.moments:
                self.moments[letter][parameter] = view
            else:
                raise CheckpointError("the checkpoint holds the tensor %.80r, which this TinyGPT does not know" % name)
        if self.model_config.layers > len(self.model):
            raise CheckpointError(
                "the checkpoint's settings say %.40s layers, but it holds only %d tensors" % (self.model_config.layers, len(self.model))
            )
        shapes = parameter_shapes(self.model_config)
        self.edited = own and {name: view.shape for name, view in self.model.items()} != shapes
        if self.edited:
            shapes = {name: view.shape for name, view in self.model.items()}
            if self.scales:
                raise CheckpointError("the checkpoint is of an edited model, and has int8 tensors, which only a GPT can have")
        check_tensors(self.model, shapes, "model", self.scales)
        if self.optimizer is not None:
            unknown = sorted(set(self.optimizer["steps"]) - set(shapes))
            if unknown:
                raise CheckpointError("the checkpoint's optimizer updates %.80r, which the model does not have" % unknown[0])
            stored = [letter for letter in self.moments if self.moments[letter]]
            if self.optimizer["kind"] == "AdamW" or stored:  # SGD without momentum stores none
                for letter, moments in self.moments.items():
                    check_tensors(moments, {name: shapes[name] for name in self.optimizer["steps"]}, "optimizer." + letter)

    def load_into(self, model, optimizer=None):
        """Copies the weights into `model` and, where given, the state into `optimizer`; first checks that all of it fits.

        CheckpointError leaves both untouched. Dropout may differ from the checkpoint's; other model settings may not.
        """
        parameters = dict(model.named_parameters())
        check_config(self.model_config, getattr(model, "config", None))
        check_tensors(self.model, {name: tuple(p.shape) for name, p in parameters.items()}, "model", self.scales)
        writes = [(p, self.model[name], self.scales.get(name)) for name, p in parameters.items()]
        if optimizer is not None:
            names = {id(p): name for name, p in parameters.items()}
            check_groups(
                self.optimizer, type(optimizer).__name__, [[names.get(id(p)) for p in g["params"]] for g in optimizer.param_groups]
            )
            owned = [(names[id(p)], p) for g in optimizer.param_groups for p in g["params"]]
            arrays = optimizer.state_arrays(owned)
            check_tensors(
                {"%s.%s" % (letter, name): v for letter, moments in self.moments.items() for name, v in moments.items()},
                {key: tuple(t.shape) for key, t in arrays.items()},
                "optimizer",
            )
            writes += [(t, self.moments[key[0]][key[2:]], None) for key, t in arrays.items()]
        from .ops import quantized

        for tensor, view, scale in writes:
            if scale is None:
                tensor.data.copy_bytes_(view.data)
            else:
                quantized.fill(tensor.data, view.data, scale.data)
        if optimizer is not None:
            for group, saved in zip(optimizer.param_groups, self.optimizer["groups"]):
                group.update(loaded_settings(group, saved))
            for name, p in owned:
                optimizer.steps[id(p)] = self.optimizer["steps"][name]
            from .state import state

            state.layout += 1  # a captured step grouped the parameters by their step counts; it captures again


def check_config(saved, own):
    """CheckpointError where two model settings differ in more than how it is trained. own: None checks nothing."""
    if own is not None:
        for name, value in own.to_dict().items():
            if name not in WAYS and getattr(saved, name) != value:
                raise CheckpointError(
                    "the checkpoint's model has %s = %r and this one %r; make the model from the checkpoint's settings"
                    % (name, getattr(saved, name), value)
                )


def check_groups(saved, kind, groups):
    """CheckpointError unless the saved optimizer has this kind and these parameter names in each group, in order."""
    if saved is None:
        raise CheckpointError(
            "the checkpoint holds no optimizer state; load it into the model alone, or use one that was saved while training"
        )
    if saved["kind"] != kind:
        raise CheckpointError("the checkpoint was trained with %s, this optimizer is %s; use the same kind" % (saved["kind"], kind))
    if [g["params"] for g in saved["groups"]] != groups:
        raise CheckpointError(
            "the checkpoint's optimizer has parameter groups of %s tensors, this one of %s, or other names; make the groups in the same way"
            % ([len(g["params"]) for g in saved["groups"]], [len(g) for g in groups])
        )


def loaded_settings(group, saved):
    """The saved settings that this parameter group has, betas as the tuple that optimizers keep."""
    return {key: tuple(value) if key == "betas" else value for key, value in saved.items() if key != "params" and key in group}


def check_tensors(views, shapes, what, scales=None):
    """CheckpointError unless `views` are float32 of these shapes. A matrix may be int8 where `scales` has a number for each of its rows."""
    for name in scales or ():
        if name not in views or views[name].dtype != "I8":
            raise CheckpointError("the checkpoint has a scale for %.80r, which is not an int8 tensor of its model" % name)
    missing, unexpected = [n for n in shapes if n not in views], [n for n in views if n not in shapes]
    if missing or unexpected:
        wrong = (
            "misses %d tensors that the settings ask for, first %.80r"
            if missing
            else "holds %d tensors that the settings do not have, first %.80r"
        )
        raise CheckpointError("the checkpoint's %s " % what + wrong % (len(missing or unexpected), (missing or unexpected)[0]))
    for name, shape in shapes.items():
        view = views[name]
        if scales and view.dtype == "I8" and name in scales and len(shape) > 1 and view.shape == shape:
            scale = scales[name]
            if scale.dtype != "F32" or scale.shape != shape[:1]:
                raise CheckpointError(
                    "the checkpoint's scale.%.80s is %s %.60s where F32 %s is needed"
                    % (name, scale.dtype, list(scale.shape), list(shape[:1]))
                )
            continue
        if view.dtype != "F32" or view.shape != shape:
            raise CheckpointError(
                "the checkpoint's %s.%.80s is %s %.60s where F32 %s is needed" % (what, name, view.dtype, list(view.shape), list(shape))
            )


def loads(data, own=False):
    """A Checkpoint over bytes-like `data`, which is kept alive and not copied. own: see Checkpoint. CheckpointError says what is wrong."""
    told, views = tensorfile.read(data)
    if told.get("format") == "tinygpt" and told.get("format_version") == str(FORMAT_VERSION):
        tensorfile.check_digests(told, views)
    return Checkpoint(told, views, own)


def load(path):
    """A Checkpoint from a file (a path, or a binary file). CheckpointError says what is wrong with its contents."""
    if hasattr(path, "read"):
        return loads(path.read())
    return loads(read_file(path))


def read_file(path):
    """The bytes of a file, unpacked where it is gzip (shipped models are)."""
    with open(path, "rb") as file:
        data = file.read()
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


__all__ = ["Checkpoint", "CheckpointError", "View", "dumps", "load", "loads", "parameter_shapes", "read_file", "save"]
