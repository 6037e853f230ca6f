"""torch.autograd beside PyTorch: each program runs in both and returns the same, or raises the same
class of error with the same leading words.
"""

import gc
import re
import warnings

import pytest
import torch

import tinygpt
from tinygpt.core import autograd
from tinygpt.core.autograd import Node
from tinygpt.torch.front import enter, leave

pytestmark = pytest.mark.fast
PROGRAMS = []


def program(function):
    PROGRAMS.append(function)
    return function


def plain(value):
    """Tensors as lists, functions of the tape as their names."""
    if isinstance(value, (torch.Tensor, tinygpt.Tensor)):
        return plain(value.detach().tolist())
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value


def same(a, b):
    """Whether two outcomes are equal, floats to four digits."""
    if isinstance(a, (list, tuple)):
        return isinstance(b, (list, tuple)) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float):
        return isinstance(b, float) and (a != a and b != b or b == pytest.approx(a, rel=1e-4, abs=1e-5))
    return type(a) is type(b) and a == b


def outcome(lib, function):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return plain(function(lib))
        except Exception as error:
            words = re.sub(r"[^a-z ]", "", str(error).lower()).split()
            return "raises", type(error).__name__, words[:4]


def errors(lib, *calls):
    """What each call raises."""
    return [outcome(lib, lambda _, call=call: call()) for call in calls]


def leaf(lib, values=(1.0, 2.0, 3.0)):
    return lib.tensor(list(values), requires_grad=True)


# ---- grad and backward ---------------------------------------------------------------------------


@program
def grad_of_leaf_and_result(lib):
    x = leaf(lib)
    y = x * x
    z = (y * 3.0).sum()
    return lib.autograd.grad(z, [x, y]), x.grad, y.requires_grad


@program
def grad_twice_with_retain(lib):
    x = leaf(lib)
    z = (x**3).sum()
    a = lib.autograd.grad(z, x, retain_graph=True)
    b = lib.autograd.grad(z, x)
    return a, b, errors(lib, lambda: lib.autograd.grad(z, x))


@program
def grad_outputs(lib):
    x = leaf(lib)
    y = x * 2.0
    return [
        lib.autograd.grad(y, x, lib.tensor([1.0, 10.0, 100.0])),
        lib.autograd.grad([x * 2.0, x * 3.0], [x], [lib.ones(3), lib.tensor([1.0, 0.0, 2.0])]),
        lib.autograd.grad((x * 2.0, (x * x).sum()), (x,), (lib.ones(3), None)),
        lib.autograd.grad(x, x, lib.ones(3)),
        lib.autograd.grad(y, y, lib.ones(3), retain_graph=True),
    ]


@program
def grad_unused(lib):
    x, w = leaf(lib), leaf(lib)
    z = (x * x).sum()
    return [
        lib.autograd.grad(z, [x, w], allow_unused=True, retain_graph=True),
        lib.autograd.grad(z, [x, w], materialize_grads=True, retain_graph=True),
        errors(
            lib,
            lambda: lib.autograd.grad(z, [x, w]),
            lambda: lib.autograd.grad(z, [x, w], allow_unused=False, materialize_grads=True),
            lambda: lib.autograd.grad(z, lib.ones(3)),
            lambda: lib.autograd.grad(x * x, x),
            lambda: lib.autograd.grad(lib.ones(()), x),
            lambda: lib.autograd.grad(x * x, x, lib.ones(2)),
        ),
    ]


@program
def grad_needs_only_its_part(lib):
    x, w = leaf(lib), leaf(lib)
    y = x.exp()
    y.sum().backward()  # frees this part
    z = (y.detach().requires_grad_() * w).sum() + (w * w).sum()
    return lib.autograd.grad(z, w), w.grad


@program
def grad_of_views_and_writes(lib):
    x = leaf(lib)
    y = x * 1.0
    row = y[1:]
    row.mul_(5.0)
    return lib.autograd.grad((y * y).sum(), [x, y])


@program
def backward_accumulates(lib):
    x = leaf(lib)
    for _ in range(3):
        (x * x).sum().backward()
    (x * 2.0).backward(lib.ones(3))
    lib.autograd.backward([(x * x).sum(), x * 3.0], [None, lib.ones(3)])
    return x.grad


