"""Gradients of gradients: each op beside PyTorch, to the third order."""

import math

import numpy
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

import tinygpt
from tinygpt.core.tensor import float64
from tinygpt.ops import reduce

pytestmark = pytest.mark.fast

# name: (program of lib, F and the tensors, shapes). p: positive values; i: class numbers.
PROGRAMS = {
    "add": ("a + b * 2.0", "a b"),
    "add number": ("a + 1.5", "a"),
    "add alpha": ("(a * a).add(b * b, alpha=3.0)", "a b"),
    "add broadcast": ("(a + v) * (a * v)", "a v"),
    "sub": ("(a - b) * (b - a)", "a b"),
    "rsub": ("(2.0 - a) * a", "a"),
    "mul": ("a * b * a", "a b"),
    "mul number": ("(a * 3.0) * a", "a"),
    "mul broadcast": ("a * v * v", "a v"),
    "div": ("a / p", "a p"),
    "div broadcast": ("v / p", "v p"),
    "div number": ("a * a / 4.0", "a"),
    "rdiv": ("2.0 / p", "p"),
    "reciprocal": ("p.reciprocal()", "p"),
    "pow": ("a ** 3", "a"),
    "pow half": ("p ** 1.5", "p"),
    "pow root": ("p ** 0.5", "p"),
    "pow zero": ("a ** 0 * a", "a"),
    "pow tensor": ("p ** b", "p b"),
    "rpow": ("2.0 ** a", "a"),
    "neg": ("-a * a", "a"),
    "exp": ("a.exp()", "a"),
    "log": ("p.log()", "p"),
    "sqrt": ("p.sqrt()", "p"),
    "rsqrt": ("p.rsqrt()", "p"),
    "tanh": ("a.tanh()", "a"),
    "sigmoid": ("a.sigmoid()", "a"),
    "relu": ("a.relu() * a", "a"),
    "gelu": ("F.gelu(a)", "a"),
    "gelu tanh": ("F.gelu(a, approximate='tanh')", "a"),
    "silu": ("F.silu(a)", "a"),
    "sin": ("a.sin()", "a"),
    "cos": ("a.cos()", "a"),
    "abs": ("a.abs() * a", "a"),
    "square": ("a.square()", "a"),
    "clamp": ("a.clamp(-0.5, 0.5) * a", "a"),
    "maximum": ("lib.maximum(a, b) * a", "a b"),
    "minimum": ("lib.minimum(a, b) * b", "a b"),
    "minimum ties": ("lib.minimum(a, a * 1.0) * a", "a"),
    "where": ("(a * b).where(a > 0, b * b)", "a b"),
    "masked_fill": ("(a * a).masked_fill(b > 0, 0.5)", "a b"),
    "double": ("a.to(f64) * a", "a"),
    "sum": ("a.sum() * a.sum()", "a"),
    "sum dim": ("a.sum(0) * a.sum(0)", "a"),
    "sum keepdim": ("a * a.sum(1, keepdim=True)", "a"),
    "mean": ("(a * a).mean() * a.mean()", "a"),
    "mean dim": ("a * a.mean(-1, keepdim=True)", "a"),
    "max": ("a.max() * a", "a"),
    "max dim": ("a.max(0)[0] * a", "a"),
    "min dim": ("a.min(1)[0] * a.min(1)[0]", "a"),
    "prod": ("R.prod(a.to(f64))", "a"),
    "prod dim": ("R.prod(a.to(f64), 1)", "a"),
    "prod zero": ("R.prod(z, 1)", "z"),
    "prod zeros": ("R.prod(z)", "z"),
    "var": ("a.var()", "a"),
    "var dim": ("a.var(1)", "a"),
    "var unbiased": ("a.var(0, unbiased=False) * a", "a"),
    "std": ("a.std(1)", "a"),
    "std of all": ("a.std() * a", "a"),
    "cumsum": ("R.cumsum(a, 0) * a", "a"),
    "cumprod": ("R.cumprod(p.to(f64), 1)", "p"),
    "norm": ("(a * a).sum().sqrt() * a", "a"),
    "matmul": ("a @ b.t()", "a b"),
    "matmul square": ("(a @ a.t()) @ a", "a"),
    "matmul vector": ("a @ v", "a v"),
    "vector matmul": ("v @ a.t()", "a v"),
    "dot": ("v @ v * v", "v"),
    "bmm": ("c @ c.transpose(1, 2)", "c"),
    "matmul batch": ("c @ a.t()", "a c"),
    "linear": ("F.linear(a, w, u)", "a w u"),
    "linear batch": ("F.linear(c, w, u)", "c w u"),
    "linear without bias": ("F.linear(c, w).tanh()", "c w"),
    "linear strided": ("F.linear(c.transpose(0, 1), w, u).tanh()", "c w u"),
    "softmax": ("a.softmax(-1)", "a"),
    "softmax 0": ("a.softmax(0)", "a"),
    "log_softmax": ("a.log_softmax(-1)", "a"),
    "log_softmax 0": ("a.log_softmax(0)", "a"),
    "cross_entropy": ("F.cross_entropy(a * a, i)", "a i"),
    "cross_entropy sum": ("F.cross_entropy(a, i, reduction='sum')", "a i"),
    "cross_entropy none": ("F.cross_entropy(a, i, reduction='none')", "a i"),
    "cross_entropy ignored": ("F.cross_entropy(a, i, ignore_index=1)", "a i"),
    "cross_entropy smooth": ("F.cross_entropy(a, i, label_smoothing=0.1)", "a i"),
    "nll": ("F.nll_loss(a.log_softmax(-1), i)", "a i"),
    "layer_norm": ("F.layer_norm(a, (4,), v, q)", "a v q"),
    "layer_norm plain": ("F.layer_norm(c, (4,))", "c"),
    "layer_norm weight": ("F.layer_norm(c, (4,), v)", "c v"),
    "rms_norm": ("F.rms_norm(a, (4,), v, eps=1e-5)", "a v"),
    "rms_norm plain": ("F.rms_norm(c, (4,), eps=1e-5)", "c"),
    "embedding": ("F.embedding(i, a) ** 2", "a i"),
    "attention": ("F.scaled_dot_product_attention(d, d * 2.0, d)", "d"),
    "attention causal": ("F.scaled_dot_product_attention(d, d * 2.0, d, is_causal=True)", "d"),
    "view": ("(a * a).view(4, 3) * a.reshape(4, 3)", "a"),
    "permute": ("(c * c).permute(2, 0, 1)", "c"),
    "expand": ("v.expand(3, 4) * a", "a v"),
    "squeeze": ("(a * a).unsqueeze(0).squeeze(0)", "a"),
    "slice": ("a[1:, ::2] * a[:2, 1::2]", "a"),
    "select": ("a[0] * a[1]", "a"),
    "narrow": ("a.narrow(1, 1, 2) ** 2", "a"),
    "index": ("a[[2, 0, 0]] * a", "a"),
    "index pairs": ("a[[0, 2, 1], [1, 1, 3]] ** 3", "a"),
    "mask": ("a[b > 0] ** 2", "a b"),
    "cat": ("lib.cat([a, a * b], 1) ** 2", "a b"),
    "stack": ("lib.stack([a * a, b], 1) ** 2", "a b"),
    "split": ("(a * a).split(2, 1)[0] * a.split(2, 1)[1]", "a"),
    "chunk": ("sum(part * part for part in a.chunk(2, 1))", "a"),
    "tril": ("(a @ a.t()).tril()", "a"),
    "clone": ("a.clone() * a", "a"),
    "add in place": ("written(a * a, lambda x: x.add_(b * b))", "a b"),
    "mul in place": ("written(a * a, lambda x: x.mul_(b))", "a b"),
    "row in place": ("written(a * a, lambda x: x[0].mul_(v))", "a v"),
    "assigned": ("written(a * a, lambda x: x.__setitem__(0, v * v)) * a", "a v"),
    "assigned index": ("written(a * a, lambda x: x.__setitem__([2, 0], b[:2] * b[1:])) * a", "a b"),
    "copy_": ("written(a * a, lambda x: x.copy_(b * b))", "a b"),
    "view of a written base": ("seen(a * a, b)", "a b"),
    "gather": ("lib.gather(a * a, 0, j) * a[:2]", "a j"),
    "scatter": ("lib.scatter(a * a, 0, j, b[:2] * b[1:]) * a", "a b j"),
    "scatter_add": ("lib.scatter_add(a * a, 0, j, b[:2] * b[1:]) * a", "a b j"),
    "index_select": ("lib.index_select(a * a, 1, i) * a[:, :3]", "a i"),
    "index_add": ("lib.index_add(a * a, 0, i, b * b) * a", "a b i"),
    "diagonal": ("lib.diagonal(a * a) * a.diagonal()", "a"),
    "unfold": ("(a * a).unfold(1, 2, 1) * a.unfold(1, 2, 1)", "a"),
    "unbind": ("sum(r * r * r for r in (a * a).unbind(0))", "a"),
    "as_strided": ("(a * a).as_strided((3, 3), (2, 1), 1) * a[:, :3]", "a"),
    "flip": ("lib.flip(a * a, (0,)) * a", "a"),
    "logaddexp": ("lib.logaddexp(a, b)", "a b"),
    "lerp": ("lib.lerp(a * a, b, p)", "a b p"),
    "atan2": ("lib.atan2(a, p)", "a p"),
    "hypot": ("lib.hypot(a, p)", "a p"),
    "erf": ("a.erf()", "a"),
    "expm1": ("a.expm1()", "a"),
    "log1p": ("p.log1p()", "p"),
    "tan": ("(a * 0.3).tan()", "a"),
    "sinh": ("a.sinh() * a.cosh()", "a"),
    "atan": ("a.atan()", "a"),
    "digamma": ("p.lgamma()", "p"),
    "sinc": ("lib.sinc(p)", "p"),
    "xlogy": ("lib.xlogy(a, p)", "a p"),
    "remainder": ("lib.remainder(a, p) * a", "a p"),
    "floor": ("a.floor() * a", "a"),
    "addcmul": ("lib.addcmul(a, a, b)", "a b"),
    "clamp tensors": ("lib.clamp(a * a, v, q) * a", "a v q"),
    "norm of rows": ("a.norm(dim=1) * a.norm()", "a"),
    "amax": ("a.amax(1) * a.sum(1)", "a"),
    "logsumexp": ("lib.logsumexp(a, 1)", "a"),
    "sort": ("a.sort(1)[0] ** 3", "a"),
    "topk": ("(a * a).topk(2, 1)[0] ** 2", "a"),
    "inverse": ("lib.linalg.inv(s)", "s"),
    "det": ("lib.linalg.det(s)", "s"),
    "slogdet": ("lib.linalg.slogdet(s)[1]", "s"),
    "solve": ("lib.linalg.solve(s, a.t()[:3])", "a s"),
    "cholesky": ("lib.linalg.cholesky(s @ s.t())", "s"),
    "qr": ("lib.linalg.qr(s)[1]", "s"),
    "eigvalsh": ("lib.linalg.eigvalsh(s @ s.t())", "s"),
    "svdvals": ("lib.linalg.svdvals(s)", "s"),
    "einsum": ("lib.einsum('ij,kj->ik', a, b)", "a b"),
    "conv1d": ("F.conv1d(c, k, padding=1).tanh()", "c k"),
    "conv2d": ("F.conv2d(d, d[:, :, :2, :2]).tanh()", "d"),
    "max_pool1d": ("F.max_pool1d(c * c, 2) ** 2", "c"),
    "avg_pool1d": ("F.avg_pool1d(c * c, 2) ** 2", "c"),
    "batch_norm": ("F.batch_norm(c, None, None, training=True) ** 2", "c"),
    "pad": ("F.pad(a * a, (1, 1), 'constant') ** 2", "a"),
    "elu": ("F.elu(a)", "a"),
    "softplus": ("F.softplus(a)", "a"),
    "mse": ("F.mse_loss(a, b)", "a b"),
    "bce with logits": ("F.binary_cross_entropy_with_logits(a, b.sigmoid())", "a b"),
    "smooth_l1": ("F.smooth_l1_loss(a * a, b)", "a b"),
    "filled": ("written(a * a, lambda x: x[:, 0].fill_(0.5)) * a", "a"),
}
SHAPES = dict(
    a=(3, 4), b=(3, 4), c=(2, 3, 4), d=(1, 2, 3, 4), k=(2, 3, 3), p=(3, 4), s=(3, 3), q=(4,), u=(2,), v=(4,), w=(2, 4),
    z=(3, 4),
)  # fmt: skip


