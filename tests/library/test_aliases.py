"""What shares memory with a parameter or a gradient continues to share it, as in PyTorch: each
program runs in both and gives the same numbers.
"""

import pytest
import torch

import tinygpt
from tinygpt import nn, optim

TWO = ([1.0, 2.0], [3.0, 4.0])


def make(lib):
    """(nn, optim, two parameters) of a library."""
    if lib is torch:
        return torch.nn, torch.optim, [torch.nn.Parameter(torch.tensor(v)) for v in TWO]
    return nn, optim, [nn.Parameter(tinygpt.tensor(v)) for v in TWO]


def loss_of(parameters):
    return sum(((p * p).sum() for p in parameters[1:]), (parameters[0] * parameters[0]).sum())


def values(*tensors):
    return [None if t is None else t.tolist() for t in tensors]


def two_optimizers(lib):
    _, o, (p, q) = make(lib)
    first, second = o.SGD([p, q], lr=0.1, momentum=0.9), o.SGD([q, p], lr=0.01, momentum=0.5)
    for _ in range(3):
        loss_of([p, q]).backward()
        first.step()
        second.step()
        first.zero_grad()
    return values(p, q)


def one_with_a_part(lib):
    _, o, (p, q) = make(lib)
    both, one = o.AdamW([p, q], lr=0.1), o.SGD([q], lr=0.1)
    for _ in range(3):
        loss_of([p, q]).backward()
        both.step()
        one.step()
        one.zero_grad()
    return values(p, q, p.grad, q.grad)


def made_again(lib):
    _, o, (p, q) = make(lib)
    for _ in range(3):
        optimizer = o.SGD([p, q], lr=0.1, momentum=0.9)
        loss_of([p, q]).backward()
        optimizer.step()
    return values(p, q, p.grad)


def entries_of_a_state_dict(lib):
    n, o, _ = make(lib)
    layer = n.Linear(2, 2)
    with lib.no_grad():
        layer.weight.fill_(1.0)
        layer.bias.fill_(0.5)
    before = layer.state_dict()
    data, view, part = layer.weight.data, layer.weight.detach(), layer.weight[0]
    optimizer = o.SGD(layer.parameters(), lr=0.1)
    layer(lib.ones(1, 2)).sum().backward()
    optimizer.step()
    view.mul_(2.0)
    data[0] = 7.0
    before["bias"].add_(1.0)
    return values(layer.weight, layer.bias, *before.values(), data, view, part)


def data_assigned(lib):
    _, o, (p, q) = make(lib)
    optimizer = o.SGD([p, q], lr=0.1, momentum=0.9)
    loss_of([p, q]).backward()
    optimizer.step()
    old = p.data
    new = lib.tensor([5.0, 6.0])
    p.data = new
    optimizer.step()
    return values(p, q, old, new)


def gradient_kept(lib):
    _, o, (p, q) = make(lib)
    optimizer = o.SGD([p, q], lr=0.1)
    loss_of([p, q]).backward()
    old = p.grad
    same = p.grad is old
    loss_of([p, q]).backward()
    seen = old.tolist()
    optimizer.zero_grad()
    loss_of([p, q, p]).backward()
    return same, seen, values(old, p.grad, q.grad), old is p.grad


def gradient_kept_over_zeros(lib):
    _, o, (p, q) = make(lib)
    optimizer = o.SGD([p, q], lr=0.1)
    loss_of([p, q]).backward()
    old = p.grad
    optimizer.zero_grad(set_to_none=False)
    seen = old.tolist()
    loss_of([p, q]).backward()
    return seen, values(old, p.grad), old is p.grad


def gradient_kept_without_an_optimizer(lib):
    _, _, (p, q) = make(lib)
    loss_of([p, q]).backward()
    old = p.grad
    loss_of([p, q]).backward()
    kept = old.tolist()
    p.grad = None
    loss_of([p, q]).backward()
    return kept, values(old, p.grad)


def gradient_assigned(lib):
    _, o, (p, q) = make(lib)
    optimizer = o.SGD([p, q], lr=0.1)
    mine = lib.tensor([1.0, 1.0])
    p.grad = mine
    loss_of([p, q]).backward()
    optimizer.step()
    mine.mul_(2.0)
    optimizer.step()
    return p.grad is mine, values(p, q, mine)


