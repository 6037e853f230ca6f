"""Cases of activation and activation_backward: odd sizes, kinks, large numbers, NaN, infinities."""

from tinygpt.kernels import ACTIVATION

from .cases import SIZES, case

INFINITY, NAN = float("inf"), float("nan")
SETTINGS = {
    "leaky_relu": [(0.01, 0.0, 0.0), (0.25, 0.0, 0.0)],
    "elu": [(1.0, 1.0, 1.0), (1.7580993408473766, 1.0507009873554805, 1.0), (1.5, 1.0, 0.75)],
    "hardtanh": [(-1.0, 1.0, 0.0), (0.0, 6.0, 0.0)],
    "softplus": [(1.0, 20.0, 0.0), (2.0, 5.0, 0.0)],
    "softshrink": [(0.5, 0.0, 0.0)],
    "hardshrink": [(0.5, 0.0, 0.0)],
    "threshold": [(0.5, -7.0, 0.0)],
}
POINTS = [0.0, 0.5, -0.5, 1.0, -1.0, 3.0, -3.0, 6.0, -6.0, 1e-4, -1e-4, 19.5, 20.5, -20.5, 40.0, -40.0, 2.7, -2.7, 5.9]
EDGES = [INFINITY, NAN, 0.25, -90.0, 90.0]

for name, op in ACTIVATION.items():
    for a, b, c in SETTINGS.get(name, [(0.0, 0.0, 0.0)]):
        common = dict(op=op, a=a, b=b, c=c)
        for n in SIZES:
            case("activation", name, n=n, **common)
            case("activation_backward", name, n=n, **common)
        for fill in (POINTS, EDGES):
            case("activation", name + " at kinks", {"x": ["values", fill]}, n=67, **common)
            case("activation_backward", name + " at kinks", {"x": ["values", fill]}, n=67, **common)
        case("activation", name + " in place", alias={"x": "out"}, n=67, **common)
        case("activation_backward", name + " in place", alias={"dy": "dx"}, n=67, **common)