@program
def backward_inputs(lib):
    x, w = leaf(lib), leaf(lib)
    y = x * w
    y.sum().backward(inputs=[x], retain_graph=True)
    found = [x.grad, w.grad]
    y.sum().backward(inputs=[y, w])
    return found, x.grad, w.grad, y.grad, errors(lib, lambda: y.sum().backward(inputs=[]))


@program
def backward_create_graph(lib):
    x = leaf(lib)
    (x**3).sum().backward(create_graph=True)
    g = x.grad
    x.grad = None
    (g * g).sum().backward()
    return g.requires_grad, x.grad


@program
def backward_errors(lib):
    x = leaf(lib)
    y = (x * x).sum()
    return errors(
        lib,
        lambda: (x * x).backward(),
        lambda: (x * x).backward(lib.ones(2)),
        lambda: lib.ones(()).backward(),
        lambda: (y.backward(), y.backward()),
        lambda: (x * x).backward("ones"),
    )


@program
def gradient_penalty(lib):
    x, w = leaf(lib), leaf(lib, (0.5, -1.0, 2.0))
    out = (w * x).tanh().sum()
    (g,) = lib.autograd.grad(out, x, create_graph=True)
    ((g.norm() if hasattr(g, "norm") and lib is torch else (g * g).sum().sqrt()) - 1.0).square().backward()
    return w.grad


# ---- requires_grad, leaves, versions -------------------------------------------------------------


@program
def requires_grad_rules(lib):
    x = leaf(lib)
    y = x * 2.0
    y.requires_grad_(True)

    def off():
        y.requires_grad = False

    whole = lib.tensor([1, 2])
    return [
        x.is_leaf, y.is_leaf, y.requires_grad, x.detach().requires_grad, whole.is_leaf,
        errors(lib, off, lambda: whole.requires_grad_(), lambda: y.requires_grad_(False)),
    ]  # fmt: skip


@program
def detach_in_place(lib):
    x = leaf(lib)
    y = x * 2.0
    z = y.detach_()
    view = (x * 1.0)[0]
    return z is y, y.is_leaf, y.requires_grad, y.grad_fn, errors(lib, lambda: view.detach_())


@program
def leaf_in_place(lib):
    x = leaf(lib)
    before = x._version
    with lib.no_grad():
        x.add_(1.0)
    return (
        x._version - before,
        errors(
            lib,
            lambda: x.add_(1.0),
            lambda: x.zero_(),
            lambda: x[0].mul_(2.0),
            lambda: x.__setitem__(0, 1.0),
            lambda: x.copy_(lib.ones(3)),
        ),
    )


@program
def saved_then_written(lib):
    x = leaf(lib)
    a, b, c = x * 1.0, x * 1.0, x * 1.0
    ya, yb, yc = a.exp(), b * b, c + 1.0
    ya.add_(1.0)
    b.mul_(2.0)
    c.mul_(2.0)
    yc.sum().backward()
    return x.grad, errors(lib, lambda: ya.sum().backward(), lambda: lib.autograd.grad(yb.sum(), x))


@program
def saved_then_written_in_second_order(lib):
    x = leaf(lib)
    y = x * 1.0
    (g,) = lib.autograd.grad((y**3).sum(), y, create_graph=True)
    y.add_(1.0)
    return errors(lib, lambda: g.sum().backward())


# ---- hooks ---------------------------------------------------------------------------------------


@program
def tensor_hooks(lib):
    x = leaf(lib)
    y = x * 2.0
    seen = []
    y.register_hook(lambda g: seen.append(g.tolist()))
    handle = y.register_hook(lambda g: g * 10.0)
    x.register_hook(lambda g: g + 1.0)
    (y * y).sum().backward(retain_graph=True)
    handle.remove()
    first = x.grad.tolist()
    (y + 0.0).sum().backward()
    return seen, first, x.grad, errors(lib, lambda: lib.ones(2).register_hook(print))


@program
def leaf_hook_sees_the_sum(lib):
    x = leaf(lib)
    seen = []
    x.register_hook(lambda g: seen.append(g.tolist()))
    (x * 2.0 + x * 3.0 + x).sum().backward()
    lib.autograd.grad((x * x).sum(), x)
    return seen, x.grad


