// Batch norm over x[N, C, S], a workgroup for each channel: mean and variance over N and S in two
// passes, then the result; and its backward.
#include workgroup
fn place(i: u32, channel: u32) -> u32 { return (i / P.S * P.C + channel) * P.S + i % P.S; }

//! shader forward
//! buffers out:w:f32 mean:w:f32 rstd:w:f32 x:r:f32 weight?:r:f32 bias?:r:f32 running_mean?:w:f32 running_var?:w:f32
//! params N:u32 C:u32 S:u32 momentum:f32 eps:f32
@compute @workgroup_size(${W})
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
  let c = group_index(wid, nwg);
  if (c >= P.C) { return; }
  let count = P.N * P.S;
#if training
  var total = 0.0;
  for (var i = lid; i < count; i += ${W}u) { total += x[P.x + place(i, c)]; }
  let center = workgroup_sum(total, lid) / f32(count);
  var squares = 0.0;
  for (var i = lid; i < count; i += ${W}u) {
    let v = x[P.x + place(i, c)] - center;
    squares = fma(v, v, squares);
  }
  let sum = workgroup_sum(squares, lid);
  let variance = sum / f32(count);
#else
  let center = running_mean[P.running_mean + c];
  let variance = running_var[P.running_var + c];
#end
  let factor = 1.0 / sqrt(variance + P.eps);
  if (lid == 0u) {
    mean[P.mean + c] = center;
    rstd[P.rstd + c] = factor;
#if training and running_mean
    running_mean[P.running_mean + c] = P.momentum * center + (1.0 - P.momentum) * running_mean[P.running_mean + c];
#end
#if training and running_var
    running_var[P.running_var + c] =
        P.momentum * (sum / f32(count - 1u)) + (1.0 - P.momentum) * running_var[P.running_var + c];
#end
  }
#if weight
  let scale = factor * weight[P.weight + c];
#else
  let scale = factor;
#end
#if bias
  let shift = bias[P.bias + c];
#else
  let shift = 0.0;
#end
  for (var i = lid; i < count; i += ${W}u) {
    let at = place(i, c);
    out[P.out + at] = fma(x[P.x + at] - center, scale, shift);
  }
}

//! shader backward
//! buffers dx:w:f32 dweight:w:f32 dbias:w:f32 dy:r:f32 x:r:f32 weight?:r:f32 mean:r:f32 rstd:r:f32
//! params N:u32 C:u32 S:u32
@compute @workgroup_size(${W})
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lid: u32) {
  let c = group_index(wid, nwg);
  if (c >= P.C) { return; }
  let count = P.N * P.S;
  let center = mean[P.mean + c];
  let factor = rstd[P.rstd + c];
  var total = 0.0;
  var products = 0.0;
  for (var i = lid; i < count; i += ${W}u) {
    let at = place(i, c);
    let g = dy[P.dy + at];
    total += g;
    products = fma(g, (x[P.x + at] - center) * factor, products);
  }
  let sum = workgroup_sum(total, lid);
  let slope = workgroup_sum(products, lid);
  if (lid == 0u) {
    dbias[P.dbias + c] = sum;
    dweight[P.dweight + c] = slope;
  }
#if weight
  let scale = factor * weight[P.weight + c];
#else
  let scale = factor;
#end
  for (var i = lid; i < count; i += ${W}u) {
    let at = place(i, c);
#if training
    let xhat = (x[P.x + at] - center) * factor;
    dx[P.dx + at] = (dy[P.dy + at] - (sum + xhat * slope) / f32(count)) * scale;
#else
    dx[P.dx + at] = dy[P.dy + at] * scale;
#end
  }
}
