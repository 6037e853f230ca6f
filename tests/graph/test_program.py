"""Capture and replay: the bits of eager calls, the reasons for a new capture or a refusal, and the
values that change from step to step without a capture.
"""

import warnings

import pytest

import tinygpt
from tests import steps
from tinygpt import nn, optim
from tinygpt.config import ModelConfig

pytestmark = [pytest.mark.fast, pytest.mark.usefixtures("device")]


OPTIONS = {
    "plain": {}, "rotary": {"positions": "rotary"}, "rms": {"norm": "rms"}, "swiglu": {"mlp": "swiglu"},
    "grouped": {"kv_heads": 2},
    "untied": {"tie_embeddings": False}, "no bias": {"bias": False}, "dropout": {"dropout": 0.2},
    "recompute": {"recompute": True, "dropout": 0.2},
    "all": {"positions": "rotary", "norm": "rms", "mlp": "swiglu", "kv_heads": 2, "tie_embeddings": False,
            "bias": False, "dropout": 0.1},
}  # fmt: skip


def train(options, how, n=4, again=()):
    """Losses, gradient norms and last weights of a few steps; how: eager, replay or unoptimized.

    again: exceptions after which a step starts over.
    """
    model, optimizer, step = steps.made(ModelConfig(vocab_size=40, context=9, layers=2, d_model=24, heads=4, **options))
    run = step if how == "eager" else tinygpt.compile(step, optimize=how == "replay")
    out = []
    for i in range(n):
        for group in optimizer.param_groups:
            group["lr"] = 1e-2 / (i + 1)
        while len(out) == i:
            try:
                out.append([v.item() for v in run()])
            except again:
                pass
    return out, [p.tobytes() for p in model.parameters()], run


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_eager_and_replayed_steps_have_the_same_bits(options):
    eager, weights, _ = train(options, "eager")
    for how in ("replay", "unoptimized"):
        replayed, replayed_weights, run = train(options, how)
        assert replayed == eager
        assert replayed_weights == weights
        # The step clears the gradients first, so it makes no difference whether there were any:
        # replay from the second call on, whatever the rate, the batch, the dropout mask.
        assert run.captures == 1
    assert eager[0] != eager[1]


def test_fusion_removes_launches():
    _, _, run = train({}, "replay")
    names = [kernel.name for kernel, _, _ in run.program.launches]
    assert len(names) < 0.65 * len(run.program.recorded)
    assert "copy" not in names, "every gradient is written to its place in the flat arena"
    assert "unary" not in names and "unary_backward" not in names, "GELU lives in the epilogues"


def test_arguments_change_in_value_without_a_capture():
    double = tinygpt.compile(lambda x: x * 2.0)
    assert double(tinygpt.tensor([1.0, 2.0])).tolist() == [2.0, 4.0]
    assert double(tinygpt.tensor([5.0, 6.0])).tolist() == [10.0, 12.0]
    assert double.captures == 1
    assert double(tinygpt.tensor([5.0, 6.0, 7.0])).tolist() == [10.0, 12.0, 14.0]
    assert double.captures == 2


def test_the_callers_tensor_is_not_overwritten_by_a_later_call():
    double = tinygpt.compile(lambda x: x * 2.0)
    first = tinygpt.tensor([1.0])
    result = double(first)
    double(tinygpt.tensor([7.0]))
    assert first.tolist() == [1.0] and result.tolist() == [2.0]


def test_results_keep_their_values_over_later_calls():
    run = tinygpt.compile(lambda x: (x * 2.0, (x * 3.0).view(2, 1), (x.sum(), x.argmax())))
    kept = [run(tinygpt.tensor([float(i), 1.0])) for i in range(5)]
    views = [k[1].view(2) for k in kept]
    total = tinygpt.compile(lambda: kept[0][0].sum())
    assert total().item() == 2.0
    for i in range(5, 9):
        run(tinygpt.tensor([float(i), 1.0]))
    for i, (double, _, (s, a)) in enumerate(kept):
        assert double.tolist() == [2.0 * i, 2.0] and views[i].tolist() == [3.0 * i, 3.0]
        assert s.item() == i + 1.0 and a.item() == (0 if i >= 1 else 1)
    assert total().item() == 2.0, "a Program that reads a kept result follows it to its new place"
    assert run.captures == 1


def test_a_view_of_a_result_keeps_its_values_when_the_result_is_gone():
    run = tinygpt.compile(lambda x: (x * 2.0, x.sum()))
    views, totals = [], []
    for i in range(5):
        double, total = run(tinygpt.tensor([float(i), 1.0]))
        views.append(double.view(2, 1) if i % 2 else double.detach())
        totals.append(total[None])
        del double, total
    for i in range(5):
        assert views[i].flatten().tolist() == [2.0 * i, 2.0] and totals[i].tolist() == [i + 1.0]