@program
def hook_in_grad(lib):
    x = leaf(lib)
    y = x * 2.0
    y.register_hook(lambda g: g * 2.0)
    return lib.autograd.grad((y * y).sum(), [x, y])


@program
def hook_of_another_shape(lib):
    x = leaf(lib)
    y, z = x * 2.0, x * 2.0
    y.register_hook(lambda g: g[:1])
    z.register_hook(lambda g: 3)
    return errors(lib, lambda: y.sum().backward(), lambda: z.sum().backward())


@program
def post_accumulate_hooks(lib):
    x = leaf(lib)
    seen = []

    def step(p):
        seen.append(p.grad.tolist())
        p.grad = None

    handle = x.register_post_accumulate_grad_hook(step)
    (x * x).sum().backward()
    (x * 2.0 + x).sum().backward()
    handle.remove()
    x.sum().backward()
    y = x * 1.0
    return seen, x.grad, errors(lib, lambda: y.register_post_accumulate_grad_hook(step))


@program
def retained(lib):
    x = leaf(lib)
    y = x * 2.0
    z = y * y
    y.retain_grad()
    y.register_hook(lambda g: g * 3.0)
    x.retain_grad()
    z.sum().backward(retain_graph=True)
    first = y.grad.tolist()
    z.sum().backward()
    constant = lib.ones(2)
    return first, y.grad, y.retains_grad, x.retains_grad, z.retains_grad, errors(lib, lambda: constant.retain_grad())


@program
def retained_behind_a_write(lib):
    x = leaf(lib)
    y = x * 2.0
    y.retain_grad()
    y.mul_(3.0)
    (y * y).sum().backward()
    return y.grad, x.grad


@program
def hook_of_several(lib):
    x, y = leaf(lib), leaf(lib)
    seen = []
    register = lib.autograd.graph.register_multi_grad_hook
    handle = register((x, y), lambda grads: seen.append([g.tolist() for g in grads]))
    register((x, y), lambda g: seen.append(g.tolist()), mode="any")
    (x * y).sum().backward()
    handle.remove()
    with lib.autograd.graph.save_on_cpu():
        (x * y * 2.0).sum().backward()
    return sorted(map(str, seen)), errors(lib, lambda: register((x, y), print, mode="none"))


@program
def grad_of_a_dict(lib):
    x, y = leaf(lib), leaf(lib)
    found = lib.autograd.grad((x * y * y).sum(), {"a": x, "b": y}, only_inputs=True)
    return sorted(found), found["b"]


@program
def node_hooks(lib):
    x = leaf(lib)
    y = x.exp()
    seen = []
    y.grad_fn.register_prehook(lambda g: (g[0] * 2.0,))
    y.grad_fn.register_hook(lambda gi, go: seen.append((gi[0].tolist(), go[0].tolist())))
    handle = y.grad_fn.register_hook(lambda gi, go: (gi[0] * 0.0,))
    y.sum().backward(retain_graph=True)
    handle.remove()
    y.sum().backward()
    return seen, x.grad


@program
def grad_fn_walk(lib):
    x, w = leaf(lib), leaf(lib)
    y = ((x * w).exp() + 1.0).sum()
    names, node = [], y.grad_fn
    while node is not None:
        names.append((node.name(), type(node).__name__, len(node.next_functions) > 0))
        node = node.next_functions[0][0] if node.next_functions else None
    end = (x * w).grad_fn.next_functions[1][0]
    same = y.grad_fn
    return names, end.variable is w, x.grad_fn is None, same is y.grad_fn, y.output_nr, str(same)[:22]


NAMES = """x+y x-y 1-x x*y x*2 x/y x**3 x**y x.square() -x x.exp() x.log() x.sqrt() x.rsqrt() x.reciprocal() x.tanh()
x.sigmoid() x.relu() x.sin() x.abs() x.clamp(0,1) x.sum() x.sum(0) x.mean() x.mean(1) x.max() x.max(0)[0] x.min()
x.clone() x.view(9) x.reshape(9) x.transpose(0,1) x.unsqueeze(0) x.expand(3,3,3) x[1:] x[0]
x.split(1)[0] x.tril() x@y x.softmax(-1) x.log_softmax(-1) x[0].detach().requires_grad_()*2""".split()


