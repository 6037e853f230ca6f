"""Every default in one place: the model's shape, the training run's settings, the presets.

The page's inputs, `reference/`'s argument parser and `train.py` all read these; a test compares them.
"""

from dataclasses import asdict, dataclass, field, fields, replace


@dataclass(frozen=True)
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
    recompute: bool = False  # blocks keep their input alone and run again in the backward: less memory, longer steps (Chen et al. 2016)

    def __post_init__(self):
        for name in ("vocab_size", "context", "layers", "d_model", "heads", "mlp_ratio"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError("ModelConfig.%s is %r; give a whole number of at least 1" % (name, value))
        if self.kv_heads == 0:
            object.__setattr__(self, "kv_heads", self.heads)
        if self.d_model % self.heads:
            raise ValueError("d_model %d is not a multiple of heads %d; choose sizes that divide" % (self.d_model, self.heads))
        if self.kv_heads < 0 or self.heads % self.kv_heads:
            raise ValueError("heads %d is not a multiple of kv_heads %d; choose sizes that divide" % (self.heads, self.kv_heads))
        if self.positions == "rotary" and self.head_size % 2:
            raise ValueError("rotary positions need an even head size, not %d" % self.head_size)
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError("ModelConfig.%s is %r; choose one of %s" % (name, getattr(self, name), ", ".join(choices)))
        if not 0.0 <= self.dropout < 1.0:
            raise ValueError("dropout is %r; give a probability of at least 0 and below 1" % (self.dropout,))

    @property
    def head_size(self):
        return self.d_model // self.heads

    def to_dict(self):
        return asdict(self)

    @classmethod
    def from_dict(cls, values):
        """From untrusted JSON: unknown names and wrong types are refused with a sentence."""
        return _from_dict(cls, values)


WAYS = ("dropout", "recompute")  # fields that say how a model is trained and not what it is: files and presets may differ in them
CHOICES = {"positions": ("learned", "rotary"), "norm": ("layer", "rms"), "mlp": ("gelu", "swiglu")}


@dataclass(frozen=True)
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

    def __post_init__(self):
        if self.schedule not in ("constant", "cosine", "linear"):
            raise ValueError("TrainConfig.schedule is %r; choose constant, cosine or linear" % (self.schedule,))
        if self.batch_size < 1 or self.steps < 0:
            raise ValueError("batch_size %r and steps %r: give at least 1 and 0" % (self.batch_size, self.steps))

    def to_dict(self):
        return asdict(self)

    @classmethod
    def from_dict(cls, values):
        return _from_dict(cls, values)


@dataclass(frozen=True)
class Preset:
    """A named model with the batch size it is measured at."""

    name: str
    model: ModelConfig
    train: TrainConfig = field(default_factory=TrainConfig)


def _from_dict(cls, values):
    if not isinstance(values, dict):
        raise ValueError("a %s must be a JSON object, not %s" % (cls.__name__, type(values).__name__))
    known = {
        f.name: f.type if isinstance(f.type, type) else {"int": int, "float": float, "str": str, "bool": bool}[f.type] for f in fields(cls)
    }
    for name, value in values.items():
        if name not in known:
            raise ValueError("%s has no setting %r" % (cls.__name__, name))
        kind = known[name]
        if kind is float and type(value) is int:
            continue
        if type(value) is not kind:
            raise ValueError("%s.%s is %r; it must be %s" % (cls.__name__, name, value, kind.__name__))
    return cls(**values)


def _preset(name, layers, d_model, heads, context, batch):
    return Preset(name, ModelConfig(layers=layers, d_model=d_model, heads=heads, context=context), replace(TrainConfig(), batch_size=batch))


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
    """A training that leads somewhere: a preset, what to change in it, and the loss that it was measured to end at on the whole validation
    split of TinyShakespeare (tests/demo/explore.py, one run; nats a character).
    """

    preset: str
    loss: float
    settings: dict  # fields of TrainConfig, and dropout


def _recipe(preset, steps, lr, loss, **more):
    return Recipe(preset, loss, {"steps": steps, "lr": lr, "schedule": "cosine", "warmup_steps": 100, **more})


RECIPES = (
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
