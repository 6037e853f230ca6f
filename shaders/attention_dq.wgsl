// dq of a block of queries, for `#include attention_dq` (attention_backward.wgsl): a walk over the
// keys. Tiles are of keys (tile_qk: k, tile_vo: v), the block is of queries (block_qk: q, block_vo:
// dout).
fn gradient_of_queries(group: u32, lid: u32) {
  let heads = P.B * P.H;
  let blocks = (P.T + (BLOCK_ROWS - 1u)) / BLOCK_ROWS;
  let first = (blocks - 1u - group / heads) * BLOCK_ROWS;  // the blocks that see most keys go first
  let b = group % heads / P.H;
  let head = group % heads % P.H;
  let g = head * P.G / P.H;
  let keys = select(P.S, min(P.S, first + BLOCK_ROWS), P.causal != 0u);
  let steps = (keys + (TILE_ROWS - 1u)) / TILE_ROWS;
  let q_rows = Rows(P.q + b * P.q_b + head * P.q_h, P.T);
  let dout_rows = Rows(P.dout + b * P.dout_b + head * P.dout_h, P.T);
  let k_rows = Rows(P.k + b * P.k_b + g * P.k_h, keys);
  let v_rows = Rows(P.v + b * P.v_b + g * P.v_h, keys);
  let tx = lid % TX;
  let ty = lid / TX;
  let ox = lid % OX;
  let oy = lid / OX;
  let scale = P.scale * LOG2E;
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
#for i in range(OUT_ROWS)
#for c in range(OUT_VECTORS)
  var dq_${i}_${c} = vec4f();
#end
#end
#if staged
  for (var x = lid; x < block_vectors; x += THREADS) {
    let place = x / ROW_VECTORS * ROW_STRIDE + x % ROW_VECTORS;
    let t = first + x / ROW_VECTORS;
    block_qk[place] = row_q(q_rows, t, x % ROW_VECTORS);
    let dout_vector = row_dout(dout_rows, t, x % ROW_VECTORS);
    block_vo[place] = dout_vector;
#if inline_delta
    partial[place] = dot4(
        dout_vector, row_out(Rows(P.out + b * P.out_b + head * P.out_h, P.T), t, x % ROW_VECTORS), 0.0);
#end
  }
#end
#for i in range(SCORE_ROWS)
  var statistics_${i} = statistics_of(b * P.H + head, first + ty + TY * ${i}u);
  let seen_${i} = select(P.S, min(P.S, first + ty + ${TY * i + 1}u), P.causal != 0u);
#end
#if inline_delta
  workgroupBarrier();
#for i in range(SCORE_ROWS)
#for c in range(HEAD_VECTORS)
  statistics_${i}.y += partial[(ty + TY * ${i}u) * ROW_STRIDE + ${c}u];
#end
#end
#end

  // One step more than there are tiles: a step fetches tile `step` and works on the one before.
  var j = 0u;
  for (var step = 0u; step <= steps; step++) {
    let next_j = step * TILE_ROWS;
#if prefetch
#for r in range(TILE_LOADS)
    var next_k_${r} = vec4f();
    var next_v_${r} = vec4f();
#end
    if (step < steps) {
#for r in range(TILE_LOADS)
      next_k_${r} = fetch_k(k_rows, next_j, lid + THREADS * ${r}u);
      next_v_${r} = fetch_v(v_rows, next_j, lid + THREADS * ${r}u);
#end
    }
#end

    // dS.
    if (step > 0u) {
#for i in range(SCORE_ROWS)
      var s_${i} = vec4f();
      var dp_${i} = vec4f();
#end
      for (var d = 0u; d < head_vectors; d += ${UNROLL}u) {
#for u in range(UNROLL)
#for i in range(SCORE_ROWS)
#if staged
        let q_${i}_${u} = block_qk[(ty + TY * ${i}u) * ROW_STRIDE + d + ${u}u];
        let dout_${i}_${u} = block_vo[(ty + TY * ${i}u) * ROW_STRIDE + d + ${u}u];
#else
        let q_${i}_${u} = row_q(q_rows, first + ty + TY * ${i}u, d + ${u}u);
        let dout_${i}_${u} = row_dout(dout_rows, first + ty + TY * ${i}u, d + ${u}u);
#end
#end
#for e, x in enumerate("xyzw")
        {
#if staged
          let k_vector = tile_qk[(tx + TX * ${e}u) * ROW_STRIDE + d + ${u}u];
          let v_vector = tile_vo[(tx + TX * ${e}u) * ROW_STRIDE + d + ${u}u];
#else
          let k_vector = row_k(k_rows, j + 4u * tx + ${e}u, d + ${u}u);
          let v_vector = row_v(v_rows, j + 4u * tx + ${e}u, d + ${u}u);
#end
#for i in range(SCORE_ROWS)
          s_${i}.${x} = dot4(q_${i}_${u}, k_vector, s_${i}.${x});
          dp_${i}.${x} = dot4(dout_${i}_${u}, v_vector, dp_${i}.${x});
#end
        }
#end
#end
      }
      let column = vec4u(j + 4u * tx) + vec4u(0u, 1u, 2u, 3u);
#for i in range(SCORE_ROWS)
      {
        let p = select(vec4f(), exp2(fma(s_${i}, vec4f(scale), vec4f(-statistics_${i}.x))), column < vec4u(seen_${i}));
        ds_block[(ty + TY * ${i}u) * (TX + 1u) + tx] = p * (dp_${i} - vec4f(statistics_${i}.y));
      }
#end
    }
    workgroupBarrier();

    // dq += dS k.
    if (step > 0u) {
      for (var quad = 0u; quad < tile_quads; quad++) {
#for i in range(OUT_ROWS)
        let ds_${i} = ds_block[(oy + OY * ${i}u) * (TX + 1u) + quad];
#end
#for e, x in enumerate("xyzw")
#for c in range(OUT_VECTORS)
        {
#if staged
          let k_vector = tile_qk[(quad + TX * ${e}u) * ROW_STRIDE + ox + OX * ${c}u];
#else
          let k_vector = row_k(k_rows, j + 4u * quad + ${e}u, ox + OX * ${c}u);
#end
#for i in range(OUT_ROWS)
          dq_${i}_${c} = fma(vec4f(ds_${i}.${x}), k_vector, dq_${i}_${c});
#end
        }
#end
#end
      }
    }
    workgroupBarrier();

    // The next tile into workgroup memory.
#if prefetch
#for r in range(TILE_LOADS)
    put_${r}(lid, next_k_${r}, next_v_${r});
#end
#elif staged
    if (step < steps) {
      for (var x = lid; x < TILE_VECTORS; x += THREADS) {
        tile_qk[tile_place(x)] = fetch_k(k_rows, next_j, x);
        tile_vo[tile_place(x)] = fetch_v(v_rows, next_j, x);
      }
    }
#end
    workgroupBarrier();
    j = next_j;
  }

#for i in range(OUT_ROWS)
  {
    let t = first + oy + OY * ${i}u;
    if (t < P.T) {
#for c in range(OUT_VECTORS)
      if (ox + OX * ${c}u < HEAD_VECTORS) {
        store_dq(P.dq + b * P.dq_b + t * P.dq_t + head * P.dq_h, ox + OX * ${c}u, P.scale * dq_${i}_${c});
      }
#end
    }
  }
#end
}
