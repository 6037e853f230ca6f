"""The kernel contract: every kernel once, with its name, buffers, parameters, extents and meaning.

A device (`tinygpt.devices`) implements this whole list and nothing else. A launch is
`(kernel, buffers, params)`: buffers in the order below (outputs before inputs), then params in the
order below, integers or floats. Everything above (ops, autograd, compile) knows kernels only
through this file; `wasm_ext/contract.h` is generated from it (`python3 -m tinygpt.kernels`).

Vocabulary: B batch, T time, C channels, H heads, G key/value heads, D head size, V vocabulary,
M N K matrix sizes. Buffers are dense row-major unless a parameter names strides; strides and sizes
count elements. "?" after a buffer's name: it may be absent (address 0).

Access letters: `w` written, `r` read, `u` updated (read and written). Element types: `f` float32,
`i` int32 (bool is stored as int32 0/1), `b` int8, `*` given by a dtype parameter. The `*` buffers
of `copy` are float32, int32 or int8.

Numbers follow PyTorch; where a formula has a source it is named. Reductions run in a fixed order
that depends only on the sizes, so a result has the same bits for any number of threads.
"""

from __future__ import annotations

import struct
from collections import namedtuple
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    def __getattr__(name: str) -> Kernel: ...  # `kernels.matmul`: every kernel is a name of this module


# Codes that travel in integer parameters.
DTYPES = {
    name: code for code, name in enumerate("float32 int32 int8 float64 int64 int16 uint8 float16 bfloat16".split())
}
WIDE = ("float64", "int64")  # with kernels of their own; the narrow ones are copied to others and back
UNARY = {
    name: code
    for code, name in enumerate(
        "neg abs square reciprocal exp log sqrt rsqrt tanh sigmoid relu gelu gelu_tanh silu sin cos".split()
    )
}
BINARY = {
    name: code
    for code, name in enumerate(
        "add sub mul div pow maximum minimum eq ne lt le gt ge floordiv remainder "
        "bitand bitor bitxor lshift rshift".split()
    )
}
MATH_OF_ONE = {
    name: code
    for code, name in enumerate(
        "floor ceil round trunc sign exp2 expm1 log2 log10 log1p tan asin acos atan sinh cosh asinh acosh atanh "
        "erf erfc erfcx erfinv ndtri lgamma digamma i0 i0e i1 i1e".split()
    )
}
MATH_OF_TWO = {name: code for code, name in enumerate("fmod gcd atan2 hypot copysign nextafter zeta".split())}
ACTIVATION = {
    name: code
    for code, name in enumerate(
        "leaky_relu elu hardtanh hardsigmoid hardswish softplus mish logsigmoid softshrink hardshrink threshold".split()
    )
}
COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")
REDUCE = {name: code for code, name in enumerate("sum mean max min argmax argmin prod".split())}
SCAN = {"sum": 0, "prod": 1}
DRAW = {
    name: code for code, name in enumerate("uniform normal integers bernoulli exponential permutation words".split())
}
MERSENNE_WORDS = 628  # int32 of a stream of mt19937: 624 words, the position, whether a normal number is kept, it
SCATTER = {name: code for code, name in enumerate("put add mul max min".split())}
REDUCTION = {"none": 0, "mean": 1, "sum": 2}
CELL = {"lstm": 0, "gru": 1, "tanh": 2, "relu": 3}
GATES = {CELL["lstm"]: 4, CELL["gru"]: 3, CELL["tanh"]: 1, CELL["relu"]: 1}
# Bits of matmul's `epilogue`, applied in this order to v = alpha * op(A) op(B) + beta * out.
BIAS, GELU, GELU_BACKWARD, RESIDUAL = 1, 2, 4, 8
# A bit that changes no result: a hint for devices with narrow operands. a holds gradients, which
# may be small.
GRADIENT = 16

MAX_RANK = 6  # the strided kernels take sizes and strides padded in front with size 1, stride 0
PHILOX_ROUNDS = 10


class RankError(RuntimeError):
    """An expression has more dimensions that cannot be merged than the strided kernels take."""


class Buffer(NamedTuple):
    """A buffer of a kernel: its access and element type are letters (see above)."""

    name: str
    access: str
    dtype: str
    optional: bool


class Param(NamedTuple):
    """A parameter of a kernel. kind: "i" int64, "f" float64."""

    name: str
    kind: str


KERNELS: list[Kernel] = []  # in id order
BY_NAME: dict[str, Kernel] = {}


class Kernel:
    """One entry of the contract.

    pack: the struct of a complete launch: id, slot count, addresses, params.
    """

    __slots__ = ("id", "name", "buffers", "params", "extents", "meaning", "pack", "slots", "n_buffers", "_params_type")

    def __init__(
        self, name: str, buffers: str, params: str, extents: Callable[[Any], dict[str, int]], meaning: str
    ) -> None:
        self.id, self.name, self.extents, self.meaning = len(KERNELS), name, extents, meaning
        self.buffers = tuple(_buffer(text) for text in buffers.split())
        self.params = tuple(Param(*text.split(":")) for text in params.split())
        self.n_buffers = len(self.buffers)
        self.slots = 2 + len(self.buffers) + len(self.params)
        kinds = "".join("q" if p.kind == "i" else "d" for p in self.params)
        self.pack = struct.Struct("<2q%dq%s" % (len(self.buffers), kinds))
        self._params_type: Any = None

    def __repr__(self) -> str:
        return "<kernel %s>" % self.name

    @property
    def Params(self) -> Any:
        """The class of a tuple of the parameters by name: Params(*params). Made at its first use:
        all of them take 40 ms of the page's start.
        """
        if self._params_type is None:
            self._params_type = namedtuple(self.name + "_params", [p.name for p in self.params])
        return self._params_type

    def extent(self, params: Sequence[float]) -> dict[str, int]:
        """{buffer name: elements reached from its address} for `params`; 0 where the buffer is
        unused.
        """
        return self.extents(self.Params(*params))


def _buffer(text: str) -> Buffer:
    name, kind = text.split(":")
    return Buffer(name.rstrip("?"), kind[0], kind[1], name.endswith("?"))


def _kernel(name: str, buffers: str, params: str, extents: Callable[[Any], dict[str, int]], meaning: str) -> None:
    kernel = Kernel(name, buffers, params, extents, " ".join(meaning.split()))
    KERNELS.append(kernel)
    BY_NAME[name] = kernel
    globals()[name] = kernel


def _dims(*prefixes: str) -> str:
    """Parameters of the strided family: sizes n0..n5, then strides for each prefix."""
    return " ".join("%s%d:i" % (p, d) for p in prefixes for d in range(MAX_RANK))


def _strided(p: Any, prefix: str) -> int:
    """Elements reached through sizes n* and strides <prefix>*, counted from the address."""
    if any(getattr(p, "n%d" % d) == 0 for d in range(MAX_RANK)):
        return 0
    return 1 + sum((getattr(p, "n%d" % d) - 1) * getattr(p, "%s%d" % (prefix, d)) for d in range(MAX_RANK))


def _count(p: Any) -> int:
    n = 1
    for d in range(MAX_RANK):
        n *= getattr(p, "n%d" % d)
    return n


