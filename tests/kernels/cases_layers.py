"""Cases of normalisation, softmax, cross-entropy, attention, embeddings and the optimizers."""

from .cases import SIZES, case, kernels

# ---- normalisation ------------------------------------------------------------------------------
ROWS = [(rows, C) for rows in SIZES for C in SIZES] + [(0, 3), (512, 48), (130, 384), (7, 1280)]
POSITIVE = ["positive"]
for rows, C in ROWS:
    for absent in ((), ("bias",), ("weight", "bias")):
        case("layer_norm", rows=rows, C=C, eps=1e-5, absent=absent)
        case("add_layer_norm", rows=rows, C=C, eps=1e-5, absent=absent)
    for absent in (
        (),
        ("add",),
        ("dbias", "add"),
        ("weight", "dweight", "dbias"),
        ("weight", "dweight", "dbias", "add"),
    ):
        case("layer_norm_backward", fills={"rstd": POSITIVE}, rows=rows, C=C, absent=absent)
    case("layer_norm_backward", "add is dx", {"rstd": POSITIVE}, alias={"add": "dx"}, rows=rows, C=C)
    for absent in ((), ("weight",)):
        case("rms_norm", rows=rows, C=C, eps=1e-5, absent=absent)
    for absent in ((), ("add",), ("weight", "dweight"), ("weight", "dweight", "add")):
        case("rms_norm_backward", fills={"rstd": POSITIVE}, rows=rows, C=C, absent=absent)
case("layer_norm", "equal values", {"x": ["values", [2.5]]}, rows=3, C=17, eps=1e-5)
case("layer_norm", "far from zero", {"x": ["values", [1000.0, 1001.0, 999.5, 1000.25]]}, rows=3, C=64, eps=1e-5)

# ---- softmax and cross-entropy ------------------------------------------------------------------
for rows, n in [(rows, n) for rows in SIZES for n in SIZES] + [(0, 3), (512, 256), (5, 1031)]:
    for log in (0, 1):
        case("softmax", rows=rows, n=n, log=log)
        case("softmax_backward", fills={"y": POSITIVE if not log else ["signed"]}, rows=rows, n=n, log=log)
for log in (0, 1):
    case("softmax", "in place", alias={"x": "out"}, rows=17, n=65, log=log)
    case("softmax", "large values", {"x": ["values", [1000.0, 999.0, -1000.0, 0.0, 998.5]]}, rows=7, n=10, log=log)
    case(
        "softmax",
        "masked",
        {"x": ["values", [1.0, -float("inf"), 0.5, -float("inf"), -float("inf")]]},
        rows=7,
        n=15,
        log=log,
    )
    case("softmax_backward", "in place", {"y": POSITIVE}, alias={"dy": "dx"}, rows=17, n=65, log=log)

