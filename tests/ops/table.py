"""The table: expressions of the public API that PyTorch evaluates to the same value and gradients.

`op(name, source, inputs...)`: an input is "kind: shape" with kinds of `execute.fill_of` and sizes
as numbers or the letters M, N, K, which take each of SIZES in turn.
"""

SIZES = (
    dict(M=1, N=1, K=1),
    dict(M=3, N=17, K=1),
    dict(M=17, N=3, K=65),
    dict(M=65, N=65, K=17),
    dict(M=512, N=48, K=192),
)  # the last: preset tiny

TABLE = {}
TOLERANCE = {}


def op(name, source, *inputs, sizes=SIZES, tolerance=None):
    entries = []
    for size in (
        sizes if any(letter in spec.split(":")[1] for spec in inputs for letter in "MNKL") or "{" in source else ({},)
    ):
        specs = []
        for spec in inputs:
            kind, shape = spec.split(":")
            specs.append(
                {
                    "kind": kind.strip().format(**size),
                    "shape": [size[n] if n in size else int(n) for n in shape.split()],
                }
            )
        label = "%s %s" % (name, " ".join("x".join(map(str, s["shape"])) for s in specs))
        entries.append({"name": label, "source": source.format(**size) if "{" in source else source, "inputs": specs})
    assert name not in TABLE, name
    TABLE[name] = entries
    if tolerance:
        TOLERANCE[name] = tolerance


# ---- elementwise -------------------------------------------------------------------------------
for f in "exp tanh sigmoid relu sin cos abs neg square".split():
    op(f, "x.%s()" % f, "f: M N")
    op("m." + f, "m.%s(x)" % f, "f: 17")
for f in "log sqrt rsqrt reciprocal".split():
    op(f, "x.%s()" % f, "p: M N")
    op("m." + f, "m.%s(x)" % f, "p: 17")
op("gelu", "F.gelu(x)", "f: M N")
op("gelu tanh", "F.gelu(x, approximate='tanh')", "f: M N")
op("silu", "F.silu(x)", "f: M N")
op("F.relu", "F.relu(x)", "f: 17 65")
op("F.sigmoid", "F.sigmoid(x)", "f: 17")
op("F.tanh", "F.tanh(x)", "f: 17")
for symbol, f in (("+", "add"), ("-", "sub"), ("*", "mul"), ("/", "div")):
    op(f, "x %s y" % symbol, "f: M N", "f: M N")
    op(f + " row", "x %s y" % symbol, "f: M N", "f: N")
    op(f + " column", "x %s y" % symbol, "f: M N", "f: M 1")
    op(f + " outer", "x %s y" % symbol, "f: M 1", "f: 1 N")
    op(f + " into more dimensions", "x %s y" % symbol, "f: 3 1 K", "f: M 1")
    op(f + " number", "x %s 1.5" % symbol, "f: M N")
    op(f + " number first", "1.5 %s x" % symbol, "f: M N")
    op(f + " int number", "x %s 3" % symbol, "f: M N")
    op(f + " 0-d", "x %s y.sum()" % symbol, "f: M N", "f: 3")
    op(f + " itself", "x %s x" % symbol, "f: M N")
    op(f + " transposed", "x.transpose(0, 1) %s y" % symbol, "f: N M", "f: M N")
    op(f + " int and float", "x %s y" % symbol, "i -9 9: M N", "f: M N")
    op("m." + f, "m.%s(x, y)" % f, "f: 17", "f: 17")
    if f != "div":
        op(f + " ints", "x %s y" % symbol, "i -99 99: M N", "i -9 9: M N")
        op(f + " ints and number", "x %s 3" % symbol, "i -99 99: M N")
op("div ints", "x / y", "i -9 9: M N", "i 1 9: M N")
op("sub alpha", "m.sub(x, y, alpha=0.5)", "f: M N", "f: M N")
op("pow tensor", "x ** y", "p: M N", "f: M N", tolerance=1e-5)
for exponent in ("2", "3", "0.5", "-1", "-0.5", "0", "1", "2.5"):
    op("pow " + exponent, "x ** %s" % exponent, "p: M N", tolerance=5e-6)
