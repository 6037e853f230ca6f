"""Every default in one place: the model's shape, the training run's settings, the presets.

The page's inputs, `reference/`'s argument parser and `train.py` all read these; a test compares
them.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, fields, replace
from operator import index
from typing import Any


class _AsHeads(int):
    """A number of key/value heads that nobody chose: in a copy with other heads it is theirs, so
    that `dataclasses.replace(shape, heads=4)` works.
    """


@dataclass(frozen=True, slots=True)  # slots: a guard reads a field in one look
class ModelConfig:
    """Shape and options of a GPT. Sizes count elements; `d_model` is C, `heads` H, `kv_heads` G."""

    vocab_size: int = 256
    context: int = 64  # tokens the model sees at once
    layers: int = 3
    d_model: int = 96
    heads: int = 3
    kv_heads: int = 0  # 0: as many as heads; fewer is grouped-query attention (Ainslie et al. 2023)
    mlp_ratio: int = 4  # hidden size of the MLP / d_model
    positions: str = "learned"  # or "rotary" (Su et al. 2021)
    norm: str = "layer"  # or "rms" (Zhang and Sennrich 2019)
    mlp: str = "gelu"  # or "swiglu" (Shazeer 2020)
    bias: bool = True  # in Linear layers and LayerNorm
    tie_embeddings: bool = True  # the LM head is the token embedding (Press and Wolf 2017)
    dropout: float = 0.0
    # blocks keep their input alone and run again in the backward: less memory, longer steps (Chen
    # et al. 2016)
    recompute: bool = False

    def __post_init__(self) -> None:
        follows = isinstance(self.kv_heads, _AsHeads)  # of the shape that this one is a copy of
        _check(self)
        if follows or self.kv_heads == 0:
            object.__setattr__(self, "kv_heads", _AsHeads(self.heads))
        if self.d_model % self.heads:
            raise ValueError(
                "d_model %d is not a multiple of heads %d; choose sizes that divide" % (self.d_model, self.heads)
            )
        if self.heads % self.kv_heads:
            raise ValueError(
                "heads %d is not a multiple of kv_heads %d; choose sizes that divide" % (self.heads, self.kv_heads)
            )
        if self.positions == "rotary" and self.head_size % 2:
            raise ValueError("rotary positions need an even head size, not %d" % self.head_size)
        if self.weight_bytes > MOST_WEIGHTS:
            raise ValueError(
                "a model of %d layers, d_model %d, context %d and vocab_size %d has %s GB of weights, and "
                "training takes four times that; choose a smaller model"
                % (self.layers, self.d_model, self.context, self.vocab_size, format(self.weight_bytes // 10**9, ","))
            )

    @property
    def head_size(self) -> int:
        """D, the channels of one attention head."""
        return self.d_model // self.heads

    @property
    def weight_bytes(self) -> int:
        """Bytes of all parameters in float32, by arithmetic: no list of them is made."""
        C, hidden, bias = self.d_model, self.mlp_ratio * self.d_model, int(self.bias)
        norm = C * (2 if self.bias and self.norm == "layer" else 1)
        qkv, widened = (self.heads + 2 * self.kv_heads) * self.head_size, 2 if self.mlp == "swiglu" else 1
        block = 2 * norm + (qkv + C + widened * hidden) * (C + bias) + C * (hidden + bias)
        tables = self.vocab_size * (1 if self.tie_embeddings else 2) + self.context * (self.positions == "learned")
        return 4 * (self.layers * block + norm + C * tables)

    def to_dict(self) -> dict[str, Any]:
        """All fields, as JSON can hold them."""
        return {**asdict(self), "kv_heads": int(self.kv_heads)}

    @classmethod
    def from_dict(cls, values: Any) -> ModelConfig:
        """From untrusted JSON: unknown names and wrong types are refused with a sentence."""
        return _from_dict(cls, values)


WAYS = (
    "dropout",
    "recompute",
)  # fields that say how a model is trained and not what it is: files and presets may differ in them
# Fields of TrainConfig that a loop reads at each step: a change applies while it trains
LIVE = (
    "steps",
    "lr",
    "min_lr",
    "schedule",
    "warmup_steps",
    "grad_clip",
    "eval_interval",
    "eval_batches",
    "sample_interval",
    "sample_tokens",
    "temperature",
    "top_k",
    "top_p",
)
CHOICES = {
    "positions": ("learned", "rotary"),
    "norm": ("layer", "rms"),
    "mlp": ("gelu", "swiglu"),
    "schedule": ("constant", "cosine", "linear"),
}
MOST_WEIGHTS = 1 << 38  # bytes of a model: with gradients and two moments, 1 TiB
MOST_NAME = 4096  # characters of a corpus, which may be a path
MOST = (1 << 31) - 1  # of a count: sizes are int32 on a device
FLOAT32 = 3.4028234663852886e38  # the largest: a setting becomes a float32 where it is used
BELOW_1 = math.nextafter(1.0, 0.0)

# Of each number: the least and the most. Each limit is a comparison that NaN fails.
LIMITS: dict[str, tuple[float, float]] = {
    **dict.fromkeys(
        ("vocab_size", "context", "d_model", "heads", "mlp_ratio", "batch_size", "eval_batches"), (1, MOST)
    ),
    **dict.fromkeys(("kv_heads", "steps", "warmup_steps", "eval_interval", "sample_interval"), (0, MOST)),
    **dict.fromkeys(("sample_tokens", "top_k"), (0, MOST)),
    "layers": (1, 10_000),  # each is 20 kB of Python's objects, and 6 ms of recording
    "seed": (-(1 << 63), (1 << 64) - 1),  # PyTorch's range
    **dict.fromkeys(("lr", "min_lr", "eps", "weight_decay", "grad_clip", "temperature"), (0.0, FLOAT32)),
    **dict.fromkeys(("beta1", "beta2", "dropout"), (0.0, BELOW_1)),
    "top_p": (math.ulp(0.0), 1.0),
}
LIMIT_WORDS = {
    BELOW_1: "of at least 0 and below 1",
    1.0: "above 0 and at most 1",
    FLOAT32: "of at least 0 that a float32 can hold",
}


@dataclass(frozen=True, slots=True)  # slots: a guard reads a field in one look
class TrainConfig:
    """Settings of a training run. Intervals count steps; 0 turns the thing off."""

    batch_size: int = 16
    steps: int = 1500
    lr: float = 3e-4
    beta1: float = 0.9
    beta2: float = 0.95
    eps: float = 1e-8
    weight_decay: float = 0.1  # on matrices only
    grad_clip: float = 1.0  # global norm; 0: no clipping
    schedule: str = "constant"  # or "cosine", "linear": the decay after the warm-up
    warmup_steps: int = 0
    min_lr: float = 0.0  # where the decay ends
    seed: int = 42
    eval_interval: int = 100
    eval_batches: int = 8
    sample_interval: int = 200
    sample_tokens: int = 200
    temperature: float = 0.8
    top_k: int = 0  # 0: off
    top_p: float = 1.0  # 1: off
    corpus: str = "shakespeare"

    def __post_init__(self) -> None:
        _check(self)

    def to_dict(self) -> dict[str, Any]:
        """All fields, as JSON can hold them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Any) -> TrainConfig:
        """From untrusted JSON: unknown names and wrong types are refused with a sentence."""
        return _from_dict(cls, values)


