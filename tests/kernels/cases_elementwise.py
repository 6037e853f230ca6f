"""Cases of the elementwise, movement and reduction kernels."""

from tinygpt.kernels import BINARY, COMPARISONS, REDUCE, UNARY

from .cases import BYTE, FLOAT, INT, SIZES, case, dims, row_major

INFINITY = float("inf")
BITS = ("bitand", "bitor", "bitxor", "lshift", "rshift")  # of integers alone
SPECIAL = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    1e-30,
    -1e-30,
    12.5,
    -12.5,
    87.0,
    -87.0,
    100.0,
    -100.0,
    INFINITY,
    -INFINITY,
    float("nan"),
]
SMALL = ["ints", -3, 4]  # many ties
LARGE = (1 << 20) + 7

for n in (0, *SIZES, 1000):
    for dtype in (FLOAT, INT):
        case("fill", dtype=dtype, n=n, value=-2.75)
        case("arange", dtype=dtype, n=n, start=3.0, step=0.5 if dtype == FLOAT else 2.0)
case("arange", "downwards", dtype=FLOAT, n=65, start=1.0, step=-0.1)
for start, step in (
    (0.0, 0.7),
    (5.0, -0.3),
    (2147480000.0, 1.0),
):  # float64 decides on which side of an integer 0.7 * i lies
    case("arange", "to integers", dtype=INT, n=3001, start=start, step=step)
for start, step in ((1e6, 1 / 3), (-1.0, 1e-3), (0.0, 1e-20), (3.0, 0.0), (-5e8, 123456.789)):
    case("arange", "of fractions", dtype=FLOAT, n=3001, start=start, step=step)
case("fill", "large", dtype=FLOAT, n=LARGE, value=1.5)

# ---- copy: transpose, slice, expand, cat, cast --------------------------------------------------
for dtype in (FLOAT, INT, BYTE):
    for shape in ([1], [3], [17], [65], [17, 65], [65, 3], [3, 17, 5], [0, 3]):
        dense = row_major(shape)
        case("copy", "dense", dtype_out=dtype, dtype_x=dtype, **dims(shape, o=dense, x=dense))
        case(
            "copy", "transpose", dtype_out=dtype, dtype_x=dtype, **dims(shape, o=dense, x=row_major(shape[::-1])[::-1])
        )
case(
    "copy",
    "heads out of qkv",
    dtype_out=FLOAT,
    dtype_x=FLOAT,
    **dims([2, 3, 17, 16], o=row_major([2, 3, 17, 16]), x=[17 * 144, 16, 144, 1]),
)
case(
    "copy",
    "heads back",
    dtype_out=FLOAT,
    dtype_x=FLOAT,
    **dims([2, 17, 3, 16], o=row_major([2, 17, 3, 16]), x=[3 * 17 * 16, 16, 17 * 16, 1]),
)
case("copy", "expand", dtype_out=FLOAT, dtype_x=FLOAT, **dims([3, 17, 65], o=row_major([3, 17, 65]), x=[65, 0, 1]))
case("copy", "every third column", dtype_out=FLOAT, dtype_x=FLOAT, **dims([17, 21], o=row_major([17, 21]), x=[65, 3]))
case("copy", "into a slice (cat)", dtype_out=FLOAT, dtype_x=FLOAT, **dims([17, 21], o=[65, 1], x=[21, 1]))
case("copy", "into every third", dtype_out=INT, dtype_x=INT, **dims([17, 21], o=[65, 3], x=[21, 1]))
case("copy", "six dimensions", dtype_out=FLOAT, dtype_x=FLOAT,
     **dims([2, 3, 2, 3, 2, 5], o=row_major([2, 3, 2, 3, 2, 5]), x=row_major([5, 2, 3, 2, 3, 2])[::-1]))  # fmt: skip