# By whether it is PyTorch: reductions, a dtype.
NAMES = {True: dict(R=torch, f64=torch.float64), False: dict(R=reduce, f64=float64)}


def written(x, write):
    write(x)
    return x


def seen(x, b):
    row = x[1]
    x.mul_(b)
    return row * row


def inputs_of(names):
    random = numpy.random.default_rng(7)
    values = {}
    for name in SHAPES:
        values[name] = random.normal(size=SHAPES[name]).astype("float32")
    values["p"] = numpy.abs(values["p"]) + 0.5
    values["z"][0, 1] = values["z"][2, 0] = values["z"][2, 3] = 0.0
    values["i"], values["j"] = numpy.array([2, 1, 0]), numpy.array([[0, 2, 1, 1], [2, 2, 0, 1]])
    return {n: values[n] for n in names.split()}


def orders(lib, functional, tensor, program, names, count=3):
    """The value and the gradients of each order, as flat lists."""
    wide = any(word in program for word in ("linalg", "einsum"))
    given = {n: tensor(v.tolist()) for n, v in inputs_of(names).items()}
    if wide:
        given = {n: x.to(lib.float64) for n, x in given.items()}
    leaves = [x.requires_grad_() for n, x in given.items() if n not in "ij"]
    value = eval(program, dict(NAMES[lib is torch], lib=lib, F=functional, written=written, seen=seen, **given))
    found = [value.detach().reshape(-1).tolist()]
    total = value
    for order in range(count):
        weights = [math.cos(1.0 + k) for k in range(total.numel())]
        total = (total * tensor(weights).to(total.dtype).reshape(total.shape)).sum()
        if not total.requires_grad:
            found.append("constant")
            break
        grads = lib.autograd.grad(total, leaves, create_graph=order < count - 1, allow_unused=True)
        zero = tensor(0.0)  # PyTorch's zeros without memory have no list
        found.append([None if g is None else (zero + g).reshape(-1).tolist() for g in grads])
        parts = [g.reshape(-1) for g in grads if g is not None and g.requires_grad]
        if not parts:
            break
        total = lib.cat(parts)
    return found, [x.grad for x in leaves]


