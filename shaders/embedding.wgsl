// Rows of a table gathered by index, and the gradient of the table.
//
// gather: out[i] = table[index[i]]. scatter: dtable[v] = the sum of dout[i] over the i with
// index[i] = v, without atomics on floats and in an order that depends only on the sizes and the
// indices; buckets sorts the indices before it where the table is large. An item is a vec4 or an
// f32; P.n: items in a row. An index out of range sets the error flag.
alias Item = ${F};

//! shader gather
//! buffers out:w:${F} table:r:${F} index:r:i32 flag:w:atomic<u32>
//! params rows:u32 n:u32 V:u32
@compute @workgroup_size(${W})
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
  let row = group_index(wid, nwg) * ${W // T}u + lid / ${T}u;
  if (row >= P.rows) { return; }
  let v = u32(index[P.index + row]);
  let from_ = min(v, P.V - 1u) * P.n;
  if (v >= P.V) { atomicMax(&flag[P.flag], ${kernel_id + 1}u); }
  for (var c = lid % ${T}u; c < P.n; c += ${T}u) { out[P.out + row * P.n + c] = table[P.table + from_ + c]; }
}

//! shader scatter
//! buffers dtable:w:${F} dout:r:${F} index:r:i32 flag:w:atomic<u32> order?:r:u32 bounds?:r:u32
//! params count:u32 n:u32 V:u32 blocks:u32
// A workgroup has one row of dtable and ${block} of its columns. It looks through the indices,
// ${per * W} at a time, lists in workgroup memory where its row occurs, and adds up what the list
// names: ${W // block} slices of the list side by side, put together at the end.
//
// With `bounds`, `index` holds the indices by buckets of rows (the section `buckets`) and `order`
// their places before; the workgroup looks through the row's bucket only. by_occurrence: the
// workgroup is not that of a row but of an occurrence, and gives way to an earlier one of the same
// row.
#include occurrences
var<workgroup> listed: array<u32, ${per * W}>;
var<workgroup> slices: array<Item, ${W}>;
#if bounds
var<workgroup> row_and_range: vec3u;
#end
#if by_occurrence
var<workgroup> taken: u32;
#end
@compute @workgroup_size(${W})
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
  let group = group_index(wid, nwg);
  let place = group / P.blocks;
  if (place >= ${"P.count" if by_occurrence else "P.V"}) { return; }
#if bounds
  if (lid == 0u) {
    let row = ${"min(u32(index[P.index + place]), P.V - 1u)" if by_occurrence else "place"};
    let bucket = row / ${bucket}u;
    row_and_range = vec3u(row, bounds[P.bounds + 2u * bucket], bounds[P.bounds + 2u * bucket + 1u]);
  }
  let found = workgroupUniformLoad(&row_and_range);
  let v = found.x;
  let begin = found.y;
  let end = found.z;
#else
  let v = place;
  let begin = 0u;
  let end = P.count;