@dataclass(frozen=True)
class Preset:
    """A named model with the batch size it is measured at."""

    name: str
    model: ModelConfig
    train: TrainConfig = field(default_factory=TrainConfig)


def _check(config: ModelConfig | TrainConfig) -> None:
    """Each setting as Python's own value, which a checkpoint can hold, and in its limits: checked
    where it is set, not at the save. ValueError, a sentence with the value.
    """
    for f in fields(config):
        value = getattr(config, f.name)
        if value is f.default:
            continue  # the presets take 15 ms less of the page's start
        plain, wanted = _plain(f.name, str(f.type), value)
        if plain is None:
            from .core.quoting import quoted  # here: serve.py executes this file alone

            raise ValueError("%s.%s is %s; give %s" % (type(config).__name__, f.name, quoted(value), wanted))
        object.__setattr__(config, f.name, plain)


def _plain(name: str, kind: str, value: Any) -> tuple[Any, str]:
    """(the value as its kind of plain Python value, or None where it is none or is outside of its
    limits; what to give). NumPy's scalars and one-element arrays are taken.
    """
    if name in CHOICES:
        words = CHOICES[name]
        return (str(value) if isinstance(value, str) and value in words else None), "one of " + ", ".join(words)
    if kind == "str":
        fits = isinstance(value, str) and 0 < len(value) <= MOST_NAME
        return (str(value) if fits else None), "a name of at most %d characters" % MOST_NAME
    is_flag = isinstance(value, bool) or type(value).__name__ in ("bool", "bool_")  # NumPy's has either name
    if kind == "bool":
        return (bool(value) if is_flag else None), "True or False"
    least, most = LIMITS[name]
    wanted = "a whole number from %d to %d" % (least, most) if kind == "int" else "a number " + LIMIT_WORDS[most]
    if is_flag or isinstance(value, (str, bytes)):
        return None, wanted
    try:
        number = int(index(value)) if kind == "int" else value if type(value) in (int, float) else float(value)
    except (TypeError, ValueError, OverflowError):
        return None, wanted
    return (number if least <= number <= most else None), wanted


