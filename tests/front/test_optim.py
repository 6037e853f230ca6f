"""Optimizers equal PyTorch's: parameters, state, state_dicts, printed text and errors."""

import copy
import io
import pickle
import warnings

import numpy as np
import pytest
import torch

import tinygpt
import tinygpt.torch as tt
from tinygpt import nn, tensor
from tinygpt.torch import optim

pytestmark = pytest.mark.fast
SHAPES = ((3, 4), (5,), (7, 9), ())
CASES = [
    ("SGD", {}),
    ("SGD", dict(lr=0.1, momentum=0.9, dampening=0.1, weight_decay=0.01)),
    ("SGD", dict(lr=0.1, momentum=0.9, nesterov=True, maximize=True)),
    ("Adam", {}),
    ("Adam", dict(lr=0.01, weight_decay=0.1, amsgrad=True)),
    ("Adam", dict(lr=0.01, betas=(0.3, 0.99), maximize=True, eps=1e-3, foreach=True)),
    ("AdamW", dict(lr=0.01)),
    ("AdamW", dict(lr=0.01, amsgrad=True, fused=True)),
    ("Adagrad", {}),
    ("Adagrad", dict(lr=0.1, lr_decay=0.1, weight_decay=0.1, initial_accumulator_value=0.2)),
    ("Adadelta", dict(weight_decay=0.1)),
    ("Adamax", dict(weight_decay=0.1, maximize=True)),
    ("NAdam", {}),
    ("NAdam", dict(weight_decay=0.1, decoupled_weight_decay=True)),
    ("RAdam", dict(lr=0.1, weight_decay=0.1)),
    ("RAdam", dict(betas=(0.5, 0.7), decoupled_weight_decay=True, weight_decay=0.1)),
    ("ASGD", dict(t0=2, weight_decay=0.1)),
    ("Rprop", {}),
    ("RMSprop", {}),
    ("RMSprop", dict(momentum=0.9, centered=True, weight_decay=0.1)),
    ("Adafactor", {}),
    ("Adafactor", dict(weight_decay=0.1, maximize=True, lr=0.1)),
    ("Muon", dict(lr=0.05)),
    ("Muon", dict(nesterov=False, adjust_lr_fn="match_rms_adamw")),
]
NAMES = sorted({name for name, _ in CASES})


class Theirs:
    optim, tensor, Parameter, nn = torch.optim, staticmethod(torch.tensor), torch.nn.Parameter, torch.nn
    float64, bfloat16 = torch.float64, torch.bfloat16


class Mine:
    optim, tensor, Parameter, nn = optim, staticmethod(tensor), nn.Parameter, nn
    float64, bfloat16 = tt.float64, tt.bfloat16


def drawn(rng, side, shape, **kwargs):
    return side.tensor(rng.standard_normal(shape).astype("f").tolist(), **kwargs)


def shapes_for(name):
    return ((3, 4), (8, 5)) if name == "Muon" else SHAPES


def take_steps(side, optimizer, steps, seed=1, without=None, **kwargs):
    rng = np.random.default_rng(seed)
    for step in range(steps):
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        for i, p in enumerate(parameters):
            grad = drawn(rng, side, tuple(p.shape), **kwargs)
            p.grad = None if (step, i) == without else grad
        optimizer.step()


def made(side, name, settings, **kwargs):
    rng = np.random.default_rng(0)
    parameters = [side.Parameter(drawn(rng, side, shape, **kwargs)) for shape in shapes_for(name)]
    half = len(parameters) // 2
    groups = [{"params": parameters[:half]}, {"params": parameters[half:], "lr": 0.02}]
    return getattr(side.optim, name)(groups, **settings)


