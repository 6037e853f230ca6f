// Scaled dot-product attention, fused: out = softmax(scale q k^T, masked) v, with the online
// softmax over tiles of keys.
//
// In: q [B, T, H, D], k and v [B, S, G, D], at any strides of batch, time and head; H / G query
// heads share a key head. With `causal`, query t sees the keys up to t. Out: out, as q; lse [B, H,
// T], the log-sum-exp of each query's scores. A workgroup has a block of BLOCK_ROWS queries of a
// head. attention_tile.wgsl describes how its threads share the work.

//! shader forward
//! buffers out:w:${E} lse:w:f32 q:r:${E} k:r:${E} v:r:${E}
//! params B:u32 H:u32 G:u32 T:u32 S:u32 q_b:u32 q_t:u32 q_h:u32 k_b:u32 k_t:u32 k_h:u32 v_b:u32 v_t:u32 v_h:u32
//! params out_b:u32 out_t:u32 out_h:u32 causal:u32 scale:f32
//! params ${"head_vectors:u32 tile_quads:u32 block_vectors:u32" if rolled else ""}
#include attention_tile
const LN2 = 0.693147181;

var<workgroup> probability: array<vec4f, BLOCK_ROWS * (TX + 1u)>;
var<workgroup> partial: array<f32, BLOCK_ROWS * TX>;  // of each row, by tx: maxima, at the end sums
var<workgroup> rescale: array<f32, BLOCK_ROWS>;
#if staged
var<workgroup> block: array<vec4f, BLOCK_ROWS * ROW_STRIDE>;  // queries, scaled
var<workgroup> tile: array<vec4f, TILE_ROWS * ROW_STRIDE>;  // keys, then values
#end

// Vector c of query t, scaled so that scores are in units of log 2, for exp2.
fn scaled_q(rows: Rows, t: u32, c: u32) -> vec4f { return (P.scale * LOG2E) * row_q(rows, t, c); }
#if prefetch
#for r in range(TILE_LOADS)
// Puts load ${r} of a thread where the products read it.
fn put_${r}(lid: u32, x: vec4f) {
#if THREADS * (r + 1) <= TILE_ROWS * ROW_VECTORS
  tile[tile_place(lid + THREADS * ${r}u)] = x;
#else
  if (lid < TILE_VECTORS - THREADS * ${r}u) { tile[tile_place(lid + THREADS * ${r}u)] = x; }
#end
}
#end
#end

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
  let group = group_index(wid, nwg);
  let heads = P.B * P.H;
  let blocks = (P.T + (BLOCK_ROWS - 1u)) / BLOCK_ROWS;
  if (group >= heads * blocks) { return; }
  let first = (blocks - 1u - group / heads) * BLOCK_ROWS;  // the blocks that see most keys go first
  let z = group % heads;
  let b = z / P.H;
  let h = z % P.H;
  let g = h * P.G / P.H;
  let q_rows = Rows(P.q + b * P.q_b + h * P.q_h, P.T);
  let k_rows = Rows(P.k + b * P.k_b + g * P.k_h, P.S);
  let v_rows = Rows(P.v + b * P.v_b + g * P.v_h, P.S);
  let tx = lid % TX;
  let ty = lid / TX;
  let ox = lid % OX;
  let oy = lid / OX;
  // The lengths of the inner loops.
#if rolled
  let head_vectors = P.head_vectors;
  let tile_quads = P.tile_quads;
  let block_vectors = P.block_vectors;
#else
  const head_vectors = HEAD_VECTORS;
  const tile_quads = TX;
  const block_vectors = BLOCK_ROWS * ROW_VECTORS;
#end
  let causal = P.causal != 0u;
  let keys = select(P.S, min(P.S, first + BLOCK_ROWS), causal);
  let seen_by_all = select(P.S, min(P.S, first + 1u), causal);  // keys
#for i in range(SCORE_ROWS)
  let seen_${i} = select(P.S, min(P.S, first + ty + ${TY * i + 1}u), causal);
  var top_${i} = -3.0e38;  // finite: a score of minus infinity must not become NaN
  var sum_${i} = 0.0;
#end
#for i in range(OUT_ROWS)
#for c in range(OUT_VECTORS)
  var out_${i}_${c} = vec4f();
#end
#end

#if staged
  for (var x = lid; x < block_vectors; x += THREADS) {
    block[x / ROW_VECTORS * ROW_STRIDE + x % ROW_VECTORS] = scaled_q(q_rows, first + x / ROW_VECTORS, x % ROW_VECTORS);
  }
#end
#if prefetch
#for r in range(TILE_LOADS)
  var next_${r} = fetch_k(k_rows, 0u, lid + THREADS * ${r}u);
