"""The table of edges: expressions at points where a formula meets 0/0, infinities or NaN, and where
PyTorch defines both the value and the gradient.

`edge(name, source, inputs...)` as in `table.op`; an input is "kind: shape", with the values written
out ("v 0 -0 nan inf: 4"), so that every device sees the same points.
"""

EDGES = {}
X = "v 0 -0 1 -1 2 -2.5 inf -inf nan 1e38: 10"


def edge(name, source, *inputs):
    entry = {"name": name, "source": source, "inputs": []}
    for spec in inputs:
        kind, shape = spec.split(":")
        entry["inputs"].append({"kind": kind.strip(), "shape": [int(n) for n in shape.split()]})
    assert name not in EDGES, name
    EDGES[name] = entry


# ---- elementwise -------------------------------------------------------------------------------
for f in "reciprocal exp log sqrt rsqrt tanh sigmoid relu sin cos abs neg square".split():
    edge(f, "x.%s()" % f, X)
edge("gelu", "F.gelu(x)", "v 0 -0 1 -1 20 -20 200 -200 -inf nan 1e38 -1e38: 12")
edge("gelu of infinities", "F.gelu(x).sum()", "v inf -inf 1: 3")  # PyTorch's gelu(inf) depends on the tensor's size
edge("silu", "F.silu(x)", "v 0 -0 1 -1 20 -20 200 -200 inf -inf nan 1e38 -1e38: 13")
edge("gelu, tanh form", "F.gelu(x, approximate='tanh')", "v 0 -0 1 -1 20 -20 1e13 -1e13 inf -inf nan 1e38 -1e38: 13")
edge("a layer whose sums overflow, then gelu", "F.gelu(F.linear(x, y))", "v -inf 1 1e38 -1e38 nan: 5 1", "v 1: 2 1")
for exponent in ("0", "0.0", "1", "2", "3", "0.5", "-1", "-2", "-0.5", "1.5", "2.5", "1e-3"):
    edge("pow %s" % exponent, "x ** %s" % exponent, X)
for base in ("0.0", "1.0", "2.0", "-2.0"):
    edge("number %s to the power" % base, "%s ** x" % base, "v 0 -0 1 -1 2 -2.5 3 nan: 8")
edge("pow of tensors", "x ** y", "v 0 0 0 0 -2 -2 -2 1 2 nan inf 0: 12", "v 0 1 2 0.5 2 3 0.5 nan 0 0 0 -1: 12")
edge("pow of a zero base, exponent needs no gradient", "x ** y", "v 0 0 0 -1: 4", "g: 4")
edge("pow, base needs no gradient", "x.detach() ** y", "v 0 0 0 2 -1: 5", "v 0 2 -1 0 2: 5")
edge("pow by an int tensor", "x ** y", "v 0 0 -2 3: 4", "i 0 3: 4")
edge("division", "x / y", "v 0 1 -1 inf inf nan 0 0: 8", "v 0 0 0 inf 2 1 inf -0: 8")
edge("division by a number", "x / 0.0", X)
edge("number divided", "0.0 / x", X)
edge("one divided", "1.0 / x", X)
for f in ("maximum", "minimum"):
    edge(f, "m.%s(x, y)" % f, "v 1 2 nan 1 nan 0 inf -inf: 8", "v 1 1 1 nan nan -0 inf inf: 8")
for bounds in ("-1, 2", "min=0", "max=0", "0, 0", "2, -1", "min=float('-inf')", "max=float('inf')", "min=0.5, max=0.5"):
    edge("clamp %s" % bounds, "x.clamp(%s)" % bounds, X)
edge("clamp of a NaN limit", "x.clamp(min=float('nan'))", X)
edge("where hides a NaN", "m.where(x > 0, x, x.detach() * 0.0)", X)
edge("where with a NaN branch", "m.where(x > 0, x.sqrt(), y)", "v 4 -1 9 -4: 4", "v 1 2 3 4: 4")
edge("where, both branches finite", "m.where(x > 0, x, y)", X, "v nan: 10")
edge("masked_fill of NaN", "x.masked_fill(x.detach() != x.detach(), 1.0)", X)
for symbol in ("==", "!=", "<", "<=", ">", ">="):
    edge("compare %s" % symbol, "x %s y" % symbol, X, "v 0 0 nan -1 inf nan inf -inf nan 1e38: 10")
    edge("compare %s to NaN" % symbol, "x %s float('nan')" % symbol, X)
edge("to bool", "x.bool()", X)
edge("logic with NaN", "m.logical_not(x)", X)

