// dk and dv of a block of keys, for `#include attention_dkdv` (attention_backward.wgsl): a walk
// over the queries of all heads that share the key head. Tiles are of queries (tile_qk: q, tile_vo:
// dout), the block is of keys (block_qk: k, block_vo: v).
fn gradient_of_keys(group: u32, lid: u32) {
  let heads = P.B * P.G;
  let first = group / heads * BLOCK_ROWS;  // the blocks that most queries see go first
  let b = group % heads / P.G;
  let g = group % heads % P.G;
  let head = (g * P.H + P.G - 1u) / P.G;  // the query heads from `head` to `end_head` share this key head
  let end_head = ((g + 1u) * P.H + P.G - 1u) / P.G;
  let begin = select(0u, first / TILE_ROWS * TILE_ROWS, P.causal != 0u);  // earlier queries see none of these keys
  let steps = select(0u, (P.T - begin + (TILE_ROWS - 1u)) / TILE_ROWS, begin < P.T);  // tiles of a head
  let all_steps = steps * (end_head - head);
  let k_rows = Rows(P.k + b * P.k_b + g * P.k_h, P.S);
  let v_rows = Rows(P.v + b * P.v_b + g * P.v_h, P.S);
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
  var dk_${i}_${c} = vec4f();
  var dv_${i}_${c} = vec4f();
#end
#end
#if staged
  for (var x = lid; x < block_vectors; x += THREADS) {
    let place = x / ROW_VECTORS * ROW_STRIDE + x % ROW_VECTORS;
    block_qk[place] = row_k(k_rows, first + x / ROW_VECTORS, x % ROW_VECTORS);
    block_vo[place] = row_v(v_rows, first + x / ROW_VECTORS, x % ROW_VECTORS);
  }
#end

  // One step more than there are tiles: a step fetches tile `step` and works on the one before.
  var j = 0u;
  var q_rows = Rows(0u, P.T);
  var dout_rows = Rows(0u, P.T);
  for (var step = 0u; step <= all_steps; step++) {
    let of_head = select(0u, step / max(steps, 1u), step < all_steps);
    let next_j = begin + (step - of_head * steps) * TILE_ROWS;
    let next_q_rows = Rows(P.q + b * P.q_b + head * P.q_h + of_head * P.q_h, P.T);
    let next_dout_rows = Rows(P.dout + b * P.dout_b + head * P.dout_h + of_head * P.dout_h, P.T);
#if inline_delta
    let next_out_rows = Rows(P.out + b * P.out_b + (head + of_head) * P.out_h, P.T);
#end
#if prefetch
#for r in range(TILE_LOADS)
    var next_q_${r} = vec4f();
    var next_dout_${r} = vec4f();
#if inline_delta
    var next_out_${r} = vec4f();
#end
#end
    if (step < all_steps) {
#for r in range(TILE_LOADS)
      next_q_${r} = fetch_q(next_q_rows, next_j, lid + THREADS * ${r}u);
      next_dout_${r} = fetch_dout(next_dout_rows, next_j, lid + THREADS * ${r}u);
#if inline_delta
      next_out_${r} = fetch_out(next_out_rows, next_j, lid + THREADS * ${r}u);
#end
#end
    }
#end
    var next_statistics = vec2f();
    if (step < all_steps && lid < TILE_ROWS) {
      next_statistics = statistics_of(b * P.H + head + of_head, next_j + lid);
    }

    // P and dS.
    if (step > 0u) {
#for i in range(SCORE_ROWS)
      var s_${i} = vec4f();
      var dp_${i} = vec4f();
#end
      for (var d = 0u; d < head_vectors; d += ${UNROLL}u) {
#for u in range(UNROLL)
#for i in range(SCORE_ROWS)
#if staged
        let k_${i}_${u} = block_qk[(ty + TY * ${i}u) * ROW_STRIDE + d + ${u}u];
        let v_${i}_${u} = block_vo[(ty + TY * ${i}u) * ROW_STRIDE + d + ${u}u];
#else
        let k_${i}_${u} = row_k(k_rows, first + ty + TY * ${i}u, d + ${u}u);
        let v_${i}_${u} = row_v(v_rows, first + ty + TY * ${i}u, d + ${u}u);
#end
#end
#for e, x in enumerate("xyzw")
        {
#if staged
          let q_vector = tile_qk[(tx + TX * ${e}u) * ROW_STRIDE + d + ${u}u];
          let dout_vector = tile_vo[(tx + TX * ${e}u) * ROW_STRIDE + d + ${u}u];
#else
          let q_vector = row_q(q_rows, j + 4u * tx + ${e}u, d + ${u}u);
          let dout_vector = row_dout(dout_rows, j + 4u * tx + ${e}u, d + ${u}u);
#end
#for i in range(SCORE_ROWS)
          s_${i}.${x} = dot4(k_${i}_${u}, q_vector, s_${i}.${x});
          dp_${i}.${x} = dot4(v_${i}_${u}, dout_vector, dp_${i}.${x});
#end
        }
#end
#end
      }
      let column = vec4u(j + 4u * tx) + vec4u(0u, 1u, 2u, 3u);
      let quad_lse = vec4f(${", ".join("column_lse[4u * tx + %du]" % e for e in range(4))});
      let quad_delta = vec4f(${", ".join("column_delta[4u * tx + %du]" % e for e in range(4))});
#for i in range(SCORE_ROWS)
      {
        let at = (ty + TY * ${i}u) * (TX + 1u) + tx;
        let seen = column >= vec4u(P.causal * (first + ty + TY * ${i}u));
        let p = select(vec4f(), exp2(fma(s_${i}, vec4f(scale), -quad_lse)), seen);
        p_block[at] = p;
        ds_block[at] = p * (dp_${i} - quad_delta);
      }
#end
    }
    workgroupBarrier();

#if inline_delta
#for r in range(TILE_LOADS)
    put_product_${r}(lid, dot4(next_dout_${r}, next_out_${r}, 0.0));
#end
#end
    // dk += dS^T q, dv += P^T dout.
    if (step > 0u) {
      for (var quad = 0u; quad < tile_quads; quad++) {
#for i in range(OUT_ROWS)
        let ds_${i} = ds_block[(oy + OY * ${i}u) * (TX + 1u) + quad];
        let p_${i} = p_block[(oy + OY * ${i}u) * (TX + 1u) + quad];
#end
#for e, x in enumerate("xyzw")
#for c in range(OUT_VECTORS)
        {
#if staged
          let q_vector = tile_qk[(quad + TX * ${e}u) * ROW_STRIDE + ox + OX * ${c}u];
          let dout_vector = tile_vo[(quad + TX * ${e}u) * ROW_STRIDE + ox + OX * ${c}u];
#else
          let q_vector = row_q(q_rows, j + 4u * quad + ${e}u, ox + OX * ${c}u);
          let dout_vector = row_dout(dout_rows, j + 4u * quad + ${e}u, ox + OX * ${c}u);
#end
#for i in range(OUT_ROWS)
          dk_${i}_${c} = fma(vec4f(ds_${i}.${x}), q_vector, dk_${i}_${c});
          dv_${i}_${c} = fma(vec4f(p_${i}.${x}), dout_vector, dv_${i}_${c});
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
    put_${r}(lid, next_q_${r}, next_dout_${r});
#end
#elif staged
    if (step < all_steps) {
      for (var x = lid; x < TILE_VECTORS; x += THREADS) {
        tile_qk[tile_place(x)] = fetch_q(next_q_rows, next_j, x);
        tile_vo[tile_place(x)] = fetch_dout(next_dout_rows, next_j, x);
      }
    }
#end
    if (lid < TILE_ROWS) {
#if inline_delta
      var delta = 0.0;
#for c in range(HEAD_VECTORS)
      delta += partial[lid * ROW_STRIDE + ${c}u];
#end
      column_delta[lid] = delta;
#else
      column_delta[lid] = next_statistics.y;
#end
      column_lse[lid] = next_statistics.x;
    }
    workgroupBarrier();
    j = next_j;
    q_rows = next_q_rows;
    dout_rows = next_dout_rows;
  }

#for i in range(OUT_ROWS)
  {
    let t = first + oy + OY * ${i}u;
    if (t < P.S) {
#for c in range(OUT_VECTORS)
      if (ox + OX * ${c}u < HEAD_VECTORS) {
        store_dk(P.dk + b * P.dk_b + t * P.dk_t + g * P.dk_h, ox + OX * ${c}u, P.scale * dk_${i}_${c});
        store_dv(P.dv + b * P.dv_b + t * P.dv_t + g * P.dv_h, ox + OX * ${c}u, dv_${i}_${c});
      }
#end
    }
  }
#end
}