#end
#end
  for (var j = 0u; j < keys; j += TILE_ROWS) {
    // Keys into workgroup memory; values on their way.
#if prefetch
#for r in range(TILE_LOADS)
    put_${r}(lid, next_${r});
#end
#elif staged
    for (var x = lid; x < TILE_VECTORS; x += THREADS) { tile[tile_place(x)] = fetch_k(k_rows, j, x); }
#end
    workgroupBarrier();
#if prefetch
#for r in range(TILE_LOADS)
    next_${r} = fetch_v(v_rows, j, lid + THREADS * ${r}u);
#end
#end

    // Scores.
#for i in range(SCORE_ROWS)
    var s_${i} = vec4f();
#end
    for (var d = 0u; d < head_vectors; d += ${UNROLL}u) {
#for u in range(UNROLL)
#for i in range(SCORE_ROWS)
#if staged
      let q_${i}_${u} = block[(ty + TY * ${i}u) * ROW_STRIDE + d + ${u}u];
#else
      let q_${i}_${u} = scaled_q(q_rows, first + ty + TY * ${i}u, d + ${u}u);
#end
#end
#for e, x in enumerate("xyzw")
      {
#if staged
        let key = tile[(tx + TX * ${e}u) * ROW_STRIDE + d + ${u}u];
#else
        let key = row_k(k_rows, j + 4u * tx + ${e}u, d + ${u}u);
#end
#for i in range(SCORE_ROWS)
        s_${i}.${x} = dot4(q_${i}_${u}, key, s_${i}.${x});
#end
      }
#end
#end
    }
    if (j + TILE_ROWS > seen_by_all) {
      let column = vec4u(j + 4u * tx) + vec4u(0u, 1u, 2u, 3u);
#for i in range(SCORE_ROWS)
      s_${i} = select(vec4f(-inf()), s_${i}, column < vec4u(seen_${i}));
#end
    }
#for i in range(SCORE_ROWS)
    partial[(ty + TY * ${i}u) * TX + tx] = max(max(s_${i}.x, s_${i}.y), max(s_${i}.z, s_${i}.w));
#end
    workgroupBarrier();

    // Values into workgroup memory; the next keys on their way.
#if prefetch
#for r in range(TILE_LOADS)
    put_${r}(lid, next_${r});
#end
#for r in range(TILE_LOADS)
    next_${r} = fetch_k(k_rows, j + TILE_ROWS, lid + THREADS * ${r}u);
#end
#elif staged
    for (var x = lid; x < TILE_VECTORS; x += THREADS) { tile[tile_place(x)] = fetch_v(v_rows, j, x); }
#end

    // Probabilities relative to the largest score so far, and what the sums of before are worth
    // beside them.
#for i in range(SCORE_ROWS)
    {
      let row = ty + TY * ${i}u;
      var top = top_${i};
#for x in range(TX)
      top = max(top, partial[row * TX + ${x}u]);
#end
      let p = exp2(s_${i} - vec4f(top));
      let down = exp2(top_${i} - top);
      sum_${i} = fma(sum_${i}, down, (p.x + p.y) + (p.z + p.w));
      top_${i} = top;
      probability[row * (TX + 1u) + tx] = p;
      if (tx == 0u) { rescale[row] = down; }
    }
#end
    workgroupBarrier();

    // Their product with the values.
#for i in range(OUT_ROWS)
    {
      let down = vec4f(rescale[oy + OY * ${i}u]);
#for c in range(OUT_VECTORS)
      out_${i}_${c} *= down;
#end
    }
#end
    for (var quad = 0u; quad < tile_quads; quad++) {
#for i in range(OUT_ROWS)
      let p_${i} = probability[(oy + OY * ${i}u) * (TX + 1u) + quad];
#end
#for e, x in enumerate("xyzw")
#for c in range(OUT_VECTORS)
      {
#if staged
        let value = tile[(quad + TX * ${e}u) * ROW_STRIDE + ox + OX * ${c}u];
#else
        let value = row_v(v_rows, j + 4u * quad + ${e}u, ox + OX * ${c}u);
#end
#for i in range(OUT_ROWS)
        out_${i}_${c} = fma(vec4f(p_${i}.${x}), value, out_${i}_${c});
#end
      }
#end
#end
    }
    workgroupBarrier();
  }

#for i in range(SCORE_ROWS)
  partial[(ty + TY * ${i}u) * TX + tx] = sum_${i};
#end
  workgroupBarrier();
#for i in range(SCORE_ROWS)
  if (tx == 0u && first + ty + TY * ${i}u < P.T) {
    var sum = 0.0;
#for x in range(TX)
    sum += partial[(ty + TY * ${i}u) * TX + ${x}u];
#end
    // A query whose scores are all -inf has the output 0. Its lse makes the backward's
    // probabilities 0.
    lse[P.lse + z * P.T + first + ty + TY * ${i}u] = select((top_${i} + log2(sum)) * LN2, inf(), sum == 0.0);
  }
#end
#for i in range(OUT_ROWS)
  if (first + oy + OY * ${i}u < P.T) {
    var sum = 0.0;
#for x in range(TX)
    sum += partial[(oy + OY * ${i}u) * TX + ${x}u];
#end
    let inverse = select(1.0 / sum, 0.0, sum == 0.0);
    let at = P.out + b * P.out_b + (first + oy + OY * ${i}u) * P.out_t + h * P.out_h;
#for c in range(OUT_VECTORS)
    if (ox + OX * ${c}u < HEAD_VECTORS) { store_out(at, ox + OX * ${c}u, inverse * out_${i}_${c}); }
#end
  }
#end
}