# ---- reductions ---------------------------------------------------------------------------------
for f in ("std", "var"):
    for size in (1e-30, 1e-18, 1e18, 1e20, 1e30, 3e37):  # PyTorch squares in float64
        values = " ".join("%g" % (size * n) for n in (1, 2, 3.5, -1, 0, 4))
        edge("%s of numbers near %g" % (f, size), "x.%s(1)" % f, "v %s: 2 3" % values)
        edge("%s of all numbers near %g" % (f, size), "x.%s()" % f, "v %s: 2 3" % values)
    edge("%s of equal values" % f, "x.%s(1)" % f, "v 2: 3 4")
    edge("%s of one row equal" % f, "x.%s(-1)" % f, "v 2 2 2 1 2 3: 2 3")
    edge("%s of one value" % f, "x.%s()" % f, "v 2: 1")
    edge("%s of one value a row" % f, "x.%s(1)" % f, "v 2 3: 2 1")
    edge("%s, biased, of one value" % f, "x.%s(1, correction=0)" % f, "v 2 3: 2 1")
    edge("%s, biased, of equal values" % f, "x.%s(1, correction=0, keepdim=True)" % f, "v 2: 2 3")
    edge("%s with a large correction" % f, "x.%s(1, correction=5)" % f, "v 1 2 4: 2 3")
    edge("%s of NaN and infinity" % f, "x.%s(1)" % f, "v 1 nan 3 1 inf 2 1 2 3: 3 3")
    edge("%s of all" % f, "m.%s(x)" % f, "v 5: 2 3")
for f in ("max", "min"):
    edge("%s of ties" % f, "x.%s()" % f, "v 1 2 2 1: 4")
    edge("%s of NaN" % f, "x.%s()" % f, "v 1 nan 2 nan: 4")
    edge("%s of infinities" % f, "x.%s()" % f, "v inf -inf inf -inf: 4")
    edge("%s of zeros" % f, "x.%s()" % f, "v 0 -0 0 -0: 4")
    edge("%s values of ties" % f, "x.%s(1).values" % f, "v 1 2 2 1: 3 4")
    edge("%s values of NaN" % f, "x.%s(1).values" % f, "v 1 nan 2 nan 1 2 3 4 nan nan nan nan: 3 4")
    edge("%s indices of NaN" % f, "x.%s(1).indices" % f, "v 1 nan 2 nan 1 2 3 4 nan nan nan nan: 3 4")
    edge("%s indices of infinities" % f, "x.%s(0).indices" % f, "v -inf inf inf -inf: 2 2")
    edge("arg%s of NaN" % f, "x.arg%s()" % f, "v 1 nan 2 nan: 4")
    edge("arg%s of infinities" % f, "x.arg%s(1)" % f, "v inf inf -inf -inf: 2 2")
for f in ("sum", "mean"):
    edge("%s of infinities" % f, "x.%s(1)" % f, "v inf -inf 1 inf 1 1 nan 0 0: 3 3")
    edge("%s of nothing" % f, "x.%s(1)" % f, "f: 2 0")
for f in ("mean()", "mean(1)", "mean(1, keepdim=True) * x", "mean() * x", "sum(1)", "var(1)", "std()"):
    edge("%s of an empty slice" % f, "x[:, :0].%s" % f, "f: 2 3")
    edge("%s of no row" % f, "x[:0].%s" % f.replace(" * x", ""), "f: 2 3")
for f in ("max(1).values", "min(1).values", "argmax(1)", "argmin(1)", "max(1).indices"):
    edge("%s of no row" % f, "x[:0].%s" % f, "f: 2 3")
edge("any, all of NaN", "x.any() & x.all()", "v nan: 2")
edge("norm at 0 by hand", "x.square().sum(1).sqrt()", "v 0 0 3 4: 2 2")

# ---- softmax, losses ----------------------------------------------------------------------------
LOGITS = "v 1e30 0 -1e30 88 89 90 -inf 0 1 -inf -inf 2 1e38 -1e38 0: 5 3"
BROKEN = "v inf 0 1 -inf -inf -inf nan 0 1 inf inf 0 inf -inf 0: 5 3"
for f in ("softmax", "log_softmax"):
    edge("%s of extreme logits" % f, "F.%s(x, -1)" % f, LOGITS)
    edge("%s of infinities and NaN" % f, "F.%s(x, -1)" % f, BROKEN)
    edge("%s down a column" % f, "F.%s(x, 0)" % f, BROKEN)
    edge("%s of one" % f, "F.%s(x, -1)" % f, "v 5 -inf inf nan: 4 1")