def listed(value):
    """Tensors as nested lists, in containers too."""
    if isinstance(value, dict):
        return {k: listed(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [listed(v) for v in value]
    return value.detach().tolist() if hasattr(value, "detach") else value


def parameters_of(optimizer):
    return [listed(p) for group in optimizer.param_groups for p in group["params"]]


def close(got, want, rel=2e-6, abs=1e-6):
    np.testing.assert_equal(type(got), type(want))
    if isinstance(want, dict):
        assert list(got) == list(want)
        for key in want:
            close(got[key], want[key], rel, abs)
    elif isinstance(want, list):
        assert len(got) == len(want)
        for a, b in zip(got, want):
            close(a, b, rel, abs)
    elif isinstance(want, float):
        assert got == pytest.approx(want, rel=rel, abs=abs)
    else:
        assert got == want


@pytest.mark.parametrize("name, settings", CASES, ids=lambda value: str(value))
def test_steps_and_state(name, settings):
    sides = [made(side, name, settings) for side in (Theirs, Mine)]
    for side, optimizer in zip((Theirs, Mine), sides):
        take_steps(side, optimizer, 8, without=(2, 1))
    rel = 2e-2 if name == "Muon" else 2e-6  # bfloat16 products in another order
    close(parameters_of(sides[1]), parameters_of(sides[0]), rel, rel / 2)
    close(listed(sides[1].state_dict()), listed(sides[0].state_dict()))
    assert repr(sides[1]) == repr(sides[0])


@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
@pytest.mark.parametrize("name", NAMES)
def test_other_dtypes(name, dtype):
    values = []
    for side in (Theirs, Mine):
        optimizer = made(side, name, {}, dtype=getattr(side, dtype))
        take_steps(side, optimizer, 3, dtype=getattr(side, dtype))
        values.append([[str(p.dtype) for g in optimizer.param_groups for p in g["params"]], parameters_of(optimizer)])
    rel = 1e-9 if dtype == "float64" and name != "Muon" else 2e-2
    close(values[1], values[0], rel, rel)


@pytest.mark.parametrize("name", NAMES)
def test_a_state_dict_of_pytorch_goes_on_here_and_back(name):
    theirs, mine = made(Theirs, name, {}), made(Mine, name, {})
    take_steps(Theirs, theirs, 3)
    for p, q in zip(*[[p for g in o.param_groups for p in g["params"]] for o in (mine, theirs)]):
        p.data.copy_(tensor(q.tolist()))
    out = io.BytesIO()
    torch.save(theirs.state_dict(), out)
    out.seek(0)
    mine.load_state_dict(tt.load(out))
    take_steps(Theirs, theirs, 2, seed=5)
    take_steps(Mine, mine, 2, seed=5)
    close(parameters_of(mine), parameters_of(theirs), 2e-2 if name == "Muon" else 2e-6, 1e-6)
    other = made(Mine, name, {})
    other.load_state_dict(mine.state_dict())
    assert listed(other.state_dict()) == listed(mine.state_dict())


@pytest.mark.parametrize("name", NAMES)
def test_copies_have_their_own_state(name):
    mine = made(Mine, name, {})
    take_steps(Mine, mine, 2)
    for other in (copy.deepcopy(mine), pickle.loads(pickle.dumps(mine))):
        assert listed(other.state_dict()) == listed(mine.state_dict()) and repr(other) == repr(mine)
        before = parameters_of(mine)
        take_steps(Mine, other, 1)
        assert parameters_of(mine) == before != parameters_of(other)


def rosenbrock(side, line_search, settings):
    x = side.Parameter(side.tensor([-1.5, 2.0, 0.5, 1.0]))
    optimizer = side.optim.LBFGS([x], line_search_fn=line_search, **settings)
    losses = []

    def closure():
        optimizer.zero_grad()
        loss = (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()
        loss.backward()
        losses.append(loss.item())
        return loss

    for _ in range(3):
        optimizer.step(closure)
    return losses, x.tolist(), optimizer.state_dict()["state"][0]


@pytest.mark.parametrize(
    "line_search, settings",
    [("strong_wolfe", {}), (None, dict(lr=1e-3, max_iter=7)), ("strong_wolfe", dict(max_iter=4, history_size=2))],
)
def test_lbfgs(line_search, settings):
    (want, x, state), (got, y, mine) = [rosenbrock(side, line_search, settings) for side in (Theirs, Mine)]
    assert got[:12] == pytest.approx(want[:12], rel=1e-3) and y == pytest.approx(x, abs=2e-2)
    assert set(mine) == set(state) and mine["n_iter"] == state["n_iter"]
    with pytest.raises(RuntimeError, match="only 'strong_wolfe' is supported"):
        rosenbrock(Mine, "armijo", {})


ERRORS = {
    "no list": lambda s: s.optim.SGD(s.tensor([1.0])),
    "no parameter": lambda s: s.optim.SGD([]),
    "a set": lambda s: s.optim.SGD([{"params": {s.Parameter(s.tensor([1.0]))}}]),
    "a number": lambda s: s.optim.SGD([1]),
    "no leaf": lambda s: s.optim.SGD([s.Parameter(s.tensor([1.0])) * 2]),
    "twice": lambda s: [s.optim.SGD([{"params": [p]}, {"params": [p]}]) for p in [s.Parameter(s.tensor([1.0]))]],
    "named and not": lambda s: s.optim.SGD([("a", s.Parameter(s.tensor([1.0]))), s.Parameter(s.tensor([1.0]))]),
    "a required setting": lambda s: s.optim.Optimizer(
        [s.Parameter(s.tensor([1.0]))], {"lr": __import__(s.optim.__name__ + ".optimizer", fromlist=["x"]).required}
    ),
    "lr below 0": lambda s: s.optim.SGD([s.Parameter(s.tensor([1.0]))], lr=-1.0),
    "beta": lambda s: s.optim.Adam([s.Parameter(s.tensor([1.0]))], betas=(1.0, 0.9)),
    "one beta": lambda s: s.optim.Adam([s.Parameter(s.tensor([1.0]))], betas=(0, 0.9)),
    "nesterov": lambda s: s.optim.SGD([s.Parameter(s.tensor([1.0]))], nesterov=True),
    "fused and foreach": lambda s: s.optim.AdamW([s.Parameter(s.tensor([1.0]))], fused=True, foreach=True),
    "rho": lambda s: s.optim.Adadelta([s.Parameter(s.tensor([1.0]))], rho=2.0),
    "etas": lambda s: s.optim.Rprop([s.Parameter(s.tensor([1.0]))], etas=(2, 3)),
    "a vector": lambda s: s.optim.Muon([s.Parameter(s.tensor([1.0]))]),
    "no step": lambda s: s.optim.Optimizer([s.Parameter(s.tensor([1.0]))], {}).step(),
    "groups of another number": lambda s: s.optim.SGD([s.Parameter(s.tensor([1.0]))]).load_state_dict(
        {"state": {}, "param_groups": []}
    ),
    "a group of another size": lambda s: s.optim.SGD([s.Parameter(s.tensor([1.0]))]).load_state_dict(
        {"state": {}, "param_groups": [{"params": []}]}
    ),
    "LBFGS with groups": lambda s: s.optim.LBFGS(
        [{"params": [s.Parameter(s.tensor([1.0]))]}, {"params": [s.Parameter(s.tensor([1.0]))]}]
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name):
    with pytest.raises(Exception) as want:
        ERRORS[name](Theirs)
    with pytest.raises(want.type) as got:
        ERRORS[name](Mine)
    assert str(got.value) == str(want.value)


def test_what_is_refused():
    p = nn.Parameter(tensor([1.0]))
    with pytest.raises(RuntimeError, match="differentiable=True is not in TinyGPT's subset"):
        optim.Adam([p], differentiable=True)
    with pytest.raises(RuntimeError, match="SparseAdam is not in TinyGPT's subset"):
        optim.SparseAdam([p])


def test_names_groups_and_defaults():
    found = []
    for side in (Theirs, Mine):
        model = side.nn.Linear(2, 2)
        optimizer = side.optim.AdamW(model.named_parameters(), lr=0.5)
        optimizer.add_param_group({"params": [("c", side.Parameter(side.tensor([1.0])))], "weight_decay": 0.3})
        found.append([{k: v for k, v in g.items() if k != "params"} for g in optimizer.param_groups])
        found[-1] += [optimizer.defaults, listed(optimizer.state_dict())]
    assert found[1] == found[0]


def hooked(side):
    p = side.Parameter(side.tensor([1.0]))
    optimizer, said = side.optim.SGD([p], lr=0.1), []
    module = __import__(side.optim.__name__ + ".optimizer", fromlist=["x"])
    handles = [
        module.register_optimizer_step_pre_hook(lambda o, a, k: said.append("all before")),
        module.register_optimizer_step_post_hook(lambda o, a, k: said.append("all after")),
        optimizer.register_step_pre_hook(lambda o, a, k: said.append(("before", len(a), list(k)))),
        optimizer.register_step_post_hook(lambda o, a, k: said.append(("after", len(a), list(k)))),
        optimizer.register_state_dict_pre_hook(lambda o: said.append("saving")),
        optimizer.register_state_dict_post_hook(lambda o, d: {**d, "more": 1}),
        optimizer.register_load_state_dict_pre_hook(lambda o, d: said.append(sorted(d))),
        optimizer.register_load_state_dict_post_hook(lambda o: said.append("loaded")),
    ]

    def closure():
        optimizer.zero_grad()
        loss = (p * 3).sum()
        loss.backward()
        return loss

    said.append(optimizer.step(closure).item())
    optimizer.step()
    optimizer.load_state_dict(optimizer.state_dict())
    for handle in handles:
        handle.remove()
    optimizer.step()
    return said, p.tolist()


def test_hooks_and_closures():
    assert hooked(Mine) == hooked(Theirs)


def test_each_step_is_announced():
    p = nn.Parameter(tensor([1.0]))
    optimizer, seen = optim.SGD([p]), []
    announce = seen.append
    optim.on_step.append(announce)
    optimizer.step()
    optim.on_step.remove(announce)
    optimizer.step()
    assert seen == [optimizer]


@pytest.mark.parametrize("set_to_none", [True, False])
def test_zero_grad(set_to_none):
    p = nn.Parameter(tensor([1.0, 2.0]))
    optimizer = optim.SGD([p])
    (p * p).sum().backward()
    held = p.grad
    optimizer.zero_grad(set_to_none)
    assert p.grad is None if set_to_none else p.grad is held and held.tolist() == [0.0, 0.0]


def test_a_rate_that_is_a_tensor():
    values = []
    for side in (Theirs, Mine):
        rate = side.tensor(0.1)
        optimizers = [made(side, name, {}) for name in ("SGD", "Adam", "RMSprop")]
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
            take_steps(side, optimizer, 2)
            rate.fill_(0.2)
            take_steps(side, optimizer, 2)
            values.append(parameters_of(optimizer))
    close(values[3:], values[:3])


def test_a_parameter_keeps_its_memory():
    """What shares memory with a parameter, its gradient or its moments sees each step."""
    p = nn.Parameter(tensor([1.0, 2.0]))
    view, optimizer = p.data, optim.AdamW([p], lr=0.1)
    p.grad = tensor([1.0, -1.0])
    grad = p.grad
    optimizer.step()
    assert view.tolist() == p.tolist() != [1.0, 2.0] and p.grad is grad
    moment = optimizer.state[p]["exp_avg"]
    optimizer.step()
    assert optimizer.state[p]["exp_avg"] is moment and optimizer.state[p]["step"].item() == 2
    p.data = tensor([5.0, 6.0])
    optimizer.step()
    assert view.tolist() != p.tolist() and 4.5 < p.tolist()[0] < 5
    optimizer.state[p]["step"].fill_(100)
    optimizer.step()
    assert optimizer.state[p]["step"].item() == 101


class Lion(optim.Optimizer):
    """An optimizer of somebody else's: Chen et al. 2023."""

    def __init__(self, params, lr=1e-2, betas=(0.9, 0.99), weight_decay=0.0):
        super().__init__(params, dict(lr=lr, betas=betas, weight_decay=weight_decay))

    @tinygpt.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if len(state) == 0:
                    state["exp_avg"] = p.detach() * 0
                mean, (beta1, beta2) = state["exp_avg"], group["betas"]
                p.data.mul_(1 - group["lr"] * group["weight_decay"])
                update = mean * beta1 + p.grad * (1 - beta1)
                p.add_(update.sign(), alpha=-group["lr"])
                mean.mul_(beta2).add_(p.grad, alpha=1 - beta2)


@pytest.mark.parametrize(
    "make", [*[lambda ps, n=n: getattr(optim, n)(ps, lr=0.01) for n in NAMES if n not in ("Muon",)], Lion]
)
def test_a_recorded_step_is_the_eager_one(make):
    """With a rate that a schedule changes, and state that the first step makes."""
    runs = []
    for compiled in (False, True):
        tinygpt.manual_seed(3)
        model, x = nn.Linear(8, 8), tinygpt.randn(16, 8)
        optimizer = make(model.parameters())
        schedule = optim.lr_scheduler.StepLR(optimizer, 4)

        def step():
            optimizer.zero_grad()  # noqa: B023
            loss = (model(x) - 1).square().mean()  # noqa: B023
            loss.backward()
            optimizer.step()  # noqa: B023
            return loss

        run = tinygpt.compile(step) if compiled else step
        losses = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for _ in range(10):
                losses.append(run().item())
                schedule.step()
        runs.append((losses, parameters_of(optimizer), listed(optimizer.state_dict())))
        if compiled and type(optimizer).__name__ in ("SGD", "Adam", "AdamW", "RMSprop", "Rprop", "Adadelta"):
            assert run.refused is None
    assert runs[1] == runs[0]


def averaged(side, swa, **settings):
    rng = np.random.default_rng(0)
    model = side.nn.Linear(2, 3)
    for p in model.parameters():
        p.data = drawn(rng, side, tuple(p.shape))
    average = swa.AveragedModel(model, **settings)
    optimizer = side.optim.SGD(model.parameters(), lr=0.1)
    schedule, rates = swa.SWALR(optimizer, 0.01, anneal_epochs=3, anneal_strategy="linear"), []
    for seed in range(5):
        take_steps(side, optimizer, 1, seed)
        average.update_parameters(model)
        schedule.step()
        rates.append(schedule.get_last_lr())
    out = average(side.tensor([[1.0, 2.0]]))
    return rates, listed(dict(average.state_dict())), out.tolist()


@pytest.mark.parametrize("kind", ["mean", "ema", "one by one"])
def test_averages_of_weights(kind):
    found = []
    for side, swa in ((Theirs, torch.optim.swa_utils), (Mine, optim.swa_utils)):
        settings = {
            "mean": {},
            "ema": dict(multi_avg_fn=swa.get_ema_multi_avg_fn(0.9), use_buffers=True),
            "one by one": dict(avg_fn=swa.get_ema_avg_fn(0.5)),
        }[kind]
        found.append(listed(averaged(side, swa, **settings)))
    close(found[1], found[0], 1e-5)