@program
def names_of_ops(lib):
    given = {
        "x": lib.tensor([[1.0, 2.0, 3.0]] * 3, requires_grad=True),
        "y": lib.tensor([[1.0, 0.5, 0.25]] * 3, requires_grad=True),
    }
    return [(text, eval(text, dict(given)).grad_fn.name()) for text in NAMES]


@program
def printed(lib):
    x = leaf(lib)
    return [repr(x * 2.0), repr(x), repr((x * x).sum()), repr(x.detach())]


# ---- Function ------------------------------------------------------------------------------------


def functions(lib):
    base = lib.autograd.Function

    class Cube(base):
        @staticmethod
        def forward(ctx, x, scale):
            ctx.save_for_backward(x)
            ctx.scale = scale
            return x**3 * scale

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * 3.0 * x**2 * ctx.scale, None

    class Exp(base):
        @staticmethod
        def forward(ctx, x):
            y = x.exp()
            ctx.save_for_backward(y)
            return y

        @staticmethod
        def backward(ctx, g):
            return g * ctx.saved_tensors[0]

    class Both(base):
        @staticmethod
        def forward(x, y, flag=True):
            return x * y, x + y, 7

        @staticmethod
        def setup_context(ctx, inputs, output):
            x, y, _ = inputs
            ctx.save_for_backward(x, y)
            ctx.needs = ctx.needs_input_grad

        @staticmethod
        def backward(ctx, a, b, c):
            x, y = ctx.saved_tensors
            return a * y + b, a * x + b, None

    return Cube, Exp, Both


@program
def function_of_any_order(lib):
    cube, exp, _ = functions(lib)
    x = leaf(lib)
    y = exp.apply(cube.apply(x * 0.1, 2.0))
    out = [y.tolist(), y.grad_fn.name(), y.requires_grad]
    total = y.sum()
    for _ in range(3):
        (g,) = lib.autograd.grad(total, x, create_graph=True)
        out.append(g)
        total = (g * g).sum()
    return out


@program
def function_with_setup_context(lib):
    both = functions(lib)[2]
    x, y = leaf(lib), lib.ones(3)
    a, b, seven = both.apply(x, y)
    (a * 2.0).sum().backward()
    return a, b, seven, x.grad, a.grad_fn is b.grad_fn, a.output_nr, b.output_nr, a.grad_fn.needs


@program
def function_without_recording(lib):
    cube = functions(lib)[0]
    with lib.no_grad():
        a = cube.apply(leaf(lib), 1.0)
    return a.requires_grad, cube.apply(lib.ones(2), 1.0).requires_grad


@program
def function_marks(lib):
    base = lib.autograd.Function
    seen = []

    class Sorted(base):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(False)
            first, second = x * 2.0, x > 1.5
            ctx.mark_non_differentiable(second)
            return first, second, x * 3.0

        @staticmethod
        def backward(ctx, a, b, c):
            seen.append([v is None for v in (a, b, c)])
            return a

    class Add(base):
        @staticmethod
        def forward(ctx, x):
            x.add_(1.0)
            ctx.mark_dirty(x)
            return x

        @staticmethod
        def backward(ctx, g):
            return g * 5.0

    class Same(base):
        @staticmethod
        def forward(ctx, x):
            return x

        @staticmethod
        def backward(ctx, g):
            return -g

    x = leaf(lib)
    a, b, c = Sorted.apply(x)
    a.sum().backward()
    y = x * 1.0
    z = Add.apply(y)
    z.sum().backward()
    same = Same.apply(x)
    same.sum().backward()
    return seen, b.requires_grad, c.requires_grad, z is y, same is x, x.grad, errors(lib, lambda: Add.apply(leaf(lib)))