for reduction in ("mean", "sum", "none"):
    call = "F.cross_entropy(x, m.tensor([0, 1, 2, 2, 1]), reduction='%s')" % reduction
    edge("cross_entropy %s of extreme logits" % reduction, call, LOGITS)
    edge("cross_entropy %s of infinities and NaN" % reduction, call, BROKEN)
    for targets in ("0, -100, 1, -100, 2", "-100, -100, -100, -100, -100", "-100, 1, -100, -100, -100"):
        call = "F.cross_entropy(x, m.tensor([%s]), reduction='%s')" % (targets, reduction)
        edge("cross_entropy %s, ignored: %s, of infinities and NaN" % (reduction, targets), call, BROKEN)
    edge(
        "cross_entropy %s, every row ignored" % reduction,
        "F.cross_entropy(x, m.tensor([1, 1]), ignore_index=1, reduction='%s')" % reduction,
        "v 1 2 3: 2 3",
    )

# ---- attention ----------------------------------------------------------------------------------
QKV = ("v 0.1 -0.3 0.7 1.1 -0.9: 1 2 3 2", "v 0.5 0.2 -0.4 -1.2 0.3: 1 2 3 2", "v 1 2 -3 4 0.5: 1 2 3 2")
ROWS = "m.tensor([[True, False, False], [False, False, False], [True, True, False]])"
call = "F.scaled_dot_product_attention(x, y, z, attn_mask=%s)"
edge("attention, a row masked whole, bool", call % ROWS, *QKV)
edge("attention, every row masked whole", call % "m.zeros(3, 3) > 1", *QKV)
edge("attention, a row masked whole, additive", call % ("m.where(%s, 0.0, float('-inf'))" % ROWS), *QKV)
edge("attention, additive of -inf alone", call % "m.full((3, 3), float('-inf'))", *QKV)
edge("attention, additive of +inf", call % "m.where(%s, 0.0, float('inf'))" % ROWS, *QKV)
edge(
    "attention, additive of the lowest number",
    call % "m.full((3, 3), -3.4028234e38)",
    *(q.replace("v", "c") for q in QKV),
)
edge("attention, a masked value is NaN", call % ROWS, QKV[0], QKV[1], "v 1 nan 2 3 4 5: 1 2 3 2")
edge("attention, a masked key is NaN", call % ROWS, QKV[0], "v 1 2 3 4 5 nan: 1 2 3 2", QKV[2])
edge("attention, a query is NaN", call % ROWS, "v 1 2 nan 4 5 6: 1 2 3 2", QKV[1], QKV[2])
edge(
    "attention without a mask, NaN", "F.scaled_dot_product_attention(x, y, z)", QKV[0], "v 1 2 3 4 nan: 1 2 3 2", QKV[2]
)
edge("attention causal, a later key is NaN", "F.scaled_dot_product_attention(x, y, z, is_causal=True)", QKV[0],
     "v 1 2 3 4 5 nan: 1 2 3 2", QKV[2])  # fmt: skip
edge("attention causal, a later value is infinite", "F.scaled_dot_product_attention(x, y, z, is_causal=True)",
     QKV[0], QKV[1], "v 1 2 3 4 5 inf: 1 2 3 2")  # fmt: skip
edge(
    "attention, huge scores",
    "F.scaled_dot_product_attention(x * 1e19, y * 1e19, z)",
    *(q.replace("v", "c") for q in QKV),
)
edge("attention, a learned mask", "F.scaled_dot_product_attention(x, y, z, attn_mask=w)", *QKV,
     "v 0 -inf -inf -inf -inf -inf 1 0 -inf: 3 3")  # fmt: skip
OVERFLOW = ("v 1e30: 1 2 3 2", "v -1e30: 1 2 3 2", QKV[2])
edge("attention, every score overflows to -inf", "F.scaled_dot_product_attention(x, y, z)", *OVERFLOW)
edge("attention causal, every score overflows", "F.scaled_dot_product_attention(x, y, z, is_causal=True)", *OVERFLOW)
edge("attention, every score overflows to inf", "F.scaled_dot_product_attention(x, y * -1, z)", *OVERFLOW)
edge("attention of one key, of -inf", "F.scaled_dot_product_attention(x, y, z)",
     "c 1e30: 1 2 3 2", "c -1e30: 1 2 1 2", "v 1 2 3: 1 2 1 2")  # fmt: skip
