// Scaled dot-product attention: the fused forward, its backward, one query over a key/value cache, appending to that cache.
//
// Blocking of forward and backward (Dao 2023, flash attention 2; no T x S matrix exists). A workgroup of TX * TY threads owns a block of
// ROWS = RQ * TY rows (queries; for dk and dv, keys) and walks over tiles of COLUMNS = 4 * TX of the other side. Both lie in workgroup
// memory as vec4 rows, LD = an odd number of vec4 apart, so that 8 neighbouring rows fall into different banks. Scores: thread (ty, tx)
// has rows ty + TY*i (i < RQ) and the four neighbouring columns 4*tx..4*tx+3, a vec4 for each row; to keep these reads free of bank
// conflicts, row r of a tile lies in slot r/4 + TX*(r%4). A shared vec4 read costs four cycles of the multiprocessor's one load pipe,
// during which it could do 16 warp-wide multiply-adds: RQ = 4 makes 64 of them from 8 reads (one query a thread, the textbook form, makes 4
// from 1). A smaller RQ means more threads for the same work, which hides more latency where a problem has few blocks: `forward_tile` and
// `backward_tile` of the plan choose. Products with the probabilities P: the same threads, seen as OY x OX, have rows oy + OY*i and the vectors
// ox + OX*c of the head; P goes through workgroup memory as a vec4 of four columns. The next tile is on its way in registers meanwhile
// (`prefetch`, where it is few registers). Without `staged` (very large heads) rows are read from memory where they are used.
//
// Row maxima go through workgroup memory, not subgroups: 8 lanes would have to be neighbours in a subgroup, which not every GPU promises.
// A processor that plays a GPU unrolls every loop whose length is in the text and then compiles for a minute: for such an adapter
// (`rolled`) the lengths of the inner loops are parameters.
// Every sum has one order, whatever the scheduling.
const LOG2E = 1.44269504;
const LN2 = 0.693147181;

#for name, access in rows_of or ()
// Vector c of the row at time t, of n rows that begin at `base`; zero outside of them and beyond the head.
fn read_${name}(base: u32, t: u32, n: u32, c: u32) -> vec4f {
  if (t >= n || c >= ${D4}u) { return vec4f(); }
  let at = base + t * P.${access}_t;
#if vec
  return ${name}[at + c];
#else
  let d = 4u * c;
  var x = vec4f(${name}[at + d], 0.0, 0.0, 0.0);
  if (d + 1u < ${D}u) { x.y = ${name}[at + d + 1u]; }
  if (d + 2u < ${D}u) { x.z = ${name}[at + d + 2u]; }
  if (d + 3u < ${D}u) { x.w = ${name}[at + d + 3u]; }
  return x;
#end
}
#end
#for name in written or ()
// Vector c of the row that begins at `at`.
fn write_${name}(at: u32, c: u32, x: vec4f) {
#if vec
  ${name}[at + c] = x;
#else
  let d = 4u * c;
  ${name}[at + d] = x.x;
  if (d + 1u < ${D}u) { ${name}[at + d + 1u] = x.y; }
  if (d + 2u < ${D}u) { ${name}[at + d + 2u] = x.z; }
  if (d + 3u < ${D}u) { ${name}[at + d + 3u] = x.w; }
#end
}
#end
fn dot4(a: vec4f, b: vec4f, s: f32) -> f32 { return fma(a.w, b.w, fma(a.z, b.z, fma(a.y, b.y, fma(a.x, b.x, s)))); }
#if W4
// A tile's vectors x < COLUMNS * W4 in the order in which threads load them: row, vector of the row, place in workgroup memory.
fn tile_row(x: u32) -> u32 { return x / ${W4}u; }
fn tile_vector(x: u32) -> u32 { return x % ${W4}u; }
fn tile_place(x: u32) -> u32 {
  let row = x / ${W4}u;
  return (row / 4u + ${TX}u * (row % 4u)) * ${LD}u + x % ${W4}u;
}
#end

//! shader forward
//! buffers out:w:${E} lse:w:f32 q:r:${E} k:r:${E} v:r:${E}
//! params B:u32 H:u32 G:u32 T:u32 S:u32 q_b:u32 q_t:u32 q_h:u32 k_b:u32 k_t:u32 k_h:u32 v_b:u32 v_t:u32 v_h:u32 o_b:u32 o_t:u32 o_h:u32 causal:u32 scale:f32 ${'vectors:u32 quarters:u32 row_vectors:u32' if rolled else ''}
var<workgroup> probability: array<vec4f, ${ROWS * (TX + 1)}>;
var<workgroup> partial: array<f32, ${ROWS * TX}>;  // of each row, by tx: maxima, at the end sums
var<workgroup> rescale: array<f32, ${ROWS}>;
#if staged
var<workgroup> rows: array<vec4f, ${ROWS * LD}>;  // queries, scaled
var<workgroup> tile: array<vec4f, ${COLUMNS * LD}>;  // keys, then values
#end

