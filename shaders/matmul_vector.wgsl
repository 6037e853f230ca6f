// Matrix-vector products: matrix products of few rows or few columns of output. The plan is
// plans/matmul_plan.py.
//
// The operand with many rows, `w`, is read once; the other one is `count` vectors, `x`. Where w is
// B, a row of w makes a column of the output (decoding: w a weight matrix, x a token's vector);
// where w is A, a row. Sections:
//   dots   w is contiguous along K: a workgroup for each of its rows
//   sweep  w is contiguous along its rows: invocations side by side along them
// S is `count` rounded up to a power of two: the sums that an invocation keeps.

//! shader dots
// Products of one row of w (K elements) with the vectors of x, by a workgroup of W invocations.
// norm ("layer_norm" or "rms_norm"; then S is 1): the vector is that norm of x. Each workgroup
// makes it anew; formulas as in norm.wgsl.
//! buffers out:w:f32 w:r:${F} x:r:${F} bias?:r:f32 residual?:r:f32 pre?:${'w' if gelu else 'r'}:f32
//! buffers norm_weight?:r:${F} norm_bias?:r:${F}
//! params rows:u32 K:u32 count:u32 total:u32 ldw:u32 sw:u32 sx:u32 x_vector:u32 x_k:u32
//! params sc:u32 out_row:u32 out_vector:u32 alpha:f32 beta:f32 ${'eps:f32' if norm else ''}
#if gelu or gelu_backward
#include math
#end
#include matmul_epilogue
// Elements that one read takes: four where all rows of w and x begin on 16 bytes.
const item_size = ${1 if F == 'f32' else 4}u;
#if norm
#include rows
// A norm's result is (x - center) * scale, then weight and bias.
struct Norm { center: f32, scale: f32 }
// The norm of the n items from x0 on.
fn norm_of(x0: u32, n: u32, lid: u32, lanes: u32) -> Norm {
  let size_of_row = f32(P.K);
  var center = 0.0;
#if norm == "layer_norm"
  var all = 0.0;
  for (var i = lid; i < n; i += ${W}u) { all += item_sum(x[x0 + i]); }
  center = row_sum(all, lid, lanes, 0u) / size_of_row;
  var squares = vec2f();
  for (var i = lid; i < n; i += ${W}u) {
    let d = x[x0 + i] - center;
    squares += vec2f(item_sum(d), item_sum(d * d));
  }
  squares = row_sum2(squares, lid, lanes, 1u) / size_of_row;
  center += squares.x;
  let variance = max(squares.y - squares.x * squares.x, 0.0);
#else
  var squares = 0.0;
  for (var i = lid; i < n; i += ${W}u) { squares += item_sum(x[x0 + i] * x[x0 + i]); }
  let variance = row_sum(squares, lid, lanes, 0u) / size_of_row;
#end
  return Norm(center, 1.0 / sqrt(variance + P.eps));
}
fn load_x(x0: u32, i: u32, norm: Norm) -> Item {
  return (x[x0 + i] - norm.center) * norm.scale
#if norm_weight
    * norm_weight[P.norm_weight + i]
#end
#if norm_bias
    + norm_bias[P.norm_bias + i]
#end
  ;
}
#else
alias Item = ${F};
// Item i of the vector that begins at x0.
fn load_x(x0: u32, i: u32) -> Item {
#if F == 'f32'
  return x[x0 + i * P.x_k];
#else
  return x[x0 + i];
#end
}
#end
fn sum_of(v: Item) -> f32 {
#if F == 'f32'
  return v;
#else
  return (v.x + v.y) + (v.z + v.w);
#end
}
var<workgroup> partial: array<array<f32, ${W}>, ${S}>;

@compute @workgroup_size(${W})
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32,
#if norm and subgroups
        @builtin(subgroup_size) lanes: u32,