def _reach(*pairs: tuple[int, int]) -> int:
    """1 + sum (size - 1) * stride over pairs, or 0 where a size is 0."""
    return 0 if any(n == 0 for n, _ in pairs) else 1 + sum((n - 1) * s for n, s in pairs)


# ---- elementwise -------------------------------------------------------------------------------

_kernel("fill", "out:w*", "dtype:i n:i value:f", lambda p: dict(out=p.n), "out[i] = value (int32: truncated).")
_kernel(
    "arange",
    "out:w*",
    "dtype:i n:i start:f step:f",
    lambda p: dict(out=p.n),
    "out[i] = start + i * step, computed in float64.",
)
_kernel(
    "copy",
    "out:w* x:r*",
    "dtype_out:i dtype_x:i " + _dims("n", "o", "x"),
    lambda p: dict(out=_strided(p, "o"), x=_strided(p, "x")),
    """out[sum i_d o_d] = cast(x[sum i_d x_d]). Transpose, slice, expand, cat and cast are this
    kernel. float to int truncates toward zero. No element of out is written twice; out and x do not
    overlap.""",
)
_kernel(
    "unary",
    "out:wf x:rf",
    "op:i n:i",
    lambda p: dict(out=p.n, x=p.n),
    """out[i] = op(x[i]), op from UNARY; out may be x. gelu is the exact erf form (Hendrycks and
    Gimpel 2016), gelu_tanh its tanh approximation, silu x * sigmoid(x).""",
)
_kernel(
    "unary_backward",
    "dx:wf dy:rf saved:rf",
    "op:i n:i",
    lambda p: dict(dx=p.n, dy=p.n, saved=p.n),
    """dx[i] = dy[i] * op'(...). saved is the input x for abs square log relu gelu gelu_tanh silu
    sin cos, and the output y for reciprocal exp sqrt rsqrt tanh sigmoid. relu'(0) = abs'(0) = 0. At
    NaN relu' is 1, abs' 0. dx may be dy. neg is not here (it is its own gradient).""",
)
_kernel(
    "binary",
    "out:w* a:r* b:r*",
    "op:i dtype:i " + _dims("n", "a", "b"),
    lambda p: dict(out=_count(p), a=_strided(p, "a"), b=_strided(p, "b")),
    """out = op(a, b) with broadcasting through strides (0 repeats); out is dense over n. dtype is
    that of a and b; out has the same, but the comparisons eq..ge write int32 0/1. op from BINARY.
    int32: add sub mul maximum minimum, comparisons, floordiv and remainder (Python's signs), bits
    and shifts (by less than the type's bits; rshift keeps the sign); float32: all but those of
    bits. float64 and int64 as float32 and int32. out may be a (or b) where it is dense.""",
)
_kernel(
    "binary_scalar",
    "out:w* a:r*",
    "op:i dtype:i n:i scalar:f reverse:i",
    lambda p: dict(out=p.n, a=p.n),
    """out[i] = op(a[i], scalar), or op(scalar, a[i]) when reverse. The scalar is rounded to a's
    dtype first. Comparisons write int32 0/1. out may be a.""",
)
_kernel(
    "where",
    "out:w* cond:ri a:r* b:r*",
    "dtype:i " + _dims("n", "c", "a", "b"),
    lambda p: dict(out=_count(p), cond=_strided(p, "c"), a=_strided(p, "a"), b=_strided(p, "b")),
    "out = cond ? a : b with broadcasting through strides; out is dense over n.",
)
_kernel(
    "tril",
    "out:w* x:r*",
    "dtype:i batch:i M:i N:i diagonal:i upper:i",
    lambda p: dict(out=p.batch * p.M * p.N, x=p.batch * p.M * p.N),
    """Keeps x[m, n] where n - m <= diagonal (tril), or n - m >= diagonal when upper (triu); 0
    elsewhere. out may be x.""",
)

# ---- reductions ---------------------------------------------------------------------------------

_kernel(
    "reduce",
    "out:w* x:r*",
    "op:i dtype:i outer:i n:i inner:i",
    lambda p: dict(out=p.outer * p.inner, x=p.outer * p.n * p.inner),
    """x seen as [outer, n, inner] is reduced over n. sum mean max min keep the dtype (mean: float32
    only); argmax argmin write int32, the first index on ties. n >= 1. NaN wins in max and min, as
    in PyTorch.""",
)
_kernel(
    "global_norm",
    "out:wf g:rf",
    "n:i",
    lambda p: dict(out=1, g=p.n),
    "out[0] = sqrt(sum g[i]^2): the norm of the flat gradient. Partial sums are kept in float64.",
)
_kernel(
    "clip_scale",
    "g:uf norm:rf",
    "n:i max_norm:f",
    lambda p: dict(g=p.n, norm=1),
    "g[i] *= min(1, max_norm / (norm[0] + 1e-6)): torch.nn.utils.clip_grad_norm_'s coefficient.",
)

# ---- matmul -------------------------------------------------------------------------------------

_kernel(
    "matmul",
    "out:uf a:rf b:rf bias?:rf residual?:rf pre?:uf",
    "batch:i M:i N:i K:i ta:i tb:i lda:i ldb:i ldc:i sa:i sb:i sc:i alpha:f beta:f epilogue:i",
    lambda p: dict(
        out=_reach((p.batch, p.sc), (p.M, p.ldc), (p.N, 1)),
        a=_reach((p.batch, p.sa), (p.K, p.lda), (p.M, 1)) if p.ta else _reach((p.batch, p.sa), (p.M, p.lda), (p.K, 1)),
        b=_reach((p.batch, p.sb), (p.N, p.ldb), (p.K, 1)) if p.tb else _reach((p.batch, p.sb), (p.K, p.ldb), (p.N, 1)),
        bias=p.N if p.epilogue & BIAS else 0,
        residual=_reach((p.batch, p.sc), (p.M, p.ldc), (p.N, 1)) if p.epilogue & RESIDUAL else 0,
        pre=_reach((p.batch, p.sc), (p.M, p.ldc), (p.N, 1)) if p.epilogue & (GELU | GELU_BACKWARD) else 0,
    ),
    """For each batch z: v = alpha * op(A_z) op(B_z) + beta * out (out is not read when beta is
    0, so NaN in it does not matter), where A_z starts at a + z*sa with row stride lda and op
    transposes it when ta (A_z is then stored K x M); B likewise (stored N x K when tb, as
    PyTorch's Linear weight). Then, in this order, for the bits of epilogue: BIAS v += bias[n];
    GELU: pre (same layout as out, if given) = v, v = gelu(v) (erf form); GELU_BACKWARD: v *=
    gelu'(pre); RESIDUAL v += residual (same layout as out; may be out itself). out = v. The
    result has the same bits as the separate kernels in that order would give. K may be 0 (then
    the product is 0). GRADIENT is a hint that a holds gradients, which may be small; it does not
    change the result.""",
)
_kernel(
    "int8_matmul",
    "out:wf x:rf w:rb scale:rf bias?:rf",
    "M:i N:i K:i",
    lambda p: dict(out=p.M * p.N, x=p.M * p.K, w=p.N * p.K, scale=p.N, bias=p.N),
    """out[m, n] = scale[n] * sum_k x[m, k] * w[n, k] + bias[n]: int8 weight-only linear,
    per-output-channel scales. A single row of x may be rounded to 16 bits, steps of max|x| / 32767
    (the CPU does).""",
)
_kernel(
    "quantize_int8",
    "w:wb scale:wf x:rf",
    "N:i K:i",
    lambda p: dict(w=p.N * p.K, scale=p.N, x=p.N * p.K),
    """Per row: scale = max|x| / 127 (1 where the row is all zero), w = round_half_even(x / scale)
    in [-127, 127].""",
)
_kernel(
    "dequantize_int8",
    "out:wf w:rb scale:rf",
    "N:i K:i",
    lambda p: dict(out=p.N * p.K, w=p.N * p.K, scale=p.N),
    "out[n, k] = scale[n] * w[n, k], rounded once.",
)

