"""Cases of the other element types: float64 and int64 in the kernels of every type, the 16-bit
floats and short integers in copies; take, put, scan and sort.
"""

from tinygpt.kernels import BINARY, DTYPES, REDUCE, SCAN, SCATTER, UNARY, WIDE

from .cases import FLOAT, INT, SIZES, case, dims, row_major

DOUBLE, LONG = (DTYPES[name] for name in WIDE)
NEW = [DTYPES[name] for name in ("float64", "int64", "int16", "uint8", "float16", "bfloat16")]
NAMES = {code: name for name, code in DTYPES.items()}
SHIFTS = ("lshift", "rshift")
BITS = ("bitand", "bitor", "bitxor", *SHIFTS)
HALVES = ("float16", "bfloat16")
SPECIAL = [
    0.0, -0.0, 1.0, -1.0, 1e-300, -1e-30, 12.5, -12.5, 87.0, -87.0, 710.0, float("inf"), -float("inf"), float("nan"),
]  # fmt: skip
# What rounds, overflows, is subnormal or has no number in a 16-bit float.
ROUNDED = [0.0, -0.0, 1.0, 1.00048828125, 1.000732421875, 1.00390625, 1.01171875, 65504.0, 65519.996, 65520.0, -1e6,
           6.0975e-05, 6.1e-05, 5.96e-08, 2.98e-08, 2.99e-08, 1e-9, -3.1e-7, 3.3895314e38, float("inf"), -float("inf"),
           float("nan")]  # fmt: skip
WHOLE = [0, 1, -1, 7, 255, 256, -129, 32767, 32768, -32769, 2**31 - 1, -(2**31), 2**40 + 3, -(2**53) - 1, 2**62]
HALF_BITS = [0, 0x8000, 1, 0x3FF, 0x400, 0x3C00, 0x3C01, 0xBC00, 0x7BFF, 0x7C00, 0xFC00, 0x7E00, 0x3555, 0x4248, 0x0200]


def values_of(name):
    """Contents that a conversion from this type may meet."""
    if name in HALVES:
        return ["values", HALF_BITS]
    if name in ("float32", "float64"):
        return ["values", ROUNDED]
    size = {"int32": 31, "int8": 7, "int64": 63, "int16": 15, "uint8": 8}[name]
    low = 0 if name == "uint8" else -(2**size)
    return ["values", [v for v in WHOLE if low <= v < 2**size]]


for to in DTYPES.values():
    for of in DTYPES.values():
        if to in NEW or of in NEW:
            # A float beyond an integer type is another number on each machine in PyTorch too.
            integral = NAMES[to] in ("int16", "uint8", "int64") and NAMES[of] in ("float32", "float64", *HALVES)
            small = [0, 0x3C00, 0xBC00, 0x4248] if NAMES[of] == "float16" else [0, 0x3F80, 0xBF80, 0x4049]
            whole = ["values", small if NAMES[of] in HALVES else [0.0, 1.9, -1.9, 99.5, -100.25]]
            fill = whole if integral else values_of(NAMES[of])
            for shape in ([65], [7, 18]):
                dense = row_major(shape)
                case(
                    "copy",
                    "%s of %s" % (NAMES[to], NAMES[of]),
                    {"x": fill},
                    dtype_out=to,
                    dtype_x=of,
                    **dims(shape, o=dense, x=row_major(shape[::-1])[::-1] if len(shape) > 1 else dense),
                )
for dtype in NEW:
    case("copy", "a slice", dtype_out=dtype, dtype_x=dtype, **dims([5, 7], o=[16, 2], x=[21, 3]))
    case("copy", "expanded", dtype_out=dtype, dtype_x=dtype, **dims([5, 7], o=[7, 1], x=[0, 1]))
    for n in (0, 3, 65):
        case("fill", NAMES[dtype], dtype=dtype, n=n, value=2.75)
        case("arange", NAMES[dtype], dtype=dtype, n=n, start=3.0, step=0.5)
    for upper in (0, 1):
        case("tril", NAMES[dtype], dtype=dtype, batch=2, M=5, N=7, diagonal=1, upper=upper)
    case(
        "where",
        NAMES[dtype],
        {"cond": ["ints", 0, 2]},
        dtype=dtype,
        **dims([17, 65], c=[65, 1], a=[65, 1], b=[0, 1]),
    )

# ---- float64 and int64 ---------------------------------------------------------------------------
for name, op in UNARY.items():
    for n in SIZES:
        case("wide_unary", name, {"x": ["positive"]} if name in ("log", "sqrt", "rsqrt") else None, op=op, n=n)
    case("wide_unary", name + " of special numbers", {"x": ["values", SPECIAL]}, op=op, n=65)
    case("wide_unary", name + " in place", alias={"x": "out"}, op=op, n=65)
    if name != "neg":
        case("wide_unary_backward", name, {"saved": ["positive"]}, op=op, n=65)
        case("wide_unary_backward", name + " in place", {"saved": ["positive"]}, alias={"dy": "dx"}, op=op, n=17)
