// The epilogue of a matrix product, for `#include matmul_epilogue`: alpha, beta and the contract's
// epilogue bits, in its order, applied to finished sums; the results are written.
#if single
// One finished sum; at: its place in the layout of out, n: its column.
fn finish_one(at: u32, n: u32, product: f32) {
  var v = product;
#if alpha
  v *= P.alpha;
#end
#if beta
  v += P.beta * out[P.out + at];
#end
#if bias
  v += bias[P.bias + n];
#end
#if gelu
#if pre
  pre[P.pre + at] = v;
#end
  v = m_gelu(v);
#end
#if gelu_backward
  v *= m_gelu_grad(pre[P.pre + at]);
#end
#if residual
  v += residual[P.residual + at];
#end
  out[P.out + at] = v;
}
#else
// Four sums of a row at once: columns n..n+3 of row m; slab: the batch element or the split.
// `read_epilogue` reads the other operands, `finish` computes and writes. These are two steps so
// that a caller has many reads under way at once. C is the type of out, pre, residual, bias and
// sums: vectors where every row begins on 16 bytes and N is a multiple of four, else single
// numbers.
struct Epilogue {
#if beta
  out: vec4f,
#end
#if bias
  bias: vec4f,
#end
#if gelu_backward
  pre: vec4f,
#end
#if residual
  residual: vec4f,
#end
  none: u32,
}
#for x in (('out',) if beta else ()) + (('pre',) if gelu_backward else ()) + (('residual',) if residual else ())
fn read_${x}(row: u32, n: u32) -> vec4f {
#if C == 'f32'
  let last = P.N - 1u;
  let at = P.${x} + row;
  return vec4f(${x}[at + min(n, last)], ${x}[at + min(n + 1u, last)],
               ${x}[at + min(n + 2u, last)], ${x}[at + min(n + 3u, last)]);
#else
  return ${x}[P.${x} + (row + min(n, P.N - 4u)) / 4u];
#end
}
#end
fn read_epilogue(slab: u32, m: u32, n: u32) -> Epilogue {
  var e: Epilogue;
  let row = slab * P.sc + min(m, P.M - 1u) * P.ldc;
#if beta
  e.out = read_out(row, n);
#end
#if bias and C == 'f32'
  let last = P.N - 1u;
  e.bias = vec4f(bias[P.bias + min(n, last)], bias[P.bias + min(n + 1u, last)],
                 bias[P.bias + min(n + 2u, last)], bias[P.bias + min(n + 3u, last)]);
#elif bias
  e.bias = bias[P.bias + min(n, P.N - 4u) / 4u];
#end
#if gelu_backward
  e.pre = read_pre(row, n);
#end
#if residual
  e.residual = read_residual(row, n);
#end
  return e;
}
#for x in ('out',) + (('pre',) if gelu and pre else ())
fn write_${x}(row: u32, n: u32, v: vec4f) {
#if C == 'f32'
  let at = P.${x} + row + n;
  if (n < P.N) { ${x}[at] = v.x; }
  if (n + 1u < P.N) { ${x}[at + 1u] = v.y; }
  if (n + 2u < P.N) { ${x}[at + 2u] = v.z; }
  if (n + 3u < P.N) { ${x}[at + 3u] = v.w; }
#else
  if (n < P.N) { ${x}[P.${x} + (row + n) / 4u] = v; }
#end
}
#end
#if sums
fn write_sums(slab: u32, m: u32, v: vec4f) {
#if C == 'f32'
  let at = P.sums + slab * P.M + m;
  if (m < P.M) { sums[at] = v.x; }
  if (m + 1u < P.M) { sums[at + 1u] = v.y; }
  if (m + 2u < P.M) { sums[at + 2u] = v.z; }
  if (m + 3u < P.M) { sums[at + 3u] = v.w; }
#else
  if (m < P.M) { sums[P.sums + (slab * P.M + m) / 4u] = v; }
#end
}
#end
fn finish(slab: u32, m: u32, n: u32, product: vec4f, e: Epilogue) {
  let row = slab * P.sc + m * P.ldc;
  var v = product;
#if loss_scale
  v *= loss_scale[P.loss_scale + 1u];
#end
#if alpha
  v *= P.alpha;
#end
#if beta
  v += P.beta * e.out;
#end
#if bias
  v += e.bias;
#end
#if gelu
#if pre
  if (m < P.M) { write_pre(row, n, v); }
#end
  v = vec4f(m_gelu(v.x), m_gelu(v.y), m_gelu(v.z), m_gelu(v.w));
#end
#if gelu_backward
  v *= vec4f(m_gelu_grad(e.pre.x), m_gelu_grad(e.pre.y), m_gelu_grad(e.pre.z), m_gelu_grad(e.pre.w));
#end
#if residual
  v += e.residual;
#end
  if (m < P.M) { write_out(row, n, v); }
}
#end