for rows, V in [(rows, V) for rows in SIZES for V in SIZES] + [(512, 256), (1024, 256), (3, 5003)]:
    for reduction in kernels.REDUCTION.values():
        common = dict(rows=rows, V=V, ignore=-100, reduction=reduction)
        case("cross_entropy", fills={"targets": ["ints", 0, V]}, **common)
        case("cross_entropy", "no gradient", {"targets": ["ints", 0, V]}, absent=("dlogits",), **common)
        case("cross_entropy", "some ignored", {"targets": ["values", [0, -100, V - 1, V // 2, -100]]}, **common)
        case("cross_entropy", "in place", {"targets": ["ints", 0, V]}, alias={"logits": "dlogits"}, **common)
for reduction in kernels.REDUCTION.values():
    case("cross_entropy", "all ignored", {"targets": ["values", [-1]]}, rows=5, V=7, ignore=-1, reduction=reduction)
    case(
        "cross_entropy",
        "sure of it",
        {"targets": ["ints", 0, 4], "logits": ["values", [50.0, -50.0, 0.0, 80.0]]},
        rows=9,
        V=4,
        ignore=-100,
        reduction=reduction,
    )

# ---- attention ----------------------------------------------------------------------------------


def attention(B, H, G, T, S, D, causal, layout="separate"):
    """Cases of attention and its backward. layout: separate [B, T, H, D]; qkv: parts of one
    projection; heads: [B, H, T, D].
    """

    def strides(prefix, time, heads):
        if layout == "qkv":
            row = (H + 2 * G) * D
            return {prefix + "_b": time * row, prefix + "_t": row, prefix + "_h": D}
        if layout == "heads":
            return {prefix + "_b": heads * time * D, prefix + "_t": D, prefix + "_h": time * D}
        return {prefix + "_b": time * heads * D, prefix + "_t": heads * D, prefix + "_h": D}

    dense_out = {"b": T * H * D, "t": H * D, "h": D}
    common = dict(B=B, H=H, G=G, T=T, S=S, D=D, causal=causal, scale=D**-0.5)
    inputs = {**strides("q", T, H), **strides("k", S, G), **strides("v", S, G)}
    o = {"o_" + k: v for k, v in dense_out.items()}
    label = "%s B%d H%d G%d T%d S%d D%d%s" % (layout, B, H, G, T, S, D, " causal" if causal else "")
    case("attention", label, **common, **inputs, **o)
    grads = {**strides("dq", T, H), **strides("dk", S, G), **strides("dv", S, G)}
    case(
        "attention_backward",
        label,
        {"lse": ["positive"]},
        **common,
        **inputs,
        **o,
        **{"do_" + k: v for k, v in dense_out.items()},
        **grads,
    )


for causal in (0, 1):
    for T in SIZES:
        for D in (1, 3, 16, 32, 65):
            attention(2, 3, 3, T, T, D, causal)
        attention(1, 4, 2, T, T, 16, causal, "qkv")
        attention(2, 6, 1, T, T, 17, causal, "heads")
    for T, S in ((1, 17), (3, 65), (17, 3), (65, 17), (130, 70)):
        attention(2, 2, 2, T, S, 16, causal)
    attention(2, 3, 3, 64, 64, 32, causal, "qkv")
    attention(1, 2, 2, 200, 200, 64, causal, "qkv")
attention(0, 2, 2, 3, 3, 4, 1)

for B, H, G, D, S in (
    (1, 1, 1, 1, 1),
    (3, 2, 2, 17, 3),
    (1, 3, 3, 32, 65),
    (2, 6, 2, 16, 17),
    (5, 4, 1, 65, 33),
    (1, 8, 8, 32, 300),
):
    for position in sorted({0, S // 2, S - 1}):
        case(
            "attention_decode",
            "at %d" % position,
            {"position": ["values", [position]]},
            B=B,
            H=H,
            G=G,
            D=D,
            S=S,
            q_b=(H + 2 * G) * D,
            scale=D**-0.5,
        )
    for T in sorted({1, S // 2 or 1, S}):
        for position in sorted({0, S - T}):
            case("kv_append", "%d at %d" % (T, position), {"position": ["values", [position]]}, B=B, G=G, T=T, D=D, S=S,
                 k_b=T * 3 * G * D, k_t=3 * G * D, v_b=T * 3 * G * D, v_t=3 * G * D)  # fmt: skip
    if D % 2 == 0:
        for inverse in (0, 1):
            shape = dict(
                B=B,
                T=S,
                H=H,
                D=D,
                x_b=S * H * D,
                x_t=H * D,
                x_h=D,
                o_b=S * H * D,
                o_t=H * D,
                o_h=D,
                base=10000.0,
                inverse=inverse,
            )
            case("rotary", fills={"position": ["values", [7]]}, **shape)
            case("rotary", "from 0", absent=("position",), **shape)
            case("rotary", "in place", {"position": ["values", [1000]]}, alias={"x": "out"}, **shape)
            case("rotary", "out of qkv into heads", fills={"position": ["values", [3]]}, B=B, T=S, H=H, D=D,
                 x_b=S * 3 * H * D, x_t=3 * H * D, x_h=D,
                 o_b=H * S * D, o_t=D, o_h=S * D, base=10000.0, inverse=inverse)  # fmt: skip

# ---- embedding ----------------------------------------------------------------------------------
for n in (0, *SIZES, 512):
    for C in (*SIZES, 96):
        for V in (1, 17, 256):
            case("embedding", fills={"index": ["ints", 0, V]}, n=n, C=C, V=V)
            case("embedding_backward", fills={"index": ["ints", 0, V]}, n=n, C=C, V=V)

# ---- indices out of range: refused with a sentence, and the device goes on working --------------
for bad in (-1, 17, 2**31 - 1, -(2**31)):
    case("embedding", "refused", {"index": ["values", [3, bad, 0]]}, n=9, C=16, V=17)
    case("cross_entropy", "refused", {"targets": ["values", [3, bad, 0]]}, rows=9, V=17, ignore=-100, reduction=1)
    case("attention_decode", "refused", {"position": ["values", [bad]]}, B=1, H=2, G=2, D=16, S=17, q_b=96, scale=0.25)
    case(
        "kv_append",
        "refused",
        {"position": ["values", [bad]]},
        B=1,
        G=2,
        T=2,
        D=16,
        S=17,
        k_b=192,
        k_t=96,
        v_b=192,
        v_t=96,
    )
case(
    "kv_append",
    "refused: one too many",
    {"position": ["values", [16]]},
    B=1,
    G=2,
    T=2,
    D=16,
    S=17,
    k_b=192,
    k_t=96,
    v_b=192,
    v_t=96,
)

# ---- optimizers: end, then the seven settings of each group -------------------------------------


def adamw_groups(*ends):
    return [
        "groups",
        [
            [end, 3e-4 * (i + 1), 0.9, 0.95, 1e-8, 0.1 * (i % 2), 1 - 0.9**3, (1 - 0.95**3) ** 0.5]
            for i, end in enumerate(ends)
        ],
    ]


for n in (0, *SIZES, 1000, 40007):
    for groups in ([n], [n // 2, n], [n // 3, n // 3, n]):
        case("adamw", fills={"v": POSITIVE, "hyper": adamw_groups(*groups)}, absent=("norm",), n=n, groups=len(groups))
    for momentum, dampening, nesterov, first in (
        (0.0, 0.0, 0, 0),
        (0.9, 0.0, 0, 1),
        (0.9, 0.0, 0, 0),
        (0.9, 0.1, 0, 0),
        (0.9, 0.0, 1, 0),
    ):
        hyper = [
            [n // 2, 0.1, momentum, dampening, 0.0, nesterov, first, 0],
            [n, 0.2, momentum, dampening, 0.1, nesterov, first, 0],
        ]
        absent = () if momentum else ("buf",)
        case("sgd", fills={"hyper": ["groups", hyper]}, absent=(*absent, "norm"), n=n, groups=2)
        if n in (17, 40007):  # a step with a norm: done where it is finite, else skipped
            for norm in (2.5, 0.0, float("inf"), -float("inf"), float("nan")):
                fills = {"hyper": ["groups", hyper], "norm": ["values", [norm]]}
                case("sgd", "norm %g" % norm, fills, absent=absent, n=n, groups=2)
for n in (0, *SIZES, 40007):
    for name, absent, decay, penalty, beta1 in (
        ("", ("largest",), 0.9997, 0.0, 0.9),
        ("penalty", ("largest",), 1.0, 0.1, 0.9),
        ("amsgrad", (), 1.0, 0.0, 0.9),
        ("beta1 0.3", ("largest",), 1.0, 0.0, 0.3),
    ):
        hyper = ["values", [decay, penalty, 1 - beta1, 0.95, 0.05, 1e-8, -3e-4, 1.2]]
        case("adam", name, {"v": POSITIVE, "largest": POSITIVE, "hyper": hyper}, absent=absent, n=n)
for n in (1, 65, 40007):
    for norm in (2.5, 3e38, float("inf"), -float("inf"), float("nan")):
        fills = {"v": POSITIVE, "hyper": adamw_groups(n // 2, n), "norm": ["values", [norm]]}
        case("adamw", "norm %g" % norm, fills, n=n, groups=2)
case(
    "adamw",
    "first step",
    {
        "m": ["values", [0.0]],
        "v": ["values", [0.0]],
        "hyper": ["groups", [[65, 3e-4, 0.9, 0.95, 1e-8, 0.1, 0.1, 0.05**0.5]]],
    },
    absent=("norm",),
    n=65,
    groups=1,
)