op("pow of negatives", "x ** 3 + x ** 2", "f: M N")
op("number to the power", "2.0 ** x", "f: M N", tolerance=5e-6)
op("floor_divide ints", "x // y", "i -40 41: M N", "i 1 9: M N")
op("floor_divide by a negative", "x // -3", "i -40 41: M N")
op("remainder ints", "x % y", "i -40 41: M N", "i 1 9: M N")
op("remainder by a negative", "x % -3", "i -40 41: M N")
op("maximum", "m.maximum(x, y)", "f: M N", "f: M N")
op("maximum of ties", "m.maximum(x, y)", "v 1 2 3: M N", "v 3 2 1: M N")
op("minimum", "m.minimum(x, y)", "f: M N", "f: N")
op("clamp", "x.clamp(-0.5, 0.5)", "f: M N")
op("clamp below", "x.clamp(min=0.25)", "f: M N")
op("clamp above", "m.clamp(x, max=0.25)", "f: M N")
for symbol in ("==", "!=", "<", "<=", ">", ">="):
    op("compare " + symbol, "x %s y" % symbol, "i -2 3: M N", "i -2 3: N")
    op("compare floats " + symbol, "x %s y" % symbol, "f: M N", "f: M N")
    op("compare to a number " + symbol, "x %s 1" % symbol, "i -2 3: M N")
op("logic", "(x & ~y) | (x == y)", "b: M N", "b: M N")
op("logical_not", "m.logical_not(x)", "b: M N")
op("where", "m.where(x, y, z)", "b: M N", "f: M N", "f: M N")
op("where broadcast", "m.where(x, y, z)", "b: M 1", "f: N", "f: 3 M N")
op("where number", "m.where(x, y, 0.0)", "b: M N", "f: M N")
op("Tensor.where", "y.where(x, z)", "b: M N", "f: M N", "f: M N")
op("masked_fill", "x.masked_fill(y, -1.5)", "f: M N", "b: M N")
op("masked_fill row", "x.masked_fill(y, 2.0)", "f: M N", "b: N")
op("cast to float", "x.float() * 0.5 if m.__name__ == 'tinygpt' else x.double() * 0.5", "i -99 99: M N")
op("cast to int", "x.detach().int()", "f: M N")
op("to bool", "x.bool()", "i -1 2: M N")