# ---- normalisation ------------------------------------------------------------------------------

_kernel(
    "layer_norm",
    "out:wf mean:wf rstd:wf x:rf weight?:rf bias?:rf",
    "rows:i C:i eps:f",
    lambda p: dict(out=p.rows * p.C, mean=p.rows, rstd=p.rows, x=p.rows * p.C, weight=p.C, bias=p.C),
    """out = (x - mean) * rstd * weight + bias, rstd = 1 / sqrt(var + eps), biased variance (Ba et
    al. 2016), two passes. An absent weight is 1, an absent bias 0.""",
)
_kernel(
    "add_layer_norm",
    "sum:wf out:wf mean:wf rstd:wf x:rf residual:rf weight?:rf bias?:rf",
    "rows:i C:i eps:f",
    lambda p: dict(
        sum=p.rows * p.C,
        out=p.rows * p.C,
        mean=p.rows,
        rstd=p.rows,
        x=p.rows * p.C,
        residual=p.rows * p.C,
        weight=p.C,
        bias=p.C,
    ),
    "sum = x + residual, then layer_norm of sum (same bits as the two kernels).",
)
_kernel(
    "layer_norm_backward",
    "dx:wf dweight?:wf dbias?:wf dy:rf x:rf weight?:rf mean:rf rstd:rf add?:rf",
    "rows:i C:i",
    lambda p: dict(
        dx=p.rows * p.C,
        dweight=p.C,
        dbias=p.C,
        dy=p.rows * p.C,
        x=p.rows * p.C,
        weight=p.C,
        mean=p.rows,
        rstd=p.rows,
        add=p.rows * p.C,
    ),
    """With g = dy * weight and xhat = (x - mean) * rstd: dx = rstd * (g - mean_c(g) - xhat *
    mean_c(g * xhat)), plus add where given (the gradient that reaches x by another way; may be dx).
    dweight = sum_rows dy * xhat, dbias = sum_rows dy.""",
)
_kernel(
    "rms_norm",
    "out:wf rstd:wf x:rf weight?:rf",
    "rows:i C:i eps:f",
    lambda p: dict(out=p.rows * p.C, rstd=p.rows, x=p.rows * p.C, weight=p.C),
    "out = x * rstd * weight, rstd = 1 / sqrt(mean(x^2) + eps) (Zhang and Sennrich 2019).",
)
_kernel(
    "rms_norm_backward",
    "dx:wf dweight?:wf dy:rf x:rf weight?:rf rstd:rf add?:rf",
    "rows:i C:i",
    lambda p: dict(
        dx=p.rows * p.C, dweight=p.C, dy=p.rows * p.C, x=p.rows * p.C, weight=p.C, rstd=p.rows, add=p.rows * p.C
    ),
    """With g = dy * weight: dx = rstd * (g - x * rstd^2 * mean_c(g * x)), plus add where given;
    dweight = sum_rows dy * x * rstd.""",
)

# ---- softmax and cross-entropy ------------------------------------------------------------------

_kernel(
    "softmax",
    "out:wf x:rf",
    "rows:i n:i log:i",
    lambda p: dict(out=p.rows * p.n, x=p.rows * p.n),
    "Softmax over n, or log-softmax when log; the row maximum is subtracted first. out may be x.",
)
_kernel(
    "softmax_backward",
    "dx:wf dy:rf y:rf",
    "rows:i n:i log:i",
    lambda p: dict(dx=p.rows * p.n, dy=p.rows * p.n, y=p.rows * p.n),
    "dx = y * (dy - sum(dy * y)), or dy - exp(y) * sum(dy) when log. dx may be dy.",
)
_kernel(
    "cross_entropy",
    "losses:wf total:wf dlogits?:wf logits:rf targets:ri",
    "rows:i V:i ignore:i reduction:i",
    lambda p: dict(losses=p.rows, total=1, dlogits=p.rows * p.V, logits=p.rows * p.V, targets=p.rows),
    """losses[r] = logsumexp(logits[r]) - logits[r, targets[r]], 0 where targets[r] == ignore. total
    = mean over the rows not ignored, or the sum, by reduction (REDUCTION; none: total = the sum).
    dlogits (if given) = d total / d logits for mean and sum, d losses[r] / d logits[r] for none:
    (softmax - onehot) * scale, 0 for ignored rows. A target outside [0, V) that is not ignore is an
    error (status 2). dlogits may be logits. No valid row: mean is NaN.""",
)

# ---- attention ----------------------------------------------------------------------------------

_QKVO = "q_b:i q_t:i q_h:i k_b:i k_t:i k_h:i v_b:i v_t:i v_h:i o_b:i o_t:i o_h:i"


def _heads(p: Any, prefix: str, time: int, heads: int) -> int:
    return _reach(
        (p.B, getattr(p, prefix + "_b")),
        (time, getattr(p, prefix + "_t")),
        (heads, getattr(p, prefix + "_h")),
        (p.D, 1),
    )