@compute @workgroup_size(${NT})
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lid: u32) {
  let group = group_index(wid, nwg);
  let heads = P.B * P.H;
  let blocks = (P.T + ${ROWS - 1}u) / ${ROWS}u;
  if (group >= heads * blocks) { return; }
  let first = (blocks - 1u - group / heads) * ${ROWS}u;  // the blocks that see most keys go first
  let z = group % heads;
  let b = z / P.H;
  let h = z % P.H;
  let g = h * P.G / P.H;
  let q_at = P.q + b * P.q_b + h * P.q_h;
  let k_at = P.k + b * P.k_b + g * P.k_h;
  let v_at = P.v + b * P.v_b + g * P.v_h;
  let tx = lid % ${TX}u;
  let ty = lid / ${TX}u;
  let ox = lid % ${OX}u;
  let oy = lid / ${OX}u;
  let scale = P.scale * LOG2E;  // scores in units of log 2, for exp2
  let keys = select(P.S, min(P.S, first + ${ROWS}u), P.causal != 0u);
  let open = select(P.S, min(P.S, first + 1u), P.causal != 0u);  // keys that every row sees
#for i in range(RQ)
  let seen_${i} = select(P.S, min(P.S, first + ty + ${TY * i + 1}u), P.causal != 0u);
  var top_${i} = -3.0e38;  // finite: a score of minus infinity must not become NaN
  var sum_${i} = 0.0;
#end
#for i in range(RO)
#for c in range(DC)
  var o_${i}_${c} = vec4f();
#end
#end

#if staged
  for (var x = lid; x < ${"P.row_vectors" if rolled else str(ROWS * W4) + "u"}; x += ${NT}u) {
    rows[x / ${W4}u * ${LD}u + x % ${W4}u] = scale * read_q(q_at, first + x / ${W4}u, P.T, x % ${W4}u);
  }
#if prefetch
#for r in range(PK)
  var next_${r} = read_k(k_at, tile_row(lid + ${NT * r}u), P.S, tile_vector(lid + ${NT * r}u));
#end
#end
#end
  for (var j = 0u; j < keys; j += ${COLUMNS}u) {
#if prefetch
#for r in range(PK)
#if NT * (r + 1) <= COLUMNS * W4
    tile[tile_place(lid + ${NT * r}u)] = next_${r};
#else
    if (lid < ${COLUMNS * W4 - NT * r}u) { tile[tile_place(lid + ${NT * r}u)] = next_${r}; }
#end
#end
#elif staged
    for (var x = lid; x < ${COLUMNS * W4}u; x += ${NT}u) { tile[tile_place(x)] = read_k(k_at, j + tile_row(x), P.S, tile_vector(x)); }
#end
    workgroupBarrier();
#if prefetch
#for r in range(PK)
    next_${r} = read_v(v_at, j + tile_row(lid + ${NT * r}u), P.S, tile_vector(lid + ${NT * r}u));
#end
#end
#for i in range(RQ)
    var s_${i} = vec4f();
#end
    for (var d = 0u; d < ${"P.vectors" if rolled else str(D4) + "u"}; d += ${UD}u) {
#for u in range(UD)
#for i in range(RQ)
#if staged
      let q_${i}_${u} = rows[(ty + ${TY * i}u) * ${LD}u + d + ${u}u];
#else
      let q_${i}_${u} = scale * read_q(q_at, first + ty + ${TY * i}u, P.T, d + ${u}u);
#end
#end
#for e in range(4)
      {
#if staged
        let k_row = tile[(tx + ${TX * e}u) * ${LD}u + d + ${u}u];
#else
        let k_row = read_k(k_at, j + 4u * tx + ${e}u, P.S, d + ${u}u);
#end
#for i in range(RQ)
        s_${i}.${"xyzw"[e]} = dot4(q_${i}_${u}, k_row, s_${i}.${"xyzw"[e]});
#end
      }
#end
#end
    }
    if (j + ${COLUMNS}u > open) {
      let column = vec4u(j + 4u * tx) + vec4u(0u, 1u, 2u, 3u);
#for i in range(RQ)
      s_${i} = select(vec4f(-inf()), s_${i}, column < vec4u(seen_${i}));
#end
    }
#for i in range(RQ)
    partial[(ty + ${TY * i}u) * ${TX}u + tx] = max(max(s_${i}.x, s_${i}.y), max(s_${i}.z, s_${i}.w));
#end
    workgroupBarrier();
#if prefetch
#for r in range(PK)
#if NT * (r + 1) <= COLUMNS * W4
    tile[tile_place(lid + ${NT * r}u)] = next_${r};
#else
    if (lid < ${COLUMNS * W4 - NT * r}u) { tile[tile_place(lid + ${NT * r}u)] = next_${r}; }
#end
#end
#for r in range(PK)
    next_${r} = read_k(k_at, j + ${COLUMNS}u + tile_row(lid + ${NT * r}u), P.S, tile_vector(lid + ${NT * r}u));
#end
#elif staged
    for (var x = lid; x < ${COLUMNS * W4}u; x += ${NT}u) { tile[tile_place(x)] = read_v(v_at, j + tile_row(x), P.S, tile_vector(x)); }
#end
#for i in range(RQ)
    {
      let row = ty + ${TY * i}u;
      var top = top_${i};
#for x in range(TX)
      top = max(top, partial[row * ${TX}u + ${x}u]);
#end
      let p = exp2(s_${i} - vec4f(top));
      let down = exp2(top_${i} - top);
      sum_${i} = fma(sum_${i}, down, (p.x + p.y) + (p.z + p.w));
      top_${i} = top;
      probability[row * ${TX + 1}u + tx] = p;
      if (tx == 0u) { rescale[row] = down; }
    }
#end
    workgroupBarrier();
#for i in range(RO)
    {
      let down = vec4f(rescale[oy + ${OY * i}u]);
#for c in range(DC)
      o_${i}_${c} *= down;
#end
    }
#end
    for (var x = 0u; x < ${"P.quarters" if rolled else str(TX) + "u"}; x++) {
#for i in range(RO)
      let p_${i} = probability[(oy + ${OY * i}u) * ${TX + 1}u + x];
#end
#for e in range(4)
#for c in range(DC)
      {
#if staged
        let v_row = tile[(x + ${TX * e}u) * ${LD}u + ox + ${OX * c}u];
#else
        let v_row = read_v(v_at, j + 4u * x + ${e}u, P.S, ox + ${OX * c}u);
#end
#for i in range(RO)
        o_${i}_${c} = fma(vec4f(p_${i}.${"xyzw"[e]}), v_row, o_${i}_${c});
#end
      }
#end
#end
    }
    workgroupBarrier();
  }

#for i in range(RQ)
  partial[(ty + ${TY * i}u) * ${TX}u + tx] = sum_${i};
#end
  workgroupBarrier();
#for i in range(RQ)
  if (tx == 0u && first + ty + ${TY * i}u < P.T) {
    var sum = 0.0;
#for x in range(TX)
    sum += partial[(ty + ${TY * i}u) * ${TX}u + ${x}u];
#end
    lse[P.lse + z * P.T + first + ty + ${TY * i}u] = (top_${i} + log2(sum)) * LN2;
  }
#end
#for i in range(RO)
  if (first + oy + ${OY * i}u < P.T) {
    var sum = 0.0;
#for x in range(TX)
    sum += partial[(oy + ${OY * i}u) * ${TX}u + ${x}u];
#end
    let inverse = select(1.0 / sum, 0.0, P.S == 0u);
    let at = P.out + b * P.o_b + (first + oy + ${OY * i}u) * P.o_t + h * P.o_h;
#for c in range(DC)
    if (ox + ${OX * c}u < ${D4}u) { write_out(at, ox + ${OX * c}u, inverse * o_${i}_${c}); }
#end
  }
#end
}

