"""Random arguments of the families of functions of which tests/fuzz/front.py takes one at a time:
pointwise, reductions, dtypes, indices in brackets, linear algebra and nn.functional. An entry takes
a Call of that file and gives (arguments, keywords).
"""

import torch

import tinygpt.torch as tt

INF = float("inf")
UNARY = """
abs acos acosh asin asinh atan atanh ceil cos cosh deg2rad digamma erf erfc erfinv exp exp2 expm1 floor frac isfinite
isinf isnan isneginf isposinf lgamma log log10 log1p log2 logical_not logit neg positive rad2deg reciprocal relu round
rsqrt sgn sigmoid sign signbit sin sinc sinh sqrt square tan tanh trunc nan_to_num bitwise_not i0
special.entr special.expit special.ndtr special.xlog1py special.i0e special.i1
""".split()
BINARY = """
add sub mul div true_divide floor_divide remainder fmod pow maximum minimum fmax fmin atan2 hypot copysign logaddexp
logaddexp2 eq ne lt le gt ge logical_and logical_or logical_xor bitwise_and bitwise_or bitwise_xor xlogy heaviside gcd
lcm ldexp float_power rsub isclose bitwise_left_shift
""".split()
PLAIN = """
nn.functional.silu nn.functional.gelu nn.functional.softplus nn.functional.elu nn.functional.selu nn.functional.mish
nn.functional.celu nn.functional.hardtanh nn.functional.hardswish nn.functional.hardsigmoid nn.functional.relu6
nn.functional.leaky_relu nn.functional.logsigmoid nn.functional.softsign nn.functional.tanhshrink
nn.functional.softshrink nn.functional.hardshrink
""".split()
ALL_OR_DIMS = "sum mean std var amax amin all any logsumexp nansum nanmean std_mean var_mean count_nonzero".split()
ALONG = (
    "prod argmax argmin max min median nanmedian cumsum cumprod cummax cummin logcumsumexp softmax log_softmax".split()
)
LOSSES = """
mse_loss l1_loss smooth_l1_loss huber_loss binary_cross_entropy_with_logits kl_div soft_margin_loss poisson_nll_loss
hinge_embedding_loss
""".split()
IN_PLACE = """
abs_ neg_ exp_ sqrt_ sin_ tanh_ sigmoid_ relu_ floor_ round_ square_ reciprocal_ erf_ log1p_ add_ sub_ mul_ div_ pow_
remainder_ fmod_ floor_divide_ bitwise_xor_ clamp_ lerp_ addcmul_ addcdiv_ cumsum_ copysign_
atan2_ nan_to_num_
""".split()
KINDS = "float32 float64 float16 bfloat16 int64 int32 int16 int8 uint8 bool".split()


class Both:
    """PyTorch's value and the front's."""

    def __init__(self, pair):
        self.pair = pair


def one(f):
    """Arguments made of the tensor's shape."""

    def arguments(c):
        shape = c.shape()
        return (c.tensor(shape), *f(c, shape)), {}

    return arguments


def full(f):
    """As one, of tensors with elements: of an empty one PyTorch's errors follow no rule."""

    def arguments(c):
        shape = [n or 1 for n in c.shape()]
        return (c.tensor(shape), *f(c, shape)), {}

    return arguments


def broadcast(c, shape):
    """A shape that broadcasts to another, most of the time."""
    if c.r.random() < 0.03:
        return c.shape()
    return [n if c.r.random() < 0.8 else 1 for n in shape][c.r.randint(0, min(1, len(shape))) :]


def scalar(c):
    return c.r.choice((0, 1, 2, 3, -2, 0.5, -1.5, True))


def binary(c):
    shape = c.shape(3)
    x = c.tensor(shape)
    return (x, scalar(c) if c.r.random() < 0.3 else c.tensor(broadcast(c, shape))), {}


def numbers(c):
    """As binary, without bools: PyTorch's gradients of them fail."""
    shape, kinds = c.shape(3), ("float32", "float64", "int64", "uint8")
    x = c.tensor(shape, c.r.choice(kinds))
    return (x, scalar(c) if c.r.random() < 0.3 else c.tensor(broadcast(c, shape), c.r.choice(kinds))), {}


def alike(c, count, kind=None):
    """Tensors of one dtype whose shapes broadcast."""
    shape = c.shape(3)
    kind = kind or c.r.choice(("float32", "float64"))
    return [c.tensor(shape, kind), *(c.tensor(broadcast(c, shape), kind) for _ in range(count - 1))]


def dims(c, shape, most=2):
    """A dim, several, or none."""
    if c.r.random() < 0.3:
        return ()
    if c.r.random() < 0.6 or not shape:
        return (c.dim(len(shape)),)
    return (tuple(c.r.sample(range(-len(shape), 0), c.r.randint(1, min(most, len(shape))))),)


