// A prefix sum over a workgroup of ${W} invocations, for `#include occurrences`: the sum of the
// counts of the invocations before. The sum of all is in occurrences_all afterwards, for
// workgroupUniformLoad, whose barriers two calls need between them. Call from uniform control flow.
var<workgroup> occurrence_counts: array<u32, ${W}>;
var<workgroup> occurrence_totals: array<u32, ${W // 16}>;
var<workgroup> occurrences_all: u32;
fn occurrences_before(count: u32, lid: u32) -> u32 {
  occurrence_counts[lid] = count;
  workgroupBarrier();
  let unit = lid / 16u;
  var before = 0u;
#for i in range(15)
  before += select(0u, occurrence_counts[16u * unit + ${i}u], ${i}u < lid % 16u);
#end
  if (lid % 16u == 15u) { occurrence_totals[unit] = before + count; }
  workgroupBarrier();
#for i in range(W // 16)
  before += select(0u, occurrence_totals[${i}], ${i}u < unit);
#end
  if (lid == ${W - 1}u) { occurrences_all = before + count; }
  return before;
}
