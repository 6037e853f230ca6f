// Products of matrices of int64, which is held in 32 bits: an element an invocation, in the order
// of K. What leaves 32 bits sets the error word.

//! shader main
//! buffers out:w:i32 a:r:i32 b:r:i32 flag:w:atomic<u32>
//! params n:u32 M:u32 N:u32 K:u32 a_m:u32 a_k:u32 b_k:u32 b_n:u32 ldc:u32 sa:u32 sb:u32 sc:u32
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
  let i = group_index(wid, nwg) * 256u + lid;
  if (i >= P.n) { return; }
  let z = i / P.N / P.M;
  let m = i / P.N % P.M;
  let n = i % P.N;
  var total = 0;
  for (var k = 0u; k < P.K; k++) {
    let x = a[P.a + z * P.sa + m * P.a_m + k * P.a_k];
    let y = b[P.b + z * P.sb + k * P.b_k + n * P.b_n];
    let sum = total + x * y;
    // A product or a sum that wraps is off by 2^32 at least.
    if (abs(f32(x) * f32(y) + f32(total) - f32(sum)) > 1e9) {
      atomicMax(&flag[P.flag], ${kernel_id + 1 + (1 << 16)}u);
    }
    total = sum;
  }
  out[P.out + z * P.sc + m * P.ldc + n] = total;
}