#end
  let c = group % P.blocks * ${block}u + lid % ${block}u;
  let column = min(c, P.n - 1u);
  let slice = lid / ${block}u;
  var total = Item();
  var any = false;
  for (var first = begin; first < end; first += ${per * W}u) {
#for k in range(per)
    let i${k} = first + lid + ${k * W}u;
    let v${k} = u32(index[P.index + min(i${k}, end - 1u)]);
#end
    var mine = 0u;
#for k in range(per)
    mine |= select(0u, ${1 << k}u, i${k} < end && v${k} == v);
#end
#if by_occurrence
#for k in range(per)
    if (i${k} < min(place, end) && v${k} == v) { taken = 1u; }
#end
#end
#if not bounds
    if (group == 0u) {
#for k in range(per)
      if (v${k} >= P.V) { atomicMax(&flag[P.flag], ${kernel_id + 1}u); }
#end
    }
#end
    var to = occurrences_before(countOneBits(mine), lid);
#for k in range(per)
    if ((mine & ${1 << k}u) != 0u) {
      listed[to] = ${"order[P.order + i%d]" % k if order else "i%d" % k};
      to++;
    }
#end
#if by_occurrence
    if (workgroupUniformLoad(&taken) != 0u) { return; }
#end
    let all = workgroupUniformLoad(&occurrences_all);
    if (all == 0u) { continue; }
    any = true;
    for (var j = slice; j < all; j += ${side * (W // block)}u) {
#for k in range(side)
      let j${k} = j + ${k * (W // block)}u;
      let d${k} = select(Item(), dout[P.dout + listed[min(j${k}, all - 1u)] * P.n + column], j${k} < all);
#end
#for k in range(0, side, 4)
      total += (d${k} + d${k + 1}) + (d${k + 2} + d${k + 3});
#end
    }
    workgroupBarrier();
  }
  if (!any) {  // as most rows of a step with few tokens
    if (lid < ${block}u && c < P.n) { dtable[P.dtable + v * P.n + c] = Item(); }
    return;
  }
  slices[lid] = total;
  workgroupBarrier();
  if (lid < ${4 * block}u) {
    total = slices[lid];
#for k in range(1, W // block // 4)
    total += slices[lid + ${k * 4 * block}u];
#end
    slices[lid] = total;
  }
  workgroupBarrier();
  if (lid < ${block}u && c < P.n) {
    dtable[P.dtable + v * P.n + c] = (slices[lid] + slices[lid + ${block}u])
        + (slices[lid + ${2 * block}u] + slices[lid + ${3 * block}u]);
  }
}

//! shader buckets
//! buffers keys:w:u32 order:w:u32 bounds:w:u32 index:r:i32 dtable?:w:${F} flag:w:atomic<u32>
//! params count:u32 n:u32 V:u32 buckets:u32
// Indices sorted by buckets of ${bucket} rows: those of bucket b are keys[begin..end], begin and
// end = bounds[2b], bounds[2b + 1], and order has their places before. A workgroup has a bucket: it
// counts the indices below, then lists its own. With dtable it also writes zeros to the bucket's
// rows.
#include occurrences
var<workgroup> below: atomic<u32>;
var<workgroup> inside: atomic<u32>;
@compute @workgroup_size(${W})
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
  let group = group_index(wid, nwg);
  if (group >= P.buckets) { return; }
  let first_row = group * ${bucket}u;
  let rows = min(${bucket}u, P.V - first_row);
  var less = 0u;
  var own = 0u;
  for (var i = lid; i < P.count; i += ${4 * W}u) {
#for k in range(4)
    let v${k} = u32(index[P.index + min(i + ${k * W}u, P.count - 1u)]);
#end
#for k in range(4)
    less += select(0u, 1u, i + ${k * W}u < P.count && v${k} < first_row);
    own += select(0u, 1u, i + ${k * W}u < P.count && v${k} - first_row < rows);
#end
    if (group == 0u && max(max(v0, v1), max(v2, v3)) >= P.V) { atomicMax(&flag[P.flag], ${kernel_id + 1}u); }
  }
  atomicAdd(&below, less);
  atomicAdd(&inside, own);
  workgroupBarrier();
  var next = atomicLoad(&below);
  if (lid == 0u) {
    bounds[P.bounds + 2u * group] = next;
    bounds[P.bounds + 2u * group + 1u] = next + atomicLoad(&inside);
  }
  for (var first = 0u; first < P.count; first += ${per * W}u) {
#for k in range(per)
    let i${k} = first + lid + ${k * W}u;
    let v${k} = u32(index[P.index + min(i${k}, P.count - 1u)]);
#end
    var mine = 0u;
#for k in range(per)
    mine |= select(0u, ${1 << k}u, i${k} < P.count && v${k} - first_row < rows);
#end
    var to = next + occurrences_before(countOneBits(mine), lid);
#for k in range(per)
    if ((mine & ${1 << k}u) != 0u) {
      keys[P.keys + to] = v${k};
      order[P.order + to] = i${k};
      to++;
    }
#end
    next += workgroupUniformLoad(&occurrences_all);
  }
#if dtable
  for (var i = lid; i < rows * P.n; i += ${W}u) { dtable[P.dtable + first_row * P.n + i] = Item(); }
#end
}