// A query's log-sum-exp in units of log 2, and delta = sum_d dout * out: for the backward where it has too few bindings or registers.
//! shader row_statistics
//! buffers statistics:w:vec2<f32> dout:r:${E} out:r:${E} lse:r:f32
//! params B:u32 H:u32 T:u32 o_b:u32 o_t:u32 o_h:u32 do_b:u32 do_t:u32 do_h:u32
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lid: u32) {
  let i = group_index(wid, nwg) * 64u + lid;
  if (i >= P.B * P.T * P.H) { return; }
  let h = i % P.H;
  let t = i / P.H % P.T;
  let b = i / P.H / P.T;
  let to = (b * P.H + h) * P.T + t;
  let dout_at = P.dout + b * P.do_b + h * P.do_h;
  let out_at = P.out + b * P.o_b + h * P.o_h;
  var delta = 0.0;
  for (var c = 0u; c < ${D4}u; c++) { delta = dot4(read_dout(dout_at, t, P.T, c), read_out(out_at, t, P.T, c), delta); }
  statistics[P.statistics + to] = vec2f(lse[P.lse + to] * LOG2E, delta);
}

// dq, dk and dv in one dispatch, in two roles. Workgroups that own keys walk over the queries (dk = dS^T q, dv = P^T dout), those that own
// queries walk over the keys (dq = dS k); each recomputes P = exp2(scores - lse) and dS = P * (dout v^T - delta), so no sum crosses a
// workgroup. delta = sum_d dout * out of the queries is computed on the way (`inline`: 9 bindings), or read from row_statistics.
//! shader backward
//! buffers dq:w:${E} dk:w:${E} dv:w:${E} dout:r:${E} q:r:${E} k:r:${E} v:r:${E}
//! buffers ${"out:r:" + E + " lse:r:f32" if inline else "statistics:r:vec2<f32>"}
//! params B:u32 H:u32 G:u32 T:u32 S:u32 q_b:u32 q_t:u32 q_h:u32 k_b:u32 k_t:u32 k_h:u32 v_b:u32 v_t:u32 v_h:u32 o_b:u32 o_t:u32 o_h:u32
//! params do_b:u32 do_t:u32 do_h:u32 dq_b:u32 dq_t:u32 dq_h:u32 dk_b:u32 dk_t:u32 dk_h:u32 dv_b:u32 dv_t:u32 dv_h:u32 causal:u32 scale:f32 ${'vectors:u32 quarters:u32 row_vectors:u32' if rolled else ''}
#if staged
var<workgroup> rows_a: array<vec4f, ${ROWS * LD}>;
var<workgroup> rows_b: array<vec4f, ${ROWS * LD}>;
var<workgroup> tile_a: array<vec4f, ${COLUMNS * LD}>;
var<workgroup> tile_b: array<vec4f, ${COLUMNS * LD}>;
#end
var<workgroup> p_block: array<vec4f, ${ROWS * (TX + 1)}>;
var<workgroup> ds_block: array<vec4f, ${ROWS * (TX + 1)}>;
#if inline
var<workgroup> partial: array<f32, ${max(ROWS, COLUMNS) * LD}>;  // dout * out, by query and vector of the head
#end
var<workgroup> column_lse: array<f32, ${COLUMNS}>;
var<workgroup> column_delta: array<f32, ${COLUMNS}>;

