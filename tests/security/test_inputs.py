"""Settings that PyTorch refuses or that make no sense: one sentence with the value, cut where it is
long, and nothing changed by the attempt.
"""

import gc
import math

import numpy as np
import pytest
import torch

import tinygpt
from tests.security import figures
from tinygpt import GPT, ModelConfig, TrainConfig, nn, optim, schedule
from tinygpt.config import LIMITS
from tinygpt.core.quoting import WIDTH, quoted
from tinygpt.data import Dataset
from tinygpt.generate import generate, stream_text
from tinygpt.storage.checkpoint_file import parameter_shapes
from tinygpt.tokenizer import ByteTokenizer
from tinygpt.training import hooks

pytestmark = pytest.mark.fast
INF, NAN = math.inf, math.nan
HUGE = 10**6000  # more digits than Python writes
TEXT = "to be or not to be, that is the question. " * 20
# What no number of any setting may be.
NEVER = (NAN, -INF, INF, -1e300, 1e300, HUGE, -HUGE, None, "3", "0,1", b"3", [1], {}, (), True, False, 1j, np.zeros(2))
KINDS = (TypeError, ValueError, RuntimeError, IndexError)


class Hostile:
    def __repr__(self):
        raise ZeroDivisionError


def sentence(call):
    """The refusal's text: one line of a reasonable length."""
    with pytest.raises(KINDS) as caught:
        call()
    text = str(caught.value)
    assert text and "\n" not in text and len(text) < 400 and "set_int_max_str_digits" not in text, text
    return text


def tried(calls):
    calls = list(calls)
    for call in calls:
        sentence(call)
    figures.record("settings", len(calls), len(calls))


def small(**more):
    return GPT(ModelConfig(layers=1, d_model=12, heads=3, context=8, **more))


@pytest.mark.parametrize("name", sorted(LIMITS))
def test_a_setting_of_a_run_or_a_model(name):
    cls = TrainConfig if name in TrainConfig.__dataclass_fields__ else ModelConfig
    wrong = [*NEVER, Hostile(), "x" * 10**6]
    wrong += [1.5, 2.0, np.float64(1)] if cls.__dataclass_fields__[name].type == "int" else []
    wrong += [LIMITS[name][0] - 1, LIMITS[name][1] * 2]
    tried(lambda value=value: cls(**{name: value}) for value in wrong)
    assert name in sentence(lambda: cls(**{name: -HUGE}))


def test_words_flags_and_names():
    cases = [(TrainConfig, n, v) for n in ("schedule", "corpus") for v in ("", None, 5, b"x", ["constant"], "x" * 5000)]
    cases += [(ModelConfig, n, v) for n in ("positions", "norm", "mlp") for v in ("", None, "Layer", 0, np.zeros(2))]
    flags = ("bias", "tie_embeddings", "recompute")
    cases += [(ModelConfig, n, v) for n in flags for v in (0, 1, "yes", "false", None, NAN, [])]
    tried(lambda c=c, n=n, v=v: c(**{n: v}) for c, n, v in cases)


def test_numbers_of_numpy_become_plain_ones():
    config = TrainConfig(lr=np.float32(0.5), steps=np.int64(3), seed=2**64 - 1)
    assert (config.lr, config.steps, config.seed) == (0.5, 3, 2**64 - 1)
    assert all(type(v) in (int, float, str) for v in config.to_dict().values())
    shape = ModelConfig(layers=np.int64(2), bias=np.bool_(False), dropout=np.float64(0.5))
    assert shape.to_dict() == ModelConfig(layers=2, bias=False, dropout=0.5).to_dict()


@pytest.mark.parametrize(
    "sizes",
    [dict(layers=10**9), dict(layers=10_000, d_model=4096, heads=1), dict(context=10**9), dict(vocab_size=2**31 - 1)]
    + [dict(d_model=2**30, heads=1), dict(mlp_ratio=2**31 - 1)],
    ids=str,
)
def test_a_model_that_no_machine_holds(sizes):
    text = sentence(lambda: ModelConfig(**sizes))
    assert "GB of weights" in text or "layers is 1000000000" in text


@pytest.mark.parametrize("mlp", ["gelu", "swiglu"])
@pytest.mark.parametrize("norm", ["layer", "rms"])
@pytest.mark.parametrize("more", [{}, {"bias": False}, {"tie_embeddings": False}, {"positions": "rotary"}], ids=str)
def test_the_bytes_of_the_weights(mlp, norm, more):
    shape = ModelConfig(layers=3, d_model=24, heads=4, kv_heads=2, mlp=mlp, norm=norm, **more)
    assert shape.weight_bytes == 4 * sum(math.prod(sizes) for sizes in parameter_shapes(shape).values())


