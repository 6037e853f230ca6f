// The row of an invocation, for `#include row_at` where main begins and groups of ${T} of the ${W}
// invocations have a row each: `row`, `begin` (its first item) and `t` (the place in the group);
// with the define `live`, `live` is false for a group without a row.
  let first_row = group_index(wid, nwg) * ${W // T}u;
  if (first_row >= P.rows) { return; }
  let row = first_row + lid / ${T}u;
#if live
  let live = row < P.rows;
#end
  // A group without a row computes the last one again, and keeps it to itself.
  let begin = min(row, P.rows - 1u) * P.n;
  let t = lid % ${T}u;