def test_a_gradient_whose_view_is_returned_stays_the_gradient():
    w = tinygpt.tensor([1.0, 2.0], requires_grad=True)

    def f(x):
        w.grad = None
        (w * x).sum().backward()
        return w.grad.detach()

    run = tinygpt.compile(f)
    kept = []
    for i in range(4):
        kept.append(run(tinygpt.tensor([float(i), 1.0])))
        assert w.grad.tolist() == [i, 1.0]
    assert [k.tolist() for k in kept] == [[i, 1.0] for i in range(4)] and run.captures == 1


def test_an_argument_updated_in_place_is_the_callers():
    run = tinygpt.compile(lambda x: x.add_(1.0).sum())
    x = tinygpt.tensor([1.0, 2.0])
    assert [run(x).item() for _ in range(3)] == [5.0, 7.0, 9.0]
    assert x.tolist() == [4.0, 5.0]


def test_a_changed_python_argument_captures_again():
    scale = tinygpt.compile(lambda x, by: x * by)
    x = tinygpt.tensor([1.0])
    assert [scale(x, 2.0).item(), scale(x, 3.0).item(), scale(x, 2.0).item()] == [2.0, 3.0, 2.0]
    assert scale.captures == 2


def test_a_changed_value_in_the_closure_captures_again():
    by = 2.0

    def scale(x):
        return x * by

    run = tinygpt.compile(scale)
    x = tinygpt.tensor([1.0])
    assert run(x).item() == 2.0
    by = 5.0
    assert run(x).item() == 5.0


FACTOR = 2.0


def test_a_changed_global_captures_again():
    global FACTOR
    run = tinygpt.compile(lambda x: x * FACTOR)
    x = tinygpt.tensor([1.0])
    assert run(x).item() == 2.0
    FACTOR = 3.0
    assert run(x).item() == 3.0
    FACTOR = 2.0


class Factor:
    def __init__(self, value):
        self.value = value


def test_an_object_in_the_place_of_one_that_is_gone_captures_again():
    """The next object often gets the id of the last one, with other contents."""
    x, factor = tinygpt.ones(1), None
    closed = tinygpt.compile(lambda: x * factor.value)
    given = tinygpt.compile(lambda factor: x * factor.value)
    for i in range(200):
        factor = None
        factor = Factor(float(i))
        assert closed().item() == i
        assert given(Factor(float(i))).item() == i


def test_a_name_without_a_value_is_looked_at_again():
    """As in a function: a branch may use a name that has no value yet, or no value any more."""
    space = {"x": tinygpt.ones(1), "late": False}
    exec("def f():\n return x * factor if late else x + len([x])", space)
    f = tinygpt.compile(space["f"])
    assert f().item() == f().item() == 2.0 and f.captures == 1
    space.update(late=True, factor=3.0)
    assert f().item() == f().item() == 3.0 and f.captures == 2
    space["factor"] = 4.0
    assert f().item() == 4.0
    del space["factor"]
    with pytest.raises(NameError, match="factor"):
        f()
    space.update(late=False, len=lambda items: 5)
    assert f().item() == 6.0
    space["f"].__code__ = (lambda: x - 1.0).__code__  # noqa: F821
    assert f().item() == 0.0


def test_a_global_with_the_name_of_an_attribute_is_not_looked_at():
    global shape
    triple = tinygpt.compile(lambda x: x * 3.0 if len(x.shape) == 1 else x)
    for shape in range(4):
        assert triple(tinygpt.tensor([float(shape)])).tolist() == [3.0 * shape]
    assert triple.captures == 1


def test_train_and_eval_are_different_programs():
    tinygpt.manual_seed(1)
    layer = nn.Dropout(0.5)
    run = tinygpt.compile(lambda x: layer(x))
    x = tinygpt.ones(64)
    assert set(run(x).tolist()) == {0.0, 2.0}
    layer.eval()
    assert run(x).tolist() == [1.0] * 64
    layer.train()
    assert set(run(x).tolist()) == {0.0, 2.0}
    assert run.captures == 2


def test_a_new_optimizer_moves_the_parameters_and_captures_again():
    layer = nn.Linear(3, 2)
    run = tinygpt.compile(lambda x: layer(x).sum())
    x = tinygpt.ones(4, 3)
    before = run(x).item()
    optimizer = optim.SGD(layer.parameters(), lr=1.0)
    assert run(x).item() == before
    layer(x).sum().backward()
    optimizer.step()
    assert run(x).item() != before


def test_gradients_accumulate_over_replays_when_nobody_clears_them():
    layer = nn.Linear(3, 1, bias=False)
    optim.SGD(layer.parameters(), lr=1.0)

    def accumulate(x):
        loss = layer(x).sum()
        loss.backward()
        return loss

    run = tinygpt.compile(accumulate)
    x = tinygpt.ones(2, 3)
    for i in range(1, 5):
        run(x)
        assert layer.weight.grad.tolist() == [[2.0 * i] * 3]
    assert run.captures == 2, "without a gradient, and with one"
    layer.weight.grad = None
    run(x)
    assert layer.weight.grad.tolist() == [[2.0] * 3] and run.captures == 2


