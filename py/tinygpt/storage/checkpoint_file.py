"""What a checkpoint file says: its metadata as checked values, its tensors as views into its bytes.

`metadata` makes the `__metadata__` of a file that is written; `Header.parse` reads it back, and
`CheckpointFile.from_views` checks the whole file: names and shapes follow from its model settings.
docs/format.md has the fields. No tensor of a device is made here: `tinygpt.checkpoint` does that.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Protocol, TypedDict, TypeGuard, cast

from ..config import BELOW_1, FLOAT32, ModelConfig, TrainConfig
from ..core.quoting import quoted
from ..kernels import place_problem
from ..tokenizer import from_dict as tokenizer_from_dict
from .safetensors_file import CheckpointError, View, parse_json

FORMAT_VERSION = 1
MAX_CONTEXT = 1 << 20  # rotary models store no table whose size would bound a hostile context
# Kind of optimizer: its tensors per parameter, optimizer.<letter>.<name>.
MOMENTS = {"AdamW": ("m", "v"), "SGD": ("m",)}
GROUP_SETTINGS = ("lr", "betas", "eps", "weight_decay", "momentum", "dampening", "nesterov", "lr_scale")

LONGEST_CORPUS = 255  # characters of a corpus's name
LARGEST = 1.7976931348623157e308  # float64's largest number

Shape = tuple[int, ...]


class StreamPosition(TypedDict):
    """The position of a random stream."""

    seed: int
    offset: int


class SavedOptimizer(TypedDict):
    """An optimizer without its moments: steps by parameter name, groups of names and settings."""

    kind: str
    steps: dict[str, int]
    groups: list[dict[str, Any]]


class Tokenizer(Protocol):
    """What a checkpoint needs of a tokenizer."""

    @property
    def vocab_size(self) -> int: ...
    def to_dict(self) -> dict[str, Any]: ...


def parameter_shapes(config: ModelConfig) -> dict[str, Shape]:
    """{name: shape} of every parameter of a model with these settings, in the order of
    docs/architecture.md.
    """
    c, d = config.d_model, config.head_size
    hidden, heads, kv = config.mlp_ratio * c, config.heads, config.kv_heads
    shapes: dict[str, Shape] = {"tok_emb.weight": (config.vocab_size, c)}
    if config.positions == "learned":
        shapes["pos_emb.weight"] = (config.context, c)

    def norm(name: str) -> None:
        shapes[name + ".weight"] = (c,)
        if config.norm == "layer" and config.bias:
            shapes[name + ".bias"] = (c,)

    def linear(name: str, out: int, into: int) -> None:
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


class Encoded(str):
    """A text that is JSON already: a long history is not encoded anew for every save."""


def metadata(
    model_config: ModelConfig,
    *,
    train: TrainConfig | None = None,
    tokenizer: Tokenizer | None = None,
    step: int = 0,
    random: StreamPosition | dict[str, int] | None = None,
    data: dict[str, Any] | None = None,
    history: Sequence[Any] | Encoded = (),
    optimizer: SavedOptimizer | None = None,
) -> dict[str, str]:
    """The `__metadata__` of a checkpoint: {str: str}; see `tinygpt.checkpoint.save`.

    Raises CheckpointError for what cannot be written as JSON, or could not be read back.
    """
    values: dict[str, Any] = {
        "model": model_config.to_dict(),
        "train": train and {**train.to_dict(), "corpus": _corpus_name(train.corpus)},
        "tokenizer": tokenizer and tokenizer.to_dict(),
        "step": step,
        "random": random,
        "data": data,
        "history": history if isinstance(history, Encoded) else list(history),
        "optimizer": optimizer,
    }
    written = {"format": "tinygpt", "format_version": str(FORMAT_VERSION)}
    for name, value in values.items():
        try:
            written[name] = (
                str(value)
                if isinstance(value, Encoded)
                else json.dumps(finite(value), allow_nan=False, separators=(",", ":"))
            )
        except TypeError as error:
            raise CheckpointError(
                "the checkpoint's %s cannot be written as JSON (%s); give numbers, strings, lists and dicts"
                % (name, error)
            ) from None
    # What cannot be read back is not written. A long history was checked when it was encoded.
    Header.parse({**written, "history": "[]"} if isinstance(history, Encoded) else written)
    return written


def finite(value: Any) -> Any:
    """JSON has no NaN: a loss that is not finite becomes null (docs/format.md)."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {k: finite(v) for k, v in cast("dict[Any, Any]", value).items()}
    if isinstance(value, (list, tuple)):
        return [finite(v) for v in cast("Sequence[Any]", value)]
    return value