def _from_dict(cls: Any, values: Any) -> Any:
    if not isinstance(values, dict):
        raise ValueError("a %s must be a JSON object, not %s" % (cls.__name__, type(values).__name__))
    known = {
        f.name: f.type if isinstance(f.type, type) else {"int": int, "float": float, "str": str, "bool": bool}[f.type]
        for f in fields(cls)
    }
    from .core.quoting import quoted  # as above

    for name, value in values.items():
        if name not in known:
            raise ValueError("%s has no setting %s" % (cls.__name__, quoted(name)))
        kind = known[name]
        if kind is float and type(value) is int:
            continue
        if type(value) is not kind:
            raise ValueError("%s.%s is %s; it must be %s" % (cls.__name__, name, quoted(value), kind.__name__))
    return cls(**values)


def _preset(name: str, layers: int, d_model: int, heads: int, context: int, batch: int) -> Preset:
    return Preset(
        name,
        ModelConfig(layers=layers, d_model=d_model, heads=heads, context=context),
        replace(TrainConfig(), batch_size=batch),
    )


PRESETS = {
    preset.name: preset
    for preset in (
        _preset("tiny", 2, 48, 3, 32, 16),
        _preset("small", 3, 96, 3, 64, 16),
        _preset("medium", 4, 128, 4, 96, 16),
        _preset("large", 6, 192, 6, 128, 12),
        _preset("xl", 8, 256, 8, 128, 8),
        _preset("huge", 12, 256, 8, 256, 8),
        _preset("massive", 14, 384, 12, 256, 4),
        _preset("mega", 14, 384, 12, 512, 2),
        _preset("behemoth", 24, 1280, 20, 512, 1),
    )
}


@dataclass(frozen=True)
class Recipe:
    """A training that leads somewhere: a preset, what to change in it, and the loss that it was
    measured to end at on the whole validation split of TinyShakespeare (tests/demo/explore.py, one
    run; nats a character).
    """

    preset: str
    loss: float
    settings: dict  # fields of TrainConfig, and dropout


def _recipe(preset: str, steps: int, lr: float, loss: float, **more: Any) -> Recipe:
    return Recipe(preset, loss, {"steps": steps, "lr": lr, "schedule": "cosine", "warmup_steps": 100, **more})


RECIPES = (
    _recipe("tiny", 5000, 3e-3, 1.873),
    _recipe("small", 1000, 3e-3, 1.968),
    _recipe("small", 2000, 3e-3, 1.822),
    _recipe("small", 4000, 3e-3, 1.675),
    _recipe("small", 10000, 3e-3, 1.558),
    _recipe("small", 25000, 3e-3, 1.514),
    _recipe("medium", 1500, 4e-3, 1.719),
    _recipe("medium", 4000, 4e-3, 1.577),
    _recipe("medium", 8000, 4e-3, 1.506),
    _recipe("medium", 16000, 4e-3, 1.471, dropout=0.05),
    _recipe("large", 6000, 3e-3, 1.465, dropout=0.1, batch_size=24),
    _recipe("large", 8000, 3e-3, 1.457, dropout=0.2, batch_size=32),
)