#end
) {
  let group = group_index(wid, nwg);
  if (group >= P.total) { return; }
  let z = group / P.rows;
  let r = group % P.rows;
  let n = P.K / item_size;
  let w0 = P.w + (z * P.sw + r * P.ldw) / item_size;
#for s in range(S)
  let x${s} = P.x + (z * P.sx + min(${s}u, P.count - 1u) * P.x_vector) / item_size;
  var c${s} = Item();
#end
#if norm
  let norm = norm_of(x0, n, lid, lanes);
#end
  var i = lid;
  for (; i + ${3 * W}u < n; i += ${4 * W}u) {  // four reads of w under way at once
#for u in range(4)
    let w_${u} = w[w0 + i + ${u * W}u];
#end
#for u in range(4)
#for s in range(S)
    c${s} = fma(w_${u}, load_x(x${s}, i + ${u * W}u${', norm' if norm else ''}), c${s});
#end
#end
  }
  for (; i < n; i += ${W}u) {
    let w_0 = w[w0 + i];
#for s in range(S)
    c${s} = fma(w_0, load_x(x${s}, i${', norm' if norm else ''}), c${s});
#end
  }
#if subgroups
  let size = subgroupAdd(1u);
#for s in range(S)
  let sum${s} = subgroupAdd(sum_of(c${s}));
#end
  if (subgroupElect()) {
#for s in range(S)
    partial[${s}][lid / size] = sum${s};
#end
  }
  workgroupBarrier();
  if (lid < P.count) {
    var sum = partial[lid][0];
    for (var g = 1u; g < ${W}u / size; g++) { sum += partial[lid][g]; }
    finish_one(z * P.sc + r * P.out_row + lid * P.out_vector, ${'r' if column else 'lid'}, sum);
  }
#else
#for s in range(S)
  partial[${s}][lid] = sum_of(c${s});
#end
  workgroupBarrier();
  for (var step = ${W // 2}u; step > 0u; step /= 2u) {
    if (lid < step) {
#for s in range(S)
      partial[${s}][lid] += partial[${s}][lid + step];
#end
    }
    workgroupBarrier();
  }
  if (lid < P.count) {
    finish_one(z * P.sc + r * P.out_row + lid * P.out_vector, ${'r' if column else 'lid'}, partial[lid][0]);
  }
#end
}

//! shader sweep
// Element k of row r of w is k * ldw + r. A workgroup has 32 rows, one for each of 32 invocations,
// in 8 groups that take every 8th element along K.
//! buffers out:w:f32 w:r:f32 x:r:f32 bias?:r:f32 residual?:r:f32 pre?:${'w' if gelu else 'r'}:f32
//! params rows:u32 K:u32 count:u32 total:u32 ldw:u32 sw:u32 sx:u32 x_vector:u32 x_k:u32
//! params sc:u32 out_row:u32 out_vector:u32 alpha:f32 beta:f32
#if gelu or gelu_backward
#include math
#end
#include matmul_epilogue
var<workgroup> partial: array<array<f32, 256>, ${S}>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
  let group = group_index(wid, nwg);
  if (group >= P.total) { return; }
  let across = (P.rows + 31u) / 32u;
  let z = group / across;
  let r = (group % across) * 32u + lid % 32u;
  let w0 = P.w + z * P.sw + min(r, P.rows - 1u);
#for s in range(S)
  let x${s} = P.x + z * P.sx + min(${s}u, P.count - 1u) * P.x_vector;
  var c${s} = 0.0;
#end
  var k = lid / 32u;
  for (; k + 24u < P.K; k += 32u) {
#for u in range(4)
    let w_${u} = w[w0 + (k + ${8 * u}u) * P.ldw];
#end
#for u in range(4)
#for s in range(S)
    c${s} = fma(w_${u}, x[x${s} + (k + ${8 * u}u) * P.x_k], c${s});
#end
#end
  }
  for (; k < P.K; k += 8u) {
    let w_0 = w[w0 + k * P.ldw];
#for s in range(S)
    c${s} = fma(w_0, x[x${s} + k * P.x_k], c${s});
#end
  }
#for s in range(S)
  partial[${s}][lid] = c${s};
#end
  workgroupBarrier();
  for (var i = lid; i < 32u * P.count; i += 256u) {
    let s = i / 32u;
    let row = (group % across) * 32u + i % 32u;
    var sum = partial[s][i % 32u];
    for (var g = 1u; g < 8u; g++) { sum += partial[s][32u * g + i % 32u]; }
    if (row < P.rows) { finish_one(z * P.sc + row * P.out_row + s * P.out_vector, ${'row' if column else 's'}, sum); }
  }
}