def flat(value):
    if isinstance(value, (list, tuple)):
        return [y for x in value for y in flat(x)]
    return [value]


@pytest.mark.parametrize("name", PROGRAMS)
def test_each_order_equals_pytorch(front, name):
    tinygpt.set_device("native")
    program, names = PROGRAMS[name]
    # PyTorch's third derivatives of these norms differ from those of the same norm of plain ops.
    count = 2 if name.startswith(("layer_norm", "batch_norm")) else 3
    with sdpa_kernel(SDPBackend.MATH):  # the other kernels have no second derivative
        expected, _ = orders(torch, torch.nn.functional, torch.tensor, program, names, count)
    mine, grads = orders(front, front.nn.functional, front.tensor, program, names, count)
    assert grads == [None] * len(grads)  # .grad stays as it is
    for order, (a, b) in enumerate(zip(expected, mine)):
        a, b = [[0.0 if x is None else x for x in flat(v)] for v in (a, b)]
        if "constant" in a or "constant" in b:
            continue
        if len(a) != len(b):  # unused inputs have None for all of their elements
            a, b = [[x for x in v if x] for v in (a, b)]
        scale = max([1.0] + [abs(x) for x in a])
        assert numpy.allclose(b, a, rtol=2e-4, atol=2e-5 * scale), (order, a, b)
