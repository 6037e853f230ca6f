"""Cases of the matmul family: shapes on both sides of every tile, all transposes, batches, strides,
epilogues, int8.
"""

from tinygpt.kernels import BIAS, GELU, GELU_BACKWARD, GRADIENT, RESIDUAL

from .cases import case

EPILOGUES = {
    "none": 0, "bias": BIAS, "gelu": GELU, "bias+gelu": BIAS | GELU, "gelu backward": GELU_BACKWARD,
    "residual": RESIDUAL,
    "bias+residual": BIAS | RESIDUAL, "bias+gelu+residual": BIAS | GELU | RESIDUAL,
    "gelu backward+residual": GELU_BACKWARD | RESIDUAL,
}  # fmt: skip


def matmul(
    label,
    M,
    N,
    K,
    ta=0,
    tb=0,
    batch=1,
    alpha=1.0,
    beta=0.0,
    epilogue=0,
    pad=0,
    shared_b=False,
    fills=None,
    absent=(),
    alias=None,
):
    """Dense operands, each row `pad` elements longer than it need be."""
    lda, ldb, ldc = (M if ta else K) + pad, (K if tb else N) + pad, N + pad
    sa, sb, sc = (K if ta else M) * lda, (N if tb else K) * ldb, M * ldc
    # beta 0 must not read out: it then starts as NaN, the sentinel.
    fills = {
        **({} if beta else {"out": ["sentinel"]}),
        **({"pre": ["sentinel"]} if epilogue & GELU else {}),
        **(fills or {}),
    }
    label = "%s %dx%dx%dx%d %s%s" % (label, batch, M, N, K, "NT"[ta], "NT"[tb])
    case(
        "matmul",
        label,
        fills,
        absent,
        alias,
        batch=batch,
        M=M,
        N=N,
        K=K,
        ta=ta,
        tb=tb,
        # fmt: skip
        lda=lda,
        ldb=ldb,
        ldc=ldc,
        sa=sa,
        sb=0 if shared_b else sb,
        sc=sc,
        alpha=alpha,
        beta=beta,
        epilogue=epilogue,
    )


TRANSPOSES = ((0, 0), (0, 1), (1, 0), (1, 1))
for ta, tb in TRANSPOSES:
    for M in (1, 3, 17, 65):
        for N in (1, 3, 17, 65):
            for K in (1, 3, 17, 65):
                matmul("dense", M, N, K, ta, tb)
    for M, N, K in (
        (5, 7, 9),
        (6, 8, 64),
        (7, 9, 33),
        (12, 16, 128),
        (64, 64, 64),
        (100, 100, 100),
        (128, 256, 96),
        (129, 131, 127),
        (300, 5, 257),
    ):
        matmul("tiles", M, N, K, ta, tb)
        matmul("padded rows", M, N, K, ta, tb, pad=3)
    for M, N, K in (
        (512, 144, 48),
        (512, 48, 512),
        (1024, 96, 384),
        (33, 513, 1000),
        (1, 1024, 256),
        (1024, 1, 300),
        (1, 1, 5000),
    ):
        matmul("preset-like", M, N, K, ta, tb)
    matmul("batch", 17, 3, 65, ta, tb, batch=5)
    matmul("batch", 32, 32, 16, ta, tb, batch=12)
    matmul("one b for all", 17, 9, 33, ta, tb, batch=4, shared_b=True)
    matmul("accumulate", 17, 65, 3, ta, tb, beta=1.0)
    matmul("accumulate", 65, 100, 300, ta, tb, beta=1.0)
    matmul("alpha, beta", 65, 17, 300, ta, tb, alpha=-0.25, beta=0.5, batch=2, pad=1)
    for label, bits in EPILOGUES.items():
        for M, N, K in ((1, 1, 1), (3, 17, 65), (65, 17, 3), (70, 130, 90)):
            matmul(label, M, N, K, ta, tb, epilogue=bits)
    # Large enough for the largest tiles of a GPU, and long enough that K is cut up there.
    matmul("large", 1090, 1030, 72, ta, tb)
    matmul("long", 256, 256, 1024, ta, tb)
    matmul("long, ragged", 250, 131, 1030, ta, tb, beta=1.0)
for label, bits in EPILOGUES.items():
    matmul(label + " large", 1032, 1060, 40, 0, 1, epilogue=bits)
    matmul(label + " batched", 17, 24, 40, 0, 1, batch=3, epilogue=bits, pad=2, alpha=0.5, beta=1.0)
    matmul(label + " deep", 96, 96, 1500, 0, 1, epilogue=bits)
    matmul(label + " K=0", 3, 17, 0, 0, 1, epilogue=bits)
matmul("gelu, no pre", 17, 65, 33, 0, 1, epilogue=BIAS | GELU, absent=("pre",))
matmul(
    "residual is out",
    65,
    100,
    33,
    0,
    1,
    epilogue=BIAS | RESIDUAL,
    alias={"residual": "out"},
    fills={"residual": ["signed"]},
)
matmul("residual is out", 3, 17, 65, 1, 0, epilogue=RESIDUAL, alias={"residual": "out"}, fills={"residual": ["signed"]})
for bits in (0, BIAS, GELU_BACKWARD | RESIDUAL):  # the hint changes nothing
    for ta in (0, 1):
        matmul("hint", 70, 130, 90, ta, 0, epilogue=bits | GRADIENT)
        matmul("hint", 3, 17, 65, ta, 0, epilogue=bits | GRADIENT, beta=1.0)
for ta, tb in ((0, 1), (1, 0)):
    matmul("larger", 2052, 1540, 40, ta, tb)
matmul("K=0, accumulate", 3, 17, 0, beta=1.0)
matmul("gradients", 70, 130, 90, epilogue=GRADIENT)
matmul("gradients", 96, 384, 1024, 1, 0, epilogue=GRADIENT, beta=1.0)
matmul("gradients", 70, 130, 90, epilogue=GRADIENT | GELU_BACKWARD)
for M, N in ((1, 1030), (2, 130), (5, 64), (8, 300), (130, 2), (64, 8), (300, 15)):
    for ta, tb in TRANSPOSES:
        matmul("few", M, N, 260, ta, tb, epilogue=BIAS | GELU | RESIDUAL, batch=1 + (M == 2), alpha=0.5, beta=1.0)
for M, N, K, batch in ((0, 3, 5, 1), (3, 0, 5, 1), (3, 5, 7, 0)):
    matmul("nothing", M, N, K, batch=batch)

for M, N, K in (
    (1, 1, 1),
    (1, 65, 17),
    (3, 17, 65),
    (17, 3, 1),
    (65, 65, 65),
    (1, 256, 384),
    (64, 96, 96),
    (1, 1024, 257),
    (2, 33, 20),
    (5, 70, 100),
    (16, 40, 768),
):
    for absent in ((), ("bias",)):
        case("int8_matmul", fills={"w": ["ints", -127, 128], "scale": ["positive", -4]}, absent=absent, M=M, N=N, K=K)
for N, K in ((1, 1), (1, 3), (3, 17), (17, 65), (65, 1), (256, 384)):
    case("quantize_int8", N=N, K=K)
    case("dequantize_int8", fills={"w": ["ints", -127, 128], "scale": ["positive", -4]}, N=N, K=K)
case("quantize_int8", "zero rows", {"x": ["values", [0.0]]}, N=3, K=17)
case("quantize_int8", "ties to even", {"x": ["values", [127.0, 0.5, 1.5, -0.5, -1.5, 2.5, -126.5]]}, N=5, K=7)
