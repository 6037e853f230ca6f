// The backward of scaled dot-product attention: dq, dk and dv in one dispatch, in two roles.
// Workgroups that own keys walk over the queries (attention_dkdv.wgsl: dk = dS^T q, dv = P^T dout),
// those that own queries walk over the keys (attention_dq.wgsl: dq = dS k). Each recomputes P =
// exp2(scores - lse) and dS = P * (dout v^T - delta), so no sum crosses a workgroup.
//
// In: dout, q, k, v, at any strides, with out and lse of the forward, from which comes delta = sum
// over d of dout * out of each query: on the way (`inline_delta`: 9 bindings), or read from the
// statistics that the section row_statistics has written before. Out: dq, dk, dv, at any strides.
// attention_tile.wgsl describes how the threads of a workgroup share the work.

// The statistics [B, H, T] of queries: (log-sum-exp in units of log 2, delta). A thread has a
// query. For the backward where it has too few bindings or registers.
//! shader row_statistics
//! buffers statistics:w:vec2<f32> dout:r:${E} out:r:${E} lse:r:f32
//! params B:u32 H:u32 T:u32 out_b:u32 out_t:u32 out_h:u32 dout_b:u32 dout_t:u32 dout_h:u32
#include attention_rows
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
  let i = group_index(wid, nwg) * 64u + lid;
  if (i >= P.B * P.T * P.H) { return; }
  let h = i % P.H;
  let t = i / P.H % P.T;
  let b = i / P.H / P.T;
  let at = (b * P.H + h) * P.T + t;
  let dout_rows = Rows(P.dout + b * P.dout_b + h * P.dout_h, P.T);
  let out_rows = Rows(P.out + b * P.out_b + h * P.out_h, P.T);
  var delta = 0.0;
  for (var c = 0u; c < HEAD_VECTORS; c++) { delta = dot4(row_dout(dout_rows, t, c), row_out(out_rows, t, c), delta); }
  statistics[P.statistics + at] = vec2f(lse[P.lse + at] * LOG2E, delta);
}

//! shader backward
//! buffers dq:w:${E} dk:w:${E} dv:w:${E} dout:r:${E} q:r:${E} k:r:${E} v:r:${E}
//! buffers ${"out:r:" + E + " lse:r:f32" if inline_delta else "statistics:r:vec2<f32>"}
//! params B:u32 H:u32 G:u32 T:u32 S:u32 q_b:u32 q_t:u32 q_h:u32 k_b:u32 k_t:u32 k_h:u32 v_b:u32 v_t:u32 v_h:u32
//! params out_b:u32 out_t:u32 out_h:u32 dout_b:u32 dout_t:u32 dout_h:u32
//! params dq_b:u32 dq_t:u32 dq_h:u32 dk_b:u32 dk_t:u32 dk_h:u32 dv_b:u32 dv_t:u32 dv_h:u32 causal:u32 scale:f32
//! params ${"head_vectors:u32 tile_quads:u32 block_vectors:u32" if rolled else ""}
#include attention_tile
#include attention_dkdv
#include attention_dq

// Of a block and of a tile: the keys or the queries, and the values or the gradients of out.
#if staged
var<workgroup> block_qk: array<vec4f, BLOCK_ROWS * ROW_STRIDE>;
var<workgroup> block_vo: array<vec4f, BLOCK_ROWS * ROW_STRIDE>;
var<workgroup> tile_qk: array<vec4f, TILE_ROWS * ROW_STRIDE>;
var<workgroup> tile_vo: array<vec4f, TILE_ROWS * ROW_STRIDE>;
#end
var<workgroup> p_block: array<vec4f, BLOCK_ROWS * (TX + 1u)>;
var<workgroup> ds_block: array<vec4f, BLOCK_ROWS * (TX + 1u)>;
#if inline_delta
// dout * out, by query and vector of the head.
var<workgroup> partial: array<f32, max(BLOCK_ROWS, TILE_ROWS) * ROW_STRIDE>;
#end
var<workgroup> column_lse: array<f32, TILE_ROWS>;
var<workgroup> column_delta: array<f32, TILE_ROWS>;

#if prefetch
fn product_place(x: u32) -> u32 { return x / ROW_VECTORS * ROW_STRIDE + x % ROW_VECTORS; }
#for r in range(TILE_LOADS)
// Puts load ${r} of a thread where the products read it; inline, its product dout * out where the
// sums read it.
fn put_${r}(lid: u32, qk: vec4f, vo: vec4f) {
#if THREADS * (r + 1) <= TILE_ROWS * ROW_VECTORS
  tile_qk[tile_place(lid + THREADS * ${r}u)] = qk;
  tile_vo[tile_place(lid + THREADS * ${r}u)] = vo;
#else
  if (lid < TILE_VECTORS - THREADS * ${r}u) {
    tile_qk[tile_place(lid + THREADS * ${r}u)] = qk;
    tile_vo[tile_place(lid + THREADS * ${r}u)] = vo;
  }
#end
}
#if inline_delta
fn put_product_${r}(lid: u32, x: f32) {
#if THREADS * (r + 1) <= TILE_ROWS * ROW_VECTORS
  partial[product_place(lid + THREADS * ${r}u)] = x;
#else
  if (lid < TILE_VECTORS - THREADS * ${r}u) { partial[product_place(lid + THREADS * ${r}u)] = x; }
#end
}
#end
#end
#end

// (log-sum-exp in units of log 2, delta) of query t of head z; beyond the last one no probability.
// delta is 0 where it is computed inline.
fn statistics_of(z: u32, t: u32) -> vec2f {
  if (t >= P.T) { return vec2f(3.0e38, 0.0); }
#if inline_delta
  return vec2f(lse[P.lse + z * P.T + t] * LOG2E, 0.0);
#else
  return statistics[P.statistics + z * P.T + t];
#end
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
  let group = group_index(wid, nwg);
  let of_keys = P.B * P.G * ((P.S + (BLOCK_ROWS - 1u)) / BLOCK_ROWS);
  let of_queries = P.B * P.H * ((P.T + (BLOCK_ROWS - 1u)) / BLOCK_ROWS);
  if (group < of_keys) {
    gradient_of_keys(group, lid);
  } else if (group < of_keys + of_queries) {
    gradient_of_queries(group - of_keys, lid);
  }
}
