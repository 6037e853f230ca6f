"""Activation recomputation: bit-identical to the step that keeps everything, in less memory;
torch.utils.checkpoint's semantics.
"""

from dataclasses import replace

import pytest
import torch
from torch.utils.checkpoint import checkpoint as torch_checkpoint

import tinygpt
from tests import steps
from tests.graph.test_program import OPTIONS
from tinygpt import functional as F
from tinygpt import nn
from tinygpt.config import ModelConfig
from tinygpt.core.recompute import checkpoint

pytestmark = pytest.mark.fast
SHAPE = ModelConfig(vocab_size=40, context=9, layers=3, d_model=24, heads=4)


def trained(shape, compiled, n=3):
    """(losses and norms, gradients, weights, the next random number, the Program) of a few
    steps."""
    model, _, step = steps.made(shape)
    run = tinygpt.compile(step) if compiled else step
    losses = [[v.item() for v in run()] for _ in range(n)]
    gradients = [p.grad.tobytes() for p in model.parameters()]
    return (
        losses,
        gradients,
        [p.tobytes() for p in model.parameters()],
        tinygpt.rand(2).tolist(),
        getattr(run, "program", None),
    )


@pytest.mark.parametrize(
    "options", [o for o in OPTIONS.values() if "recompute" not in o], ids=[n for n in OPTIONS if n != "recompute"]
)
def test_recomputed_steps_have_the_same_bits_eagerly_and_replayed(device, options):
    shape = replace(SHAPE, **options)
    *kept, program = trained(shape, compiled=True)
    assert list(trained(shape, compiled=False)[:4]) == kept
    assert list(trained(replace(shape, recompute=True), compiled=False)[:4]) == kept
    *recomputed, other = trained(replace(shape, recompute=True), compiled=True)
    assert recomputed == kept
    assert other.planned_bytes < 0.8 * program.planned_bytes
    assert len(other.launches) > len(program.launches)


def test_the_blocks_of_a_deep_model_keep_their_inputs_alone(native):
    def planned(layers, recompute):
        return trained(replace(SHAPE, layers=layers, recompute=recompute), compiled=True, n=1)[-1].planned_bytes

    block = 4 * 5 * SHAPE.context * SHAPE.d_model  # bytes of one activation of the residual stream
    assert planned(9, True) - planned(6, True) <= 3 * 1.5 * block
    assert planned(9, False) - planned(6, False) >= 3 * 10 * block


def test_evaluation_and_decoding_do_not_care(native):
    tinygpt.manual_seed(1)
    plain = tinygpt.GPT(SHAPE)
    other = tinygpt.GPT(replace(SHAPE, recompute=True))
    other.load_state_dict(plain.state_dict())
    ids = tinygpt.tensor([[1, 2, 3, 4]])
    with tinygpt.no_grad():
        assert plain(ids).tobytes() == other(ids).tobytes()
    from tinygpt.generate import generate

    assert list(generate(plain, [1, 2], 6, seed=2)) == list(generate(other, [1, 2], 6, seed=2))


# ---- torch.utils.checkpoint's semantics --------------------------------------------------------


def both(source):
    """`source` defines run(T, F, checkpoint, tensor) -> values; its results here and in PyTorch."""

    def here(values, grad=True):
        return tinygpt.tensor(values, requires_grad=grad)

    def there(values, grad=True):
        return torch.tensor(values, requires_grad=grad)

    def in_torch(function, *args, **kwargs):
        return torch_checkpoint(function, *args, use_reentrant=False, **kwargs)

    return source(tinygpt, F, checkpoint, here), source(torch, torch.nn.functional, in_torch, there)


def closed_over(T, F, checkpoint, tensor):
    """Gradients of an argument, of a leaf and of a result that the function closes over."""
    x, w, h = tensor([0.1, 0.2]), tensor([0.3, 0.4]), tensor([0.5, -1.0])
    inner = h * 2.0
    y = checkpoint(lambda x: T.tanh(x * w + inner) * x, x * 1.5)
    (y.sum() + inner.sum()).backward()
    return [v.grad.tolist() for v in (x, w, h)]


def several_outputs(T, F, checkpoint, tensor):
    """A tuple with a value that is no tensor, and an unused tensor."""
    x, w = tensor([1.0, 2.0]), tensor([3.0, 4.0])
    a, word, b, c = checkpoint(lambda x: (x * w, "as it is", T.exp(x), x + w), x)
    (a.sum() * 2.0 + b.sum()).backward()
    return [x.grad.tolist(), w.grad.tolist(), word]