@program
def function_errors(lib):
    base = lib.autograd.Function

    def gives(value):
        class Wrong(base):
            @staticmethod
            def forward(ctx, x, y):
                return x * 2.0

            @staticmethod
            def backward(ctx, g):
                return value(g)

        return Wrong

    class Nothing(base):
        @staticmethod
        def forward(ctx, x):
            return x * 2.0

    class Late(base):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(3)
            return x

    x = leaf(lib)
    return errors(
        lib,
        lambda: gives(lambda g: g).apply(x, 1).sum().backward(),
        lambda: gives(lambda g: (g[:2], None)).apply(x, 1).sum().backward(),
        lambda: gives(lambda g: (g, g)).apply(x, 1).sum().backward(),
        lambda: gives(lambda g: (3, None)).apply(x, 1).sum().backward(),
        lambda: Nothing.apply(x).sum().backward(),
        lambda: Late.apply(x),
        lambda: base()(x),
    ) + [lib.autograd.grad(gives(lambda g: (g.sum(), None, None)).apply(x[:1], 1).sum(), x)]


@program
def once(lib):
    from_lib = lib.autograd.function.once_differentiable

    class Square(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        @from_lib
        def backward(ctx, g):
            return g * 2.0 * ctx.saved_tensors[0]

    x = leaf(lib)
    y = Square.apply(x) * x
    (g,) = lib.autograd.grad(y.sum(), x, create_graph=True)
    return g, errors(lib, lambda: g.sum().backward())


@program
def function_saved_then_written(lib):
    cube = functions(lib)[0]
    x = leaf(lib)
    y = x * 1.0
    z = cube.apply(y, 1.0)
    y.add_(1.0)
    return errors(lib, lambda: z.sum().backward())


# ---- modes ---------------------------------------------------------------------------------------


@program
def modes(lib):
    on = lib.is_grad_enabled
    out = [on()]
    with lib.no_grad():
        out.append(on())
        with lib.enable_grad():
            out.append(on())
        with lib.set_grad_enabled(True):
            out.append(on())
        with lib.inference_mode(False):
            out += [on(), lib.is_inference_mode_enabled()]
    with lib.inference_mode():
        out += [on(), lib.is_inference_mode_enabled()]
    lib.set_grad_enabled(False)
    out.append(on())
    lib.set_grad_enabled(True)
    return [*out, on()]


@program
def decorators(lib):
    on = lib.is_grad_enabled

    @lib.no_grad()
    def with_parentheses(a, b=2):
        return on(), a, b

    @lib.no_grad
    def without():
        """Says."""
        return on()

    @lib.inference_mode()
    def inference():
        return on(), lib.is_inference_mode_enabled()

    @lib.inference_mode
    def bare():
        return on()

    @lib.set_grad_enabled(False)
    def off():
        return on()

    @lib.no_grad()
    @lib.enable_grad()
    def nested():
        return on()

    @lib.no_grad()
    def steps():
        for i in range(2):
            got = yield on(), i
            yield got, on()
        return 5

    class Thing:
        @lib.no_grad()
        def method(self):
            return on()

        @classmethod
        @lib.no_grad()
        def of_class(cls):
            return on()

    around = []
    for value in steps():
        around.append((value, on()))
    return [
        with_parentheses(1, b=3), without(), without.__name__, without.__doc__, inference(), bare(), off(), nested(),
        around, Thing().method(), Thing.of_class(), on(),
    ]  # fmt: skip


@program
def mode_behind_an_error(lib):
    try:
        with lib.no_grad():
            raise KeyError
    except KeyError:
        pass

    @lib.no_grad()
    def generator():
        try:
            yield 1
        finally:
            seen.append(lib.is_grad_enabled())

    seen = []
    g = generator()
    next(g)
    g.close()
    return lib.is_grad_enabled(), seen


# ---- anomalies, checks ---------------------------------------------------------------------------


@program
def anomaly(lib):
    x = leaf(lib, (0.0, 1.0, -1.0))
    with lib.autograd.detect_anomaly():
        y = (x.sqrt() * 0.0).sum()
        found = errors(lib, lambda: y.backward())
        inside = lib.is_anomaly_enabled()
    (x.sqrt() * 0.0).sum().backward()
    return found, inside, lib.is_anomaly_enabled()


@program
def anomaly_off(lib):
    x = leaf(lib, (0.0, 1.0, 4.0))
    with lib.autograd.set_detect_anomaly(True, check_nan=False):
        (x.sqrt() * 0.0).sum().backward()
    with lib.autograd.set_detect_anomaly(False):
        (x.sqrt() * 0.0).sum().backward()
    return lib.is_anomaly_enabled()


@program
def variable(lib):
    kind = lib.autograd.Variable
    x = kind(lib.ones(2), requires_grad=True)
    return isinstance(x, kind), x.requires_grad, isinstance(lib.ones(1), kind), isinstance(3, kind)


@program
def checked(lib):
    f64 = lib.float64
    x = lib.tensor([0.3, -0.7], dtype=f64, requires_grad=True)
    y = lib.tensor([1.5, 0.2], dtype=f64, requires_grad=True)

    class Wrong(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2.0

        @staticmethod
        def backward(ctx, g):
            return g * 3.0

    check, twice = lib.autograd.gradcheck, lib.autograd.gradgradcheck
    return [
        check(lambda a, b: (a * b).exp(), (x, y)),
        check(lambda a: (a.sum(), a * a), x),
        twice(lambda a, b: (a * b).tanh() / b, (x, y)),
        check(Wrong.apply, (x,), raise_exception=False),
        errors(lib, lambda: check(Wrong.apply, (x,)), lambda: check(lambda a: a, (lib.ones(2),))),
    ]


@pytest.mark.parametrize("function", PROGRAMS, ids=lambda f: f.__name__)
def test_program_equals_pytorch(front, function):
    tinygpt.set_device("native")
    expected = outcome(torch, function)
    mine = outcome(front, function)
    assert same(expected, mine), (expected, mine)


def test_anomaly_names_the_forward_call(front):
    """The warning shows the line that called the op."""
    x = front.tensor([0.0], requires_grad=True)
    with pytest.warns(UserWarning) as found, front.autograd.detect_anomaly():
        y = x.sqrt() * 0.0  # the line
        with pytest.raises(RuntimeError, match="'SqrtBackward0' returned nan values in its 0th output"):
            y.backward()
    text = "".join(str(w.message) for w in found)
    assert "Error detected in SqrtBackward0. Traceback of forward call" in text and "# the line" in text


def test_an_op_without_a_second_gradient_is_refused_by_name(front):
    from tinygpt.core.autograd import attach

    x = front.tensor([1.0], requires_grad=True)
    y = front.tensor([2.0])
    attach("strange", (y,), (x,), lambda dy: (dy,), ())
    with pytest.raises(RuntimeError, match="'strange' has no gradient of its gradient"):
        front.autograd.grad(y.sum(), x, create_graph=True)
    assert front.autograd.grad(y.sum(), x)[0].tolist() == [1.0]


def test_nodes_are_freed_without_the_collector(front):
    """No op, hook or Function holds its own Node in a circle."""
    tinygpt.set_device("native")
    exp = functions(front)[1]
    w = front.tensor([[2.0, 0.5], [0.25, 1.5]], requires_grad=True)

    def second():
        (g,) = front.autograd.grad((w @ w).tanh().softmax(-1).std() + exp.apply(w).norm(), w, create_graph=True)
        front.autograd.grad(front.linalg.inv(g).sum(), w)

    def hooked():
        y = w * 2.0
        y.register_hook(lambda g: g * 2.0)
        y.retain_grad()
        y.sum().backward()

    def count(steps):
        steps()
        w.grad = None
        return sum(issubclass(type(x), Node) for x in gc.get_objects())

    programs = [second, hooked, lambda: w.exp().grad_fn.next_functions, lambda: exp.apply(w), lambda: w.norm()]
    gc.collect()
    gc.disable()
    try:
        for steps in programs:
            count(steps)
            assert count(steps) == count(steps)
    finally:
        gc.enable()


def test_hooks_leave_the_plain_walk_to_tinygpts_own_code(front):
    x = front.ones(2, requires_grad=True)
    x.register_hook(lambda g: g * 2)
    (x * 3).sum().backward()
    assert x.grad.tolist() == [6.0, 6.0] and autograd.complete_walk is not None
    leave()
    assert autograd.complete_walk is None
    enter()
    assert autograd.complete_walk is not None