case("copy", "one number to all", dtype_out=FLOAT, dtype_x=FLOAT, **dims([1000], o=[1], x=[0]))
case("copy", "large transpose", dtype_out=FLOAT, dtype_x=FLOAT, **dims([257, 130], o=[130, 1], x=[1, 257]))
for n in SIZES:
    dense = dims([n], o=[1], x=[1])
    case(
        "copy",
        "float to int",
        {"x": ["values", [0.5, -0.5, 2.99, -2.99, 1e6, -7.0]]},
        dtype_out=INT,
        dtype_x=FLOAT,
        **dense,
    )
    case("copy", "int to float", {"x": ["ints", -(10**6), 10**6]}, dtype_out=FLOAT, dtype_x=INT, **dense)
    case("copy", "byte to float", {"x": ["ints", -127, 128]}, dtype_out=FLOAT, dtype_x=BYTE, **dense)
    case("copy", "float to byte", {"x": ["values", [126.9, -126.9, 0.0, 3.5]]}, dtype_out=BYTE, dtype_x=FLOAT, **dense)
    case("copy", "byte to int", {"x": ["ints", -127, 128]}, dtype_out=INT, dtype_x=BYTE, **dense)
    case("copy", "int to byte", {"x": ["ints", -127, 128]}, dtype_out=BYTE, dtype_x=INT, **dense)
case("copy", "large slice", dtype_out=FLOAT, dtype_x=FLOAT, **dims([1024, 1027], o=[1027, 1], x=[1100, 1]))
for dtype in (FLOAT, BYTE):
    for label, shape, o, x in (
        ("transposes", [3, 40, 70], [2800, 70, 1], [2800, 1, 40]),
        ("a transpose into a slice", [2, 33, 70], [6600, 100, 1], [2310, 1, 33]),
        ("with gaps", [9, 13], [31, 2], [13, 1]), ("by columns", [9, 12], [1, 9], [12, 1]),
        ("rows repeated", [5, 70], [70, 1], [1, 0]),
    ):  # fmt: skip
        for _ in range(2):  # aligned and not
            case("copy", label, dtype_out=dtype, dtype_x=dtype, **dims(shape, o=o, x=x))
case("copy", "cast and transpose", dtype_out=INT, dtype_x=FLOAT, **dims([17, 65], o=[65, 1], x=[1, 17]))

# ---- unary and binary ---------------------------------------------------------------------------
FROM_OUTPUT = ("reciprocal", "exp", "sqrt", "rsqrt", "tanh", "sigmoid")
for name, op in UNARY.items():
    domain = ["positive"] if name in ("log", "sqrt", "rsqrt") else ["signed"]
    wide = ["positive", 4] if name in ("log", "sqrt", "rsqrt") else ["signed", 4]  # up to 32
    for n in (0, *SIZES, 1000):
        case("unary", name, {"x": domain}, op=op, n=n)
    case("unary", name + " wide", {"x": wide}, op=op, n=1003)
    # At minus infinity PyTorch's gelu and silu are NaN (0 * inf), their limit is 0: not asked of a
    # device.
    special = [x for x in SPECIAL if x != -INFINITY or name not in ("gelu", "gelu_tanh", "silu")]
    case("unary", name + " special", {"x": ["values", special]}, op=op, n=31)
    case("unary", name + " in place", {"x": domain}, alias={"x": "out"}, op=op, n=67)
    if name == "neg":
        continue
    saved = {"reciprocal": ["signed"], "tanh": ["signed", -4], "sigmoid": ["positive", -4]}.get(name, domain)
    for n in (0, *SIZES, 1000):
        case("unary_backward", name, {"saved": saved}, op=op, n=n)
    case("unary_backward", name + " in place", {"saved": saved}, alias={"dy": "dx"}, op=op, n=67)
    if name not in FROM_OUTPUT:
        case("unary_backward", name + " wide", {"saved": wide}, op=op, n=1003)
for name in ("relu", "abs"):
    case("unary_backward", name + " at zero", {"saved": ["values", [0.0, -0.0, 1.0, -1.0]]}, op=UNARY[name], n=17)
    points = [float("nan"), INFINITY, -INFINITY, 0.0, -0.0]
    case("unary_backward", name + " at NaN", {"saved": ["values", points]}, op=UNARY[name], n=17)
for name in ("gelu", "gelu_tanh", "silu"):
    case(
        "unary_backward",
        name + " far out",
        {"saved": ["values", [30.0, -30.0, 100.0, -100.0, 0.0, 5.5, -5.5]]},
        op=UNARY[name],
        n=17,
    )

case("unary", "neg large", op=UNARY["neg"], n=LARGE)

