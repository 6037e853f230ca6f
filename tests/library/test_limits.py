"""Settings have limits, which NaN fails too: each is refused where it is set, with its value."""

import math

import numpy as np
import pytest
import torch

import tinygpt
from tinygpt import GPT, ModelConfig, TrainConfig, checkpoint, nn, optim
from tinygpt import functional as F
from tinygpt.generate import generate

pytestmark = pytest.mark.fast
INF, NAN = math.inf, math.nan


def small():
    return GPT(ModelConfig(layers=1, d_model=12, heads=3, context=8))


def parameter():
    return nn.Parameter(tinygpt.ones(2))


@pytest.mark.parametrize("name", ["lr", "eps", "weight_decay", "momentum", "dampening", "beta1", "beta2"])
@pytest.mark.parametrize("value", [NAN, -0.5, INF, -INF, "a", None, [0.1], tinygpt.tensor(0.1)], ids=str)
def test_an_optimizers_settings(name, value):
    kind = optim.SGD if name in ("momentum", "dampening") else optim.AdamW
    setting = {"beta1": {"betas": (value, 0.9)}, "beta2": {"betas": (0.9, value)}}.get(name, {name: value})
    with pytest.raises((TypeError, ValueError), match="Invalid"):
        kind([parameter()], **setting)
    with pytest.raises((TypeError, ValueError), match="Invalid"):
        kind([{"params": [parameter()], **setting}])
    optimizer = kind([parameter()])
    before = dict(optimizer.param_groups[0])
    for write in (
        lambda group: group.__setitem__(*next(iter(setting.items()))),
        lambda group: group.update(setting),
        lambda group: group.update(**setting),
        lambda group: group.__ior__(setting),
    ):
        with pytest.raises((TypeError, ValueError), match="Invalid"):
            write(optimizer.param_groups[0])
    assert dict(optimizer.param_groups[0]) == before


@pytest.mark.parametrize("betas", [(0.9,), (0.9, 0.9, 0.9), 0.9, None, (1.0, 0.9), (0.9, 1.0)], ids=str)
def test_betas_are_two_numbers_below_1(betas):
    with pytest.raises((TypeError, ValueError), match="betas"):
        optim.AdamW([parameter()], betas=betas)


@pytest.mark.parametrize(
    "number", [np.float32(1e-3), np.float64(1e-3), np.int64(1), np.array(0.5), 1, True], ids=lambda x: repr(x)
)
def test_a_number_of_numpy_trains_is_saved_and_loads_as_the_same(number):
    model = small()
    optimizer = optim.SGD(model.parameters(), lr=number, momentum=number if 0 < number < 1 else 0)
    assert type(optimizer.param_groups[0]["lr"]) is float and optimizer.param_groups[0]["lr"] == float(number)
    file = checkpoint.loads(checkpoint.dumps(model, optimizer))
    optimizer.param_groups[0]["lr"] = 0.25
    file.load_into(model, optimizer)
    assert optimizer.param_groups[0]["lr"] == float(number)


def test_a_schedule_sets_checked_rates():
    optimizer = optim.AdamW([parameter()])
    optimizer.param_groups[0]["lr_scale"] = 0.5
    tinygpt.schedule.apply(optimizer, 0, TrainConfig(lr=0.25))
    assert optimizer.param_groups[0]["lr"] == 0.125
    with pytest.raises(ValueError, match="nan"):
        optimizer.param_groups[0]["lr_scale"] = NAN


def test_momentum_needs_its_memory():
    p = parameter()
    optimizer = optim.SGD([p], lr=0.1)
    optimizer.param_groups[0]["momentum"] = 0.9
    p.grad = tinygpt.ones(2)
    with pytest.raises(ValueError, match=r"made without; make a new one with momentum=0\.9"):
        optimizer.step()


def test_dampening_belongs_to_the_momentum():
    """A group without momentum beside one with: PyTorch does not dampen its gradient."""
    values = []
    for m in (tinygpt, torch):
        p, q = (m.nn.Parameter(m.ones(2)) for _ in range(2))
        groups = ({"params": [p], "momentum": 0.0}, {"params": [q]})  # a tuple, as any iterable
        optimizer = m.optim.SGD(groups, lr=0.1, momentum=0.9, dampening=0.5)
        for _ in range(3):
            p.grad, q.grad = m.ones(2), m.ones(2)
            optimizer.step()
        values.append(p.tolist() + q.tolist())
    assert values[0] == pytest.approx(values[1], rel=1e-6)


