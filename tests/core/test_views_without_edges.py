"""A view made under `no_grad` requires a gradient that goes nowhere: whether ops on it may run
backward twice, and what reaches the leaf, is PyTorch's.
"""

import pytest
import torch

import tinygpt

pytestmark = pytest.mark.fast
VIEWS = ["w[:2]", "w.view(-1)", "w.view(2, 2).T", "w.reshape(2, 2)", "w[:1].expand(4)", "w.split(2)[0]"]
LOSSES = [
    "v @ v", "v.reshape(-1) @ v.reshape(-1)", "(v * v).sum()", "(v.sum() * w).sum()", "w[:v.numel()] @ v.reshape(-1)",
    "v.reshape(-1) @ w[:v.numel()]", "(v.reshape(1, -1) @ v.reshape(-1, 1)).sum()", "(v / v).sum()", "(v ** v).sum()",
    "m.maximum(v, v).sum()", "F.linear(v.reshape(1, -1), v.reshape(1, -1)).sum()", "v.softmax(-1).sum()", "v.std()",
    "(v.reshape(1, -1) @ v.reshape(-1)).sum()", "(v.reshape(-1) @ v.reshape(-1, 1)).sum()", "m.cat([v, v]).sum()",
    "F.cross_entropy(v.reshape(1, -1), m.tensor([1]))", "m.where(v > 1, v, v * 2).sum()", "(v.sum(0) ** 2).sum()",
    "F.mse_loss(v, v)", "(v[0] * v[0]).sum()", "v.clamp(0, 1).sum()",
]  # fmt: skip


def outcome(m, view, loss, retain):
    w = m.tensor([1.0, 2.0, 3.0, 4.0]).requires_grad_()
    functional = m.nn.functional if m is torch else m.functional
    with m.no_grad():
        v = eval(view, {"w": w})
    out = [v.requires_grad]
    try:
        y = eval(loss, {"m": m, "F": functional, "v": v, "w": w})
        for keep in (retain, False):
            y.backward(retain_graph=keep)
            out.append(w.grad if w.grad is None else pytest.approx(w.grad.tolist()) if m is torch else w.grad.tolist())
    except RuntimeError:
        out.append("RuntimeError")
    return out


@pytest.mark.parametrize("retain", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
def test_second_backward(native, loss, retain):
    for view in VIEWS:
        assert outcome(tinygpt, view, loss, retain) == outcome(torch, view, loss, retain), view


def leaves_over_one_memory(m):
    """What a view says that is made a leaf by requires_grad_()."""
    out = []

    def tried(act):
        try:
            act()
            out.append("no error")
        except RuntimeError:
            out.append("RuntimeError")

    base = m.tensor([[1.0, 2.0], [3.0, 4.0]])
    x = base.reshape(4).requires_grad_()
    out.append([x.requires_grad, x.is_leaf, base.requires_grad])
    (x * x).sum().backward()
    row = base[0]
    row.requires_grad = True
    (row * 3).sum().backward()
    out.append([x.grad.tolist(), row.grad.tolist(), base.requires_grad])
    y = (x * x).sum()
    base.add_(1)  # writes what y keeps
    out.append(x.tolist())
    tried(y.backward)
    tried(lambda: x.add_(1))
    off = m.tensor([1.0, 2.0]).view(2).requires_grad_().requires_grad_(False)
    out.append([off.requires_grad, (off * 2).requires_grad])
    part, _ = m.tensor([1.0, 2.0, 3.0, 4.0]).split(2)
    (part.requires_grad_() ** 2).sum().backward()
    repeated = m.tensor([[1.0, 2.0]]).expand(3, 2).requires_grad_()
    (repeated * 2).sum().backward()
    return [*out, part.grad.tolist(), repeated.grad.tolist()]


def test_a_view_that_is_made_a_leaf_requires_its_gradient(native):
    assert leaves_over_one_memory(tinygpt) == leaves_over_one_memory(torch)