def gradient_written(lib):
    _, o, (p, q) = make(lib)
    optimizer = o.SGD([p, q], lr=0.1)
    loss_of([p, q]).backward()
    p.grad.mul_(0.5)
    q.grad[0] = 100.0
    p.grad = p.grad
    optimizer.step()
    return values(p, q, p.grad, q.grad)


def parameters_of_one_memory(lib):
    n, o, _ = make(lib)
    whole = lib.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    p, q = n.Parameter(whole[0]), n.Parameter(whole[2])
    optimizer = o.SGD([p, q], lr=0.1)
    loss_of([p, q]).backward()
    optimizer.step()
    return values(whole, p, q)


def transposed_parameter(lib):
    n, o, _ = make(lib)
    whole = lib.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    p = n.Parameter(whole.T)
    optimizer = o.SGD([p], lr=0.1, momentum=0.9)
    for _ in range(2):
        (p * p * lib.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])).sum().backward()
        optimizer.step()
    return values(whole, p, p.grad)


def data_of_a_gradient_assigned(lib):
    _, o, (p, q) = make(lib)
    optimizer = o.SGD([p, q], lr=0.1)
    loss_of([p, q]).backward()
    new = lib.tensor([0.5, 0.25])
    p.grad.data = new
    p.grad.data = p.grad.data * 2
    optimizer.step()
    loss_of([p, q]).backward()
    return values(p, q, p.grad, q.grad, new)


def data_of_another_shape(lib):
    _, o, (p, q) = make(lib)
    o.SGD([p, q], lr=0.1)
    p.data = lib.tensor([[1.0, 2.0], [3.0, 4.0]])
    loss_of([p, q]).backward()
    return values(p, q, p.grad, q.grad)


def state_below_a_module_that_is_none(lib):
    n, _, _ = make(lib)
    model = n.Sequential(n.Linear(1, 1), n.Linear(1, 1))
    state = model.state_dict()
    setattr(model, "1", None)
    model.load_state_dict(state)
    return [len(state), len(model.state_dict())]


def step_after_the_forward(lib):
    _, o, (p, q) = make(lib)
    optimizer = o.SGD([p, q], lr=0.1)
    loss = loss_of([p, q])
    loss.backward(retain_graph=True)
    optimizer.step()
    loss.backward()


PROGRAMS = [
    two_optimizers, one_with_a_part, made_again, entries_of_a_state_dict, data_assigned, gradient_kept,
    gradient_kept_over_zeros, gradient_kept_without_an_optimizer, gradient_assigned, gradient_written,
    parameters_of_one_memory, transposed_parameter, data_of_a_gradient_assigned, data_of_another_shape,
    state_below_a_module_that_is_none,
]  # fmt: skip


def flat(x):
    return [v for y in x for v in flat(y)] if isinstance(x, (list, tuple)) else [x]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_aliases_of_parameters_and_gradients_are_pytorchs(program):
    assert flat(program(tinygpt)) == pytest.approx(flat(program(torch)), rel=1e-5, abs=1e-6)


def test_a_step_between_forward_and_backward_is_an_error():
    for lib in (torch, tinygpt):
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            step_after_the_forward(lib)


def test_what_cannot_be_placed_is_refused():
    x = tinygpt.ones(4, 4)
    with pytest.raises(ValueError, match="leaves gaps in its memory"):
        optim.SGD([nn.Parameter(x[:, ::2])], lr=0.1)
    with pytest.raises(ValueError, match="share elements of one memory"):
        optim.SGD([nn.Parameter(x[:2]), nn.Parameter(x[1:])], lr=0.1)
    p = nn.Parameter(tinygpt.ones(4))
    optimizer = optim.SGD([p], lr=0.1)
    p.data = tinygpt.ones(8)[2:6]
    (p * p).sum().backward()
    with pytest.raises(RuntimeError, match="assign a clone"):
        optimizer.step()