@pytest.mark.parametrize("value", [NAN, "x"])
def test_a_clip_norm(value):
    p = parameter()
    p.grad = tinygpt.ones(2)
    with pytest.raises(ValueError):
        tinygpt.clip_grad_norm_([p], value)
    assert p.grad.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("grads", [[NAN, 1.0], [INF, 1.0], [0.0, 0.0]], ids=str)
@pytest.mark.parametrize("limit", [1.0, 0.0, INF, -1.0])
def test_clipped_gradients_are_pytorchs(device, grads, limit):
    results = []
    for m in (tinygpt, torch):
        p = m.nn.Parameter(m.ones(2))
        p.grad = m.tensor(grads)
        clip = tinygpt.clip_grad_norm_ if m is tinygpt else torch.nn.utils.clip_grad_norm_
        results.append([float(clip([p], limit)), *p.grad.tolist()])
    assert results[0] == pytest.approx(results[1], rel=1e-5, nan_ok=True)


@pytest.mark.parametrize("p", [NAN, -0.1, 1.1])
def test_dropout(p):
    for call in (
        lambda: nn.Dropout(p),
        lambda: F.dropout(tinygpt.ones(2), p),
        lambda: F.dropout(tinygpt.ones(2), p, training=False),
        lambda: F.scaled_dot_product_attention(*[tinygpt.ones(1, 1, 2, 2)] * 3, dropout_p=p),
        lambda: ModelConfig(dropout=p),
    ):
        with pytest.raises(ValueError, match=str(p)):
            call()


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": NAN},
        {"temperature": -1.0},
        {"top_k": -1},
        {"top_k": NAN},
        {"top_p": NAN},
        {"top_p": 0.0},
        {"top_p": 1.5},
        {"top_p": -INF},
    ],
    ids=str,
)
def test_generation(options):
    (value,) = options.values()
    with pytest.raises(ValueError, match=str(value)):
        list(generate(small(), [1, 2], 3, **options))


@pytest.mark.parametrize("count", [NAN, -1])
def test_how_many_tokens(count):
    with pytest.raises(ValueError, match=str(count)):
        list(generate(small(), [1, 2], count))


def test_whole_numbers_of_generation():
    for options in ({"max_new_tokens": 2.5}, {"max_new_tokens": 3, "top_k": 1.5}):
        with pytest.raises(TypeError, match="must be an int"):
            list(generate(small(), [1, 2], **options))
    with pytest.raises(TypeError, match="a token of the prompt must be an int, not float"):
        list(generate(small(), [1.5], 1))
    model = small()
    want = list(generate(model, [1, 2], 3, top_k=2, seed=1))
    ids = tinygpt.tensor([1, 2])
    assert list(generate(model, ids, tinygpt.tensor(3), top_k=np.int64(2), seed=1)) == want
    assert list(generate(model, np.array([1, 2]), 3, top_k=2, seed=1)) == want


@pytest.mark.parametrize(
    "name",
    "lr min_lr eps weight_decay grad_clip temperature warmup_steps eval_interval eval_batches sample_interval "
    "sample_tokens top_k beta1 beta2 top_p".split(),
)
@pytest.mark.parametrize("value", [NAN, -1, INF])
def test_a_trainings_settings(name, value):
    with pytest.raises(ValueError, match=r"TrainConfig\.%s is %r" % (name, value)):
        TrainConfig(**{name: value})


def test_the_limits_themselves_are_taken():
    TrainConfig(lr=0.0, beta1=0.0, top_p=1.0, temperature=0.0, weight_decay=0.0, grad_clip=0.0, top_k=0, steps=0)
    optim.AdamW([parameter()], lr=0.0, betas=(0.0, 0.0), eps=0.0, weight_decay=0.0)
    for wrong in ({"beta1": 1.0}, {"top_p": 0.0}):
        with pytest.raises(ValueError):
            TrainConfig(**wrong)


@pytest.mark.parametrize("call", ["normal_(0, -1.0)", "normal_(0, nan)", "uniform_(nan, 1.0)", "uniform_(2.0, 1.0)"])
def test_random_fills(device, call):
    for m in (torch, tinygpt):
        with pytest.raises(RuntimeError):
            eval("m.ones(3)." + call, {"m": m, "nan": NAN})


def test_label_smoothing():
    for wrong in (NAN, -0.1, 1.1):
        with pytest.raises(ValueError, match=str(wrong)):
            F.cross_entropy(tinygpt.zeros(1, 2), tinygpt.tensor([0]), label_smoothing=wrong)


def test_the_base_of_rotary():
    for wrong in (NAN, -1.0, 0.0, float("inf")):
        with pytest.raises(ValueError, match="base"):
            F.rotary(tinygpt.ones(1, 1, 2, 2), base=wrong)