BROADCASTS = {  # label: shape, strides of a, strides of b
    "dense": ([17, 65], [65, 1], [65, 1]), "row": ([17, 65], [65, 1], [0, 1]), "column": ([17, 65], [65, 1], [1, 0]),
    "both": ([17, 65], [1, 0], [0, 1]), "number": ([65], [1], [0]), "transposed": ([17, 65], [1, 17], [65, 1]),
    "middle": ([3, 4, 5], [5, 0, 1], [20, 5, 1]), "slice": ([3, 17], [65, 2], [17, 1]), "one": ([1], [1], [1]),
    "three": ([3], [1], [1]), "six": ([2, 3, 2, 1, 3, 2], [36, 12, 6, 6, 2, 1], [3, 1, 0, 0, 0, 6]),
    "nothing": ([0, 3], [3, 1], [3, 1]),
    "long row": ([9, 1030], [1030, 1], [0, 1]),
}  # fmt: skip
QUARTERS = ["values", [0.25, -1.75, 5.5, -8.0, 3.0, 0.0, 7.25, -6.5, 1.0]]  # exact under floor division by DIVISORS
DIVISORS = ["values", [0.5, -1.0, 2.0, -0.25, 3.0, -3.0, 1.0, 0.75, -2.0, 1.5, 4.0]]
INT_DIVISORS = ["values", [1, -1, 2, -3, 5, -7, 9]]


def operands(name, dtype):
    if name in ("floordiv", "remainder"):
        return {"a": QUARTERS, "b": DIVISORS} if dtype == FLOAT else {"a": ["ints", -40, 41], "b": INT_DIVISORS}
    if name in ("lshift", "rshift"):
        return {"a": ["ints", -40, 41], "b": ["ints", 0, 32]}
    if name in COMPARISONS or dtype == INT:
        return {"a": SMALL, "b": SMALL}
    return {"a": ["positive"], "b": ["signed"]} if name == "pow" else {"a": ["signed"], "b": ["signed"]}


for name, op in BINARY.items():
    for dtype in (FLOAT, INT):
        if dtype == INT and name in ("div", "pow") or dtype == FLOAT and name in BITS:
            continue
        fills = operands(name, dtype)
        for label, (shape, a, b) in BROADCASTS.items():
            case("binary", "%s %s" % (name, label), fills, op=op, dtype=dtype, **dims(shape, a=a, b=b))
        if name not in COMPARISONS:
            case(
                "binary",
                name + " into a",
                fills,
                alias={"a": "out"},
                op=op,
                dtype=dtype,
                **dims([17, 65], a=[65, 1], b=[0, 1]),
            )
            case(
                "binary",
                name + " into b",
                fills,
                alias={"b": "out"},
                op=op,
                dtype=dtype,
                **dims([17, 65], a=[1, 0], b=[65, 1]),
            )
        scalar = 2.0 if name in ("floordiv", "remainder", "pow") or dtype == INT else 0.7
        for n in (0, *SIZES, 1000):
            for reverse in (0, 1):
                a = (
                    {"a": DIVISORS if dtype == FLOAT else INT_DIVISORS}
                    if name in ("floordiv", "remainder") and reverse
                    else {"a": fills["b" if reverse else "a"]}
                )
                case("binary_scalar", name, a, op=op, dtype=dtype, n=n, scalar=scalar, reverse=reverse)
        if name not in COMPARISONS:
            case(
                "binary_scalar",
                name + " in place",
                {"a": fills["a"]},
                alias={"a": "out"},
                op=op,
                dtype=dtype,
                n=67,
                scalar=scalar,
                reverse=0,
            )
case("binary", "add large", op=BINARY["add"], dtype=FLOAT, **dims([8, 131076], a=[131076, 1], b=[0, 1]))
numbers = [0.0, 1.0, -1.0, 2.0, -2.0, 3.0, 0.5, -0.5, INFINITY, -INFINITY, float("nan"), 1e30, -7.5]
for name in ("pow", "maximum", "minimum"):
    case("binary", name + " special",
         {"a": ["values", [a for a in numbers for _ in numbers]], "b": ["values", numbers * len(numbers)]},
         op=BINARY[name], dtype=FLOAT, **dims([len(numbers) ** 2], a=[1], b=[1]))  # fmt: skip