def reduced(c):
    shape = [n or 1 for n in c.shape()]
    given = dims(c, shape)
    return (c.tensor(shape), *given), {"keepdim": c.r.random() < 0.5} if given else {}


def along(c, shape):
    return (c.dim(len(shape)),)


def dtype(c):
    name = c.r.choice(KINDS)
    return Both([getattr(T, name) for T in (torch, tt)])


def index(c, shape):
    """What stands in brackets: ints, slices, None, Ellipsis, lists, masks and tensors."""
    items, rank = [], len(shape)
    d = 0
    while d < rank and c.r.random() < 0.8:
        n, kind = shape[d], c.r.randrange(8)
        if kind == 0:
            items.append(c.r.randint(-n, n) if c.r.random() < 0.1 or not n else c.r.randint(-n, n - 1))
        elif kind in (1, 2):
            items.append(slice(*(c.r.choice((None, c.r.randint(-n - 1, n + 1))) for _ in "ab"), c.r.choice((None, 2))))
        elif kind == 3:
            items.append(None)
            continue
        elif kind == 4 and Ellipsis not in [item for item in items if item is Ellipsis]:
            items.append(Ellipsis)
            d = c.r.randint(d, rank)
            continue
        elif kind == 5:
            items.append([c.r.randrange(n) for _ in range(c.r.randint(1, 2))] if n else slice(None))
        elif kind == 6:
            items.append(c.index(c.shape(2), n) if n else slice(None))
        else:
            items.append(c.tensor([n], "bool"))
        d += 1
    return items[0] if len(items) == 1 and c.r.random() < 0.7 else tuple(items)


def getitem(c):
    shape = c.shape(4, 1)
    return (c.tensor(shape), index(c, shape)), {}


def setitem(c):
    shape = [n or 1 for n in c.shape(3, 1)]
    x = c.tensor(shape)
    value = scalar(c) if c.r.random() < 0.6 else c.tensor(c.shape(1), gradient=x.pair[0].dtype.is_floating_point)
    return (x, index(c, shape), value), {}


def sized(c, *letters, kind=None):
    """Tensors with shapes in letters: a to g at least 1."""
    size = {letter: c.r.randint(1, 4) for letter in "abcdefg"}
    kind = kind or c.r.choice(("float32", "float64"))
    return [c.tensor([size[letter] for letter in text], kind) for text in letters], size


def linear(c):
    tensors, _ = sized(c, *c.r.choice((("ab", "cb", "c"), ("dab", "cb", "c"), ("b", "cb", "c"), ("ab", "cb"))))
    return tensors, {}