edge(
    "attention by hand, masked whole",
    "(x @ y.transpose(-2, -1)).masked_fill(m.tensor([True]), float('-inf')).softmax(-1) @ z",
    *QKV,
)
edge("layer_norm of equal values", "F.layer_norm(x, (3,), y, z)", "v 2 2 2 0 0 0: 2 3", "f: 3", "f: 3")
edge("layer_norm of infinities", "F.layer_norm(x, (3,))", "v 1 inf 2 1 nan 2: 2 3")
edge("rms_norm of zeros", "F.rms_norm(x, (3,), y, eps=1e-5)", "v 0: 2 3", "f: 3")
edge("rms_norm without eps", "F.rms_norm(x, (3,), y)", "v 1e-4 -2e-4 3e-4 0 1e-3 0: 2 3", "f: 3")
edge("rms_norm of zeros, eps 0", "F.rms_norm(x, (3,), eps=0.0)", "v 0 0 0 1 2 3: 2 3")
edge("layer_norm of equal values, eps 0", "F.layer_norm(x, (3,), eps=0.0)", "v 2 2 2 1 2 3: 2 3")
# ---- options of the losses ----------------------------------------------------------------------
SCORES = "v 0.5 -1 2 0.25 3 -0.5 1 1 1 -2 0.75 4: 4 3"
TARGETS = "m.tensor([0, 2, -100, 1])"
for reduction in ("mean", "sum", "none"):
    for name, option in (
        ("weight", "weight=z"),
        ("smoothing", "label_smoothing=0.1"),
        ("weight and smoothing", "weight=z, label_smoothing=0.3"),
        ("smoothing 1", "label_smoothing=1.0"),
        ("another ignore_index", "ignore_index=2, weight=z"),
    ):
        targets = "m.tensor([0, 2, 1, 1])" if "ignore_index" in option else TARGETS
        call = "F.cross_entropy(x, %s, %s, reduction='%s') + 0 * y.sum()" % (targets, option, reduction)
        edge("cross_entropy %s, %s" % (reduction, name), call, SCORES, "g: 1", "c 0.5 2 0: 3")
    for option in ("", "weight=z, ", "label_smoothing=0.2, ", "weight=z, label_smoothing=0.2, "):
        edge("cross_entropy %s of probabilities %s" % (reduction, option),
             "F.cross_entropy(x, y, %sreduction='%s')" % (option, reduction),
             SCORES, "v 0.2 0.3 0.5 1 0 0 0.1 0.8 0.1 0.25 0.5 0.5: 4 3", "c 0.5 2 1: 3")  # fmt: skip
    edge("nll_loss %s" % reduction, "F.nll_loss(x, %s, reduction='%s')" % (TARGETS, reduction), SCORES)
    edge("nll_loss %s, weight" % reduction, "F.nll_loss(x, %s, y, reduction='%s')" % (TARGETS, reduction), SCORES,
         "c 0.5 2 1: 3")  # fmt: skip
    edge("nll_loss %s of infinities" % reduction,
         "F.nll_loss(x, m.tensor([0, 1, -100, 2]), y, reduction='%s')" % reduction,
         "v -inf 0 0 nan 0 0 nan nan nan inf 0 -inf: 4 3", "c 1 0 2: 3")  # fmt: skip
    edge("cross_entropy %s, classes in dimension 1" % reduction,
         "F.cross_entropy(x, m.tensor([[0, 1], [2, -100]]), reduction='%s')" % reduction,
         "v 0.5 -1 2 0.25 3 -0.5 1 1 1 -2 0.75 4: 2 3 2")  # fmt: skip
    edge("nll_loss %s, classes in dimension 1" % reduction,
         "F.nll_loss(x, m.tensor([[0, 1], [2, -100]]), reduction='%s')" % reduction,
         "v 0.5 -1 2 0.25 3 -0.5 1 1 1 -2 0.75 4: 2 3 2")  # fmt: skip
    edge("mse_loss %s" % reduction, "F.mse_loss(x, y, reduction='%s')" % reduction, "f: 2 3", "f: 2 3")
edge("cross_entropy of one row", "F.cross_entropy(x, m.tensor(2))", "v 0.5 -1 2: 3")
edge("cross_entropy of one row of probabilities", "F.cross_entropy(x, y)", "v 0.5 -1 2: 3", "v 0.5 0.25 0.25: 3")
edge("nll_loss of one row", "F.nll_loss(x, m.tensor(2))", "v 0.5 -1 2: 3")
edge("cross_entropy mean, weights sum to 0", "F.cross_entropy(x, m.tensor([2, 2]), y)", "v 1 2 3: 2 3", "c 1 1 0: 3")
edge(
    "cross_entropy of no row",
    "F.cross_entropy(x, m.zeros(0).int() if m.__name__ == 'tinygpt' else m.zeros(0).long())",
    "f: 0 3",
)
edge("softmax without a dim, 3 dimensions", "F.softmax(x)", "f: 2 3 4")
edge("log_softmax without a dim, 2 dimensions", "F.log_softmax(x)", "f: 2 3")
edge("one_hot finds the number of classes", "F.one_hot(m.tensor([2, 0]))")
edge("sum over no dimension is the sum over all", "x.sum(())", "f: 2 3")
edge("mean over no dimension is the mean over all", "x.mean([])", "f: 2 3")
edge("var over no dimension is the variance of all", "x.var(())", "g: 2 3")
edge("mse_loss of infinities", "F.mse_loss(x, y)", "v inf 1: 2", "v inf 2: 2")