# ---- movement -----------------------------------------------------------------------------------
op("view", "x.view({N}, {M})", "f: M N")
op("view infers", "x.view(-1)", "f: M N")
op("reshape of a transpose", "x.transpose(0, 1).reshape({M}, {N})", "f: M N")
op("reshape adds dimensions", "x.reshape({M}, 1, {N}, 1)", "f: M N")
op("view of a split projection", "x.view(2, {M}, 3, {N}).transpose(1, 2)", "f: 2 M 3 N")
op("transpose", "x.transpose(-1, -2)", "f: 3 M N")
op("m.transpose", "m.transpose(x, 0, 1)", "f: M N")
op("T", "x.T", "f: M N")
op("mT", "x.mT", "f: 2 M N")
op("permute", "x.permute(2, 0, 1)", "f: 3 M N")
op("permute and back", "x.permute(1, 2, 0).contiguous().permute(2, 0, 1)", "f: 3 M N")
op("contiguous", "x.T.contiguous()", "f: M N")
op("clone", "x.clone() * x", "f: M N")
op("unsqueeze, squeeze", "x.unsqueeze(1).unsqueeze(-1).squeeze(1).squeeze(-1)", "f: M N")
op("squeeze all", "x.squeeze()", "f: 1 M 1 N")
op("flatten", "x.flatten(1)", "f: 3 M N")
op("expand", "x.expand(3, {M}, {N})", "f: M 1")
op("expand keeps", "x.unsqueeze(0).expand(4, -1, -1)", "f: M N")
op("slice rows", "x[1:-1]", "f: M N")
op("slice columns", "x[:, ::2]", "f: M N")
op("slice both", "x[{M} // 3 :, : {N} // 2 + 1]", "f: M N")
op("pick a row", "x[-1]", "f: M N")
op("pick an element", "x[0, -1]", "f: M N")
op("ellipsis and new axis", "x[..., None, 0]", "f: 3 M N")
op("index by tensor", "x[y]", "f: M N", "i 0 {M}: K")
op("index pairs", "x[y, z]", "f: M N", "i 0 {M}: 17", "i 0 {N}: 17")
op("narrow", "x.narrow(0, {M} // 2, 1)", "f: M N")
op("select", "x.select(1, 0)", "f: M N")
op("split", "x.split({N}, dim=1)[1] * 2", "f: M 51", sizes=(dict(M=3, N=17), dict(M=17, N=25), dict(M=65, N=50)))
op(
    "split in lists",
    "m.cat(x.split([1, {N}, 2], dim=0)[::-1], 0)",
    "f: 20 M",
    sizes=(dict(M=3, N=17), dict(M=65, N=17)),
)
op(
    "split uses all",
    "(lambda a, b, c: a * b + c)(*x.split({N}, -1))",
    "f: M 51",
    sizes=(dict(M=3, N=17), dict(M=65, N=17)),
)
op("chunk", "x.chunk(3, dim=0)[0]", "f: K N")
op("cat rows", "m.cat([x, y, x])", "f: M N", "f: K N")
op("cat columns", "m.cat((x, y), dim=1)", "f: M N", "f: M K")
op("cat ints", "m.cat([x, y], -1)", "i -9 9: M N", "i -9 9: M K")
op("stack", "m.stack([x, y, x], dim=1)", "f: M N", "f: M N")
op("tril", "x.tril()", "f: 2 M N")
op("triu", "m.triu(x, 1)", "f: M N")
op("tril below", "m.tril(x, diagonal=-2)", "f: M N")
op("arange", "m.arange({N})", sizes=SIZES)
op("arange from, to, step", "m.arange(3, {N} + 40, 4) * 2", sizes=SIZES)
op("zeros, ones, full", "m.zeros({M}, {N}) + m.ones({N}) * m.full(({M}, 1), 2.5)", sizes=SIZES)
op("eye", "m.eye({N})", sizes=SIZES)
op("zeros_like, ones_like", "m.ones_like(x) + m.zeros_like(x) + m.full_like(x, 3)", "g: M N")
op("tensor from lists", "m.tensor([[1, 2], [3, 4]]) * m.tensor([0.5, -1.5])")
op("causal mask", "m.tril(m.ones({N}, {N})) == 0", sizes=SIZES)

# ---- reductions ---------------------------------------------------------------------------------
for f in (
    "sum",
    "mean",
):  # of positive numbers: a signed sum may be far smaller than its terms, and so than their rounding
    op(f, "x.%s()" % f, "p: M N")
    op(f + " dim 0", "x.%s(0)" % f, "p: M N")
    op(f + " last, keepdim", "m.%s(x, -1, keepdim=True)" % f, "p: M N")
    op(f + " middle", "x.%s(dim=1)" % f, "p: 3 M N")
    op(f + " two dims", "x.%s((0, 2))" % f, "p: 3 M N")
    op(f + " of a transpose", "x.T.%s(0)" % f, "p: M N")
op("sum of ints", "x.sum(1)", "i -9 9: M N")
op("sum of bools", "x.sum()", "b: M N")
for f in ("max", "min"):
    op(f, "x.%s()" % f, "f: M N")
    op(f + " values", "x.%s(1).values" % f, "f: M N")
    op(f + " values, keepdim", "x.%s(dim=0, keepdim=True)[0]" % f, "f: M N")
    op(f + " indices", "x.%s(-1).indices" % f, "f: M N")
    op("arg" + f, "x.arg%s(dim=1)" % f, "f: M N")
    op("arg%s of all" % f, "m.arg%s(x)" % f, "f: M N")
    op("arg%s dim 0, keepdim" % f, "x.arg%s(0, keepdim=True)" % f, "f: M N")