// (log-sum-exp in units of log 2, delta) of query t of head z; beyond the last one no probability. delta is 0 where it is computed here.
fn statistics_of(z: u32, t: u32) -> vec2f {
  if (t >= P.T) { return vec2f(3.0e38, 0.0); }
#if inline
  return vec2f(lse[P.lse + z * P.T + t] * LOG2E, 0.0);
#else
  return statistics[P.statistics + z * P.T + t];
#end
}

// The rows are those that the workgroup owns, the columns those that it walks over: keys and queries, or queries and keys.
#for role, row_a, row_b, col_a, col_b in [("keys", "k", "v", "q", "dout"), ("queries", "q", "dout", "k", "v")]
fn gradient_of_${role}(group: u32, lid: u32) {
#if role == "keys"
  let heads = P.B * P.G;
  let first = group / heads * ${ROWS}u;  // the blocks that most queries see go first
  let b = group % heads / P.G;
  let g = group % heads % P.G;
  let n_rows = P.S;
  let n_columns = P.T;
  let head = (g * P.H + P.G - 1u) / P.G;  // the query heads from `head` to `end_head` share this key head
  let end_head = ((g + 1u) * P.H + P.G - 1u) / P.G;
  let begin = select(0u, first / ${COLUMNS}u * ${COLUMNS}u, P.causal != 0u);  // earlier queries see none of these keys
  let steps = select(0u, (P.T - begin + ${COLUMNS - 1}u) / ${COLUMNS}u, begin < P.T);  // tiles of a head
  let all_steps = steps * (end_head - head);
#else
  let heads = P.B * P.H;
  let blocks = (P.T + ${ROWS - 1}u) / ${ROWS}u;
  let first = (blocks - 1u - group / heads) * ${ROWS}u;  // the blocks that see most keys go first
  let b = group % heads / P.H;
  let head = group % heads % P.H;
  let g = head * P.G / P.H;
  let n_rows = P.T;
  let n_columns = select(P.S, min(P.S, first + ${ROWS}u), P.causal != 0u);
  let all_steps = (n_columns + ${COLUMNS - 1}u) / ${COLUMNS}u;
#end
  let q_at = P.q + b * P.q_b + head * P.q_h;
  let dout_at = P.dout + b * P.do_b + head * P.do_h;
  let k_at = P.k + b * P.k_b + g * P.k_h;
  let v_at = P.v + b * P.v_b + g * P.v_h;
  let tx = lid % ${TX}u;
  let ty = lid / ${TX}u;
  let ox = lid % ${OX}u;
  let oy = lid / ${OX}u;
  let scale = P.scale * LOG2E;
#for i in range(RO)
#for c in range(DC)
  var a_${i}_${c} = vec4f();
#if role == "keys"
  var b_${i}_${c} = vec4f();
#end
#end
#end
#if staged
  for (var x = lid; x < ${"P.row_vectors" if rolled else str(ROWS * W4) + "u"}; x += ${NT}u) {
    let to = x / ${W4}u * ${LD}u + x % ${W4}u;
    let t = first + x / ${W4}u;
    rows_a[to] = read_${row_a}(${row_a}_at, t, n_rows, x % ${W4}u);
    let row_b = read_${row_b}(${row_b}_at, t, n_rows, x % ${W4}u);
    rows_b[to] = row_b;
#if role == "queries" and inline
    partial[to] = dot4(row_b, read_out(P.out + b * P.o_b + head * P.o_h, t, P.T, x % ${W4}u), 0.0);
#end
  }
#end
#if role == "queries"
#for i in range(RQ)
  var row_${i} = statistics_of(b * P.H + head, first + ty + ${TY * i}u);
  let seen_${i} = select(P.S, min(P.S, first + ty + ${TY * i + 1}u), P.causal != 0u);
#end
#if inline
  workgroupBarrier();
#for i in range(RQ)
#for c in range(D4)
  row_${i}.y += partial[(ty + ${TY * i}u) * ${LD}u + ${c}u];
#end
#end
#end
#end

  // One turn more than there are tiles: a turn fetches tile `step` and works on the one before.
  var j = 0u;
  var at_a = 0u;
  var at_b = 0u;
  for (var step = 0u; step <= all_steps; step++) {
#if role == "keys"
    let of_head = select(0u, step / max(steps, 1u), step < all_steps);
    let next_j = begin + (step - of_head * steps) * ${COLUMNS}u;
    let next_at_a = q_at + of_head * P.q_h;
    let next_at_b = dout_at + of_head * P.do_h;
#else
    let next_j = step * ${COLUMNS}u;
    let next_at_a = k_at;
    let next_at_b = v_at;
#end
#if prefetch
#for r in range(PK)
    var next_a_${r} = vec4f();
    var next_b_${r} = vec4f();
#if inline and role == "keys"
    var next_out_${r} = vec4f();
#end
#end
    if (step < all_steps) {
#for r in range(PK)
      {
        let t = next_j + tile_row(lid + ${NT * r}u);
        let c = tile_vector(lid + ${NT * r}u);
        next_a_${r} = read_${col_a}(next_at_a, t, n_columns, c);
        next_b_${r} = read_${col_b}(next_at_b, t, n_columns, c);
#if inline and role == "keys"
        next_out_${r} = read_out(P.out + b * P.o_b + (head + of_head) * P.o_h, t, n_columns, c);
#end
      }
#end
    }
#end
#if role == "keys"
    var next_statistics = vec2f();
    if (step < all_steps && lid < ${COLUMNS}u) { next_statistics = statistics_of(b * P.H + head + of_head, next_j + lid); }
#end

    if (step > 0u) {
#for i in range(RQ)
      var s_${i} = vec4f();
      var t_${i} = vec4f();
#end
      for (var d = 0u; d < ${"P.vectors" if rolled else str(D4) + "u"}; d += ${UD}u) {
#for u in range(UD)
#for i in range(RQ)
#if staged
        let a_row_${i}_${u} = rows_a[(ty + ${TY * i}u) * ${LD}u + d + ${u}u];
        let b_row_${i}_${u} = rows_b[(ty + ${TY * i}u) * ${LD}u + d + ${u}u];
#else
        let a_row_${i}_${u} = read_${row_a}(${row_a}_at, first + ty + ${TY * i}u, n_rows, d + ${u}u);
        let b_row_${i}_${u} = read_${row_b}(${row_b}_at, first + ty + ${TY * i}u, n_rows, d + ${u}u);
#end
#end
#for e in range(4)
        {
#if staged
          let a = tile_a[(tx + ${TX * e}u) * ${LD}u + d + ${u}u];
          let b = tile_b[(tx + ${TX * e}u) * ${LD}u + d + ${u}u];
#else
          let a = read_${col_a}(at_a, j + 4u * tx + ${e}u, n_columns, d + ${u}u);
          let b = read_${col_b}(at_b, j + 4u * tx + ${e}u, n_columns, d + ${u}u);
#end
#for i in range(RQ)
          s_${i}.${"xyzw"[e]} = dot4(a_row_${i}_${u}, a, s_${i}.${"xyzw"[e]});
          t_${i}.${"xyzw"[e]} = dot4(b_row_${i}_${u}, b, t_${i}.${"xyzw"[e]});
#end
        }
#end
#end
      }
      let column = vec4u(j + 4u * tx) + vec4u(0u, 1u, 2u, 3u);
#if role == "keys"
      let of_columns = vec4f(column_lse[4u * tx], column_lse[4u * tx + 1u], column_lse[4u * tx + 2u], column_lse[4u * tx + 3u]);
      let delta = vec4f(column_delta[4u * tx], column_delta[4u * tx + 1u], column_delta[4u * tx + 2u], column_delta[4u * tx + 3u]);
#end
#for i in range(RQ)
      {
        let at = (ty + ${TY * i}u) * ${TX + 1}u + tx;
#if role == "keys"
        let p = select(vec4f(), exp2(fma(s_${i}, vec4f(scale), -of_columns)), column >= vec4u(P.causal * (first + ty + ${TY * i}u)));
        p_block[at] = p;
        ds_block[at] = p * (t_${i} - delta);
#else
        let p = select(vec4f(), exp2(fma(s_${i}, vec4f(scale), vec4f(-row_${i}.x))), column < vec4u(seen_${i}));
        ds_block[at] = p * (t_${i} - vec4f(row_${i}.y));
#end
      }
#end
    }
    workgroupBarrier();

#if inline and role == "keys"
#for r in range(PK)
#if NT * (r + 1) <= COLUMNS * W4
    partial[tile_row(lid + ${NT * r}u) * ${LD}u + tile_vector(lid + ${NT * r}u)] = dot4(next_b_${r}, next_out_${r}, 0.0);
#else
    if (lid < ${COLUMNS * W4 - NT * r}u) {
      partial[tile_row(lid + ${NT * r}u) * ${LD}u + tile_vector(lid + ${NT * r}u)] = dot4(next_b_${r}, next_out_${r}, 0.0);
    }
#end
#end
#end
    if (step > 0u) {
      for (var x = 0u; x < ${"P.quarters" if rolled else str(TX) + "u"}; x++) {
#for i in range(RO)
        let ds_${i} = ds_block[(oy + ${OY * i}u) * ${TX + 1}u + x];
#if role == "keys"
        let p_${i} = p_block[(oy + ${OY * i}u) * ${TX + 1}u + x];
#end
#end
#for e in range(4)
#for c in range(DC)
        {
#if staged
          let a = tile_a[(x + ${TX * e}u) * ${LD}u + ox + ${OX * c}u];
#else
          let a = read_${col_a}(at_a, j + 4u * x + ${e}u, n_columns, ox + ${OX * c}u);
#end
#if role == "keys"
#if staged
          let b = tile_b[(x + ${TX * e}u) * ${LD}u + ox + ${OX * c}u];
#else
          let b = read_${col_b}(at_b, j + 4u * x + ${e}u, n_columns, ox + ${OX * c}u);
#end
#end
#for i in range(RO)
          a_${i}_${c} = fma(vec4f(ds_${i}.${"xyzw"[e]}), a, a_${i}_${c});
#if role == "keys"
          b_${i}_${c} = fma(vec4f(p_${i}.${"xyzw"[e]}), b, b_${i}_${c});
#end
#end
        }
#end
#end
      }
    }
    workgroupBarrier();

#if prefetch
#for r in range(PK)
#if NT * (r + 1) <= COLUMNS * W4
    tile_a[tile_place(lid + ${NT * r}u)] = next_a_${r};
    tile_b[tile_place(lid + ${NT * r}u)] = next_b_${r};
#else
    if (lid < ${COLUMNS * W4 - NT * r}u) {
      tile_a[tile_place(lid + ${NT * r}u)] = next_a_${r};
      tile_b[tile_place(lid + ${NT * r}u)] = next_b_${r};
    }
#end
#end
#elif staged
    if (step < all_steps) {
      for (var x = lid; x < ${COLUMNS * W4}u; x += ${NT}u) {
        tile_a[tile_place(x)] = read_${col_a}(next_at_a, next_j + tile_row(x), n_columns, tile_vector(x));
        tile_b[tile_place(x)] = read_${col_b}(next_at_b, next_j + tile_row(x), n_columns, tile_vector(x));
      }
    }
#end
#if role == "keys"
    if (lid < ${COLUMNS}u) {
#if inline
      var delta = 0.0;
#for c in range(D4)
      delta += partial[lid * ${LD}u + ${c}u];
#end
      column_delta[lid] = delta;
#else
      column_delta[lid] = next_statistics.y;
#end
      column_lse[lid] = next_statistics.x;
    }
#end
    workgroupBarrier();
    j = next_j;
    at_a = next_at_a;
    at_b = next_at_b;
  }

#for i in range(RO)
  {
    let t = first + oy + ${OY * i}u;
    if (t < n_rows) {
#for c in range(DC)
      if (ox + ${OX * c}u < ${D4}u) {
#if role == "keys"
        write_dk(P.dk + b * P.dk_b + t * P.dk_t + g * P.dk_h, ox + ${OX * c}u, P.scale * a_${i}_${c});
        write_dv(P.dv + b * P.dv_b + t * P.dv_t + g * P.dv_h, ox + ${OX * c}u, b_${i}_${c});
#else
        write_dq(P.dq + b * P.dq_b + t * P.dq_t + head * P.dq_h, ox + ${OX * c}u, P.scale * a_${i}_${c});
#end
      }
#end
    }
  }
#end
}
#end

