// Activation functions with settings, and their backward: P.a, P.b and P.c are the contract's
// (py/tinygpt/kernels.py). flat.wgsl has the frame.
//
// In: operands of P.n float32 numbers. Out: `out`, dense. Dispatch: elements / (W * U * V).
// Comparisons with NaN are false; where a branch would lose one, it is asked for.
#include math
#include flat

// log(1 + e) with a small relative error (Kahan; Higham 2002, section 1.14.1).
fn log1p_of(e: f32) -> f32 {
  let u = 1.0 + e;
  return select(m_log(u) * (e / (u - 1.0)), e, u == 1.0);
}
// e^x - 1 for x <= 0, likewise.
fn expm1_of(x: f32) -> f32 {
  let u = m_exp_nonpositive(x);
  let less = u - 1.0;
  if (u == 1.0 || is_nan(x)) { return x; }
  return select(less * (x / m_log(u)), less, x < -17.0);
}
fn between(x: f32, low: f32, high: f32) -> f32 {
  if (is_nan(x)) { return x; }
  return min(max(x, low), high);
}
fn softplus_of(x: f32) -> f32 {
  if (is_nan(x)) { return x; }
  return max(x, 0.0) + log1p_of(m_exp_nonpositive(-abs(x)));
}
// tanh(softplus(x)) with e = e^x; 1 from 20 on.
fn tanh_of_softplus(x: f32) -> f32 {
  if (is_nan(x)) { return x; }
  let e = m_exp(min(x, 20.0));
  let top = e * (e + 2.0);
  return top / (top + 2.0);
}

//! shader activation
//! buffers out:w:${T} x:r:${T}
//! params n:u32 a:f32 b:f32 c:f32
fn apply(x: f32) -> f32 {
#if op == "leaky_relu"
  return select(x * P.a, x, x > 0.0);
#elif op == "elu"
  if (x > 0.0) { return x * P.b; }
  return expm1_of(x * P.c) * P.a;
#elif op == "hardtanh"
  return between(x, P.a, P.b);
#elif op == "hardsigmoid"
  return between(x + 3.0, 0.0, 6.0) / 6.0;
#elif op == "hardswish"
  return x * between(x + 3.0, 0.0, 6.0) / 6.0;
#elif op == "softplus"
  let scaled = x * P.a;
  if (scaled > P.b) { return x; }
  return softplus_of(scaled) / P.a;
#elif op == "mish"
  return x * tanh_of_softplus(x);
#elif op == "logsigmoid"
  return -softplus_of(-x);
#elif op == "softshrink"
  if (is_nan(x)) { return x; }
  return select(select(0.0, x + P.a, x < -P.a), x - P.a, x > P.a);
#elif op == "hardshrink"
  return select(x, 0.0, abs(x) <= P.a && !is_nan(x));
#else
  return select(x, P.b, x <= P.a && !is_nan(x));
#end
}

fn value(i: u32) -> ${T} {
  let v = x[P.x + i];
#if V == 4
  return vec4f(apply(v.x), apply(v.y), apply(v.z), apply(v.w));
#else
  return apply(v);
#end
}

//! shader activation_backward
//! buffers out:w:${T} dy:r:${T} x:r:${T}
//! params n:u32 a:f32 b:f32 c:f32
fn apply(d: f32, x: f32) -> f32 {
#if op == "leaky_relu"
  return select(d * P.a, d, x > 0.0);
#elif op == "elu"
  if (x <= 0.0 && !is_nan(x)) { return d * (P.a * P.c * m_exp_nonpositive(x * P.c)); }
  return d * P.b;
#elif op == "hardtanh"
  return select(d, 0.0, (x <= P.a || x >= P.b) && !is_nan(x));
#elif op == "hardsigmoid"
  return select(0.0, d * (1.0 / 6.0), abs(x) < 3.0 && !is_nan(x));
#elif op == "hardswish"
  if (is_nan(x)) { return d; }
  if (x <= -3.0) { return 0.0; }
  return select(d, d * (x / 3.0 + 0.5), x < 3.0);
#elif op == "softplus"
  let scaled = x * P.a;
  return select(d * m_sigmoid(scaled), d, scaled > P.b);
#elif op == "mish"
  let t = tanh_of_softplus(x);
  return d * fma(x * m_sigmoid(x), fma(-t, t, 1.0), t);
#elif op == "logsigmoid"
  return d * m_sigmoid(-x);
#elif op == "threshold"
  return select(d, 0.0, x <= P.a && !is_nan(x));
#else
  return select(d, 0.0, abs(x) <= P.a && !is_nan(x));
#end
}

fn value(i: u32) -> ${T} {
  let d = dy[P.dy + i];
  let s = x[P.x + i];
#if V == 4
  return vec4f(apply(d.x, s.x), apply(d.y, s.y), apply(d.z, s.z), apply(d.w, s.w));
#else
  return apply(d, s);
#end
}