WIDE = [dict(size, N=max(size["N"], 3)) for size in SIZES]
op("var", "x.var(-1)", "f: M N", sizes=WIDE, tolerance=5e-6)
op("var biased", "m.var(x, 1, correction=0, keepdim=True)", "f: M N", tolerance=5e-6)
op("var of all", "x.var()", "f: 3 M N", tolerance=5e-6)
op("std", "x.std(1)", "f: M N", sizes=WIDE, tolerance=5e-6)
op("any, all", "x.any() | y.all()", "b: M N", "b: M N")

# ---- matmul -------------------------------------------------------------------------------------
op("matmul", "x @ y", "f: M K", "f: K N")
op("matmul NT", "x @ y.T", "f: M K", "f: N K")
op("matmul TN", "x.T @ y", "f: K M", "f: K N")
op("matmul TT", "m.matmul(x.T, y.T)", "f: K M", "f: N K")
op("matmul batched", "x @ y", "f: 3 M K", "f: 3 K N")
op("matmul batched NT", "x @ y.transpose(-1, -2)", "f: 2 3 M K", "f: 2 3 N K")
op("matmul batch and matrix", "x @ y", "f: 3 M K", "f: K N")
op("matmul matrix and batch", "x @ y", "f: M K", "f: 2 K N")
op("matmul batch broadcast", "x @ y", "f: 2 1 17 K", "f: 3 K 9")
op(
    "matmul of heads",
    "x.view(2, 17, 3, 16).transpose(1, 2) @ y.view(2, 17, 3, 16).permute(0, 2, 3, 1)",
    "f: 2 17 48",
    "f: 2 17 48",
)
op("matmul vector", "x @ y", "f: M K", "f: K")
op("vector matmul", "x @ y", "f: K", "f: K N")
op("dot", "x @ y", "f: K", "f: K")
op("linear", "F.linear(x, y, z)", "f: 2 M K", "f: N K", "f: N")
op("linear without bias", "F.linear(x, y)", "f: M K", "f: N K")
op("matmul of itself", "x @ x.T", "f: M K")

# ---- normalisation, softmax, losses -------------------------------------------------------------
op("layer_norm", "F.layer_norm(x, ({N},), y, z)", "f: 2 M N", "f: N", "f: N", sizes=WIDE, tolerance=1e-5)
op("layer_norm, no weight", "F.layer_norm(x, ({N},), eps=1e-3)", "f: M N", sizes=WIDE, tolerance=1e-5)
op("layer_norm, no bias", "F.layer_norm(x, ({N},), y)", "f: M N", "f: N", sizes=WIDE, tolerance=1e-5)
op(
    "residual and layer_norm",
    "(lambda s: F.layer_norm(s, ({N},), z) + s)(x + y)",
    "f: M N",
    "f: M N",
    "f: N",
    sizes=WIDE,
    tolerance=1e-5,
)
op("rms_norm", "F.rms_norm(x, ({N},), y, eps=1e-5)", "f: 2 M N", "f: N", sizes=WIDE, tolerance=1e-5)
op("rms_norm, no weight", "F.rms_norm(x, ({N},), eps=1e-5)", "f: M N", sizes=WIDE, tolerance=1e-5)
for f in ("softmax", "log_softmax"):
    op(f, "F.%s(x, dim=-1)" % f, "f: M N", tolerance=5e-6)
    op(f + " dim 0", "x.%s(0)" % f, "f: M N", tolerance=5e-6)
    op(f + " middle", "m.%s(x, 1)" % f, "f: 3 M N", tolerance=5e-6)
