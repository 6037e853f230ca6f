// Order along a dimension: running sums and products (scan), sorted rows with the place of each
// element (sort, topk).
//
// A row is sorted by a bitonic network (Batcher 1968) over pairs of a key and a place; the place
// decides between equal keys, so that the order is stable. Keys are ordered as the numbers, a NaN
// after all of them; behind the row's end they are the largest, with places behind its last.
// Dispatch: a workgroup a row where the row fits into workgroup memory, else a pair an invocation.
#if op
// a op b; flag: of int64, which is held in 32 bits.
fn joined(a: ${E}, b: ${E}) -> ${E} {
  let c = a ${"*" if op == "prod" else "+"} b;
#if flag and op == "prod"
  let beyond = abs(f32(a) * f32(b) - f32(c)) > 1e9;  // a product that wraps is off by 2^32
#elif flag
  let beyond = ((a ^ c) & (b ^ c)) < 0;
#end
#if flag
  if (beyond) { atomicMax(&flag[P.flag], ${kernel_id + 1 + (1 << 16)}u); }
#end
  return c;
}
#else
fn key(bits: u32) -> u32 {
#if E == "f32"
  var k = select(bits | 0x80000000u, ~bits, bits >> 31u == 1u);
  k = select(k, 0x80000000u, bits == 0x80000000u);
  k = select(k, 0xffffffffu, (bits & 0x7fffffffu) > 0x7f800000u);
#else
  let k = bits ^ 0x80000000u;
#end
  return ${"~k" if descending else "k"};
}
// The lower place of pair t whose places are `step` apart.
fn low_place(t: u32, step: u32) -> u32 { return 2u * t - (t & (step - 1u)); }
fn after(a: vec2u, b: vec2u) -> bool { return a.x > b.x || (a.x == b.x && a.y > b.y); }
#end

//! shader scan_columns
// An invocation has a column of [outer, n, inner].
//! buffers out:w:${E} x:r:${E} flag?:w:atomic<u32>
//! params columns:u32 n:u32 inner:u32 reverse:u32
@compute @workgroup_size(${W})
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
  let column = group_index(wid, nwg) * ${W}u + lid;
  if (column >= P.columns) { return; }
  let begin = column / P.inner * P.n * P.inner + column % P.inner;
  var total = ${E}(${1 if op == "prod" else 0});
  for (var i = 0u; i < P.n; i++) {
    let at = begin + select(i, P.n - 1u - i, P.reverse != 0u) * P.inner;
    total = joined(total, x[P.x + at]);
    out[P.out + at] = total;
  }
}

//! shader scan_rows
// A workgroup has a column: W times PER elements at a time, each invocation's own first, then the
// totals of those before it (Hillis and Steele 1986).
//! buffers out:w:${E} x:r:${E} flag?:w:atomic<u32>
//! params columns:u32 n:u32 inner:u32 reverse:u32
var<workgroup> totals: array<${E}, ${W}>;
@compute @workgroup_size(${W})
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
  let column = group_index(wid, nwg);
  if (column >= P.columns) { return; }
  let begin = column / P.inner * P.n * P.inner + column % P.inner;
  var carry = ${E}(${1 if op == "prod" else 0});
  for (var tile = 0u; tile < P.n; tile += ${W * PER}u) {
    let first = tile + lid * ${PER}u;
    var own: array<${E}, ${PER}>;
    var total = ${E}(${1 if op == "prod" else 0});
    for (var i = 0u; i < ${PER}u; i++) {
      if (first + i < P.n) {
        total = joined(total, x[P.x + begin + select(first + i, P.n - 1u - first - i, P.reverse != 0u) * P.inner]);
      }
      own[i] = total;
    }
    totals[lid] = total;
    workgroupBarrier();
    for (var step = 1u; step < ${W}u; step *= 2u) {
      var sum = totals[lid];
      if (lid >= step) { sum = joined(totals[lid - step], sum); }
      workgroupBarrier();
      totals[lid] = sum;
      workgroupBarrier();
    }
    var before = carry;
    if (lid > 0u) { before = joined(carry, totals[lid - 1u]); }
    for (var i = 0u; i < ${PER}u; i++) {
      if (first + i < P.n) {
        let at = select(first + i, P.n - 1u - first - i, P.reverse != 0u);
        out[P.out + begin + at * P.inner] = joined(before, own[i]);
      }
    }
    carry = joined(carry, totals[${W - 1}u]);
    workgroupBarrier();
  }
}

//! shader sort_row
// A row of up to SIZE elements (a power of two), of which the first P.k are given.
//! buffers out:w:u32 order:w:u32 x:r:u32
//! params rows:u32 n:u32 k:u32
var<workgroup> pairs: array<vec2u, ${SIZE}>;
@compute @workgroup_size(${W})
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
  let row = group_index(wid, nwg);
  if (row >= P.rows) { return; }
  for (var i = lid; i < ${SIZE}u; i += ${W}u) {
    pairs[i] = vec2u(0xffffffffu, i);
    if (i < P.n) { pairs[i].x = key(x[P.x + row * P.n + i]); }
  }
  workgroupBarrier();
  for (var size = 2u; size <= ${SIZE}u; size *= 2u) {
    for (var step = size / 2u; step > 0u; step /= 2u) {
      for (var t = lid; t < ${SIZE // 2}u; t += ${W}u) {
        let i = low_place(t, step);
        let a = pairs[i];
        let b = pairs[i + step];
        if (after(a, b) == ((i & size) == 0u)) {
          pairs[i] = b;
          pairs[i + step] = a;
        }
      }
      workgroupBarrier();
    }
  }
  for (var i = lid; i < P.k; i += ${W}u) {
    let place = pairs[i].y;
    out[P.out + row * P.k + i] = x[P.x + row * P.n + place];
    order[P.order + row * P.k + i] = place;
  }
}

//! shader pairs
// The pairs of each row in memory, `size` (a power of two) of them a row.
//! buffers pairs:w:vec2<u32> x:r:u32
//! params count:u32 n:u32 size:u32
@compute @workgroup_size(${W})
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
  let at = group_index(wid, nwg) * ${W}u + lid;
  if (at >= P.count) { return; }
  let i = at % P.size;
  var k = 0xffffffffu;
  if (i < P.n) { k = key(x[P.x + at / P.size * P.n + i]); }
  pairs[P.pairs + at] = vec2u(k, i);
}

//! shader exchange
// One step of the network over all rows.
//! buffers pairs:w:vec2<u32>
//! params count:u32 row:u32 size:u32 step:u32
@compute @workgroup_size(${W})
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
  let t = group_index(wid, nwg) * ${W}u + lid;
  if (t >= P.count / 2u) { return; }
  let i = low_place(t, P.step);
  let a = pairs[P.pairs + i];
  let b = pairs[P.pairs + i + P.step];
  if (after(a, b) == (((i % P.row) & P.size) == 0u)) {
    pairs[P.pairs + i] = b;
    pairs[P.pairs + i + P.step] = a;
  }
}

//! shader ordered
// The first k elements of each sorted row, and where they stood.
//! buffers out:w:u32 order:w:u32 pairs:r:vec2<u32> x:r:u32
//! params count:u32 n:u32 k:u32 size:u32
@compute @workgroup_size(${W})
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
  let at = group_index(wid, nwg) * ${W}u + lid;
  if (at >= P.count) { return; }
  let row = at / P.k;
  let place = pairs[P.pairs + row * P.size + at % P.k].y;
  out[P.out + at] = x[P.x + row * P.n + place];
  order[P.order + at] = place;
}