def test_a_step_that_looks_at_a_gradient_before_it_clears_it_records_again():
    w = tinygpt.tensor([1.0, 2.0], requires_grad=True)

    def f(x):
        scale = 1.0 if w.grad is None else 10.0
        w.grad = None
        (w * x * scale).sum().backward()

    run = tinygpt.compile(f)
    for expected in (3.0, 30.0, 30.0):
        run(tinygpt.tensor([3.0, 3.0]))
        assert w.grad.tolist() == [expected] * 2
    assert run.captures == 2


def test_gradients_of_tensors_outside_an_optimizer():
    w = tinygpt.tensor([1.0, 2.0], requires_grad=True)

    def f(x):
        w.grad = None
        loss = (w * x).sum()
        loss.backward()
        return loss

    run = tinygpt.compile(f)
    for x in ([3.0, 4.0], [5.0, 6.0], [7.0, 8.0], [9.0, 1.0]):
        run(tinygpt.tensor(x))
        assert w.grad.tolist() == x
    assert run.captures == 1


@pytest.mark.parametrize("reason", ["item", "tensor"])
def test_what_cannot_be_replayed_runs_eagerly_and_says_so(reason):
    calls = []

    def f(x):
        calls.append(1)
        return x * x.sum().item() if reason == "item" else x * tinygpt.tensor([float(len(calls))])

    run = tinygpt.compile(f)
    with pytest.warns(RuntimeWarning, match="without replay"):
        run(tinygpt.tensor([2.0]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        second = run(tinygpt.tensor([3.0])).item()
    assert len(calls) == 2
    assert second == (9.0 if reason == "item" else 6.0)


def test_an_error_inside_leaves_no_capture_behind():
    def f(x, y):
        return x + y

    run = tinygpt.compile(f)
    with pytest.raises(RuntimeError, match=r"\[2\] and \[3\]"):
        run(tinygpt.ones(2), tinygpt.ones(3))
    assert not tinygpt.program.capturing()
    assert run(tinygpt.ones(2), tinygpt.ones(2)).tolist() == [2.0, 2.0]


def test_a_tensor_kept_by_the_user_survives_later_steps():
    kept = []

    def f(x):
        y = x * 2.0
        if not kept:
            kept.append(y)
        return (y + 1.0).sum()

    run = tinygpt.compile(f)
    assert run(tinygpt.tensor([1.0, 2.0])).item() == 8.0
    assert kept[0].tolist() == [2.0, 4.0]


def test_programs_and_intermediates_are_freed(device):
    import gc

    used = []
    for _ in range(4):
        train({}, "replay")
        gc.collect()
        used.append(device.in_use())
    assert used[1:] == used[1:2] * 3, "the shared arena and the default generator stay, nothing else does"


def test_results_that_are_dropped_are_freed(device):
    run = tinygpt.compile(lambda x: (x * 2.0, x.sum()))
    x = tinygpt.ones(300)
    kept = [run(x) for _ in range(4)]
    used = device.in_use()
    for _ in range(20):
        kept = kept[1:] + [run(x)]
    assert device.in_use() == used


def test_memory_plan_keeps_neighbours_apart():
    from tinygpt.graph.passes import memory
    from tinygpt.graph.program import Launch

    def launch(*uids):
        return Launch(None, tuple((u, 0) for u in uids), ())

    launches = [launch(1), launch(2, 1), launch(3, 2), launch(4, 3)]
    places, peak = memory.plan(launches, {1: 1000, 2: 500, 3: 1000, 4: 10})
    spans = memory.lifetimes(launches, {1: 0, 2: 0, 3: 0, 4: 0})
    sizes = {1: 1024, 2: 512, 3: 1024, 4: 256}
    for a in places:
        for b in places:
            together = spans[a][0] <= spans[b][1] and spans[b][0] <= spans[a][1]
            if a < b and together:
                assert places[a] + sizes[a] <= places[b] or places[b] + sizes[b] <= places[a]
    assert peak == 1024 + 512, "1 and 3 never live together and share a place"


def test_a_long_replay_is_cut_into_parts_with_the_same_bits_and_can_be_interrupted(device, monkeypatch):
    if device.name == "reference":
        return  # it has no walker: Python itself goes from launch to launch
    from tinygpt.devices import cpu

    uninterrupted, _, _ = train({"dropout": 0.1}, "replay", n=8)
    monkeypatch.setattr(cpu, "PART_SECONDS", 1e-5)
    checks, stop_at = [], []

    def check():
        checks.append(1)
        if len(checks) in stop_at:
            raise KeyboardInterrupt

    monkeypatch.setattr(device, "check_interrupt", check, raising=False)
    assert train({"dropout": 0.1}, "replay", n=8)[0] == uninterrupted
    assert len(checks) > 20
    checks.clear()
    stop_at += [5, 30]
    assert train({"dropout": 0.1}, "replay", n=8, again=KeyboardInterrupt)[0] == uninterrupted, (
        "an interrupted step was never made"
    )
    assert len(checks) > 30
