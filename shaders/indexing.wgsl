// Elements read and written by index: take and gather, put and scatter.
//
// out or x is seen as [outer, n, inner], the other one as [outer, k, inner]; index has an entry for
// each of its elements, or where `rows` one for each row of inner. Words of 4 bytes. What is
// written is the same on every run: of equal indices the last one claims its place (put), integers
// are added and extremes are sought atomically, and `in_order` takes a column's elements one after
// the other. An index outside [0, n) sets the error word.
// The entry m of index as a place of the dimension.
#if index
fn indexed(m: u32) -> u32 {
  let i = index[P.index + m];
  if (i >= P.size) { atomicMax(&flag[P.flag], ${kernel_id + 1}u); }
  return min(i, P.size - 1u);
}
#end

#if op
// op(old, v); flagged: of int64, which is held in 32 bits.
fn combined(old: u32, v: u32) -> u32 {
  let a = bitcast<${E}>(old);
  let b = bitcast<${E}>(v);
#if op == "put"
  return v;
#elif op in ("max", "min") and E == "f32"
  // In the order of the keys: -0 is below 0, a NaN wins.
  let p = select(bitcast<i32>(old), bitcast<i32>(old ^ 0x7fffffffu), old >> 31u == 1u);
  let q = select(bitcast<i32>(v), bitcast<i32>(v ^ 0x7fffffffu), v >> 31u == 1u);
  return select(old, v, (q ${">" if op == "max" else "<"} p && !is_nan(a)) || is_nan(b));
#elif op in ("max", "min")
  return bitcast<u32>(${op}(a, b));
#else
  let c = a ${"*" if op == "mul" else "+"} b;
#if flagged and op == "mul"
  let beyond = abs(f32(a) * f32(b) - f32(c)) > 1e9;  // a product that wraps is off by 2^32
#elif flagged
  let beyond = ((a ^ c) & (b ^ c)) < 0;
#end
#if flagged
  if (beyond) { atomicMax(&flag[P.flag], ${kernel_id + 1 + (1 << 16)}u); }
#end
  return bitcast<u32>(c);
#end
}
#end

//! shader read
// out[o, i, c] = x[o, index[o, i, c], c].
//! buffers out:w:u32 x:r:u32 index:r:u32 flag:w:atomic<u32>
//! params n:u32 first:u32 k:u32 inner:u32 size:u32
#include flat
fn value(e: u32) -> u32 {
  let at = P.first + e;
  let row = at / P.inner;
  let i = indexed(${"row" if rows else "at"});
  return x[P.x + (row / P.k * P.size + i) * P.inner + at % P.inner];
}

//! shader in_order
// An invocation has a column (o, c) of out: out[o, index[o, i, c], c] = op(itself, x[o, i, c]) for
// i = 0 .. k - 1.
//! buffers out:w:u32 x:r:u32 index:r:u32 flag:w:atomic<u32>
//! params columns:u32 k:u32 inner:u32 size:u32
@compute @workgroup_size(${W})
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
  let column = group_index(wid, nwg) * ${W}u + lid;
  if (column >= P.columns) { return; }
  let o = column / P.inner;
  let c = column % P.inner;
  for (var i = 0u; i < P.k; i++) {
    let row = o * P.k + i;
    let from_ = row * P.inner + c;
    let to = (o * P.size + indexed(${"row" if rows else "from_"})) * P.inner + c;
    out[P.out + to] = combined(out[P.out + to], x[P.x + from_]);
  }
}

//! shader places
// The place in out of each entry of an index that has one for each element.
//! buffers out:w:u32 index:r:u32 flag:w:atomic<u32>
//! params n:u32 k:u32 inner:u32 size:u32
#include flat
fn value(e: u32) -> u32 {
  return (e / P.inner / P.k * P.size + indexed(e)) * P.inner + e % P.inner;
}

//! shader claim
// Each place is claimed by the last entry that names it: its number and 1.
//! buffers owner:w:atomic<u32> index:r:u32 flag:w:atomic<u32>
//! params n:u32 size:u32
@compute @workgroup_size(${W})
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
  let m = group_index(wid, nwg) * ${W}u + lid;
  if (m < P.n) { atomicMax(&owner[P.owner + indexed(m)], m + 1u); }
}

//! shader settle
// Rows of `inner`, each written by the entry that has claimed its place.
//! buffers out:w:u32 owner:r:u32 x:r:u32 index:r:u32 flag:w:atomic<u32>
//! params n:u32 inner:u32 size:u32
@compute @workgroup_size(${W})
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
  let e = group_index(wid, nwg) * ${W}u + lid;
  if (e >= P.n) { return; }
  let m = e / P.inner;
  let to = indexed(m);
  if (owner[P.owner + to] == m + 1u) { out[P.out + to * P.inner + e % P.inner] = x[P.x + e]; }
}

//! shader combine
// Rows of `inner`, combined by an operation whose result is the same in any order.
//! buffers out:w:atomic<u32> x:r:u32 index:r:u32 flag:w:atomic<u32>
//! params n:u32 inner:u32 size:u32
@compute @workgroup_size(${W})
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
  let e = group_index(wid, nwg) * ${W}u + lid;
  if (e >= P.n) { return; }
  let to = P.out + indexed(e / P.inner) * P.inner + e % P.inner;
  let v = x[P.x + e];
  var old = atomicLoad(&out[to]);
  loop {
    let found = atomicCompareExchangeWeak(&out[to], old, combined(old, v));
    if (found.exchanged) { break; }
    old = found.old_value;
  }
}