@compute @workgroup_size(${NT})
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lid: u32) {
  let group = group_index(wid, nwg);
  let of_keys = P.B * P.G * ((P.S + ${ROWS - 1}u) / ${ROWS}u);
  let of_queries = P.B * P.H * ((P.T + ${ROWS - 1}u) / ${ROWS}u);
  if (group < of_keys) {
    gradient_of_keys(group, lid);
  } else if (group < of_keys + of_queries) {
    gradient_of_queries(group - of_keys, lid);
  }
}

// One query for each sequence over a key/value cache [B, G, S, D]; the number of keys comes from a buffer. A workgroup has one head; it
// walks over the cache in pieces: LANES threads share a key (a vec4 of the head each) and have UNROLL keys, all loads of a piece, keys and
// values, under way at once: a cache of a few hundred keys costs one trip to memory. Online softmax over the pieces.
//! shader decode
// With k_new and v_new, the last key and value come from there, and the first head of those that share a cache head puts them into it.
//! buffers out:w:${E} flag:w:atomic<u32> q:r:${E} k_cache:${'w' if written else 'r'}:${E} v_cache:${'w' if written else 'r'}:${E} position:r:i32
//! buffers k_new?:r:${E} v_new?:r:${E}
//! params B:u32 H:u32 G:u32 S:u32 q_b:u32 scale:f32 ${'k_b:u32 v_b:u32' if written else ''}
#include workgroup
var<workgroup> seen: u32;
var<workgroup> products: array<f32, ${W * UNROLL // LANES * (LANES + 1)}>;  // of key and vector
var<workgroup> weights: array<f32, ${W * UNROLL // LANES}>;
var<workgroup> sums: array<vec4f, ${W}>;

#for name in ["q", "k_cache", "v_cache"] + (["k_new", "v_new"] if k_new else [])
fn vector_of_${name}(at: u32, c: u32) -> vec4f {
#if vec
  return ${name}[at + c];
#else
  let d = 4u * c;
  var x = vec4f(${name}[at + d], 0.0, 0.0, 0.0);
  if (d + 1u < ${D}u) { x.y = ${name}[at + d + 1u]; }
  if (d + 2u < ${D}u) { x.z = ${name}[at + d + 2u]; }
  if (d + 3u < ${D}u) { x.w = ${name}[at + d + 3u]; }
  return x;
#end
}
#end

@compute @workgroup_size(${W})
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lid: u32) {
  let z = group_index(wid, nwg);
  if (z >= P.B * P.H) { return; }
  if (lid == 0u) {
    let at = position[P.position];
    seen = u32(at) + 1u;
    if (at < 0 || u32(at) >= P.S) {
      seen = 0u;
      atomicMax(&flag[P.flag], ${kernel_id + 1}u);
    }
  }
  let keys = workgroupUniformLoad(&seen);
  if (keys == 0u) { return; }
  let b = z / P.H;
  let h = z % P.H;
  let row = ${D if not vec else D4}u;
  let cache = (b * P.G + h * P.G / P.H) * P.S;
  let lane = lid % ${LANES}u;
  let slot = lid / ${LANES}u;
  let live = lane < ${D4}u;
  var query = vec4f();
  if (live) { query = (P.scale * LOG2E) * vector_of_q(P.q + b * P.q_b + h * row, lane); }
#if k_new
  let g = h * P.G / P.H;
  var new_k = vec4f();
  var new_v = vec4f();
  if (live) {
    new_k = vector_of_k_new(P.k_new + b * P.k_b + g * row, lane);
    new_v = vector_of_v_new(P.v_new + b * P.v_b + g * row, lane);
    if (slot == 0u && h * P.G % P.H < P.G) {
      write_k_cache(P.k_cache + (cache + keys - 1u) * row, lane, new_k);
      write_v_cache(P.v_cache + (cache + keys - 1u) * row, lane, new_v);
    }
  }
#end
  var top = -3.0e38;
  var sum = 0.0;
  var o = vec4f();
  for (var j = 0u; j < keys; j += ${W * UNROLL // LANES}u) {
#for u in range(UNROLL)
    var k_${u} = vec4f();
    var v_${u} = vec4f();
#if k_new
    if (j + slot + ${W // LANES * u}u + 1u == keys) {
      k_${u} = new_k;
      v_${u} = new_v;
    } else
#end
    if (live && j + slot + ${W // LANES * u}u < keys) {
      let at = (cache + j + slot + ${W // LANES * u}u) * row;
      k_${u} = vector_of_k_cache(P.k_cache + at, lane);
      v_${u} = vector_of_v_cache(P.v_cache + at, lane);
    }
#end
#for u in range(UNROLL)
    products[(slot + ${W // LANES * u}u) * ${LANES + 1}u + lane] = dot4(query, k_${u}, 0.0);
#end
    workgroupBarrier();
    var most = top;
#for y in range(KEYS_EACH)
    var s_${y} = -inf();
    if (lid + ${W * y}u < ${W * UNROLL // LANES}u && j + lid + ${W * y}u < keys) {
      s_${y} = 0.0;
#for x in range(LANES)
      s_${y} += products[(lid + ${W * y}u) * ${LANES + 1}u + ${x}u];
#end
      most = max(most, s_${y});
    }
#end
    most = workgroup_max(most, lid);
    let down = exp2(top - most);
    sum *= down;
#for y in range(KEYS_EACH)
    {
      let p = exp2(s_${y} - most);
      sum += p;
      if (lid + ${W * y}u < ${W * UNROLL // LANES}u) { weights[lid + ${W * y}u] = p; }
    }
#end
    top = most;
    workgroupBarrier();
    o *= down;
#for u in range(UNROLL)
    o = fma(vec4f(weights[slot + ${W // LANES * u}u]), v_${u}, o);
#end
  }
  let total = workgroup_sum(sum, lid);
  sums[lid] = o;
  workgroupBarrier();
#for half in halves
  if (slot < ${half}u) { sums[lid] += sums[lid + ${half * LANES}u]; }
  workgroupBarrier();
#end
  if (slot == 0u && live) {
    let x = sums[lid] / total;
#if vec
    out[P.out + z * row + lane] = x;
#else
    let at = P.out + z * row + 4u * lane;
    out[at] = x.x;
    if (4u * lane + 1u < ${D}u) { out[at + 1u] = x.y; }
    if (4u * lane + 2u < ${D}u) { out[at + 2u] = x.z; }
    if (4u * lane + 3u < ${D}u) { out[at + 3u] = x.w; }
#end
  }
}

// T new keys and values into a cache [B, G, S, D], at a position that comes from a buffer. A thread has one item (f32 or vec4) of both; row:
// items of a token's G heads, items: of a head.
//! shader append
//! buffers k_cache:w:${E} v_cache:w:${E} flag:w:atomic<u32> k:r:${E} v:r:${E} position:r:i32
//! params n:u32 G:u32 T:u32 S:u32 items:u32 k_b:u32 k_t:u32 v_b:u32 v_t:u32
@compute @workgroup_size(${W})
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lid: u32) {
  let i = group_index(wid, nwg) * ${W}u + lid;
  if (i >= P.n) { return; }
  let first = position[P.position];
  if (first < 0 || first > i32(P.S) - i32(P.T)) {
    if (lid == 0u) { atomicMax(&flag[P.flag], ${kernel_id + 1}u); }
    return;
  }
  let row = P.G * P.items;
  let in_row = i % row;
  let t = i / row % P.T;
  let b = i / row / P.T;
  let to = ((b * P.G + in_row / P.items) * P.S + u32(first) + t) * P.items + in_row % P.items;
  k_cache[P.k_cache + to] = k[P.k + b * P.k_b + t * P.k_t + in_row];
  v_cache[P.v_cache + to] = v[P.v + b * P.v_b + t * P.v_t + in_row];
}
