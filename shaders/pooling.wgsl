// Pooling of planes over three spatial dimensions: the largest element of each window with its
// place, and the mean; forward and backward.
//
// Names as in the contract. An invocation has one output; one of backward_max has a plane, to which
// it adds in the order of the outputs; one of backward_mean has an element, and looks for the
// windows that it is in. The windows are `adaptive` or have a kernel, stride, padding and dilation.

// The elements first .. last - 1, a step apart, of the window of output o; begin: without the
// padding cut off.
struct Window { first: i32, last: i32, begin: i32 }
fn window(o: i32, size: i32, outputs: i32, kernel: i32, stride: i32, padding: i32, dilation: i32) -> Window {
#if adaptive
  let begin = o * size / outputs;
  return Window(begin, ((o + 1) * size + outputs - 1) / outputs, begin);
#else
  let begin = o * stride - padding;
  let first = select(begin, begin + (-begin + dilation - 1) / dilation * dilation, begin < 0);
  return Window(first, min(begin + (kernel - 1) * dilation + 1, size), begin);
#end
}

//! shader largest
//! buffers out:w:${T} index:w:i32 x:r:${T}
//! params n:u32 i0:i32 i1:i32 i2:i32 k0:i32 k1:i32 k2:i32 o0:i32 o1:i32 o2:i32 s0:i32 s1:i32 s2:i32 p0:i32 p1:i32 p2:i32 d0:i32 d1:i32 d2:i32
@compute @workgroup_size(${W})
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
  let place = group_index(wid, nwg) * ${W}u + lid;
  if (place >= P.n) { return; }
  var rest = i32(place);
  let w2 = window(rest % P.o2, P.i2, P.o2, P.k2, P.s2, P.p2, P.d2); rest /= P.o2;
  let w1 = window(rest % P.o1, P.i1, P.o1, P.k1, P.s1, P.p1, P.d1); rest /= P.o1;
  let w0 = window(rest % P.o0, P.i0, P.o0, P.k0, P.s0, P.p0, P.d0); rest /= P.o0;
  let plane = rest * P.i0 * P.i1 * P.i2;
  var at = (w0.first * P.i1 + w1.first) * P.i2 + w2.first;
  var best = x[P.x + u32(plane + at)];
  for (var z = w0.first; z < w0.last; z += P.d0) {
    for (var y = w1.first; y < w1.last; y += P.d1) {
      for (var v = w2.first; v < w2.last; v += P.d2) {
        let here = (z * P.i1 + y) * P.i2 + v;
        let value = x[P.x + u32(plane + here)];
#if T == "f32"
        if ((value > best && !is_nan(best)) || is_nan(value)) { best = value; at = here; }
#else
        if (value > best) { best = value; at = here; }
#end
      }
    }
  }
  out[P.out + place] = best;
  index[P.index + place] = at;
}

//! shader backward_max
//! buffers dx:w:f32 dy:r:f32 index:r:i32 flag:w:atomic<u32>
//! params planes:u32 n:u32 m:u32
@compute @workgroup_size(${W})
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
  let plane = group_index(wid, nwg) * ${W}u + lid;
  if (plane >= P.planes) { return; }
  for (var i = 0u; i < P.n; i++) { dx[P.dx + plane * P.n + i] = 0.0; }
  for (var i = 0u; i < P.m; i++) {
    let at = u32(index[P.index + plane * P.m + i]);
    if (at >= P.n) { atomicMax(&flag[P.flag], ${kernel_id + 1}u); }
    dx[P.dx + plane * P.n + min(at, P.n - 1u)] += dy[P.dy + plane * P.m + i];
  }
}

//! shader mean
//! buffers out:w:u32 x:r:f32
//! params n:u32 first:u32 count_pad:i32 divisor:i32 i0:i32 i1:i32 i2:i32 k0:i32 k1:i32 k2:i32 o0:i32 o1:i32 o2:i32 s0:i32 s1:i32 s2:i32 p0:i32 p1:i32 p2:i32 d0:i32 d1:i32 d2:i32
#include flat
#include window_count
fn value(place: u32) -> u32 {
  var rest = i32(place + P.first);
  let w2 = window(rest % P.o2, P.i2, P.o2, P.k2, P.s2, P.p2, 1); rest /= P.o2;
  let w1 = window(rest % P.o1, P.i1, P.o1, P.k1, P.s1, P.p1, 1); rest /= P.o1;
  let w0 = window(rest % P.o0, P.i0, P.o0, P.k0, P.s0, P.p0, 1); rest /= P.o0;
  var total = 0.0;
  for (var z = w0.first; z < w0.last; z++) {
    for (var y = w1.first; y < w1.last; y++) {
      let line = ((rest * P.i0 + z) * P.i1 + y) * P.i2;
      for (var v = w2.first; v < w2.last; v++) { total += x[P.x + u32(line + v)]; }
    }
  }
  if (w0.first >= w0.last || w1.first >= w1.last || w2.first >= w2.last) { return 0u; }
  return bitcast<u32>(total / f32(window_count(w0, w1, w2)));
}

//! shader backward_mean
//! buffers out:w:u32 dy:r:f32
//! params n:u32 first:u32 count_pad:i32 divisor:i32 i0:i32 i1:i32 i2:i32 k0:i32 k1:i32 k2:i32 o0:i32 o1:i32 o2:i32 s0:i32 s1:i32 s2:i32 p0:i32 p1:i32 p2:i32 d0:i32 d1:i32 d2:i32
#include flat
#include window_count
// The outputs x .. y - 1 whose windows may have the element `at`.
fn outputs_of(at: i32, size: i32, outputs: i32, kernel: i32, stride: i32, padding: i32) -> vec2i {
#if adaptive
  return vec2i(at * outputs / size, min(((at + 1) * outputs + size - 1) / size, outputs));
#else
  let low = at + padding - kernel + stride;  // where it is in the window of `low / stride` at last
  return vec2i(select(low / stride, 0, low < 0), min((at + padding) / stride + 1, outputs));
#end
}
fn value(place: u32) -> u32 {
  var rest = i32(place + P.first);
  let at2 = rest % P.i2; rest /= P.i2;
  let at1 = rest % P.i1; rest /= P.i1;
  let at0 = rest % P.i0; rest /= P.i0;
  let r0 = outputs_of(at0, P.i0, P.o0, P.k0, P.s0, P.p0);
  let r1 = outputs_of(at1, P.i1, P.o1, P.k1, P.s1, P.p1);
  let r2 = outputs_of(at2, P.i2, P.o2, P.k2, P.s2, P.p2);
  var total = 0.0;
  for (var z = r0.x; z < r0.y; z++) {
    let w0 = window(z, P.i0, P.o0, P.k0, P.s0, P.p0, 1);
    for (var y = r1.x; y < r1.y; y++) {
      let w1 = window(y, P.i1, P.o1, P.k1, P.s1, P.p1, 1);
      let line = ((rest * P.o0 + z) * P.o1 + y) * P.o2;
      for (var v = r2.x; v < r2.y; v++) {
        let w2 = window(v, P.i2, P.o2, P.k2, P.s2, P.p2, 1);
        if (inside(at0, w0) && inside(at1, w1) && inside(at2, w2)) {
          total += dy[P.dy + u32(line + v)] / f32(window_count(w0, w1, w2));
        }
      }
    }
  }
  return bitcast<u32>(total);
}
