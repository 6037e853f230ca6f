"""Each fusion rule: it applies where it may, with the same bits, and does not apply where another
launch reads the intermediate.
"""

import pytest

import tinygpt
from tinygpt import functional as F
from tinygpt import kernels

BITS = 12

pytestmark = [pytest.mark.fast, pytest.mark.usefixtures("native")]


def kernels_of(function, *arguments):
    """The kernels that replay `function`, after checking that its replay has the bits of its eager
    call.
    """

    def fresh():
        return [a.clone() for a in arguments]  # a function may update its arguments in place

    eager = function(*fresh())
    run = tinygpt.compile(function)
    run(*fresh())
    replayed = run(*fresh())
    eager, replayed = ([v] if isinstance(v, tinygpt.Tensor) else v for v in (eager, replayed))
    assert [v.tobytes() for v in eager] == [v.tobytes() for v in replayed]
    return [kernel.name for kernel, _, _ in run.program.launches]


def given(*shape):
    tinygpt.manual_seed(sum(shape))
    return tinygpt.randn(*shape)


x, w, b = (lambda: given(7, BITS)), (lambda: given(5, BITS)), (lambda: given(5))


def test_gelu_joins_the_matmul_and_the_bias():
    assert kernels_of(lambda x, w, b: F.gelu(F.linear(x, w, b)), x(), w(), b()) == ["matmul"]


def test_gelu_keeps_its_input_where_the_backward_needs_it():
    weight = w().requires_grad_()

    def f(x):
        weight.grad = None
        loss = F.gelu(F.linear(x, weight)).sum()
        loss.backward()
        return loss, weight.grad.detach()

    names = kernels_of(f, x())
    assert names.count("unary") == 0 and names.count("unary_backward") == 1


def test_gelu_backward_joins_the_matmul_that_makes_its_gradient():
    first, second = w().requires_grad_(), given(3, 5).requires_grad_()

    def f(x):
        first.grad = second.grad = None
        loss = F.linear(F.gelu(F.linear(x, first)), second).square().sum()
        loss.backward()
        return loss, first.grad.detach(), second.grad.detach()

    assert (
        "unary_backward" not in [n for n in kernels_of(f, x()) if n != "unary_backward"]
        and kernels_of(f, x()).count("unary_backward") == 1
    )


def test_residual_joins_the_matmul():
    assert kernels_of(lambda x, w, b, r: r + F.linear(x, w, b), x(), w(), b(), given(7, 5)) == ["matmul"]
    assert kernels_of(lambda x, w, b, r: F.linear(x, w, b) + r, x(), w(), b(), given(7, 5)) == ["matmul"]


def test_a_broadcast_residual_stays_apart():
    assert kernels_of(lambda x, w, r: F.linear(x, w) + r, x(), w(), given(1, 5)) == ["matmul", "binary"]


def test_a_result_that_is_read_twice_stays_apart():
    names = kernels_of(lambda x, w, r: (F.linear(x, w) + r, F.linear(x, w) * 2.0), x(), w(), given(7, 5))
    assert names == ["matmul", "matmul"]

    def twice(x, w, r):
        y = F.linear(x, w)
        return y + r, y * 2.0

    assert kernels_of(twice, x(), w(), given(7, 5)) == ["matmul", "binary", "binary_scalar"]


def test_scale_becomes_alpha():
    assert kernels_of(lambda x, w: (x @ w.T) * 0.125, x(), w()) == ["matmul"]


def test_accumulation_becomes_beta():
    def f(x, w, total):
        total.add_(F.linear(x, w))
        return total * 1.0

    assert kernels_of(f, x(), w(), given(7, 5))[0] == "matmul"
    assert len(kernels_of(f, x(), w(), given(7, 5))) == 2


def test_accumulation_with_several_blocks_of_k_keeps_its_bits():
    def f(x, w, total):
        total.add_(F.linear(x, w))
        return total * 1.0

    assert len(kernels_of(f, given(33, 2000), given(20, 2000), given(33, 20))) == 2


def test_add_and_layer_norm_become_one():
    def f(x, r):
        s = x + r
        return F.layer_norm(s, (BITS,)), s * 1.0

    assert kernels_of(f, x(), given(7, BITS))[0] == "add_layer_norm"


def test_split_gradients_go_straight_into_their_columns():
    weight = given(3 * BITS, BITS).requires_grad_()

    def f(x):
        weight.grad = None
        q, k, v = (part.view(2, 7, 3, 4).transpose(1, 2) for part in F.linear(x, weight).split(BITS, dim=-1))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(2, 7, BITS)
        y.backward(x)
        return y.detach(), weight.grad.detach()

    names = kernels_of(f, given(2, 7, BITS))
    assert "attention_backward" in names
    assert names.count("copy") == 0


def test_unread_results_are_dropped():
    def f(x):
        _ = (x * 3.0).exp()
        return x + 1.0

    assert kernels_of(f, x()) == ["binary_scalar"]


def test_the_hint_on_gradients_survives_every_rewrite():
    first, second = w().requires_grad_(), given(3, 5).requires_grad_()

    @tinygpt.compile
    def f(x):
        loss = F.linear(F.gelu(F.linear(x, first)), second).square().sum()
        loss.backward()  # the second time: into the existing gradient
        return loss

    for _ in range(3):
        f(x())
    matmuls = [kernel.Params(*params) for kernel, _, params in f.program.launches if kernel is kernels.matmul]
    hint = kernels.GRADIENT
    assert [p.epilogue for p in matmuls] == [kernels.GELU, 0, hint | kernels.GELU_BACKWARD, hint, hint]
    assert [p.beta for p in matmuls].count(1.0) == 2


def test_an_update_in_between_keeps_the_order():
    """r changes between the matmul and the add that reads it: the sum must see the new r."""

    def f(x, w, r):
        y = F.linear(x, w)
        r.mul_(2.0)
        return y + r

    names = kernels_of(f, x(), w(), given(7, 5))
    assert names == ["binary_scalar", "matmul"]