def convolved(rank, transposed=False):
    def arguments(c):
        groups, stride, dilation = c.r.choice((1, 1, 2)), c.r.randint(1, 2), c.r.randint(1, 2)
        inside, outside = groups * c.r.randint(1, 2), groups * c.r.randint(1, 2)
        kernel = [c.r.randint(1, 3) for _ in range(rank)]
        kind = c.r.choice(("float32", "float64"))
        x = c.tensor(
            [*([c.r.randint(1, 2)] if c.r.random() < 0.8 else []), inside, *(c.r.randint(3, 6) for _ in kernel)], kind
        )
        pair = (inside, outside // groups) if transposed else (outside, inside // groups)
        bias = c.tensor([outside], kind) if c.r.random() < 0.5 else None
        keywords = dict(stride=stride, padding=c.r.randint(0, 1 if transposed else 2), dilation=dilation, groups=groups)
        return (x, c.tensor([*pair, *kernel], kind), bias), keywords

    return arguments


def pooled(rank, kind="max"):
    def arguments(c):
        x = c.tensor(
            [*([2] if c.r.random() < 0.7 else []), 2, *(c.r.randint(3, 6) for _ in range(rank))],
            c.r.choice(("float32", "float64")),
        )
        if kind == "adaptive":
            return (x, c.r.randint(1, 4)), {}
        keywords = dict(stride=c.r.choice((None, 1, 2)), padding=c.r.randint(0, 1), ceil_mode=c.r.random() < 0.3)
        return (x, c.r.randint(1, 3)), keywords

    return arguments


def loss(c):
    keywords = {"reduction": c.r.choice(("mean", "sum", "none"))}
    shape, kind = [n or 1 for n in c.shape(3)], c.r.choice(("float32", "float64"))
    return (c.tensor(shape, kind), c.tensor(shape, kind)), keywords


def cross_entropy(c):
    (x,), size = sized(c, c.r.choice(("ab", "b", "abc")))
    shape = [n for place, n in enumerate(x.pair[0].shape) if place != (1 if x.pair[0].ndim > 1 else 0)]
    keywords = dict(reduction=c.r.choice(("mean", "sum", "none")), label_smoothing=c.r.choice((0.0, 0.0, 0.1)))
    if c.r.random() < 0.3:
        keywords["weight"] = c.tensor([size["b"]], str(x.pair[0].dtype)[6:], gradient=False, low=1)
    if c.r.random() < 0.3:
        keywords["ignore_index"] = c.r.randrange(size["b"])
    return (x, c.index(shape, size["b"], wrong=0)), keywords


def normalized(c):
    (x, w, b), size = sized(c, *c.r.choice((("ab", "b", "b"), ("cab", "b", "b"))))
    return (x, [size["b"]], *([w, b] if c.r.random() < 0.6 else [])), {}


def batch_norm(c):
    (x, w, b), _ = sized(c, *c.r.choice((("ab", "b", "b"), ("abc", "b", "b"), ("abcd", "b", "b"))))
    return (x, None, None, w, b), {"training": True}


def group_norm(c):
    groups = c.r.choice((1, 2))
    kind = c.r.choice(("float32", "float64"))
    return (c.tensor([2, groups * c.r.randint(1, 2), *c.shape(2)], kind), groups), {}


def attention(c):
    tensors, size = sized(c, "abcd", "abed", "abef")
    return tensors, {"is_causal": c.r.random() < 0.5 and size["c"] == size["e"]}


def padded(c):
    rank = c.r.randint(1, 2)
    shape = [2, *([2] if c.r.random() < 0.8 else []), *(c.r.randint(2, 4) for _ in range(rank))]
    x = c.tensor(shape, c.r.choice(("float32", "float64")))
    mode = c.r.choice(("constant", "reflect", "replicate", "circular"))
    return (x, tuple(c.r.randint(-1 if mode == "constant" else 0, 2) for _ in range(2 * rank))), {"mode": mode}


def interpolated(c):
    x = c.tensor([2, 2, c.r.randint(1, 4), c.r.randint(1, 4)], c.r.choice(("float32", "float64")))
    mode = c.r.choice(("nearest", "bilinear", "bicubic", "area", "nearest-exact"))
    keywords = {"align_corners": c.r.random() < 0.5} if mode[:2] == "bi" else {}
    return (x,), {"size": (c.r.randint(1, 6), c.r.randint(1, 6)), "mode": mode, **keywords}


def embedding(c):
    (w,), size = sized(c, "ab")
    return (c.index([n or 1 for n in c.shape(2)], size["a"]), w), {}


def definite(c):
    """A symmetric positive definite matrix, made by both sides alike."""
    n = c.r.randint(1, 4)
    return (c.tensor([n, n], "float64"),), {}


def searched(c):
    n = c.r.randint(1, 5)
    steps = sorted(c.r.randint(-3, 3) for _ in range(n))
    row = Both([T.tensor(steps, dtype=T.float32) for T in (torch, tt)])
    return (row, c.tensor(c.shape(2), "float32", gradient=False)), {"right": c.r.random() < 0.5}


OWN = {
    "getitem": lambda T: lambda x, i: x[i],
    "setitem": lambda T: _written(T),
    "cholesky": lambda T: lambda x: T.linalg.cholesky(x @ x.mT + T.eye(x.shape[-1], dtype=x.dtype)),
    "eigvalsh": lambda T: lambda x: T.linalg.eigvalsh(x @ x.mT),
    "eigh": lambda T: lambda x: _rebuilt(T, *T.linalg.eigh(x + x.mT)),
    "bincount": lambda T: lambda x: T.bincount(x.abs().flatten().long()),
}


def _written(T):
    def write(x, i, value):
        y = x * 1 if x.dtype is not T.bool else x.clone()
        y[i] = value
        return y

    return write


def _rebuilt(T, values, vectors):
    return vectors @ T.diag_embed(values.exp()) @ vectors.mT


CALLS = {
    **dict.fromkeys(UNARY, one(lambda c, s: ())),
    **dict.fromkeys("angle atleast_2d atleast_3d clone fliplr flipud ravel t isreal".split(), one(lambda c, s: ())),
    **dict.fromkeys(BINARY, binary),
    **dict.fromkeys(PLAIN, lambda c: (c.made and () or tuple(alike(c, 1)), {})),
    **dict.fromkeys(ALL_OR_DIMS, reduced),
    **dict.fromkeys(ALONG, full(along)),
    **dict.fromkeys(["nn.functional." + name for name in LOSSES], loss),
    **dict.fromkeys(("pow", "logaddexp", "special.xlog1py"), numbers),
    "round": one(lambda c, s: ()),
    "unflatten": one(lambda c, s: (c.dim(len(s)), (-1, c.r.randint(1, 3)))),
    "swapaxes": one(lambda c, s: (c.dim(len(s)), c.dim(len(s)))),
    "renorm": lambda c: ((c.tensor([2, 3], "float64"), 2, c.r.randint(0, 1), 1.0), {}),
    "where": lambda c: ((c.tensor(c.shape(2), "bool"), *alike(c, 2)), {}),
    "clamp": one(lambda c, s: (c.r.choice((None, -1, 0.5)), c.r.choice((2, 1.5)))),
    "lerp": lambda c: (tuple(alike(c, 3)) if c.r.random() < 0.5 else (*alike(c, 2), 0.3), {}),
    "addcmul": lambda c: (tuple(alike(c, 3)), {"value": c.r.choice((1, 0.5))}),
    "addcdiv": lambda c: (tuple(alike(c, 3)), {"value": c.r.choice((1, 0.5))}),
    "aminmax": full(lambda c, s: ()),
    "diff": one(lambda c, s: (c.r.randint(0, 2), c.dim(len(s)))),
    **dict.fromkeys(("atan2", "logaddexp2", "ldexp"), lambda c: (tuple(alike(c, 2)), {})),
    "unique": lambda c: ((c.tensor([n or 1 for n in c.shape(2)], gradient=False),), {}),
    "bincount": one(lambda c, s: ()),
    "histc": lambda c: ((c.tensor(c.shape(2), "float32", gradient=False), 4, -3, 3), {}),
    "searchsorted": searched,
    "trapezoid": full(lambda c, s: ()),
    ".to": one(lambda c, s: (dtype(c),)),
    ".type": one(lambda c, s: (dtype(c),)),
    ".type_as": lambda c: ((c.tensor(c.shape()), c.tensor(c.shape())), {}),
    "getitem": getitem,
    "setitem": setitem,
    "cross": lambda c: (tuple(c.tensor([2, 3], "float64") for _ in "ab"), {}),
    "cholesky": definite,
    "eigvalsh": definite,
    "eigh": definite,
    "linalg.vector_norm": full(lambda c, s: (c.r.choice((1, 2, 3, 0, INF, -INF)), *dims(c, s))),
    "linalg.matrix_norm": lambda c: ((c.tensor([2, 3], "float64"), c.r.choice(("fro", 1, 2, INF, -1, "nuc"))), {}),
    "linalg.matrix_power": lambda c: ((c.tensor([3, 3], "float64"), c.r.randint(0, 4)), {}),
    "linalg.multi_dot": lambda c: ((sized(c, "ab", "bc", "cd")[0],), {}),
    "linalg.vander": lambda c: ((c.tensor([3], "float64"),), {}),
    "nn.functional.linear": linear,
    "nn.functional.conv1d": convolved(1),
    "nn.functional.conv2d": convolved(2),
    "nn.functional.conv_transpose1d": convolved(1, True),
    "nn.functional.conv_transpose2d": convolved(2, True),
    "nn.functional.max_pool1d": pooled(1),
    "nn.functional.max_pool2d": pooled(2),
    "nn.functional.avg_pool1d": pooled(1),
    "nn.functional.avg_pool2d": pooled(2),
    "nn.functional.adaptive_avg_pool1d": pooled(1, "adaptive"),
    "nn.functional.adaptive_avg_pool2d": pooled(2, "adaptive"),
    "nn.functional.adaptive_max_pool2d": pooled(2, "adaptive"),
    "nn.functional.cross_entropy": cross_entropy,
    "nn.functional.layer_norm": normalized,
    "nn.functional.rms_norm": lambda c: (normalized(c)[0][:2], {}),
    "nn.functional.batch_norm": batch_norm,
    "nn.functional.group_norm": group_norm,
    "nn.functional.normalize": lambda c: ((c.tensor([2, 3]), c.r.choice((1, 2)), c.r.choice((0, 1, -1))), {}),
    "nn.functional.cosine_similarity": lambda c: (tuple(sized(c, "ab", "ab")[0]), {}),
    "nn.functional.scaled_dot_product_attention": attention,
    "nn.functional.pad": padded,
    "nn.functional.interpolate": interpolated,
    "nn.functional.embedding": embedding,
    "nn.functional.one_hot": lambda c: ((c.index(c.shape(2), 4, wrong=0), 4), {}),
    "nn.functional.glu": full(lambda c, s: (c.dim(len(s)),)),
    "nn.functional.unfold": lambda c: ((c.tensor([2, 2, 4, 5]), c.r.randint(1, 3), 1, c.r.randint(0, 1)), {}),
    "nn.functional.pixel_shuffle": lambda c: ((c.tensor([4, 2, 3], "float32"), 2), {}),
    "nn.functional.softmin": full(along),
}  # fmt: skip