for name, op in BINARY.items():
    for dtype in (DOUBLE, LONG):
        if dtype == LONG and name in ("div", "pow") or dtype == DOUBLE and name in BITS:
            continue
        for shape, a, b in (
            ([65], [1], [1]),
            ([17, 65], [65, 1], [0, 1]),
            ([5, 7], [1, 5], [7, 0]),
            ([0, 3], [3, 1], [3, 1]),
        ):
            fills = {"b": ["ints", 0, 9]} if name in SHIFTS else None
            case("binary", "%s, %s" % (NAMES[dtype], name), fills, op=op, dtype=dtype, **dims(shape, a=a, b=b))
        for reverse in (0, 1):
            for scalar in (3.0, -2.0) if name not in SHIFTS else (3.0, 5.0):
                case(
                    "binary_scalar",
                    "%s, %s" % (NAMES[dtype], name),
                    op=op,
                    dtype=dtype,
                    n=65,
                    scalar=scalar,
                    reverse=reverse,
                    fills={"a": ["ints", 0, 9]} if name in SHIFTS else None,
                )
        if name in ("floordiv", "remainder", "maximum", "minimum", "eq", "lt"):
            special = SPECIAL if dtype == DOUBLE else [0, 1, -1, 2**62, -(2**62), 5, -5]
            case(
                "binary",
                "%s, %s of special numbers" % (NAMES[dtype], name),
                {"a": ["values", special], "b": ["values", special[1:] if dtype == DOUBLE else [3, -3, 2, 1]]},
                op=op,
                dtype=dtype,
                **dims([182], a=[1], b=[1]),
            )
case("binary", "int64, mul wraps", {"a": ["values", [2**62, -(2**63), 3]], "b": ["values", [4, 3, 2**61 + 1]]},
     op=BINARY["mul"], dtype=LONG, **dims([9], a=[1], b=[1]))  # fmt: skip
for name, op in REDUCE.items():
    for dtype in (DOUBLE, LONG, FLOAT, INT):
        if name == "mean" and dtype in (LONG, INT) or name != "prod" and dtype in (FLOAT, INT):
            continue
        for outer, n, inner in ((1, 1000, 1), (3, 17, 5), (65, 1, 3), (2, 3, 65)):
            fill = {"x": ["ints", -1, 3] if dtype in (LONG, INT) and name == "prod" else ["ints", -3, 4]}
            fill = fill if dtype in (LONG, INT) else {"x": ["values", [1.5, -0.75, 1.0, 0.99, -1.01]]}
            case("reduce", "%s, %s" % (NAMES[dtype], name), fill, op=op, dtype=dtype, outer=outer, n=n, inner=inner)
for name in ("max", "min", "argmax", "argmin"):
    case("reduce", "float64, %s with NaN" % name, {"x": ["values", [1.0, float("nan"), 2.0, 2.0, -5.0, 3.0, 3.0]]},
         op=REDUCE[name], dtype=DOUBLE, outer=13, n=5, inner=1)  # fmt: skip
for dtype in (DOUBLE, LONG):
    for batch, M, N, K, ta, tb in ((1, 1, 1, 1, 0, 0), (2, 5, 17, 9, 0, 0), (2, 5, 17, 9, 1, 0), (2, 5, 17, 9, 0, 1),
                                   (1, 33, 8, 65, 1, 1), (1, 3, 4, 0, 0, 0)):  # fmt: skip
        lda, ldb = M if ta else K, K if tb else N
        case("wide_matmul", NAMES[dtype], dtype=dtype, batch=batch, M=M, N=N, K=K, ta=ta, tb=tb, lda=max(lda, 1),
             ldb=max(ldb, 1), ldc=N, sa=M * K, sb=K * N, sc=M * N)  # fmt: skip

# ---- indexing, scans, sorting --------------------------------------------------------------------
for dtype in DTYPES.values():
    for n, C, V in ((1, 1, 1), (17, 3, 5), (5, 65, 9), (0, 4, 4), (300, 1, 7)):
        index = {"index": ["ints", 0, V]}
        case("take", NAMES[dtype], index, dtype=dtype, n=n, C=C, V=V)
        case("put", NAMES[dtype], index, dtype=dtype, accumulate=0, n=n, C=C, V=V)
        if NAMES[dtype] not in HALVES and n < 300:
            ints = ["ints", 0 if NAMES[dtype] == "uint8" else -3, 4]
            added = {**index, "x": ints, "out": ints}
            case("put", NAMES[dtype] + ", added", added, dtype=dtype, accumulate=1, n=n, C=C, V=V)