def only_parameters(T, F, checkpoint, tensor):
    """The argument needs no gradient, the closed-over tensor does."""
    x, w = tensor([1.0, 2.0], False), tensor([3.0, 4.0])
    y = checkpoint(lambda x, scale: (x * w).sum() * scale, x, scale=3.0)
    y.backward()
    return [y.item(), w.grad.tolist(), y.requires_grad]


def nested(T, F, checkpoint, tensor):
    x, w = tensor([0.1, 0.2]), tensor([0.3, 0.4])
    y = checkpoint(lambda x: checkpoint(lambda z: T.tanh(z * w), x * w) * x, x * 2.0)
    y.sum().backward()
    return [x.grad.tolist(), w.grad.tolist()]


def twice(T, F, checkpoint, tensor):
    """Two backward passes accumulate."""
    x = tensor([1.0, 2.0])
    y = checkpoint(lambda x: T.exp(x * 0.5), x).sum()
    y.backward(retain_graph=True)
    y.backward()
    return x.grad.tolist()


def without_gradients(T, F, checkpoint, tensor):
    """The input itself is returned, and under no_grad nothing is recorded."""
    x = tensor([1.0, 2.0])
    same = checkpoint(lambda x: x, x)
    with T.no_grad():
        y = checkpoint(lambda x: x * 2.0, x)
    return [same is x, y.requires_grad, y.tolist()]


CASES = (closed_over, several_outputs, only_parameters, nested, twice, without_gradients)


@pytest.mark.parametrize("source", CASES, ids=lambda source: source.__name__)
def test_as_pytorchs_checkpoint(device, source):
    ours, theirs = both(source)
    assert str(ours) == str(theirs) or _close(ours, theirs)


def _close(a, b):
    if isinstance(a, list):
        return len(a) == len(b) and all(map(_close, a, b))
    return a == b if isinstance(a, str | bool) else a == pytest.approx(b, rel=1e-6)


def test_the_function_runs_again_in_the_backward_and_only_there(native):
    calls = []

    def f(x):
        calls.append(tinygpt.is_grad_enabled())
        return F.gelu(x)

    x = tinygpt.ones(3, requires_grad=True)
    y = checkpoint(f, x).sum()
    assert calls == [True]
    y.backward()
    assert calls == [True, True]


def test_what_the_function_keeps_is_freed_until_its_backward(native):
    n = 1 << 16
    x, layers = tinygpt.ones(n, requires_grad=True), nn.Sequential(*[nn.Tanh() for _ in range(10)])
    held = []
    for run in (layers, lambda x: checkpoint(layers, x)):
        before = native.in_use()
        y = run(x)
        held.append((native.in_use() - before) // (4 * n))
        del y
    assert held == [10, 1]


def test_dropout_draws_the_same_mask_again_and_the_stream_goes_on_as_if_once(native):
    def masks(recompute):
        tinygpt.manual_seed(5)
        x = tinygpt.ones(64, requires_grad=True)
        y = checkpoint(lambda x: F.dropout(x, 0.5), x) if recompute else F.dropout(x, 0.5)
        between = tinygpt.rand(3).tolist()
        y.sum().backward()
        return y.tolist(), x.grad.tolist(), between, tinygpt.rand(3).tolist()

    y, gradient, *_ = masks(True)
    assert y == gradient and set(y) == {0.0, 2.0}
    assert masks(True) == masks(False)


def test_a_new_seed_between_forward_and_backward_changes_neither(native):
    tinygpt.manual_seed(5)
    x = tinygpt.ones(64, requires_grad=True)
    y = checkpoint(lambda x: F.dropout(x, 0.5) * 1.0, x)
    tinygpt.manual_seed(6)
    expected = tinygpt.rand(3).tolist()
    tinygpt.manual_seed(6)
    y.sum().backward()
    assert x.grad.tolist() == y.tolist()
    assert tinygpt.rand(3).tolist() == expected


def test_a_function_that_does_something_else_the_second_time_is_a_sentence(native):
    sizes = iter((3, 4))
    x = tinygpt.ones(3, requires_grad=True)
    y = checkpoint(lambda x: (x.sum() * 1.0).expand(next(sizes)) * 2.0, x)
    with pytest.raises(RuntimeError, match=r"\[\[3\]\] in the forward and \[\[4\]\] in the backward"):
        y.sum().backward()


def test_the_reentrant_kind_is_refused(native):
    with pytest.raises(ValueError, match="use_reentrant"):
        checkpoint(lambda x: x, tinygpt.ones(2), use_reentrant=True)