def group_settings(group: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of an optimizer's parameter group that have the same meaning in PyTorch."""
    return {key: group[key] for key in GROUP_SETTINGS if key in group}


@dataclass
class Header:
    """The metadata of a checkpoint as checked values.

    step: steps done. random: position of the default random stream. data: positions of the data's
    streams, and "corpus". history: the logged losses, as JSON.
    """

    model_config: ModelConfig
    train_config: TrainConfig | None
    tokenizer: Tokenizer | None
    step: int
    random: StreamPosition | None
    data: dict[str, Any] | None
    history: list[Any]
    optimizer: SavedOptimizer | None

    @classmethod
    def parse(cls, metadata: Mapping[str, str]) -> Header:
        """The values of `__metadata__`. Raises CheckpointError for the first that does not hold."""
        if metadata.get("format") != "tinygpt":
            raise CheckpointError(
                'this is a safetensors file, but not a TinyGPT checkpoint: its metadata has no format "tinygpt" '
                "and so no model settings"
            )
        version = metadata.get("format_version", "")
        if version != str(FORMAT_VERSION):
            raise CheckpointError(
                "the checkpoint has format version %.20r and this TinyGPT reads version %d; update TinyGPT"
                % (version, FORMAT_VERSION)
            )
        values: dict[str, Any] = {}
        for name in ("model", "train", "tokenizer", "step", "random", "data", "history", "optimizer"):
            if name not in metadata:
                raise CheckpointError(
                    "the checkpoint's metadata has no %r; the file is damaged or was written by something else" % name
                )
            values[name] = parse_json(metadata[name], name)
        try:
            model_config = ModelConfig.from_dict(values["model"])
            train_config = None if values["train"] is None else TrainConfig.from_dict(values["train"])
            tokenizer = None if values["tokenizer"] is None else tokenizer_from_dict(values["tokenizer"])
        except (ValueError, TypeError) as error:
            raise CheckpointError("the checkpoint's settings cannot be used: %.300s" % error) from None
        if model_config.context > MAX_CONTEXT:
            raise CheckpointError(
                "the checkpoint has a context of %.40s; the maximum is %d" % (model_config.context, MAX_CONTEXT)
            )
        if tokenizer is not None and tokenizer.vocab_size != model_config.vocab_size:
            raise CheckpointError(
                "the checkpoint's tokenizer has %d tokens, its model %d; the file is damaged"
                % (tokenizer.vocab_size, model_config.vocab_size)
            )
        step, random, data, history = (values[name] for name in ("step", "random", "data", "history"))
        if type(step) is not int or not 0 <= step < 2**31:
            raise CheckpointError("the checkpoint's step is %.40r; it must be a whole number of at least 0" % (step,))
        _check_history(history)
        if random is not None:
            _check_stream(random, "random state")
        if data is not None:
            _check_data(data)
        if train_config is not None:
            _check_corpus(train_config.corpus)
        optimizer = values["optimizer"]
        if optimizer is not None:
            _check_optimizer(optimizer)
        return cls(model_config, train_config, tokenizer, step, random, data, history, optimizer)


def _is_object(value: Any) -> TypeGuard[dict[str, Any]]:
    """Whether JSON text was an object."""
    return isinstance(value, dict)


def _is_list(value: Any) -> TypeGuard[list[Any]]:
    """Whether JSON text was a list."""
    return isinstance(value, list)


def _check_stream(values: Any, what: str) -> None:
    if problem := place_problem(values):
        raise CheckpointError("the checkpoint's %s is %s; %s" % (what, quoted(values), problem))


def _check_data(data: Any) -> None:
    """The position in the data: places of streams, and the corpus, a name that is never a path."""
    if not _is_object(data):
        raise CheckpointError("the checkpoint's data position must be an object, not %s" % type(data).__name__)
    for name, value in data.items():
        if name == "corpus":
            _check_corpus(value)
        elif name in ("train", "validation"):
            _check_stream(value, "%s stream" % name)
        elif not _is_plain(value):
            raise CheckpointError(
                "the checkpoint's data position has %s = %s; it must be a text or a number of at most 64 bits"
                % (quoted(name), quoted(value))
            )


def _check_corpus(name: Any) -> None:
    """A corpus is looked up by its name: one that is a path would read another file."""
    fits = isinstance(name, str) and 0 < len(name) <= LONGEST_CORPUS and name not in (".", "..")
    if not fits or any(c in "/\\" or ord(c) < 32 for c in name) or name[1:2] == ":":
        raise CheckpointError(
            "the checkpoint's corpus is %s; it must be a name of at most %d characters and no path"
            % (quoted(name), LONGEST_CORPUS)
        )


def _corpus_name(corpus: str) -> str:
    """What a file says of a corpus that was read from a path: the name of the text file."""
    return corpus.replace("\\", "/").rpartition("/")[2] or "text"


def _is_plain(value: Any) -> bool:
    """Whether it is null, a flag, a finite number of at most 64 bits, a text, or made of these."""
    if _is_list(value):
        return all(_is_plain(one) for one in value)
    if _is_object(value):
        return all(_is_plain(one) for one in value.values())
    if type(value) is int:
        return -(1 << 63) <= value < 1 << 64
    return value is None or type(value) in (bool, str) or type(value) is float and math.isfinite(value)


def _check_history(history: Any) -> None:
    """A run's entries are [step, loss] and [step, loss or null, validation loss]; a loss that was
    not finite is null. What somebody else has logged is any JSON with plain numbers.
    """
    if not _is_list(history):
        raise CheckpointError("the checkpoint's loss history must be a list, not %s" % type(history).__name__)
    for entry in history:
        if not (_is_entry(entry) if _is_list(entry) else _is_plain(entry)):
            raise CheckpointError(
                "the checkpoint's loss history has the entry %s; it must be a step and one or two losses"
                % quoted(entry)
            )


def _is_entry(entry: list[Any]) -> bool:
    """Whether it is [step, loss] or [step, loss, validation loss] of a run."""
    losses = [loss for loss in entry[1:] if loss is not None]
    return (
        2 <= len(entry) <= 3
        and type(entry[0]) is int
        and 0 <= entry[0] < 2**31
        and all(type(loss) in (int, float) and abs(loss) <= LARGEST for loss in losses)
    )


def _check_optimizer(values: Any) -> None:
    if not _is_object(values) or set(values) != {"kind", "steps", "groups"} or values["kind"] not in list(MOMENTS):
        raise CheckpointError(
            "the checkpoint's optimizer is %.80r; it must have a kind (%s), steps and groups"
            % (values, " or ".join(MOMENTS))
        )
    steps, groups = values["steps"], values["groups"]
    if not _is_object(steps) or not all(type(n) is int and 0 <= n < 2**31 for n in steps.values()):
        raise CheckpointError("the checkpoint's optimizer steps must be whole numbers of at least 0 by parameter name")
    if not _is_list(groups) or not all(_is_object(g) and _is_list(g.get("params")) for g in groups):
        raise CheckpointError("the checkpoint's optimizer groups must be objects with a list of params")
    names = [name for g in groups for name in g["params"]]
    if not all(isinstance(name, str) for name in names) or len(set(names)) != len(names) or set(names) != set(steps):
        raise CheckpointError("the checkpoint's optimizer groups and steps do not name the same parameters once each")
    if not names:
        raise CheckpointError("the checkpoint's optimizer updates no parameter; save the model alone instead")
    for group in groups:
        for key, value in group.items():
            if key != "params" and not _is_setting(key, value):
                raise CheckpointError(
                    "the checkpoint's optimizer has the setting %s = %s, which is not known here "
                    "or out of its limits" % (quoted(key), quoted(value))
                )


def _is_setting(key: str, value: Any) -> bool:
    """Whether an optimizer's parameter group may have this setting (optim.ParameterGroup)."""
    if key == "betas":
        return _is_list(value) and len(value) == 2 and all(type(b) in (int, float) and 0 <= b <= BELOW_1 for b in value)
    if key == "nesterov":
        return value in (0, 1)
    return key in GROUP_SETTINGS and type(value) in (int, float) and 0 <= value <= FLOAT32


@dataclass
class CheckpointFile(Header):
    """A checked checkpoint. The tensors are views into the file's bytes.

    metadata: as written. model: {parameter name: View}. scales: {parameter name: View} of the
    parameters whose View is int8; row n of such a parameter is its numbers times scales[n].
    moments: {letter: {parameter name: View}} of the optimizer. edited: the tensors are not those of
    a GPT with these settings.
    """

    metadata: dict[str, str] = field(default_factory=dict[str, str])
    model: dict[str, View] = field(default_factory=dict[str, View])
    scales: dict[str, View] = field(default_factory=dict[str, View])
    moments: dict[str, dict[str, View]] = field(default_factory=dict[str, dict[str, View]])
    edited: bool = False

    @classmethod
    def from_views(cls, metadata: dict[str, str], views: Mapping[str, View], own: bool = False):
        """Checks a whole file: CheckpointError for the first thing that does not hold.

        own: the file is of a run of this browser, whose model may have been edited.
        """
        header = Header.parse(metadata)
        checked = cls(*(getattr(header, f.name) for f in fields(Header)), metadata=metadata)
        if checked.optimizer is not None:
            checked.moments = {letter: {} for letter in MOMENTS[checked.optimizer["kind"]]}
        checked._sort(views)
        checked._check(own)
        return checked

    def _sort(self, views: Mapping[str, View]) -> None:
        """Puts every tensor into its family."""
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

    def _check(self, own: bool) -> None:
        """The tensors are those that the settings ask for."""
        if self.model_config.layers > len(self.model):
            raise CheckpointError(
                "the checkpoint's settings say %.40s layers, but it holds only %d tensors"
                % (self.model_config.layers, len(self.model))
            )
        shapes = parameter_shapes(self.model_config)
        self.edited = own and {name: view.shape for name, view in self.model.items()} != shapes
        if self.edited:
            shapes = {name: view.shape for name, view in self.model.items()}
            if self.scales:
                raise CheckpointError(
                    "the checkpoint is of an edited model, and has int8 tensors, which only a GPT can have"
                )
        check_tensors(self.model, shapes, "model", self.scales)
        if self.optimizer is not None:
            unknown = sorted(set(self.optimizer["steps"]) - set(shapes))
            if unknown:
                raise CheckpointError(
                    "the checkpoint's optimizer updates %.80r, which the model does not have" % unknown[0]
                )
            stored = [letter for letter in self.moments if self.moments[letter]]
            if self.optimizer["kind"] == "AdamW" or stored:  # SGD without momentum stores none
                for letter, moments in self.moments.items():
                    check_tensors(
                        moments, {name: shapes[name] for name in self.optimizer["steps"]}, "optimizer." + letter
                    )


def check_tensors(
    views: Mapping[str, View], shapes: Mapping[str, Shape], what: str, scales: Mapping[str, View] | None = None
) -> None:
    """CheckpointError unless `views` are float32 of these shapes. A matrix may be int8 where
    `scales` has a number for each of its rows.
    """
    for name in scales or ():
        if name not in views or views[name].dtype != "I8":
            raise CheckpointError(
                "the checkpoint has a scale for %.80r, which is not an int8 tensor of its model" % name
            )
    missing, unexpected = [n for n in shapes if n not in views], [n for n in views if n not in shapes]
    if missing or unexpected:
        wrong = "lacks %s that its settings need" if missing else "holds %s that the settings do not have"
        first, *more = missing or unexpected
        count = "%d tensors" % (1 + len(more)) if more else "1 tensor"
        raise CheckpointError("the checkpoint's %s %s, first %.80r" % (what, wrong % count, first))
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
                "the checkpoint's %s.%.80s is %s %.60s where F32 %s is needed"
                % (what, name, view.dtype, list(view.shape), list(shape))
            )
