// Partial sums added up: out[i] = (out[i] +) part[i] + part[n + i] + ... in the order of the parts,
// for many sums in one dispatch.
//
// In: part, and table, six words for each sum: its first workgroup, n, the number of parts, where
// its parts begin, where its result begins, whether it adds to out. Out: out. Dispatch: results /
// W.
//! shader sum
//! buffers out:w:${V} part:r:${V} table:r:u32
//! params count:u32 groups:u32
@compute @workgroup_size(${W})
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
  let group = group_index(wid, nwg);
  if (group >= P.groups) { return; }
  // The last entry whose first workgroup is not behind this one.
  var low = 0u;
  var high = P.count;
  while (high - low > 1u) {
    let middle = (low + high) / 2u;
    if (table[P.table + 6u * middle] <= group) { low = middle; } else { high = middle; }
  }
  let entry = P.table + 6u * low;
  let i = (group - table[entry]) * ${W}u + lid;
  let n = table[entry + 1u];
  if (i >= n) { return; }
  let splits = table[entry + 2u];
  var at = P.part + table[entry + 3u] + i;
  let to = P.out + table[entry + 4u] + i;
  var total = part[at];
  at += n;
  var s = 1u;
  for (; s + 4u <= splits; s += 4u) {  // four loads under way at once, added up in the same order
    let a = part[at];
    let b = part[at + n];
    let c = part[at + 2u * n];
    let d = part[at + 3u * n];
    at += 4u * n;
    total = (((total + a) + b) + c) + d;
  }
  for (; s < splits; s++) {
    total += part[at];
    at += n;
  }
  if (table[entry + 5u] != 0u) { total += out[to]; }
  out[to] = total;
}