_kernel(
    "attention",
    "out:wf lse:wf q:rf k:rf v:rf",
    "B:i H:i G:i T:i S:i D:i causal:i " + _QKVO + " scale:f",
    lambda p: dict(
        out=_heads(p, "o", p.T, p.H),
        lse=p.B * p.H * p.T,
        q=_heads(p, "q", p.T, p.H),
        k=_heads(p, "k", p.S, p.G),
        v=_heads(p, "v", p.S, p.G),
    ),
    """Scaled dot-product attention, T queries over S keys, element (b, t, h, d) of q at b*q_b +
    t*q_t + h*q_h + d, likewise k v out; query head h reads key head h * G // H. causal: key j is
    seen by query i when j <= i (PyTorch's top-left mask). lse[b, h, t] = logsumexp of the scaled
    scores, all that is kept for the backward (Dao 2023, online softmax, no T x T matrix).""",
)
_kernel(
    "attention_backward",
    "dq:wf dk:wf dv:wf dout:rf q:rf k:rf v:rf out:rf lse:rf",
    "B:i H:i G:i T:i S:i D:i causal:i "
    + _QKVO
    + " do_b:i do_t:i do_h:i dq_b:i dq_t:i dq_h:i dk_b:i dk_t:i dk_h:i dv_b:i dv_t:i dv_h:i scale:f",
    lambda p: dict(
        dq=_heads(p, "dq", p.T, p.H),
        dk=_heads(p, "dk", p.S, p.G),
        dv=_heads(p, "dv", p.S, p.G),
        dout=_heads(p, "do", p.T, p.H),
        q=_heads(p, "q", p.T, p.H),
        k=_heads(p, "k", p.S, p.G),
        v=_heads(p, "v", p.S, p.G),
        out=_heads(p, "o", p.T, p.H),
        lse=p.B * p.H * p.T,
    ),
    """Recomputes P = exp(scale * q k^T - lse); dv = P^T dout, dP = dout v^T, dS = P * (dP -
    rowsum(dout * out)), dq = scale * dS k, dk = scale * dS^T q; dk and dv sum over the H/G query
    heads that share a key head. dq dk dv are overwritten at every (b, t, h, d) they have.""",
)
_kernel(
    "attention_decode",
    "out:wf q:rf k_cache:rf v_cache:rf position:ri",
    "B:i H:i G:i D:i S:i q_b:i scale:f",
    lambda p: dict(
        out=p.B * p.H * p.D,
        q=_reach((p.B, p.q_b), (p.H * p.D, 1)),
        k_cache=p.B * p.G * p.S * p.D,
        v_cache=p.B * p.G * p.S * p.D,
        position=1,
    ),
    """One query per sequence over a key/value cache [B, G, S, D]: keys 0..position[0] are seen. q
    element (b, h, d) at b*q_b + h*D + d; out is dense [B, H, D]. position outside [0, S) is an
    error (status 2).""",
)
_kernel(
    "kv_append",
    "k_cache:uf v_cache:uf k:rf v:rf position:ri",
    "B:i G:i T:i D:i S:i k_b:i k_t:i v_b:i v_t:i",
    lambda p: dict(
        k_cache=p.B * p.G * p.S * p.D,
        v_cache=p.B * p.G * p.S * p.D,
        k=_reach((p.B, p.k_b), (p.T, p.k_t), (p.G * p.D, 1)),
        v=_reach((p.B, p.v_b), (p.T, p.v_t), (p.G * p.D, 1)),
        position=1,
    ),
    """cache[b, g, position[0] + t, d] = new[b*k_b + t*k_t + g*D + d] for T new tokens, k and v.
    position[0] + T > S is an error (status 2).""",
)
_kernel(
    "rotary",
    "out:wf x:rf position?:ri",
    "B:i T:i H:i D:i x_b:i x_t:i x_h:i o_b:i o_t:i o_h:i base:f inverse:i",
    lambda p: dict(out=_heads(p, "o", p.T, p.H), x=_heads(p, "x", p.T, p.H), position=1),
    """Rotary position embedding (Su et al. 2021) in the half-split layout: for d < D/2, angle = (t
    + position[0]) * base^(-2d/D), (x_d, x_{d+D/2}) is rotated by the angle, by minus the angle when
    inverse (the backward). An absent position is 0. Angles are computed in float64, then rounded.
    out may be x (same strides).""",
)

# ---- wide numbers, indexing, scans, sorting ------------------------------------------------------
# Plain kernels: float64 and int64, and what every element type has.

_kernel(
    "wide_unary",
    "out:wd x:rd",
    "op:i n:i",
    lambda p: dict(out=p.n, x=p.n),
    "unary of float64. out may be x.",
)
_kernel(
    "wide_unary_backward",
    "dx:wd dy:rd saved:rd",
    "op:i n:i",
    lambda p: dict(dx=p.n, dy=p.n, saved=p.n),
    "unary_backward of float64. dx may be dy.",
)
_kernel(
    "math_of_one",
    "out:w* x:r*",
    "op:i dtype:i n:i",
    lambda p: dict(out=p.n, x=p.n),
    """out[i] = op(x[i]), op from MATH_OF_ONE, float32 or float64, computed in float64; round is to the nearest,
    ties to even. out may be x.""",
)
_kernel(
    "math_of_two",
    "out:w* a:r* b:r*",
    "op:i dtype:i " + _dims("n", "a", "b"),
    lambda p: dict(out=_count(p), a=_strided(p, "a"), b=_strided(p, "b")),
    """out = op(a, b), op from MATH_OF_TWO, placed as in binary. fmod (the sign of a) of float32,
    float64, int32 and int64; gcd of the integers; the others of the floats: zeta is Hurwitz's. fmod of
    an integer by 0 is 0. out may be a (or b) where it is dense.""",
)
_kernel(
    "variance",
    "out:w* x:r*",
    "dtype:i root:i outer:i n:i inner:i correction:f",
    lambda p: dict(out=p.outer * p.inner, x=p.outer * p.n * p.inner),
    """x seen as [outer, n, inner]: out = sum (x - mean)^2 / max(n - correction, 0) over n, its square
    root when root; float32 or float64, two passes in float64. n >= 1.""",
)
_kernel(
    "wide_matmul",
    "out:w* a:r* b:r*",
    "dtype:i batch:i M:i N:i K:i ta:i tb:i lda:i ldb:i ldc:i sa:i sb:i sc:i",
    lambda p: dict(
        out=_reach((p.batch, p.sc), (p.M, p.ldc), (p.N, 1)),
        a=_reach((p.batch, p.sa), (p.K, p.lda), (p.M, 1)) if p.ta else _reach((p.batch, p.sa), (p.M, p.lda), (p.K, 1)),
        b=_reach((p.batch, p.sb), (p.N, p.ldb), (p.K, 1)) if p.tb else _reach((p.batch, p.sb), (p.K, p.ldb), (p.N, 1)),
    ),
    "For each batch z: out_z = op(A_z) op(B_z) of float64 or int64 (modulo 2^64), placed as in matmul.",
)
_kernel(
    "take",
    "out:w* x:r* index:ri",
    "dtype:i n:i C:i V:i",
    lambda p: dict(out=p.n * p.C, x=p.V * p.C, index=p.n),
    "out[i] = x[index[i]], rows of C elements. An index outside [0, V) is an error (status 2).",
)
_kernel(
    "put",
    "out:u* x:r* index:ri",
    "dtype:i accumulate:i n:i C:i V:i",
    lambda p: dict(out=p.V * p.C, x=p.n * p.C, index=p.n),
    """out[index[i]] = x[i], or += x[i] when accumulate, rows of C elements in the order of i: of equal
    indices the last one wins. An index outside [0, V) is an error (status 2).""",
)
_kernel(
    "scan",
    "out:w* x:r*",
    "op:i dtype:i outer:i n:i inner:i reverse:i",
    lambda p: dict(out=p.outer * p.n * p.inner, x=p.outer * p.n * p.inner),
    """x seen as [outer, n, inner]: out[:, i] = op of x[:, 0..i], or of x[:, i..n-1] when reverse; op
    from SCAN. float32, int32, float64, int64; float32 is accumulated in float64. out may be x.""",
)
_kernel(
    "sort",
    "out:w* order:wi x:r*",
    "dtype:i rows:i n:i descending:i",
    lambda p: dict(out=p.rows * p.n, order=p.rows * p.n, x=p.rows * p.n),
    """Each row sorted, and where each element stood. Stable; NaN is larger than every number, as in
    PyTorch. float32, int32, float64, int64.""",
)

