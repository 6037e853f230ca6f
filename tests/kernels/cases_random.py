"""Cases of the random kernels and sampling. Integer results must be exact on every device."""

from tinygpt.core.mersenne import seeded
from tinygpt.kernels import DRAW, DTYPES

from .cases import SIZES, case

SEEDS = (
    [42, 0, 0, 0],
    [-5, 123456789, 1000, 0],
    [7, -1, -2, 0],
    [1, 2, -1, 3],
)  # the last two: the base carries into its high word

for i, n in enumerate((0, *SIZES, 1000, 4099)):
    for offset in (0, 5):
        rng = {"rng": ["values", SEEDS[i % len(SEEDS)]]}
        case("random_uniform", fills=rng, n=n, low=-1.0, high=2.0, offset=offset)
        case("random_normal", fills=rng, n=n, mean=0.5, std=0.02, offset=offset)
        case("random_int", fills=rng, n=n, low=-3, high=1000, offset=offset)
        case("random_int", "full range", rng, n=n, low=-(2**31), high=2**31 - 1, offset=offset)
        for p in (0.0, 0.1, 0.5, 0.9):
            case("dropout", "p=%g" % p, rng, n=n, p=p, offset=offset)
for seed in SEEDS:
    case("random_uniform", fills={"rng": ["values", seed]}, n=65, low=0.0, high=1.0, offset=2**33)
    case("dropout", "in place", {"rng": ["values", seed]}, alias={"x": "out"}, n=67, p=0.25, offset=1)
    for B, T, low, high in ((1, 1, 0, 2), (3, 17, 0, 18), (17, 3, 5, 1000), (16, 64, 100, 5000), (5, 65, 0, 40000)):
        case(
            "batch_windows",
            fills={"rng": ["values", seed], "tokens": ["ints", 0, 256]},
            B=B,
            T=T,
            low=low,
            high=high,
            offset=2,
        )
    for B, V in ((1, 1), (3, 3), (17, 65), (65, 17), (1, 256), (9, 1000)):
        for temperature, top_k, top_p in (
            (0, 0, 1),
            (1, 0, 1),
            (0.8, 0, 1),
            (0.7, 5, 1),
            (1, 1, 1),
            (1, 0, 0.9),
            (1, 0, 0.1),
            (1.5, 40, 0.95),
            (1, V + 9, 1),
        ):
            label = "temperature %g top_k %d top_p %g" % (temperature, top_k, top_p)
            settings = ["values", [temperature, top_k, top_p, 0]]
            case("sample", label, {"rng": ["values", seed], "settings": settings}, B=B, V=V, offset=3)
    for B, V in ((2, 5003), (1, 50257)):
        for temperature, top_k, top_p in ((0, 0, 1), (1, 0, 1), (0.05, 50, 1), (0.05, 0, 0.9), (0.1, 1000, 0.5)):
            label = "large vocabulary, temperature %g top_k %d top_p %g" % (temperature, top_k, top_p)
            settings = ["values", [temperature, top_k, top_p, 0]]
            case("sample", label, {"rng": ["values", seed], "settings": settings}, B=B, V=V, offset=3)
    ties = {"rng": ["values", seed], "logits": ["values", [1.0, 2.0, 2.0, 0.5, 2.0]]}
    for temperature, top_k, top_p in ((0, 0, 1), (1, 2, 1), (1, 0, 0.5), (1, 0, 0.3)):
        settings = {**ties, "settings": ["values", [temperature, top_k, top_p, 0]]}
        case("sample", "ties", settings, B=40, V=5, offset=0)
        case("sample", "many ties", settings, B=3, V=2000, offset=0)

_WORDS = [word - (1 << 32) if word >> 31 else word for word in seeded(1337)[:624]]
for dtype in ("float32", "float64", "int32", "int64"):
    for kind, a, b in (("uniform", -0.25, 3), ("uniform", 0, 1), ("normal", 2, 3), ("integers", -3, 10),
                       ("integers", 0, 2.0**33), ("integers", 0, 2.0**28), ("words", 0, 2.0**31), ("bernoulli", 0.3, 0),
                       ("exponential", 2, 0), ("permutation", 0, 0)):  # fmt: skip
        if dtype[0] == "i" and kind in ("uniform", "normal", "exponential") or dtype == "int32" and b == 2.0**33:
            continue
        for n, kept in ((0, 0), (1, 1), (15, 0), (16, 1), (17, 0), (1300, 0)):
            state = {"state": ["values", [*_WORDS, 600, kept, 0, 1072693248]]}
            params = dict(kind=DRAW[kind], dtype=DTYPES[dtype], n=n, a=a, b=b)
            case("mersenne", "%s, %s" % (kind, dtype), state, **params)
