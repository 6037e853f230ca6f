// TinyGPT's training step in TensorFlow.js: eager operations, the gradients of tf.variableGrads,
// clipping and the decay by hand (its Adam has neither), tf.train.adam for the rest. GELU is the
// exact one, by tf.erf.

const EPS = 1e-5; // of LayerNorm
const PACKAGES = "/node_modules/@tensorflow";
let tf;

// The packages' browser builds are classic scripts that leave `tf` behind.
function script(path) {
  return new Promise((resolve, reject) => {
    const element = Object.assign(document.createElement("script"), { src: `${PACKAGES}/${path}`, onload: resolve });
    element.onerror = () => reject(new Error(`${path} could not be loaded; run npm ci`));
    document.head.append(element);
  });
}

const linear = (x, p, name) => tf.add(tf.matMul(x, p[`${name}.weight`], false, true), p[`${name}.bias`]);
const gelu = (x) => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1));

function norm(x, p, name) {
  const { mean, variance } = tf.moments(x, -1, true);
  return tf.add(
    tf.mul(tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, EPS))), p[`${name}.weight`]),
    p[`${name}.bias`],
  );
}

// Mean cross-entropy. p: {name: variable}; x, y int32 [B T]; mask [T, T] of 0 and -1e9.
function loss(p, x, y, mask, job) {
  const B = job.batch_size,
    T = job.context,
    { layers, heads: H, d_model: C, vocab_size: V } = job.model,
    D = C / H;
  let h = tf.matMul(tf.oneHot(x, V).toFloat(), p["tok_emb.weight"]); // gather has no gradient in the wasm backend
  h = tf.reshape(tf.add(tf.reshape(h, [B, T, C]), p["pos_emb.weight"]), [B * T, C]);
  for (let i = 0; i < layers; i++) {
    const name = `blocks.${i}`;
    const heads = tf
      .split(linear(norm(h, p, `${name}.norm1`), p, `${name}.attn.qkv`), 3, 1)
      .map((part) => tf.transpose(tf.reshape(part, [B, T, H, D]), [0, 2, 1, 3]));
    const scores = tf.add(tf.mul(tf.matMul(heads[0], heads[1], false, true), 1 / Math.sqrt(D)), mask);
    const mixed = tf.reshape(tf.transpose(tf.matMul(tf.softmax(scores), heads[2]), [0, 2, 1, 3]), [B * T, C]);
    h = tf.add(h, linear(mixed, p, `${name}.attn.proj`));
    h = tf.add(h, linear(gelu(linear(norm(h, p, `${name}.norm2`), p, `${name}.mlp.fc`)), p, `${name}.mlp.proj`));
  }
  const logits = tf.matMul(norm(h, p, "norm_f"), p["tok_emb.weight"], false, true);
  return tf.mul(tf.sum(tf.mul(tf.logSoftmax(logits), tf.oneHot(y, V).toFloat())), -1 / (B * T));
}

export async function create({ job, weights, backend, threads }) {
  const { lr, beta1, beta2, eps, weight_decay, grad_clip } = job.train,
    T = job.context;
  const p = {};
  for (const [name, { shape, data }] of Object.entries(weights))
    p[name] = tf.variable(tf.tensor(data, shape), true, name);
  const mask = tf.tensor(
    Float32Array.from({ length: T * T }, (_, i) => (i % T > Math.floor(i / T) ? -1e9 : 0)),
    [T, T],
  );
  const optimizer = tf.train.adam(lr, beta1, beta2, eps);
  const version = tf.version_core ?? tf.version["tfjs-core"];
  return {
    build: `tfjs ${version}`,
    threads: backend === "wasm" ? threads : null,
    immediate: backend === "wasm",
    notes: ["eager operations; embedding as a product with one-hot rows (the wasm backend has no gradient of gather)"],
    async step(x, y) {
      const value = tf.tidy(() => {
        const ids = (values) => tf.tensor1d(values, "int32");
        const { value, grads } = tf.variableGrads(() => loss(p, ids(x), ids(y), mask, job), Object.values(p));
        const length = tf.sqrt(tf.addN(Object.values(grads).map((one) => tf.sum(tf.square(one)))));
        const clip = tf.minimum(tf.div(grad_clip, tf.add(length, 1e-6)), 1);
        for (const name of Object.keys(grads)) {
          grads[name] = tf.mul(grads[name], clip);
          if (p[name].rank >= 2) p[name].assign(tf.mul(p[name], 1 - lr * weight_decay));
        }
        optimizer.applyGradients(grads);
        return value;
      });
      return { loss: value.data().then(([number]) => (value.dispose(), number)) };
    },
  };
}

create.prepare = async (backend, threads) => {
  await script("tfjs/dist/tf.min.js");
  await script(`tfjs-backend-${backend}/dist/tf-backend-${backend}.min.js`);
  tf = globalThis.tf;
  if (backend === "wasm") {
    tf.wasm.setWasmPaths(`${PACKAGES}/tfjs-backend-wasm/dist/`);
    tf.wasm.setThreadsCount(threads);
  }
  if (!(await tf.setBackend(backend)) || tf.getBackend() !== backend)
    throw new Error(`TensorFlow.js could not start its ${backend} backend here`);
  await tf.ready();
};