def test_a_native_model_larger_than_the_machine_is_a_sentence(native):
    gc.collect()  # what is dropped in a circle would make room, and so would an arena of earlier tests
    native.release_arena()
    before, native.capacity = native.capacity, native.in_use() + (1 << 25)
    try:
        with pytest.raises(MemoryError, match="out of memory"):
            tinygpt.zeros(1 << 24)
    finally:
        native.capacity = before


@pytest.mark.parametrize("name", ["lr", "eps", "weight_decay"])
def test_a_setting_of_an_optimizer(name):
    p = nn.Parameter(tinygpt.ones(2))
    wrong = [value for value in NEVER if not isinstance(value, bool)]
    tried(lambda v=v: optim.AdamW([p], **{name: v}) for v in wrong)
    optimizer = optim.SGD([p], lr=0.1) if name != "eps" else optim.AdamW([p])
    before = dict(optimizer.param_groups[0])
    tried(lambda v=v: optimizer.param_groups[0].update({name: v}) for v in wrong)
    assert dict(optimizer.param_groups[0]) == before


def test_betas_are_a_pair():
    p = nn.Parameter(tinygpt.ones(2))
    wrong = [
        0.9,
        (),
        (0.9,),
        (0.9, 0.9, 0.9),
        "ab",
        {0.9, 0.99},
        {0: 0.9, 1: 0.99},
        None,
        (NAN, 0.9),
        (0.9, -0.1),
        (1, 0),
    ]
    tried(lambda b=b: optim.AdamW([p], betas=b) for b in [*wrong, tinygpt.ones(2), (HUGE, 0.9), ("0.9", 0.9)])
    assert optim.AdamW([p], betas=[0.5, np.float32(0.25)]).param_groups[0]["betas"] == (0.5, 0.25)


@pytest.mark.parametrize("library", [tinygpt, torch], ids=["tinygpt", "torch"])
def test_groups_as_in_pytorch(library):
    p, q = (library.nn.Parameter(library.ones(2)) for _ in range(2))
    assert library.optim.AdamW([{"params": p}, {"params": [q]}]).param_groups[0]["params"][0] is p
    for wrong in (p, [], [{"params": {p, q}}], [{}], [{"params": [p]}, q], [{"params": [p]}, {"params": [p]}], [1.0]):
        with pytest.raises((TypeError, ValueError, KeyError)):
            library.optim.AdamW(wrong)


def test_generation():
    model = small()
    options = [{"temperature": v} for v in NEVER] + [{"top_k": v} for v in NEVER]
    options += [{"top_p": v} for v in (*NEVER, 0, -0.1, 1.5)] + [{"top_k": 1.5}]
    options += [{"seed": v} for v in (1.5, "1", True, HUGE, 2**64, -(2**63) - 1, [1])]
    tried(lambda o=o: generate(model, [1], 3, **o) for o in options)
    tried(lambda n=n: generate(model, [1], n) for n in (*NEVER, -1, 2.5))
    tried(lambda p=p: generate(model, p, 3) for p in ([], [256], [-1], [HUGE], [1.5], [True], ["a"], 5, None))
    want = list(generate(model, [1, 2], 4, seed=3))
    assert want == list(generate(model, [1, 2], 4, seed=3, top_k=10**12, top_p=1)) and len(want) == 4
    assert list(generate(model, [1], 3, seed=2**64 - 1)) == list(generate(model, [1], 3, seed=-1))


@pytest.mark.parametrize("number", [NAN, INF])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_no_token_is_drawn_from_weights_that_are_not_finite(device, number, temperature):
    """PyTorch's multinomial raises RuntimeError."""
    with pytest.raises(RuntimeError):
        torch.multinomial(torch.tensor([0.0, number, 1.0]).softmax(-1), 1)
    model = small()
    text = list(generate(model, [1], 2, temperature=temperature, seed=1))
    assert len(text) == 2
    weight = model.blocks[0].mlp.fc.weight
    with tinygpt.no_grad():
        before = weight.clone()
        weight[0, 0], weight[1, 0] = number, -number  # one of the two products is positive: GELU keeps it
    for with_logits in (False, True):
        with pytest.raises(RuntimeError, match="no token can be drawn: its weights hold NaN or infinities"):
            list(generate(model, [1, 2], 20, temperature=temperature, with_logits=with_logits))
    with pytest.raises(RuntimeError, match="no token can be drawn"):
        "".join(stream_text(model, ByteTokenizer(), "a", 5, temperature=temperature))
    with tinygpt.no_grad():
        weight.copy_(before)
    assert list(generate(model, [1], 2, temperature=temperature, seed=1)) == text


def test_a_token_whose_logit_alone_is_minus_infinity_is_never_drawn(device):
    model = small(tie_embeddings=False)
    with tinygpt.no_grad():
        model.lm_head.weight.zero_()
        model.lm_head.weight[1] = -INF  # times a number of either sign, in a sum: NaN
    with pytest.raises(RuntimeError, match="no token can be drawn"):
        list(generate(model, [1], 3))


