// Sums and maxima over a workgroup of ${W} invocations (a power of two), for `#include workgroup`:
// the result is in all of them, in an order that depends on W and the subgroup size only. Call from
// uniform control flow.
var<workgroup> wg_values: array<f32, ${W}>;

#if subgroups
// One value for each subgroup, then all of them added up by everybody. Invocations of a subgroup
// are neighbours in local_invocation_index (so on every implementation we know; the subgroup size
// itself may be anything).
fn workgroup_sum(x: f32, lid: u32) -> f32 {
  let size = subgroupAdd(1u);
  let mine = subgroupAdd(x);
  workgroupBarrier();
  if (subgroupElect()) { wg_values[lid / size] = mine; }
  workgroupBarrier();
  var total = wg_values[0];
  for (var i = 1u; i < ${W}u / size; i++) { total += wg_values[i]; }
  return total;
}
fn workgroup_max(x: f32, lid: u32) -> f32 {
  let size = subgroupAdd(1u);
  let mine = subgroupMax(x);
  workgroupBarrier();
  if (subgroupElect()) { wg_values[lid / size] = mine; }
  workgroupBarrier();
  var most = wg_values[0];
  for (var i = 1u; i < ${W}u / size; i++) { most = max(most, wg_values[i]); }
  return most;
}
#else
fn workgroup_sum(x: f32, lid: u32) -> f32 {
  workgroupBarrier();
  wg_values[lid] = x;
  workgroupBarrier();
  for (var step = ${W // 2}u; step > 0u; step /= 2u) {
    if (lid < step) { wg_values[lid] += wg_values[lid + step]; }
    workgroupBarrier();
  }
  return wg_values[0];
}
fn workgroup_max(x: f32, lid: u32) -> f32 {
  workgroupBarrier();
  wg_values[lid] = x;
  workgroupBarrier();
  for (var step = ${W // 2}u; step > 0u; step /= 2u) {
    if (lid < step) { wg_values[lid] = max(wg_values[lid], wg_values[lid + step]); }
    workgroupBarrier();
  }
  return wg_values[0];
}
#end