for name in HALVES:
    added = {"index": ["ints", 0, 5], "x": ["values", HALF_BITS[:8]], "out": ["values", [0x3C00]]}
    case("put", name + ", added", added, dtype=DTYPES[name], accumulate=1, n=17, C=3, V=5)
case("take", "an index outside, refused", {"index": ["values", [0, 5, 1]]}, dtype=FLOAT, n=3, C=2, V=5)
case("put", "an index outside, refused", {"index": ["values", [0, -1, 1]]}, dtype=FLOAT, accumulate=0, n=3, C=2, V=5)
for dtype in (FLOAT, INT, DOUBLE, LONG):
    for name, op in SCAN.items():
        for reverse in (0, 1):
            for outer, n, inner in ((1, 1, 1), (1, 300, 1), (3, 17, 5), (2, 3, 65), (3, 0, 2)):
                fill = ["values", [1.25, -0.75, 1.0, 0.96, -1.03]] if dtype in (FLOAT, DOUBLE) else ["ints", -2, 3]
                case("scan", "%s, %s" % (NAMES[dtype], name), {"x": fill}, op=op, dtype=dtype, outer=outer, n=n,
                     inner=inner, reverse=reverse)  # fmt: skip
        case("scan", "in place", {"x": ["ints", -2, 3]}, alias={"x": "out"}, op=op, dtype=dtype, outer=2, n=17, inner=3,
             reverse=0)  # fmt: skip
    for rows, n in ((1, 1), (3, 2), (5, 17), (2, 1000), (3, 0), (65, 8)):
        for descending in (0, 1):
            case("sort", NAMES[dtype], {"x": ["ints", -9, 10]}, dtype=dtype, rows=rows, n=n, descending=descending)
    if dtype in (FLOAT, DOUBLE):
        for descending in (0, 1):
            special = [1.0, float("nan"), -float("inf"), 0.0, -0.0, float("inf"), 1.0, float("nan")]
            case(
                "sort", "special numbers", {"x": ["values", special]}, dtype=dtype, rows=3, n=21, descending=descending
            )
for dtype in DTYPES.values():
    whole = {"x": ["ints", 0, 4], "out": ["ints", 0, 4]}
    for outer, n, inner, k in ((1, 1, 1, 1), (3, 5, 1, 2), (1, 7, 33, 4), (2, 9, 3, 17), (4, 3, 2, 0)):
        index, sizes = {"index": ["ints", 0, n]}, dict(dtype=dtype, outer=outer, n=n, inner=inner, k=k)
        case("gather", NAMES[dtype], index, **sizes)
        case("scatter", NAMES[dtype], index, op=SCATTER["put"], **sizes)
        for name in ("add", "mul", "max", "min"):
            halves = {"x": ["values", HALF_BITS[5:9]], "out": ["values", HALF_BITS[12:14]]}
            fills = halves if NAMES[dtype] in HALVES else whole
            case("scatter", "%s, %s" % (NAMES[dtype], name), {**index, **fills}, op=SCATTER[name], **sizes)
case("to_index", "int64", {"x": ["values", [0, -1, 5, 2**31, -(2**40), 2**62]]}, dtype=LONG, n=65)
for dtype in (FLOAT, INT, DOUBLE, LONG):
    for rows, n, k in ((1, 1, 1), (3, 17, 5), (2, 1000, 9), (5, 8, 8), (1, 65, 1), (0, 4, 2)):
        for largest in (0, 1):
            case("topk", NAMES[dtype], {"x": ["ints", -9, 10]}, dtype=dtype, rows=rows, n=n, k=k, largest=largest)
    if dtype in (FLOAT, DOUBLE):
        for largest in (0, 1):
            special = [1.0, float("nan"), -float("inf"), 0.0, -0.0, float("inf"), 1.0, float("nan")]
            case("topk", "special numbers", {"x": ["values", special]}, dtype=dtype, rows=3, n=21, k=7, largest=largest)
# More than a GPU's workgroup holds, and more than one invocation writes.
for dtype in (FLOAT, LONG):
    case("scan", "long", {"x": ["ints", -2, 3]}, op=SCAN["sum"], dtype=dtype, outer=2, n=3000, inner=3, reverse=1)
    case("sort", "long", {"x": ["ints", -99, 100]}, dtype=dtype, rows=2, n=1500, descending=1)
    case("topk", "long", {"x": ["ints", -99, 100]}, dtype=dtype, rows=2, n=1100, k=7, largest=1)
    for name in ("put", "add", "max", "min"):
        sizes = dict(dtype=dtype, outer=2, n=50, inner=3, k=400)
        case("scatter", "long, " + name, {"index": ["ints", 0, 50]}, op=SCATTER[name], **sizes)
    for accumulate in (0, 1):
        case("put", "long", {"index": ["ints", 0, 50]}, dtype=dtype, accumulate=accumulate, n=900, C=5, V=50)