def test_schedules():
    optimizer = optim.AdamW([nn.Parameter(tinygpt.ones(2))])
    scheduler = schedule.Scheduler(optimizer, TrainConfig())
    tried(lambda v=v: schedule.lr_at(v, TrainConfig(warmup_steps=5)) for v in (-1, NAN, -INF))
    wrong = (1.5, NAN, None, "3", -2, True, HUGE)
    tried(lambda v=v: schedule.Scheduler(optimizer, TrainConfig(), v) for v in wrong)
    tried(lambda v=v: scheduler.load_state_dict({"last_step": v}) for v in wrong)
    assert scheduler.state_dict() == {"last_step": 0}


def test_data():
    wrong = (0, -1, 1.5, NAN, True, None, "8", HUGE)
    tried(lambda v=v: Dataset(TEXT, context=v) for v in wrong)
    data = Dataset(TEXT, context=8, seed=-1)
    before = data.get_state()
    tried(lambda v=v: data.batch(v) for v in wrong)
    tried(lambda s=s: data.batch(2, s) for s in ("", None, [], "x" * 1000))
    tried(lambda s=s: Dataset(TEXT, context=8, seed=s) for s in (1.5, "1", NAN, 2**64))
    place = {"seed": 1, "offset": 2}
    tried(lambda v=v: data.set_state({"train": place, "validation": v}) for v in PLACES)
    assert data.get_state() == before
    data.batch(2)  # a validation stream whose seed wraps


PLACES = [
    None,
    5,
    [],
    {},
    {"seed": 1},
    {"seed": 1, "offset": -1},
    {"seed": 2**64, "offset": 0},
    {"seed": 1, "offset": 2**63},
]
PLACES += [{"seed": 1.0, "offset": 0}, {"seed": True, "offset": 0}, {"seed": 1, "offset": HUGE}]
PLACES += [{"seed": 1, "offset": 0, "more": 1}]


def test_seeds_are_pytorchs():
    for library in (torch, tinygpt):
        for seed in (2**64, -(2**63) - 1, HUGE, "a", NAN, None, INF):
            with pytest.raises((ValueError, TypeError, OverflowError)):
                library.manual_seed(seed)
        for seed in (1.5, True, "1", None):
            with pytest.raises((RuntimeError, TypeError)):
                library.Generator().manual_seed(seed)
        for seed in (0, -5, 2**64 - 1, -(2**63), 1.5, "7", True):
            library.manual_seed(seed)
    assert tinygpt.manual_seed(-5).seed == torch.manual_seed(-5).initial_seed()
    stream = tinygpt.Generator(3)
    before = stream.get_state()
    tried(lambda v=v: stream.set_state(v) for v in PLACES)
    assert stream.get_state() == before


def test_inputs_of_the_host():
    before = dict(hooks.settings)
    tried(
        lambda v=v: hooks.set_settings(v) for v in ({"preset": "no"}, {"preset": []}, {"x" * 1000: 1}, {"__class__": 1})
    )
    wrong = ({"steps": 1.5}, {"recompute": "false"}, {"dropout": True}, {"lr": "0,1"}, {"seed": 2**64})
    tried(lambda v=v: hooks.configured(v) for v in wrong)
    assert hooks.settings == before


def test_an_integer_that_passes_64_bits():
    x = tinygpt.ones(2, 3)
    calls = "x.view(B) x.narrow(0,B,1) x[B] x.expand(B,2,3) x.sum(B) x.transpose(B,0) x.chunk(B) x.split(-B)"
    calls += " x.unsqueeze(B)"
    calls += " m.zeros(B) m.zeros(2,-B) m.tensor([B]) m.full((2,),B,dtype=m.int32) m.randint(B,(2,)) m.multinomial(x,B)"
    calls += " x.reshape(-1,B) m.arange(B) x.int()*B x.permute(B,0) x.flatten(B) m.eye(B) m.randn(B)"
    tried(lambda c=c, b=b: eval(c, {"x": x, "m": tinygpt, "B": b}) for c in calls.split() for b in (10**30, HUGE))


def test_how_a_value_is_quoted():
    values = [
        1,
        "a",
        None,
        1.5,
        [1, 2],
        "x" * 10**6,
        [0] * 10**6,
        HUGE,
        -(10**50),
        [HUGE],
        Hostile(),
        {1: {2: {3: []}}},
    ]
    for value in [*values, "a\nb", tinygpt.ones(3, 3), np.zeros((50, 50)), "\ud800"]:
        text = quoted(value)
        assert 0 < len(text) <= WIDTH and "\n" not in text
    assert quoted(2**64) == str(2**64) and quoted("a") == "'a'" and quoted(1e300) == "1e+300" and quoted(True) == "True"
