// Sums and maxima over rows, for `#include rows`: a workgroup of ${W} invocations is cut into
// groups of ${T} neighbours (powers of two), and each group has a row of its own. The result is in
// all of the group, in an order that depends only on T and on how many invocations run in
// lock-step. Call from uniform control flow, with slot = 0 and 1 in turns: two calls in a row must
// not use the same slot, so one barrier a call is enough.
//
// `lanes` is the size of a unit that runs in lock-step, a builtin of the entry point (0 where the
// feature is off); a group that fits into one needs no barrier.
#if subgroups
var<workgroup> row_values: array<f32, ${max(W // 2, 2)}>;  // two slots, each for units of 4 and more
var<workgroup> row_pairs: array<vec2f, ${max(W // 2, 2)}>;
#for name, kind, values, op in (("row_sum", "f32", "row_values", "+"), ("row_sum2", "vec2f", "row_pairs", "+"), ("row_max", "f32", "row_values", "max"))
fn ${name}(x: ${kind}, lid: u32, lanes: u32, slot: u32) -> ${kind} {
  var v = x;
  if (lanes >= ${T}u) {
    // A butterfly: every lane ends with the same bits, as each step adds the same two numbers on
    // both sides.
#for step in [1, 2, 4, 8, 16, 32, 64]
#if step < T
    v = ${"max(v, subgroupShuffleXor(v, %du))" % step if op == "max" else "v + subgroupShuffleXor(v, %du)" % step};
#end
#end
    return v;
  }
  v = ${"subgroupMax(v)" if op == "max" else "subgroupAdd(v)"};
  if (lid % lanes == 0u) { ${values}[slot * ${W // 4}u + lid / lanes] = v; }
  workgroupBarrier();
  let first = slot * ${W // 4}u + lid / ${T}u * (${T}u / lanes);
  v = ${values}[first];
  for (var i = 1u; i < ${T}u / lanes; i++) { v = ${"max(v, %s[first + i])" % values if op == "max" else "v + %s[first + i]" % values}; }
  return v;
}
#end
#else
const lanes = 0u;
// Two steps: everybody reduces the ${min(T, 16)} values of its block, then the ${max(T // 16, 1)}
// blocks of the group.
var<workgroup> row_values: array<f32, ${2 * W}>;
var<workgroup> row_pairs: array<vec2f, ${2 * W}>;
#if T > 16
var<workgroup> row_block_values: array<f32, ${W // 8}>;
var<workgroup> row_block_pairs: array<vec2f, ${W // 8}>;
#end
#for name, kind, suffix, op in (("row_sum", "f32", "values", "+"), ("row_sum2", "vec2f", "pairs", "+"), ("row_max", "f32", "values", "max"))
fn ${name}(x: ${kind}, lid: u32, unused: u32, slot: u32) -> ${kind} {
  row_${suffix}[slot * ${W}u + lid] = x;
  workgroupBarrier();
  let first = slot * ${W}u + lid / ${min(T, 16)}u * ${min(T, 16)}u;
  var v = row_${suffix}[first];
#for i in range(1, min(T, 16))
  v = ${"max(v, row_%s[first + %du])" % (suffix, i) if op == "max" else "v + row_%s[first + %du]" % (suffix, i)};
#end
#if T > 16
  if (lid % 16u == 0u) { row_block_${suffix}[slot * ${W // 16}u + lid / 16u] = v; }
  workgroupBarrier();
  let block = slot * ${W // 16}u + lid / ${T}u * ${T // 16}u;
  v = row_block_${suffix}[block];
#for i in range(1, T // 16)
  v = ${"max(v, row_block_%s[block + %du])" % (suffix, i) if op == "max" else "v + row_block_%s[block + %du]" % (suffix, i)};
#end
#end
  return v;
}
#end
#end

// One element of a row's storage: four neighbouring numbers where all rows begin on 16 bytes, else
// one.
alias Item = ${F};
#if F == "f32"
fn item_sum(v: Item) -> f32 { return v; }
fn item_max(v: Item) -> f32 { return v; }
#else
fn item_sum(v: Item) -> f32 { return (v.x + v.y) + (v.z + v.w); }
fn item_max(v: Item) -> f32 { return max(max(v.x, v.y), max(v.z, v.w)); }
#end
