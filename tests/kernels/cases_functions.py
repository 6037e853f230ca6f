"""Cases of math_of_one, math_of_two and variance."""

from tinygpt.kernels import DTYPES, MATH_OF_ONE, MATH_OF_TWO

from .cases import FLOAT, INT, SIZES, case, dims

DOUBLE, LONG = DTYPES["float64"], DTYPES["int64"]
INFINITY, NAN = float("inf"), float("nan")
UNIT = ["values", [0.0, 0.5, -0.25, 0.999, -0.875, 0.125, 0.01, -0.7, 0.71]]
DOMAIN = {
    **dict.fromkeys("asin acos atanh erfinv".split(), UNIT),
    **dict.fromkeys("log2 log10 log1p lgamma digamma".split(), ["positive"]),
    "acosh": ["values", [1.0, 1.5, 2.0, 30.0, 1e6]],
    "ndtri": ["values", [1e-30, 1e-5, 0.1, 0.5, 0.75, 0.99, 0.15, 0.2]],
}
EDGES = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, INFINITY, NAN, 12.5]
# Where the oracle's series or NumPy's domain end.
ODD = {"i0": [0.0, NAN, 5.0], "i0e": [0.0, NAN, 40.0], "i1": [-0.5, NAN], "i1e": [-40.0, NAN, 2.0], "tan": EDGES[:-3]}

for name, op in MATH_OF_ONE.items():
    for dtype in (FLOAT, DOUBLE):
        for n in SIZES:
            case("math_of_one", name, {"x": DOMAIN.get(name, ["signed"])}, op=op, dtype=dtype, n=n)
        case("math_of_one", name + " at edges", {"x": ["values", ODD.get(name, EDGES)]}, op=op, dtype=dtype, n=24)
        case("math_of_one", name + " in place", {"x": DOMAIN.get(name, ["signed"])}, alias={"x": "out"}, op=op,
             dtype=dtype, n=67)  # fmt: skip

for name, op in MATH_OF_TWO.items():
    for dtype in (INT, LONG) if name == "gcd" else (FLOAT, DOUBLE, INT, LONG) if name == "fmod" else (FLOAT, DOUBLE):
        if dtype in (INT, LONG):
            fills = {"a": ["ints", -40, 41], "b": ["values", [1, -1, 2, -3, 5, 12]]}
        elif name == "zeta":
            fills = {"a": ["values", [1.5, 2.0, 3.0, 7.5, 1.0]], "b": ["values", [0.5, 1.0, 3.25, 20.0]]}
        else:
            fills = {"a": ["values", EDGES], "b": ["values", [1.0, -2.0, 0.5, INFINITY, -0.75]]}
        for shape, a, b in (
            ([65], [1], [1]),
            ([17, 65], [65, 1], [0, 1]),
            ([5, 7], [1, 5], [7, 0]),
            ([0, 3], [3, 1], [3, 1]),
        ):
            case("math_of_two", name, fills, op=op, dtype=dtype, **dims(shape, a=a, b=b))

for dtype in (FLOAT, DOUBLE):
    for root in (0, 1):
        for outer, n, inner in ((1, 1000, 1), (3, 17, 5), (65, 2, 3), (2, 3, 300), (0, 3, 2), (4, 1, 1)):
            for correction in (0.0, 1.0, 2.5):
                case("variance", dtype=dtype, root=root, outer=outer, n=n, inner=inner, correction=correction)
