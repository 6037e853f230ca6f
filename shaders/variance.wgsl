// The variance of [outer, n, inner] over n, or its square root: a workgroup for each result, first
// the mean, then the squares of the differences from it.
#include workgroup

//! shader variance
//! buffers out:w:f32 x:r:f32
//! params results:u32 n:u32 inner:u32 divisor:f32
@compute @workgroup_size(${W})
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
  let result = group_index(wid, nwg);
  if (result >= P.results) { return; }
  let begin = P.x + result / P.inner * P.n * P.inner + result % P.inner;
  var total = 0.0;
  for (var i = lid; i < P.n; i += ${W}u) { total += x[begin + i * P.inner]; }
  let center = workgroup_sum(total, lid) / f32(P.n);
  var squares = 0.0;
  for (var i = lid; i < P.n; i += ${W}u) {
    let v = x[begin + i * P.inner] - center;
    squares = fma(v, v, squares);
  }
  let variance = workgroup_sum(squares, lid) / P.divisor;
  if (lid == 0u) { out[P.out + result] = ${"sqrt(variance)" if root else "variance"}; }
}