def test_a_gradient_from_before_data_was_assigned_is_refused():
    """PyTorch may raise, or broadcast the two."""
    for first in (True, False):
        p, q = nn.Parameter(tinygpt.ones(2)), nn.Parameter(tinygpt.ones(2))
        optimizer = optim.SGD([p, q], lr=0.1) if first else None
        (p * q).sum().backward()
        p.data = tinygpt.ones(2, 2)
        if optimizer is None:
            optimizer = optim.SGD([p, q], lr=0.1)
            with pytest.raises(RuntimeError, match="from before .data was assigned"):
                optimizer.step()
        else:
            with pytest.raises(RuntimeError, match="others than when the optimizer was made"):
                optimizer.step()
        with pytest.raises(RuntimeError, match="from before .data was assigned"):
            (p * q).sum().backward()
    p = nn.Parameter(tinygpt.tensor([[1.0, 2.0], [3.0, 4.0]]))
    optimizer = optim.SGD([p], lr=0.1, momentum=0.9)
    p.data = p.data.T
    (p * p).sum().backward()
    with pytest.raises(RuntimeError, match="others than when the optimizer was made"):
        optimizer.step()


def test_data_of_another_parameter_is_refused_at_the_step():
    p, q = nn.Parameter(tinygpt.ones(2)), nn.Parameter(tinygpt.ones(2))
    optimizer = optim.SGD([p, q], lr=0.1)
    p.data = q
    (p * q).sum().backward()
    with pytest.raises(RuntimeError, match="assign a clone"):
        optimizer.step()


def test_what_no_optimizer_takes():
    p = nn.Parameter(tinygpt.ones(2))
    (p * 2).sum().backward()
    with pytest.raises(ValueError, match="non-leaf"):
        optim.SGD([p * 2], lr=0.1)
    with pytest.raises(TypeError, match="nn.Parameter"):
        optim.SGD([tinygpt.ones(2)], lr=0.1)
    with pytest.raises(ValueError, match="twice in one"):
        optim.SGD([p, p], lr=0.1)
    with pytest.raises(RuntimeError, match="its own grad"):
        p.grad = p
    optimizer = optim.SGD([p], lr=0.1)
    optimizer.zero_grad()
    (p * 2).sum().backward()
    q = nn.Parameter(p.grad)
    with pytest.raises(ValueError, match="the memory of a gradient"):
        optim.SGD([q], lr=0.1)


def trained(compiled):
    """Steps whose callers keep the gradient of before: (kept gradients, parameters, versions)."""
    _, o, (p, q) = make(tinygpt)
    optimizer = o.AdamW([p, q], lr=0.1)
    free = nn.Parameter(tinygpt.tensor([1.0, 2.0]))  # of no optimizer

    def step():
        loss = loss_of([p, q, free])
        optimizer.zero_grad()
        free.grad = None
        loss.backward()
        optimizer.step()
        with tinygpt.no_grad():
            free.add_(1.0)
        return loss

    step = tinygpt.compile(step) if compiled else step
    kept = []
    for _ in range(5):
        step()
        kept += [p.grad, q.grad, free.grad]
    return values(*kept, p, q, free), [t._version for t in (p, q, free)]


def test_a_recorded_step_leaves_the_gradients_that_callers_hold():
    assert trained(True) == trained(False)


def test_a_value_saved_before_a_recorded_step_is_known_to_be_written():
    _, o, (p, q) = make(tinygpt)
    optimizer = o.SGD([p, q], lr=0.1)

    @tinygpt.compile
    def step():
        optimizer.zero_grad()
        loss_of([p, q]).backward()
        optimizer.step()

    step()
    step()
    saved = (p * p).sum()
    step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        saved.backward()


def test_a_recorded_write_of_a_tensor_from_outside_runs_eagerly():
    def run(compiled):
        w = nn.Parameter(tinygpt.tensor([1.0, 2.0]))
        buffer = tinygpt.zeros(2)

        def write(x):
            buffer.copy_(w * 2)
            x.copy_(w * 3)

        if compiled:
            write = tinygpt.compile(write)
        out = []
        for _ in range(3):
            buffer, given = tinygpt.zeros(2), tinygpt.zeros(2)
            write(given)
            (buffer * given).sum().backward()
            out.append(w.grad.tolist())
        return out

    with pytest.warns(RuntimeWarning, match="a tensor from outside it was written with a gradient recorded"):
        compiled = run(True)
    assert compiled == run(False)