op(
    "masked softmax",
    "x.masked_fill(m.tril(m.ones({N}, {N})) == 0, float('-inf')).softmax(-1)",
    "f: 3 N N",
    tolerance=5e-6,
)
op("cross_entropy", "F.cross_entropy(x, y)", "f: M N", "i 0 {N}: M", tolerance=5e-6)
op("cross_entropy sum", "F.cross_entropy(x, y, reduction='sum')", "f: M N", "i 0 {N}: M", tolerance=5e-6)
op("cross_entropy none", "F.cross_entropy(x, y, reduction='none')", "f: M N", "i 0 {N}: M", tolerance=5e-6)
op(
    "cross_entropy ignores",
    "F.cross_entropy(x, y, ignore_index=1, reduction='sum')",
    "f: M N",
    "i 0 {N}: M",
    tolerance=5e-6,
)
op(
    "cross_entropy of a scaled loss",
    "F.cross_entropy(x.view(-1, {N}), y.view(-1)) * 3",
    "f: 2 M N",
    "i 0 {N}: 2 M",
    tolerance=5e-6,
)
op("nll_loss", "F.nll_loss(F.log_softmax(x, -1), y)", "f: M N", "i 0 {N}: M", tolerance=5e-6)
op("mse_loss", "F.mse_loss(x, y)", "f: M N", "f: M N")
op("embedding", "F.embedding(x, y)", "i 0 {M}: 3 K", "f: M N")
op("embedding twice", "F.embedding(x, y) @ y.T", "i 0 {M}: 7", "f: M N")
op("one_hot", "F.one_hot(x, {N})", "i 0 {N}: 3 M")
op("dropout off", "F.dropout(x, 0.5, training=False)", "f: M N")

# ---- attention ----------------------------------------------------------------------------------
ATTENTION = (dict(M=1, K=1), dict(M=3, K=3), dict(M=17, K=16), dict(M=65, K=17), dict(M=32, K=16))
for causal in (True, False):
    word = "causal" if causal else "full"
    call = "F.scaled_dot_product_attention(%%s, is_causal=%s)" % causal
    op("attention " + word, call % "x, y, z", "f: 2 3 M K", "f: 2 3 M K", "f: 2 3 M K", sizes=ATTENTION, tolerance=1e-5)
    heads = ", ".join("%s.view(2, {M}, 3, {K}).transpose(1, 2)" % part for part in "qkv")
    op("attention of a projection " + word,
       "(lambda q, k, v: %s.transpose(1, 2).reshape(2, {M}, 3 * {K}))(*x.split(3 * {K}, -1))" % (call % heads),
       "f: 2 M L", sizes=tuple(dict(size, L=9 * size["K"]) for size in ATTENTION), tolerance=1e-5)  # fmt: skip
op(
    "attention scale",
    "F.scaled_dot_product_attention(x, y, z, scale=0.7)",
    "f: 2 3 M K",
    "f: 2 3 M K",
    "f: 2 3 M K",
    sizes=ATTENTION,
    tolerance=1e-5,
)
op(
    "attention to other lengths",
    "F.scaled_dot_product_attention(x, y, z)",
    "f: 2 3 9 K",
    "f: 2 3 M K",
    "f: 2 3 M K",
    sizes=ATTENTION,
    tolerance=1e-5,
)
op("attention by hand",
   "(x @ y.transpose(-2, -1) * 0.25).masked_fill(m.tril(m.ones({M}, {M})) == 0, float('-inf')).softmax(-1) @ z",
   "f: 2 M K", "f: 2 M K", "f: 2 M K", sizes=ATTENTION, tolerance=1e-5)  # fmt: skip

# ---- autograd -----------------------------------------------------------------------------------
op("used three times", "x * y + x.exp() + x", "f: M N", "f: M N")
op("detach cuts", "x * x.detach()", "f: M N")
op("diamond", "(lambda a: (a * 2).sum(0) + (a * a).sum(0))(x + y)", "f: M N", "f: N")
op("mlp", "F.gelu(F.linear(x, y, z)) @ w + x", "f: M K", "f: N K", "f: N", "f: N K", tolerance=5e-6)
op("no_grad inside", "x * (lambda: m.no_grad()(lambda: x * 2)())()", "f: M N")
