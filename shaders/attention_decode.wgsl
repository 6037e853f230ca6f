// Attention over a key/value cache [B, G, S, D]: one query for each sequence (decode), and new keys
// and values into the cache (append). The number of keys that the cache holds before comes from a
// buffer, `position`; one that does not fit sets the error word.

// In: q [B, H, D], q_b apart; the caches. Out: out [B, H, D]. A workgroup has one head; it walks
// over the cache in pieces of PIECE keys: LANES threads share a key (a vec4 of the head each) and
// have UNROLL keys, all loads of a piece, keys and values, under way at once: a cache of a few
// hundred keys costs one trip to memory. Online softmax over the pieces.
//
// With k_new and v_new [B, G, D], the last key and value come from there, and the first head of
// those that share a cache head puts them into it.
//! shader decode
//! buffers out:w:${E} flag:w:atomic<u32> q:r:${E}
//! buffers k_cache:${'w' if k_new else 'r'}:${E} v_cache:${'w' if k_new else 'r'}:${E} position:r:i32
//! buffers k_new?:r:${E} v_new?:r:${E}
//! params B:u32 H:u32 G:u32 S:u32 q_b:u32 scale:f32 ${'k_b:u32 v_b:u32' if k_new else ''}
#include head_vectors
#include workgroup
const LANES = ${LANES}u;
const SLOTS = ${W // LANES}u;  // keys beside each other
const PIECE = SLOTS * ${UNROLL}u;
var<workgroup> key_count: u32;
var<workgroup> products: array<f32, PIECE * (LANES + 1u)>;  // of key and vector
var<workgroup> weights: array<f32, PIECE>;
var<workgroup> sums: array<vec4f, ${W}>;

@compute @workgroup_size(${W})
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
  let z = group_index(wid, nwg);
  if (z >= P.B * P.H) { return; }
  if (lid == 0u) {
    let last = position[P.position];
    key_count = u32(last) + 1u;
    if (last < 0 || u32(last) >= P.S) {
      key_count = 0u;
      atomicMax(&flag[P.flag], ${kernel_id + 1}u);
    }
  }
  let keys = workgroupUniformLoad(&key_count);
  if (keys == 0u) { return; }
  let b = z / P.H;
  let h = z % P.H;
  let row = ${HEAD_VECTORS if vec else D}u;  // elements of a head
  let cache = (b * P.G + h * P.G / P.H) * P.S;
  let lane = lid % LANES;
  let slot = lid / LANES;
  let live = lane < HEAD_VECTORS;
  var query = vec4f();
  if (live) { query = (P.scale * LOG2E) * load_q(P.q + b * P.q_b + h * row, lane); }
#if k_new
  let g = h * P.G / P.H;
  var new_k = vec4f();
  var new_v = vec4f();
  if (live) {
    new_k = load_k_new(P.k_new + b * P.k_b + g * row, lane);
    new_v = load_v_new(P.v_new + b * P.v_b + g * row, lane);
    if (slot == 0u && h * P.G % P.H < P.G) {
      store_k_cache(P.k_cache + (cache + keys - 1u) * row, lane, new_k);
      store_v_cache(P.v_cache + (cache + keys - 1u) * row, lane, new_v);
    }
  }
#end
  var top = -3.0e38;  // finite: a score of minus infinity must not become NaN
  var sum = 0.0;
  var o = vec4f();
  for (var j = 0u; j < keys; j += PIECE) {
#for u in range(UNROLL)
    var k_${u} = vec4f();
    var v_${u} = vec4f();
#if k_new
    if (j + slot + SLOTS * ${u}u + 1u == keys) {
      k_${u} = new_k;
      v_${u} = new_v;
    } else
#end
    if (live && j + slot + SLOTS * ${u}u < keys) {
      let at = (cache + j + slot + SLOTS * ${u}u) * row;
      k_${u} = load_k_cache(P.k_cache + at, lane);
      v_${u} = load_v_cache(P.v_cache + at, lane);
    }
#end
#for u in range(UNROLL)
    products[(slot + SLOTS * ${u}u) * (LANES + 1u) + lane] = dot4(query, k_${u}, 0.0);
#end
    workgroupBarrier();
    var most = top;
#for y in range(KEYS_EACH)
    var s_${y} = -inf();
    if (lid + ${W * y}u < PIECE && j + lid + ${W * y}u < keys) {
      s_${y} = 0.0;
#for x in range(LANES)
      s_${y} += products[(lid + ${W * y}u) * (LANES + 1u) + ${x}u];
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
      if (lid + ${W * y}u < PIECE) { weights[lid + ${W * y}u] = p; }
    }
#end
    top = most;
    workgroupBarrier();
    o *= down;
#for u in range(UNROLL)
    o = fma(vec4f(weights[slot + SLOTS * ${u}u]), v_${u}, o);
#end
  }
  let total = workgroup_sum(sum, lid);
  sums[lid] = o;
  workgroupBarrier();
#for half in halves
  if (slot < ${half}u) { sums[lid] += sums[lid + LANES * ${half}u]; }
  workgroupBarrier();
#end
  if (slot == 0u && live) {
    let x = select(sums[lid] / total, vec4f(), total == 0.0);
    store_out(P.out + z * row, lane, x);
  }
}

// T new keys and values into the caches: k and v [B, T, G, D], their tokens k_t and v_t apart. A
// thread has one item (f32 or vec4) of both; items: of a head.
//! shader append
//! buffers k_cache:w:${E} v_cache:w:${E} flag:w:atomic<u32> k:r:${E} v:r:${E} position:r:i32
//! params n:u32 G:u32 T:u32 S:u32 items:u32 k_b:u32 k_t:u32 v_b:u32 v_t:u32
@compute @workgroup_size(${W})
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
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
