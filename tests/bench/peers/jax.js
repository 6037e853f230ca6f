// TinyGPT's training step in jax-js: the whole step (loss, gradients, clipping, AdamW) is one
// jitted function. Every array is used up by the function it is passed to, and `.ref` keeps it for
// one use more: that is the library's memory model.
import { defaultDevice, init, jit, nn, numpy as np, tree, valueAndGrad } from "@jax-js/jax";

const EPS = 1e-5; // of LayerNorm

const linear = (x, weight, bias) => np.matmul(x, np.transpose(weight)).add(bias);
const norm = (x, weight, bias) => nn.standardize(x, -1, { epsilon: EPS }).mul(weight).add(bias);

// Mean cross-entropy. p: {name: array}, each used up once; x int32 [B T], y one-hot [B T, V].
function loss(p, x, y, job) {
  const B = job.batch_size,
    T = job.context,
    { layers, heads: H, d_model: C, vocab_size: V } = job.model,
    D = C / H;
  let h = np.matmul(nn.oneHot(x, V), p["tok_emb.weight"].ref); // a product: its gradient is one as well
  h = h
    .reshape([B, T, C])
    .add(p["pos_emb.weight"])
    .reshape([B * T, C]);
  for (let i = 0; i < layers; i++) {
    const of = (name) => p[`blocks.${i}.${name}`];
    const a = norm(h.ref, of("norm1.weight"), of("norm1.bias"));
    const [q, k, v] = np
      .split(linear(a, of("attn.qkv.weight"), of("attn.qkv.bias")), 3, 1)
      .map((part) => part.reshape([B, T, H, D]));
    const mixed = nn.dotProductAttention(q, k, v, { isCausal: true }).reshape([B * T, C]);
    h = h.add(linear(mixed, of("attn.proj.weight"), of("attn.proj.bias")));
    const m = norm(h.ref, of("norm2.weight"), of("norm2.bias"));
    const hidden = nn.gelu(linear(m, of("mlp.fc.weight"), of("mlp.fc.bias")), { approximate: false });
    h = h.add(linear(hidden, of("mlp.proj.weight"), of("mlp.proj.bias")));
  }
  const logits = np.matmul(norm(h, p["norm_f.weight"], p["norm_f.bias"]), np.transpose(p["tok_emb.weight"]));
  return nn
    .logSoftmax(logits, -1)
    .mul(nn.oneHot(y, V))
    .sum()
    .mul(-1 / (B * T));
}

// The jitted step: (p, m, v, x, y, corrections [2]) -> {loss, p, m, v}. corrections: lr / (1 -
// beta1^t), sqrt(1 - beta2^t).
function makeStep(job) {
  const { lr, beta1, beta2, eps, weight_decay, grad_clip } = job.train;
  const gradient = valueAndGrad((p, x, y) => loss(p, x, y, job));
  return jit((p, m, v, x, y, rate, root) => {
    const [value, g] = gradient(tree.ref(p), x, y);
    const squares = Object.values(g).map((one) => np.square(one.ref).sum());
    const length = np.sqrt(squares.reduce((sum, one) => sum.add(one)));
    const clip = np.minimum(np.trueDivide(grad_clip, length.add(1e-6)), 1);
    const out = { loss: value, p: {}, m: {}, v: {} };
    for (const name of Object.keys(p)) {
      const slope = g[name].mul(clip.ref);
      const first = m[name].mul(beta1).add(slope.ref.mul(1 - beta1));
      const second = v[name].mul(beta2).add(np.square(slope).mul(1 - beta2));
      const decayed = p[name].ndim >= 2 ? p[name].mul(1 - lr * weight_decay) : p[name];
      const change = first.ref.mul(rate.ref).div(np.sqrt(second.ref).div(root.ref).add(eps));
      Object.assign(out.p, { [name]: decayed.sub(change) });
      out.m[name] = first;
      out.v[name] = second;
    }
    for (const used of [clip, rate, root]) used.dispose();
    return out;
  });
}

export async function create({ job, weights, backend, threads }) {
  let p = {},
    m = {},
    v = {},
    t = 0;
  for (const [name, { shape, data }] of Object.entries(weights)) {
    p[name] = np.array(data, { shape });
    m[name] = np.zeros(shape);
    v[name] = np.zeros(shape);
  }
  const run = makeStep(job),
    { lr, beta1, beta2 } = job.train;
  return {
    build: "jax-js",
    threads: backend === "wasm" ? threads : null,
    immediate: backend === "wasm",
    notes: ["jitted as one function; embedding as a product with one-hot rows"],
    async step(x, y) {
      t++;
      const ids = (values) => np.array(values.slice(), { dtype: np.int32 });
      const out = run(
        p,
        m,
        v,
        ids(x),
        ids(y),
        np.array([lr / (1 - beta1 ** t)]),
        np.array([Math.sqrt(1 - beta2 ** t)]),
      );
      ({ p, m, v } = out);
      return { loss: out.loss.data().then(([value]) => value) };
    },
  };
}

create.prepare = async (backend) => {
  const there = await init(backend);
  if (!there.includes(backend))
    throw new Error(`jax-js offers no ${backend} here; it offers ${there.join(", ") || "nothing"}`);
  defaultDevice(backend);
};
