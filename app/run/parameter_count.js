// The numbers that training changes, of a ModelConfig (py/tinygpt/model.py, counted).

export function parameterCount({
  vocab_size: V,
  context: T,
  layers,
  d_model: C,
  heads: H,
  kv_heads: G,
  mlp_ratio,
  positions,
  norm,
  mlp,
  bias,
  tie_embeddings: tied,
}) {
  const linear = (rows, columns) => rows * columns + (bias ? rows : 0);
  const normed = C + (bias && norm === "layer" ? C : 0);
  const hidden = mlp_ratio * C,
    D = C / H;
  const block =
    2 * normed +
    linear((H + 2 * (G || H)) * D, C) +
    linear(C, C) +
    linear(hidden, C) * (mlp === "swiglu" ? 2 : 1) +
    linear(C, hidden);
  return V * C * (tied ? 1 : 2) + (positions === "learned" ? T * C : 0) + layers * block + normed;
}