# ---- convolution --------------------------------------------------------------------------------
# Over three spatial dimensions (fewer: size 1 in front): i the input's sizes, k the kernel's, o the
# output's, s stride, p padding in front (behind it is what o needs), d dilation. C input channels,
# O output channels; weight [O, C / groups, k0, k1, k2]. float32 or float64, by dtype; conv and
# conv_backward_x of int64 too, modulo 2^64.

_SPATIAL = " ".join("%s%d:i" % (letter, d) for letter in "ikospd" for d in range(3))


def _volume(p: Any, letter: str) -> int:
    return getattr(p, letter + "0") * getattr(p, letter + "1") * getattr(p, letter + "2")


def _conv_extents(names: str) -> Callable[[Any], dict[str, int]]:
    """Extents of buffers named, in order, as x, output, weight and bias (of C or O)."""
    x, out, weight, *bias = names.split()

    def extents(p: Any) -> dict[str, int]:
        sizes = {
            x: p.N * p.C * _volume(p, "i"),
            out: p.N * p.O * _volume(p, "o"),
            weight: p.O * (p.C // p.groups) * _volume(p, "k"),
        }
        if bias:
            sizes["bias"] = p.C if x == "dx" else p.O
        return sizes

    return extents


_kernel(
    "conv",
    "out:w* x:r* weight:r* bias?:r*",
    "dtype:i N:i C:i O:i groups:i " + _SPATIAL,
    _conv_extents("x out weight bias"),
    """out[n, o, i] = bias[o] + sum over c, t of weight[o, c, t] * x[n, c, i * s - p + t * d], channels c of
    o's group, places i and taps t in three dimensions; x is 0 outside. An absent bias is 0.""",
)
_kernel(
    "conv_backward_x",
    "dx:w* dy:r* weight:r* bias?:r*",
    "dtype:i N:i C:i O:i groups:i " + _SPATIAL,
    _conv_extents("dx dy weight bias"),
    """The transpose of conv in x: dx[n, c, j] = bias[c] + sum over o, i, t with i * s - p + t * d = j of
    weight[o, c, t] * dy[n, o, i]. With a bias [C] it is the transposed convolution.""",
)
_kernel(
    "conv_backward_weight",
    "dweight:w* dy:r* x:r*",
    "dtype:i N:i C:i O:i groups:i " + _SPATIAL,
    _conv_extents("x dy dweight"),
    "dweight[o, c, t] = sum over n, i of dy[n, o, i] * x[n, c, i * s - p + t * d].",
)

# ---- pooling ------------------------------------------------------------------------------------
# planes of the sizes i over three dimensions; a window of k taps d apart begins at o * s - p, or
# where adaptive it is floor(o * i / out) up to ceil((o + 1) * i / out).

_kernel(
    "max_pool",
    "out:w* index:wi x:r*",
    "dtype:i planes:i adaptive:i " + _SPATIAL,
    lambda p: dict(out=p.planes * _volume(p, "o"), index=p.planes * _volume(p, "o"), x=p.planes * _volume(p, "i")),
    """The largest element of each window and its place in its plane, the first of equal ones; a NaN
    wins, the last one. What is outside x does not count. float32, float64, int32, int64.""",
)
_kernel(
    "max_pool_backward",
    "dx:w* dy:r* index:ri",
    "dtype:i planes:i n:i m:i",
    lambda p: dict(dx=p.planes * p.n, dy=p.planes * p.m, index=p.planes * p.m),
    """dx [planes, n] = 0, then dx[plane, index[plane, i]] += dy[plane, i] in the order of i. float32 or
    float64. An index outside [0, n) is an error (status 2).""",
)
_kernel(
    "avg_pool",
    "out:w* x:r*",
    "dtype:i planes:i adaptive:i count_pad:i divisor:i " + _SPATIAL,
    lambda p: dict(out=p.planes * _volume(p, "o"), x=p.planes * _volume(p, "i")),
    """The sum of each window divided by divisor, or where that is 0 by the number of its elements: those
    inside x, with count_pad those in x and its padding (as wide behind as in front). float32, float64,
    or int64 (the quotient toward zero).""",
)
_kernel(
    "avg_pool_backward",
    "dx:w* dy:r*",
    "dtype:i planes:i adaptive:i count_pad:i divisor:i " + _SPATIAL,
    lambda p: dict(dx=p.planes * _volume(p, "i"), dy=p.planes * _volume(p, "o")),
    "The transpose of avg_pool: each dy divided as there, added to every element of its window.",
)

# ---- batch norm ---------------------------------------------------------------------------------

_kernel(
    "batch_norm",
    "out:w* mean:w* rstd:w* x:r* weight?:r* bias?:r* running_mean?:u* running_var?:u*",
    "dtype:i N:i C:i S:i training:i momentum:f eps:f",
    lambda p: dict(
        out=p.N * p.C * p.S, mean=p.C, rstd=p.C, x=p.N * p.C * p.S, weight=p.C, bias=p.C,
        running_mean=p.C, running_var=p.C,
    ),
    """x [N, C, S]: out = (x - mean) * rstd * weight + bias for each channel (Ioffe and Szegedy 2015).
    training: mean and biased variance over N and S, two passes; the running ones, where given, move by
    momentum to the mean and to the unbiased variance. Else mean and variance are the running ones.
    rstd = 1 / sqrt(variance + eps). float32 or float64; N * S > 0.""",
)  # fmt: skip
_kernel(
    "batch_norm_backward",
    "dx:w* dweight:w* dbias:w* dy:r* x:r* weight?:r* mean:r* rstd:r*",
    "dtype:i N:i C:i S:i training:i",
    lambda p: dict(
        dx=p.N * p.C * p.S, dweight=p.C, dbias=p.C, dy=p.N * p.C * p.S, x=p.N * p.C * p.S, weight=p.C, mean=p.C,
        rstd=p.C,
    ),
    """With xhat = (x - mean) * rstd: dbias = sum dy and dweight = sum dy * xhat over N and S; dx = weight
    * rstd * (dy - dbias / (N S) - xhat * dweight / (N S)) where training, else weight * rstd * dy.""",
)  # fmt: skip

# ---- one dimension by index ----------------------------------------------------------------------

_kernel(
    "to_index",
    "out:wi x:r*",
    "dtype:i n:i",
    lambda p: dict(out=p.n, x=p.n),
    """out[i] = x[i], a whole number of int64; one that int32 does not hold becomes its least or largest,
    which names no row.""",
)
_kernel(
    "topk",
    "out:w* order:wi x:r*",
    "dtype:i rows:i n:i k:i largest:i",
    lambda p: dict(out=p.rows * p.k, order=p.rows * p.k, x=p.rows * p.n),
    """The first k of each row of n as `sort` orders it (descending when largest), and where each stood.
    1 <= k <= n. float32, int32, float64, int64.""",
)
_kernel(
    "gather",
    "out:w* x:r* index:ri",
    "dtype:i outer:i n:i inner:i k:i",
    lambda p: dict(out=p.outer * p.k * p.inner, x=p.outer * p.n * p.inner, index=p.outer * p.k * p.inner),
    """out[o, i, c] = x[o, index[o, i, c], c], x seen as [outer, n, inner], out and index as [outer, k,
    inner]. An index outside [0, n) is an error (status 2).""",
)
_kernel(
    "scatter",
    "out:u* x:r* index:ri",
    "dtype:i op:i outer:i n:i inner:i k:i",
    lambda p: dict(out=p.outer * p.n * p.inner, x=p.outer * p.k * p.inner, index=p.outer * p.k * p.inner),
    """out[o, index[o, i, c], c] = op(itself, x[o, i, c]) in the order of i, op from SCATTER; put: the
    last of equal indices wins. out is seen as [outer, n, inner], x and index as [outer, k, inner].
    Integers wrap, NaN wins in max and min. An index outside [0, n) is an error (status 2).""",
)

# ---- linear algebra ------------------------------------------------------------------------------
# Small matrices of float64, a batch at a time; info: 0 for each that succeeded. The CPU alone.

_kernel(
    "lu",
    "a:ud order:wi pivots:wi info:wi",
    "batch:i m:i n:i",
    lambda p: dict(a=p.batch * p.m * p.n, order=p.batch * p.m, pivots=p.batch * min(p.m, p.n), info=p.batch),
    """Each a [m, n] becomes L below and U from the diagonal on, with a[order] = L U. pivots: LAPACK's,
    counted from 1. info: the first pivot that is 0, counted from 1.""",
)
_kernel(
    "cholesky",
    "a:ud info:wi",
    "batch:i n:i",
    lambda p: dict(a=p.batch * p.n * p.n, info=p.batch),
    """Each a [n, n], of which the lower triangle is read, becomes L with L L' = a. info: the first
    leading minor that is not positive, counted from 1.""",
)
_kernel(
    "triangular_solve",
    "x:ud a:rd",
    "batch:i n:i k:i upper:i transposed:i unit:i",
    lambda p: dict(x=p.batch * p.n * p.k, a=p.batch * p.n * p.n),
    """Each x [n, k] becomes inverse(T) x, T the lower or upper triangle of a, or its transpose; unit: its
    diagonal is 1.""",
)
_kernel(
    "qr",
    "q:wd a:ud tau:wd",
    "batch:i m:i n:i columns:i",
    lambda p: dict(q=p.batch * p.m * p.columns, a=p.batch * p.m * p.n, tau=p.batch * min(p.m, p.n)),
    """Each a [m, n] becomes R on and above the diagonal, LAPACK's reflections below it and in tau; q: the
    first `columns` columns of Q.""",
)
_kernel(
    "eigh",
    "values:wd a:ud info:wi",
    "batch:i n:i",
    lambda p: dict(values=p.batch * p.n, a=p.batch * p.n * p.n, info=p.batch),
    """Each symmetric a [n, n], of which the lower triangle is read, becomes its eigenvectors, as columns;
    values ascend.""",
)
_kernel(
    "svd",
    "u:ud values:wd v:wd info:wi",
    "batch:i m:i n:i",
    lambda p: dict(u=p.batch * p.m * p.n, values=p.batch * p.n, v=p.batch * p.n * p.n, info=p.batch),
    """Each u [n, m] holds the columns of a matrix A [m, n], m >= n, as rows; they become those of U
    (zeros where the value is 0), v the rows of V': A = U diag(values) V', values descend.""",
)

# ---- embedding ----------------------------------------------------------------------------------

_kernel(
    "embedding",
    "out:wf table:rf index:ri",
    "n:i C:i V:i",
    lambda p: dict(out=p.n * p.C, table=p.V * p.C, index=p.n),
    "out[i] = table[index[i]]. An index outside [0, V) is an error (status 2).",
)
_kernel(
    "embedding_backward",
    "dtable:wf dout:rf index:ri",
    "n:i C:i V:i",
    lambda p: dict(dtable=p.V * p.C, dout=p.n * p.C, index=p.n),
    "dtable = 0, then dtable[index[i]] += dout[i] in the order of i.",
)

# ---- random numbers: Philox 4x32-10 (Salmon et al. 2011) ----------------------------------------
# rng is int32[4]: seed low, seed high, base low, base high. Block j of a launch has the counter
# (base + offset + j) as words 0 and 1, words 2 and 3 zero, and the seed as key; it yields four
# uint32, elements 4j..4j+3. Uniform in [0, 1): (u >> 8) * 2^-24.

_kernel(
    "random_uniform",
    "out:wf rng:ri",
    "n:i low:f high:f offset:i",
    lambda p: dict(out=p.n, rng=4),
    "out[i] = low + (high - low) * u_i.",
)
_kernel(
    "random_normal",
    "out:wf rng:ri",
    "n:i mean:f std:f offset:i",
    lambda p: dict(out=p.n, rng=4),
    """Box-Muller on the block's pairs: with u1 = 1 - uniform(w0) (in (0, 1]), u2 = uniform(w1): r =
    sqrt(-2 ln u1), elements 4j, 4j+1 = mean + std * r * cos(2 pi u2), mean + std * r * sin(2 pi
    u2); likewise w2, w3 for 4j+2, 4j+3. Computed in float64, then rounded.""",
)
_kernel(
    "random_int",
    "out:wi rng:ri",
    "n:i low:i high:i offset:i",
    lambda p: dict(out=p.n, rng=4),
    """out[i] = low + (w_i * (high - low) >> 32), w_i the block's uint32 words (Lemire's
    multiply-shift).""",
)
_kernel(
    "dropout",
    "out:wf x:rf rng:ri",
    "n:i p:f offset:i",
    lambda p: dict(out=p.n, x=p.n, rng=4),
    """out[i] = u_i < p ? 0 : x[i] / (1 - p) (times the float32 reciprocal). The backward is the
    same launch on dy. out may be x.""",
)
_kernel(
    "batch_windows",
    "x:wi y:wi starts:wi tokens:ri rng:ri",
    "B:i T:i low:i high:i offset:i",
    lambda p: dict(x=p.B * p.T, y=p.B * p.T, starts=p.B, tokens=p.high, rng=4),
    """Random windows of tokens[low:high]: starts[b] = low + (w_b * (high - low - T) >> 32), w_b the
    uint32 words of the Philox blocks; x[b, t] = tokens[starts[b] + t], y[b, t] = tokens[starts[b] +
    t + 1]. high - low > T.""",
)

# ---- random numbers: mt19937 (Matsumoto and Nishimura 1998), PyTorch's on a CPU ------------------

_kernel(
    "mersenne",
    "out:w* state:ui",
    "kind:i dtype:i n:i a:f b:f",
    lambda p: dict(out=p.n, state=MERSENNE_WORDS),
    """n numbers of the stream `state`, which moves on; kind from DRAW. uniform: in [a, b), 24 bits of
    a word, 53 of two for float64. normal: mean a, std b; Box-Muller in blocks of 16, fewer than 16
    by pairs. words: word % b. integers: a + word % b, of two words where b is 2^28 or more;
    b = 0 stands for 2^53 + 1, which no float64 is.
    bernoulli: 0 or 1, 1 with probability a. exponential: rate a. permutation: 0..n-1 shuffled.
    float32, float64, int32, int64; the integer types have words, integers, bernoulli and
    permutation.""",
)

# ---- activations with settings ------------------------------------------------------------------

_kernel(
    "activation",
    "out:wf x:rf",
    "op:i n:i a:f b:f c:f",
    lambda p: dict(out=p.n, x=p.n),
    """out[i] = op(x[i]), op from ACTIVATION; out may be x. leaky_relu: a is the slope below 0. elu: b x above 0,
    else a (exp(c x) - 1), c above 0. hardtanh: limits a and b. softplus: log(1 + exp(a x)) / a, x where a x is above
    b. softshrink, hardshrink: a. threshold: x above a, else b. NaN stays NaN.""",
)
_kernel(
    "activation_backward",
    "dx:wf dy:rf x:rf",
    "op:i n:i a:f b:f c:f",
    lambda p: dict(dx=p.n, dy=p.n, x=p.n),
    """dx[i] = dy[i] op'(x[i]), with PyTorch's slopes where there is none: 0 at both limits of hardtanh
    and hardsigmoid, at both ends of the shrinks' zeros and at the threshold. dx may be dy.""",
)

# ---- recurrent layers ----------------------------------------------------------------------------
# One direction of one layer. Step t has the first sizes[t] of B sequences (absent: all of them; the
# sizes decrease, sizes[0] = B), and its rows follow those of step t - 1 in every buffer [rows,
# ...]. The state before a sequence's first step is h0[b] (and c0[b]); reverse: steps run from T - 1
# to 0. G gates by CELL: i f g o (LSTM), r z n (GRU), one (tanh, relu).


def _recurrent(p: Any, **rows: int) -> dict[str, int]:
    """Extents that both kernels have."""
    G, lstm, gru = GATES[p.cell], p.cell == CELL["lstm"], p.cell == CELL["gru"]
    return dict(
        gates=p.rows * G * p.H,
        kept=p.rows * p.H if lstm or gru else 0,
        h0=p.B * p.H,
        c0=p.B * p.H if lstm else 0,
        w=G * p.H * p.H,
        sizes=p.T,
        y=_reach((p.rows, p.ldy), (p.H, 1)),
        **rows,
    )


_kernel(
    "recurrent",
    "y:w* hn:w* cn?:w* gates:u* kept?:w* h0:r* c0?:r* w:r* bias?:r* sizes?:ri",
    "cell:i dtype:i B:i T:i H:i rows:i ldy:i reverse:i",
    lambda p: _recurrent(p, hn=p.B * p.H, cn=p.B * p.H if p.cell == CELL["lstm"] else 0, bias=GATES[p.cell] * p.H),
    """gates [rows, G, H] holds x w_ih^T + b_ih at first and the activated gates at last. With s = h w^T
    + bias, h the state before: LSTM (Hochreiter and Schmidhuber 1997): i f o = sigmoid(gate + s), g =
    tanh(gate + s), c = f * c + i * g, h = o * tanh(c); GRU (Cho et al. 2014, as PyTorch's): r z =
    sigmoid(gate + s), n = tanh(gate + r * s_n), h = (h - n) * z + n; else h = tanh or relu of gate +
    s. Row i of y is h at i * ldy. hn, cn [B, H]: each sequence's last state. kept [rows, H], for the
    backward: c (LSTM), s_n (GRU). dtype: float32 or float64. Sizes that do not decrease, or whose
    sum is not rows, are an error (status 2).""",
)
_kernel(
    "recurrent_backward",
    "dgates:w* dhidden?:w* hprev:w* dh0:w* dc0?:w* dy?:r* dhn?:r* dcn?:r* gates:r* kept?:r* y:r* h0:r* c0?:r* "
    "w:r* sizes?:ri",
    "cell:i dtype:i B:i T:i H:i rows:i ldy:i lddy:i reverse:i",
    lambda p: _recurrent(
        p,
        dgates=p.rows * GATES[p.cell] * p.H,
        dhidden=p.rows * 3 * p.H if p.cell == CELL["gru"] else 0,
        hprev=p.rows * p.H,
        dh0=p.B * p.H,
        dc0=p.B * p.H if p.cell == CELL["lstm"] else 0,
        dy=_reach((p.rows, p.lddy), (p.H, 1)),
        dhn=p.B * p.H,
        dcn=p.B * p.H if p.cell == CELL["lstm"] else 0,
    ),
    """Backward of recurrent through all steps. dy, dhn, dcn: the gradients of y, hn, cn (absent: 0).
    dgates: of x w_ih^T + b_ih. dhidden: of s, where it is another (GRU: n's is dgates_n * r). hprev
    [rows, H]: the state before each row, so that w's gradient is dhidden^T hprev.""",
)

# ---- optimizers ---------------------------------------------------------------------------------
# hyper is float32[8] per group; word 0 holds the group's end (an int32, exclusive, in elements of
# this launch) by its bits, so groups are consecutive ranges of the flat arena. Where norm is given
# and norm[0] is not finite, nothing is changed: the step is skipped, the rule of
# torch.amp.GradScaler.

_kernel(
    "adamw",
    "p:uf m:uf v:uf g:rf hyper:rf norm?:rf",
    "n:i groups:i",
    lambda p: dict(p=p.n, m=p.n, v=p.n, g=p.n, hyper=8 * p.groups, norm=1),
    """AdamW (Loshchilov and Hutter 2019) as PyTorch's: hyper = end, lr, beta1, beta2, eps,
    weight_decay, bias_correction1 = 1 - beta1^t, sqrt(bias_correction2). p *= 1 - lr *
    weight_decay; m += (1 - beta1) * (g - m); v = beta2 * v + (1 - beta2) * g^2; p -= (lr /
    bias_correction1) * m / (sqrt(v) / sqrt(bias_correction2) + eps). A norm that is not finite:
    nothing is changed.""",
)
_kernel(
    "sgd",
    "p:uf buf?:uf g:rf hyper:rf norm?:rf",
    "n:i groups:i",
    lambda p: dict(p=p.n, buf=p.n, g=p.n, hyper=8 * p.groups, norm=1),
    """SGD as PyTorch's: hyper = end, lr, momentum, dampening, weight_decay, nesterov (0/1), first
    (1 on the first step), unused. d = g + weight_decay * p; with momentum (buf given): buf = first
    ? d : momentum * buf + (1 - dampening) * d; d = nesterov ? d + momentum * buf : buf; p -= lr *
    d. A norm that is not finite: nothing is changed.""",
)

_kernel(
    "adam",
    "p:uf m:uf v:uf largest?:uf g:rf hyper:rf",
    "n:i",
    lambda p: dict(p=p.n, m=p.n, v=p.n, largest=p.n, g=p.n, hyper=8),
    """Adam (Kingma and Ba 2015) of one parameter in PyTorch's order, its scalars combined in
    float64: hyper = decay (1 - lr * weight_decay where that is decoupled, else 1), weight_decay
    (where it is not), 1 - beta1, beta2, 1 - beta2, eps, step (-lr / bias_correction1), scale (1 /
    sqrt(bias_correction2)). p *= decay; d = g + weight_decay * p; m = lerp(m, d, 1 - beta1); v =
    beta2 * v + (1 - beta2) * d^2; largest = max(largest, v), in the place of v below where it is
    given (AMSGrad, Reddi et al. 2018); p += step * m / (sqrt(v) * scale + eps).""",
)

# ---- sampling -----------------------------------------------------------------------------------

_kernel(
    "sample",
    "out:wi logits:rf rng:ri settings:rf",
    "B:i V:i offset:i",
    lambda p: dict(out=p.B, logits=p.B * p.V, rng=4, settings=4),
    """One token per row. settings = temperature, top_k, top_p, unused. temperature 0: argmax (first
    on ties). Else z = logits / temperature; top_k > 0 keeps the values not below the k-th largest;
    then top_p in (0, 1) keeps the smallest set of most probable tokens (ties by lower index first)
    whose probability reaches top_p, the one that crosses it included (Holtzman et al. 2020). The
    draw is u * sum of the kept exp(z - max) in index order, u = uniform of word 0 of block b
    (counter base + offset + b).""",
)


# ---- params of the strided kernels ---------------------------------------------------------------

_copy_params: dict[tuple[Any, ...], tuple[int, ...]] = {}  # kept: an eager copy looks its params up


def dense_copy_params(code: int, n: int) -> tuple[int, ...]:
    """Params of `copy` for n contiguous elements of one dtype."""
    n0_to_n5 = (1, 1, 1, 1, 1, n)
    dense = (0, 0, 0, 0, 0, 1)
    return (code, code, *n0_to_n5, *dense, *dense)


def strided_copy_params(
    code_out: int, code_x: int, shape: tuple[int, ...], strides_out: tuple[int, ...], strides_x: tuple[int, ...]
) -> tuple[int, ...]:
    """Params of `copy`, dimensions merged where both sides allow it.

    RuntimeError beyond MAX_RANK dimensions.
    """
    key = (code_out, code_x, shape, strides_out, strides_x)
    params = _copy_params.get(key)
    if params is None:
        if len(_copy_params) > 5000:
            _copy_params.clear()
        params = _copy_params[key] = (code_out, code_x, *merged_dims(shape, strides_out, strides_x))
    return params


def broadcast_dims(shape: Sequence[int], *strides: Sequence[int]) -> list[int]:
    """n0..n5 and the strides of each input, flat, for a kernel whose output is dense over `shape`.

    strides: the output's, then those of each input.
    """
    dims = merged_dims(shape, *strides)
    del dims[MAX_RANK : 2 * MAX_RANK]
    return dims


def merged_dims(shape: Sequence[int], *strides: Sequence[int]) -> list[int]:
    """n0..n5 and each operand's strides, flat, for the strided kernels.

    Dimensions of size 1 are dropped, and neighbours merge where every operand allows.
    """
    sizes: list[int] = []
    kept: list[list[int]] = [[] for _ in strides]
    for d, n in enumerate(shape):
        if n == 1:
            continue
        step = [s[d] for s in strides]
        if sizes and all(k[-1] == s * n for k, s in zip(kept, step)):
            sizes[-1] *= n
            for k, s in zip(kept, step):
                k[-1] = s
        else:
            sizes.append(n)
            for k, s in zip(kept, step):
                k.append(s)
    if len(sizes) > MAX_RANK:
        raise RankError(
            "this tensor expression has %d dimensions that cannot be merged; at most %d are supported"
            % (len(sizes), MAX_RANK)
        )
    pad = MAX_RANK - len(sizes)
    flat = [1] * pad + sizes
    for k in kept:
        flat += [0] * pad + k
    return flat


# ---- random streams ------------------------------------------------------------------------------

MOST_BLOCKS = 1 << 62  # drawn from one stream: a launch adds to it what it draws, in an int64


def place_problem(values: Any) -> str | None:
    """What is wrong with {"seed", "offset"}, a place in a random stream; None where it is one."""
    fits = (
        isinstance(values, dict)
        and values.keys() == {"seed", "offset"}
        and all(type(n) is int and n >= 0 for n in values.values())
        and values["seed"] < 1 << 64
        and values["offset"] <= MOST_BLOCKS
    )
    return None if fits else "it must be {seed, offset}, whole numbers below 2^64 and up to 2^62"


# ---- the C++ header ------------------------------------------------------------------------------


def _wrapped(start: str, items: Sequence[str], end: str = "", width: int = 120, newline: str = "\n") -> str:
    """`start`, the items and `end`, in lines of at most `width` columns."""
    indent = "// " if start == "// " else "  "
    lines, line = [], start
    for item in (*items[:-1], items[-1] + end):
        if len(line) + len(item) > width:
            lines.append(line.rstrip())
            line = indent
        line += item + " "
    return newline.join([*lines, line.rstrip()])


def _listed(start: str, items: Sequence[str], end: str) -> str:
    return _wrapped(start, [item + "," for item in items[:-1]] + [items[-1]], end)


def _enum(values: Iterable[tuple[str, int]]) -> str:
    return _listed("enum { ", ["%s = %d" % pair for pair in values], " };")


def header() -> str:
    """The C++ header: kernel ids, op codes, and the slot of every buffer and parameter."""
    lines = [
        "// Generated from py/tinygpt/kernels.py by `python3 -m tinygpt.kernels`; do not edit.",
        "// A launch is slots of 8 bytes: id, slot count, then buffers (addresses) and params.",
        "// X_y is the slot of y in a launch of X.",
        "#pragma once",
        "",
    ]
    codes = {
        "DTYPE": DTYPES,
        "UNARY": UNARY,
        "BINARY": BINARY,
        "MATH_OF_ONE": MATH_OF_ONE,
        "MATH_OF_TWO": MATH_OF_TWO,
        "ACTIVATION": ACTIVATION,
        "REDUCE": REDUCE,
        "SCAN": SCAN,
        "DRAW": DRAW,
        "SCATTER": SCATTER,
        "REDUCTION": REDUCTION,
        "CELL": CELL,
    }
    for title, table in codes.items():
        lines.append(_enum(("%s_%s" % (title, name.upper()), code) for name, code in table.items()))
    names = "BIAS", "GELU", "GELU_BACKWARD", "RESIDUAL", "GRADIENT"
    bits = BIAS, GELU, GELU_BACKWARD, RESIDUAL, GRADIENT
    lines.append(_enum(("EPILOGUE_" + name, bit) for name, bit in zip(names, bits)))
    sizes = [("MAX_RANK", MAX_RANK), ("KERNEL_COUNT", len(KERNELS)), ("DTYPE_COUNT", len(DTYPES))]
    lines.append(_enum(sizes))
    calls = ["X(%s)" % k.name for k in KERNELS]
    lines.append(_wrapped("#define FOR_EACH_KERNEL(X) ", calls, width=117, newline=" \\\n"))
    lines.append(_listed("constexpr int KERNEL_SLOTS[KERNEL_COUNT] = {", [str(k.slots) for k in KERNELS], "};"))
    for k in KERNELS:
        prefix = k.name.upper()
        arguments = [b.name for b in k.buffers] + [p.name for p in k.params]
        values = [("KERNEL_" + prefix, k.id)]
        values += [("%s_%s" % (prefix, name), 2 + i) for i, name in enumerate(arguments)]
        values += [(prefix + "_SLOTS", k.slots)]
        lines += ["", _wrapped("// ", k.meaning.split(), width=100), _enum(values)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(header(), end="")
