// int8 weights with one scale per output channel: quantisation, the product x w^T for a few rows of
// x, and dequantisation to float32 for many.
//
// w [N, K] is packed in words, its element k of row n at byte P.w + n K + k, and a row may begin
// within a word. With `packed`, rows are whole words (K a multiple of 4) and so is P.w; x is then
// read in vectors.

#if reads
fn byte_at(i: u32) -> f32 {
  let at = P.w + i;
  return f32(bitcast<i32>(w[at / 4u] << (24u - 8u * (at % 4u))) >> 24u);
}
// The four elements of a word.
fn bytes_of(i: u32) -> vec4f {
  return vec4f(bitcast<vec4i>(vec4u(w[P.w / 4u + i]) << vec4u(24u, 16u, 8u, 0u)) >> vec4u(24u));
}
#end

//! shader int8_matmul
//! buffers out:w:f32 x:r:${"vec4<f32>" if packed else "f32"} w:r:i8 scale:r:f32 bias?:r:f32
//! params M:u32 N:u32 K:u32 across:u32
// A team of ${T} invocations takes a row of w against ${R} rows of x: out[m, n] for one n. Teams of
// a workgroup of 256 take neighbouring n.
var<workgroup> sums: array<array<f32, 256>, ${R}>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
  let group = group_index(wid, nwg);
  let n = min(group % P.across * ${256 // T}u + lid / ${T}u, P.N - 1u);
  let m = group / P.across * ${R}u;
  let lane = lid % ${T}u;
  let length = ${"P.K / 4u" if packed else "P.K"};
#for r in range(R)
  let x${r} = P.x + min(m + ${r}u, P.M - 1u) * length;
  var sum${r} = ${"vec4f()" if packed else "0.0"};
#end
  // Two at a time, so that their loads are in flight together.
  for (var k = lane; k < length; k += ${2 * T}u) {
    let next = min(k + ${T}u, length - 1u);
    let w0 = ${"bytes_of" if packed else "byte_at"}(n * length + k);
    var w1 = ${"bytes_of" if packed else "byte_at"}(n * length + next);
    if (k + ${T}u >= length) { w1 = ${"vec4f()" if packed else "0.0"}; }
#for r in range(R)
    sum${r} += x[x${r} + k] * w0;
    if (k + ${T}u < length) { sum${r} += x[x${r} + next] * w1; }
#end
  }
#for r in range(R)
#if packed
  sums[${r}][lid] = (sum${r}.x + sum${r}.y) + (sum${r}.z + sum${r}.w);
#else
  sums[${r}][lid] = sum${r};
#end
#end
  workgroupBarrier();
  for (var step = ${T // 2}u; step > 0u; step /= 2u) {
    if (lane < step) {
#for r in range(R)
      sums[${r}][lid] += sums[${r}][lid + step];
#end
    }
    workgroupBarrier();
  }
  // Invocation j of the first writes row j / teams, column j % teams: neighbours in memory by
  // neighbours.
  let column = group % P.across * ${256 // T}u + lid % ${256 // T}u;
  let row = m + lid / ${256 // T}u;
  if (lid < ${256 // T * R}u && column < P.N && row < P.M) {
    var value = scale[P.scale + column] * sums[lid / ${256 // T}u][lid % ${256 // T}u * ${T}u];
#if bias
    value += bias[P.bias + column];
#end
    out[P.out + row * P.N + column] = value;
  }
}

//! shader dequantize
//! buffers out:w:f32 w:r:i8 scale:r:f32
//! params n:u32 K:u32
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
  let i = group_index(wid, nwg) * 256u + lid;
  if (i < P.n) { out[P.out + i] = byte_at(i) * scale[P.scale + i / P.K]; }
}

//! shader scales
//! buffers scale:w:f32 x:r:f32
//! params N:u32 K:u32
#include workgroup
@compute @workgroup_size(${W})
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
  let n = group_index(wid, nwg);
  if (n >= P.N) { return; }
  var largest = 0.0;
  for (var k = lid; k < P.K; k += ${W}u) {
    let a = abs(x[P.x + n * P.K + k]);
    if (a > largest) { largest = a; }  // a NaN is passed over
  }
  let most = workgroup_max(largest, lid);
  // At least the smallest normal number, where the row is nearly denormal.
  if (lid == 0u) { scale[P.scale + n] = select(max(most / 127.0, 1.17549435e-38), 1.0, most == 0.0); }
}

//! shader quantize
//! buffers w:w:i8 scale:r:f32 x:r:f32
//! params n:u32 K:u32
// An invocation owns one word of w; bytes in front of the first and behind the last element stay.
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
  let place = P.w / 4u + group_index(wid, nwg) * 256u + lid;
  if (4u * place >= P.w + P.n) { return; }
  var bits = w[place];
#for c in range(4)
  if (4u * place + ${c}u >= P.w && 4u * place + ${c}u < P.w + P.n) {
    let i = 4u * place + ${c}u - P.w;
    let q = round(x[P.x + i] / scale[P.scale + i / P.K]);
    let byte = select(i32(clamp(q, -127.0, 127.0)), -127, is_nan(q));
    bits = (bits & ${hex(0xffffffff ^ 255 << 8 * c)}u) | ((bitcast<u32>(byte) & 0xffu) << ${8 * c}u);
  }
#end
  w[place] = bits;
}
