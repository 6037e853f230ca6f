"""Cases of convolution, pooling and batch norm: each path of the kernels, 1 to 3 dimensions."""

from tinygpt.kernels import DTYPES

from .cases import case

SINGLE, DOUBLE, INT, LONG = (DTYPES[name] for name in ("float32", "float64", "int32", "int64"))


def three(sizes, fill):
    """One number, or one for each of the last dimensions, as three."""
    given = sizes if isinstance(sizes, tuple) else (sizes,)
    return [fill] * (3 - len(given)) + list(given)


def spatial(i, k, s=1, p=0, d=1, o=None, extra=0):
    """The parameters i0..d2 of a window of k. o: as many outputs as fit, unless given. extra: more
    outputs in the last dimension.
    """
    n = len(i)
    given = [three(v if isinstance(v, tuple) else (v,) * n, f) for v, f in ((i, 1), (k, 1), (s, 1), (p, 0), (d, 1))]
    outputs = [(i + 2 * p - (k - 1) * d - 1) // s + 1 for i, k, s, p, d in zip(*given)] if o is None else three(o, 1)
    outputs[2] += extra
    i, k, s, p, d = given
    named = zip("ikospd", (i, k, outputs, s, p, d))
    return {"%s%d" % (letter, axis): v for letter, values in named for axis, v in enumerate(values)}


# ---- convolution ---------------------------------------------------------------------------------
CONVOLUTIONS = [  # label, N, C, O, groups, sizes
    ("a digit", 2, 1, 8, 1, spatial((28, 28), 3)),
    ("padded", 3, 5, 7, 1, spatial((9, 11), 3, p=1)),
    ("a row of one", 2, 3, 17, 1, spatial((8, 8), 1)),
    ("strides", 2, 4, 9, 1, spatial((13, 12), (3, 4), s=(2, 3), p=(1, 2))),
    ("a stride beyond the kernel", 2, 3, 6, 1, spatial((11, 13), (2, 1), s=3)),
    ("dilated", 1, 3, 8, 1, spatial((12, 15), 3, p=2, d=(2, 3))),
    ("dilated and strided", 2, 3, 5, 1, spatial((17, 18), 3, s=(2, 4), p=3, d=(3, 2))),
    ("groups", 2, 6, 12, 3, spatial((7, 9), 3, p=1)),
    ("depthwise", 2, 5, 5, 5, spatial((9, 20), 3, p=1)),
    ("depthwise, strided", 2, 4, 8, 4, spatial((9, 20), 3, s=2, p=1)),
    ("one dimension", 3, 4, 6, 1, spatial((50,), 5, s=2, p=2)),
    ("a long kernel", 2, 2, 5, 1, spatial((90,), 40, p=7, d=2)),
    ("three dimensions", 2, 3, 7, 1, spatial((5, 6, 7), (2, 3, 3), s=(2, 1, 2), p=1)),
    ("three dimensions, dilated", 1, 2, 4, 2, spatial((7, 6, 5), 2, p=(0, 1, 1), d=(3, 2, 1))),
    ("more behind than in front", 2, 3, 6, 1, spatial((6, 7), 4, p=1, extra=1)),
    ("less than fits", 1, 2, 8, 1, spatial((9, 9), 3, s=2, o=(3, 2))),
    ("padding beyond the kernel", 1, 2, 5, 1, spatial((4, 5), 2, p=4)),
    ("small images", 70, 9, 13, 1, spatial((3, 2), 2, p=1)),
    ("one position", 9, 40, 23, 1, spatial((3, 3), 3)),
    ("a deep sum", 2, 90, 7, 1, spatial((6, 6), 3, p=1)),
    ("a tall image", 1, 3, 8, 1, spatial((150, 40), 5, p=2)),
    ("many bands", 1, 70, 6, 1, spatial((40, 60), 3, p=1)),
    ("no image", 0, 2, 3, 1, spatial((4, 4), 3)),
]  # fmt: skip
for index, (label, N, C, O, groups, sizes) in enumerate(CONVOLUTIONS):
    for dtype in (SINGLE, DOUBLE):
        given = dict(dtype=dtype, N=N, C=C, O=O, groups=groups, **sizes)
        absent = ("bias",) if index % 2 else ()
        case("conv", label, absent=absent, **given)
        case("conv_backward_x", label, absent=absent, **given)
        case("conv_backward_weight", label, **given)
    if index % 3 == 0:
        case("conv", label + ", int64", absent=absent, **{**given, "dtype": LONG})
        case("conv_backward_x", label + ", int64", absent=absent, **{**given, "dtype": LONG})

# ---- pooling -------------------------------------------------------------------------------------
POOLS = [
    ("2 by 2", 6, spatial((12, 10), 2, s=2)),
    ("overlapping", 5, spatial((9, 11), 3, s=(2, 1), p=1)),
    ("one dimension", 3, spatial((50,), 5, s=2, p=2)),
    ("three dimensions", 3, spatial((5, 6, 7), (2, 3, 2), s=(2, 1, 2), p=(1, 1, 0))),
    ("beyond the end", 2, spatial((8, 9), 3, s=2, p=1, o=(5, 5))),
    ("a large window", 4, spatial((17, 40), (17, 33))),
]
ADAPTIVE = [
    ("to one", 4, spatial((7, 9), 1, o=(1, 1))),
    ("uneven", 3, spatial((7, 9), 1, o=(3, 4))),
    ("more than there are", 2, spatial((3, 5), 1, o=(7, 5))),
    ("three dimensions", 2, spatial((3, 5, 4), 1, o=(2, 2, 3))),
]
DILATED = [("dilated", 3, spatial((15, 20), 3, s=2, p=1, d=(2, 3)))]
for adaptive, pools in ((0, POOLS + DILATED), (1, ADAPTIVE)):
    for label, planes, sizes in pools:
        for dtype in (SINGLE, DOUBLE, INT, LONG):
            case("max_pool", label, dtype=dtype, planes=planes, adaptive=adaptive, **sizes)
ODD = ["values", [1.0, float("nan"), -2.0, 3.0, -float("inf"), 3.0, float("nan"), float("inf"), 0.5]]
case("max_pool", "NaN", {"x": ODD}, dtype=SINGLE, planes=3, adaptive=0, **spatial((12, 10), 3, s=2, p=1))
lowest = ["values", [-float("inf")]]
case("max_pool", "-inf", {"x": lowest}, dtype=SINGLE, planes=2, adaptive=0, **spatial((6, 7), 3, p=1, d=2))
for dtype in (SINGLE, DOUBLE):
    for planes, n, m in ((5, 30, 12), (1, 7, 40), (64, 144, 36), (0, 4, 4)):
        case("max_pool_backward", fills={"index": ["ints", 0, n]}, dtype=dtype, planes=planes, n=n, m=m)
    case(
        "max_pool_backward", "an index outside is refused", {"index": ["values", [7]]}, dtype=dtype, planes=1, n=7, m=1
    )
for adaptive, pools in ((0, POOLS), (1, ADAPTIVE)):
    for label, planes, sizes in pools:
        for dtype in (SINGLE, DOUBLE):
            for count_pad, divisor in ((0, 0), (1, 0), (1, 3)) if not adaptive else ((0, 0),):
                named = dict(dtype=dtype, planes=planes, adaptive=adaptive, count_pad=count_pad, divisor=divisor)
                case("avg_pool", label, **named, **sizes)
                case("avg_pool_backward", label, **named, **sizes)
        case(
            "avg_pool", label + ", int64", dtype=LONG, planes=planes, adaptive=adaptive, count_pad=0, divisor=0, **sizes
        )

# ---- batch norm ----------------------------------------------------------------------------------
POSITIVE = ["positive"]
for N, C, S in ((8, 3, 30), (33, 17, 1), (5, 40, 4), (2, 5, 4200), (1, 1, 2), (16, 32, 196), (1, 3, 1)):
    for dtype in (SINGLE, DOUBLE):
        named = dict(dtype=dtype, N=N, C=C, S=S)
        for absent in ((), ("weight", "bias"), ("running_mean", "running_var")):
            if N * S > 1 or absent:
                fills = {"running_var": POSITIVE}
                case("batch_norm", "training", fills, absent, training=1, momentum=0.1, eps=1e-5, **named)
            if "running_var" not in absent:
                case("batch_norm", "", {"running_var": POSITIVE}, absent, training=0, momentum=0.0, eps=1e-3, **named)
        for training in (0, 1):
            for absent in ((), ("weight",)):
                case("batch_norm_backward", "", {"rstd": POSITIVE}, absent, training=training, **named)
