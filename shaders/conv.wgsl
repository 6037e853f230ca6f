// Convolution over three spatial dimensions: forward, backward to the input (the transposed
// convolution) and to the weight. Plain: an invocation has one sum.
//
// Names as in the contract: input sizes i, kernel k, output o, stride s, padding p, dilation d; M
// output and S input channels of a group. forward and backward_x: elements / (W * U) workgroups
// (flat.wgsl). weight: a workgroup for each element of dweight.

//! shader forward
//! buffers out:w:u32 x:r:f32 weight:r:f32 bias?:r:f32
//! params n:u32 first:u32 M:i32 S:i32 groups:i32 i0:i32 i1:i32 i2:i32 k0:i32 k1:i32 k2:i32 o0:i32 o1:i32 o2:i32 s0:i32 s1:i32 s2:i32 p0:i32 p1:i32 p2:i32 d0:i32 d1:i32 d2:i32
#include flat
fn value(place: u32) -> u32 {
  var rest = i32(place + P.first);
  let at2 = rest % P.o2 * P.s2 - P.p2; rest /= P.o2;
  let at1 = rest % P.o1 * P.s1 - P.p1; rest /= P.o1;
  let at0 = rest % P.o0 * P.s0 - P.p0; rest /= P.o0;
  let o = rest % (P.M * P.groups);
  let image = rest / (P.M * P.groups) * P.groups + o / P.M;
#if bias
  var total = bias[P.bias + u32(o)];
#else
  var total = 0.0;
#end
  for (var c = 0; c < P.S; c++) {
    let plane = (image * P.S + c) * P.i0;
    let taps = (o * P.S + c) * P.k0;
    for (var t0 = 0; t0 < P.k0; t0++) {
      let z = at0 + t0 * P.d0;
      if (z < 0 || z >= P.i0) { continue; }
      for (var t1 = 0; t1 < P.k1; t1++) {
        let y = at1 + t1 * P.d1;
        if (y < 0 || y >= P.i1) { continue; }
        let line = ((plane + z) * P.i1 + y) * P.i2;
        let row = ((taps + t0) * P.k1 + t1) * P.k2;
        for (var t2 = 0; t2 < P.k2; t2++) {
          let v = at2 + t2 * P.d2;
          if (v >= 0 && v < P.i2) { total = fma(weight[P.weight + u32(row + t2)], x[P.x + u32(line + v)], total); }
        }
      }
    }
  }
  return bitcast<u32>(total);
}

//! shader backward_x
//! buffers out:w:u32 dy:r:f32 weight:r:f32 bias?:r:f32
//! params n:u32 first:u32 M:i32 S:i32 groups:i32 i0:i32 i1:i32 i2:i32 k0:i32 k1:i32 k2:i32 o0:i32 o1:i32 o2:i32 s0:i32 s1:i32 s2:i32 p0:i32 p1:i32 p2:i32 d0:i32 d1:i32 d2:i32
#include flat
// The output whose tap reaches the element `at` (padding counted), -1 where there is none.
fn reached(at: i32, tap: i32, stride: i32, size: i32) -> i32 {
  let from_ = at - tap;
  return select(-1, from_ / stride, from_ >= 0 && from_ % stride == 0 && from_ / stride < size);
}
fn value(place: u32) -> u32 {
  var rest = i32(place + P.first);
  let at2 = rest % P.i2 + P.p2; rest /= P.i2;
  let at1 = rest % P.i1 + P.p1; rest /= P.i1;
  let at0 = rest % P.i0 + P.p0; rest /= P.i0;
  let channel = rest % (P.S * P.groups);
  let g = channel / P.S;
  let image = rest / (P.S * P.groups) * P.groups + g;
#if bias
  var total = bias[P.bias + u32(channel)];
#else
  var total = 0.0;
#end
  for (var m = 0; m < P.M; m++) {
    let plane = (image * P.M + m) * P.o0;
    let taps = ((g * P.M + m) * P.S + channel % P.S) * P.k0;
    for (var t0 = 0; t0 < P.k0; t0++) {
      let z = reached(at0, t0 * P.d0, P.s0, P.o0);
      if (z < 0) { continue; }
      for (var t1 = 0; t1 < P.k1; t1++) {
        let y = reached(at1, t1 * P.d1, P.s1, P.o1);
        if (y < 0) { continue; }
        let line = ((plane + z) * P.o1 + y) * P.o2;
        let row = ((taps + t0) * P.k1 + t1) * P.k2;
        for (var t2 = 0; t2 < P.k2; t2++) {
          let v = reached(at2, t2 * P.d2, P.s2, P.o2);
          if (v >= 0) { total = fma(weight[P.weight + u32(row + t2)], dy[P.dy + u32(line + v)], total); }
        }
      }
    }
  }
  return bitcast<u32>(total);
}

//! shader weight
//! buffers dweight:w:f32 dy:r:f32 x:r:f32
//! params N:i32 count:u32 M:i32 S:i32 groups:i32 i0:i32 i1:i32 i2:i32 k0:i32 k1:i32 k2:i32 o0:i32 o1:i32 o2:i32 s0:i32 s1:i32 s2:i32 p0:i32 p1:i32 p2:i32 d0:i32 d1:i32 d2:i32
#include workgroup
@compute @workgroup_size(${W})
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
  let element = group_index(wid, nwg);
  if (element >= P.count) { return; }
  var rest = i32(element);
  let tap2 = rest % P.k2 * P.d2 - P.p2; rest /= P.k2;
  let tap1 = rest % P.k1 * P.d1 - P.p1; rest /= P.k1;
  let tap0 = rest % P.k0 * P.d0 - P.p0; rest /= P.k0;
  let c = rest % P.S;
  let o = rest / P.S;
  let positions = P.o0 * P.o1 * P.o2;
  var total = 0.0;
  for (var i = i32(lid); i < P.N * positions; i += ${W}) {
    let n = i / positions;
    let at = i % positions;
    let z = at / (P.o1 * P.o2) * P.s0 + tap0;
    let y = at / P.o2 % P.o1 * P.s1 + tap1;
    let v = at % P.o2 * P.s2 + tap2;
    if (z < 0 || z >= P.i0 || y < 0 || y >= P.i1 || v < 0 || v >= P.i2) { continue; }
    let plane = (n * P.groups + o / P.M) * P.S + c;
    let source = ((plane * P.i0 + z) * P.i1 + y) * P.i2 + v;
    total = fma(dy[P.dy + u32((n * P.M * P.groups + o) * positions + at)], x[P.x + u32(source)], total);
  }
  let sum = workgroup_sum(total, lid);
  if (lid == 0u) { dweight[P.dweight + element] = sum; }
}