case(
    "binary",
    "pow wide",
    {"a": ["positive", 4], "b": ["signed"]},
    op=BINARY["pow"],
    dtype=FLOAT,
    **dims([1000], a=[1], b=[1]),
)
case(
    "binary",
    "remainder wide",
    {"a": ["signed", 20], "b": ["signed"]},
    op=BINARY["remainder"],
    dtype=FLOAT,
    **dims([1000], a=[1], b=[1]),
)
for name in ("floordiv", "remainder"):
    case("binary", name + " at the ends",
         {"a": ["values", [-(2**31), 2**31 - 1, -5, 7, 0]], "b": ["values", [-1, 1, 2**31 - 1, -(2**31), 3, 0]]},
         op=BINARY[name], dtype=INT, **dims([30], a=[1], b=[1]))  # fmt: skip
for exponent in (-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0):
    bases = ["values", [-2.0, -1.5, 0.0, 1.0, 3.25, 10.0]]
    case(
        "binary_scalar", "pow, any base", {"a": bases}, op=BINARY["pow"], dtype=FLOAT, n=17, scalar=exponent, reverse=0
    )
case(
    "binary_scalar",
    "eq to a rounded scalar",
    {"a": ["values", [0.1, 0.2, 0.3]]},
    op=BINARY["eq"],
    dtype=FLOAT,
    n=17,
    scalar=0.1,
    reverse=0,
)
for name in ("maximum", "minimum", *COMPARISONS):
    case("binary", name + " with NaN",
         {"a": ["values", [1.0, float("nan"), -INFINITY]], "b": ["values", [float("nan"), 2.0]]},
         op=BINARY[name], dtype=FLOAT, **dims([17], a=[1], b=[1]))  # fmt: skip

for dtype in (FLOAT, INT):
    for shape, c, a, b in (
        ([1], [1], [1], [1]), ([3], [1], [1], [0]), ([17, 65], [65, 1], [65, 1], [0, 0]),
        ([17, 65], [0, 1], [1, 0], [65, 1]),
        ([2, 3, 17, 17], [0, 0, 17, 1], [867, 289, 17, 1], [0, 0, 0, 0]), ([65, 17], [1, 65], [17, 1], [1, 65]),
        ([0], [1], [1], [1]),
    ):  # fmt: skip
        case("where", fills={"cond": ["ints", 0, 2]}, dtype=dtype, **dims(shape, c=c, a=a, b=b))
    for M, N in ((1, 1), (3, 17), (17, 3), (65, 65)):
        for diagonal in (0, 1, -2, 100, -100):
            for upper in (0, 1):
                case("tril", dtype=dtype, batch=2, M=M, N=N, diagonal=diagonal, upper=upper)
    case("tril", "in place", alias={"x": "out"}, dtype=dtype, batch=3, M=17, N=17, diagonal=0, upper=0)

# ---- reductions ---------------------------------------------------------------------------------
for name, op in REDUCE.items():
    for dtype in (FLOAT, INT):
        if name == "mean" and dtype == INT:
            continue
        # Sums of positive numbers: a signed sum may be far smaller than its terms, and so than
        # their rounding.
        fill = {
            "x": SMALL
            if name.startswith("arg") or dtype == INT
            else ["positive"]
            if name in ("sum", "mean")
            else ["signed"]
        }
        for outer, n, inner in (
            (1, 1, 1),
            (1, 3, 1),
            (17, 65, 1),
            (1, 65, 17),
            (3, 17, 5),
            (65, 1, 3),
            (1, 40007, 1),
            (2, 300, 129),
            (1, 2048, 64),
            (1, 20000, 3),
            (1, 16, 1536),
            (0, 3, 2),
        ):
            case(
                "reduce",
                "%s %dx%dx%d" % (name, outer, n, inner),
                fill,
                op=op,
                dtype=dtype,
                outer=outer,
                n=n,
                inner=inner,
            )
    if name in ("max", "min", "sum", "mean"):
        case(
            "reduce",
            name + " with NaN",
            {"x": ["values", [1.0, 2.0, float("nan"), -1.0, 0.5, 3.0, 9.0]]},
            op=op,
            dtype=FLOAT,
            outer=5,
            n=3,
            inner=1,
        )
for n in (1, 3, 17, 65, 4099, 100003):
    case("global_norm", n=n)
    for norm, label in ((3.0, "clips"), (0.5, "leaves"), (0.0, "zero")):
        case("clip_scale", label, {"norm": ["values", [norm]]}, n=n, max_norm=1.0)
case("global_norm", "of large numbers", {"g": ["signed", 64]}, n=1000)
