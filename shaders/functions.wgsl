// Functions of one float32 (kernel math_of_one): rounding, logarithms, inverse trigonometry, erf;
// and of two numbers (math_of_two).
//
// In: x of P.n elements, or a and b at strides that broadcast them. Out: `out`. Dispatch: elements
// / (W * U * V); flat.wgsl has the frame. All are built from math.wgsl's functions. Sources: asin
// and atan after Cephes (Moshier); erfc is Chebyshev's fit of Numerical Recipes (Press et al.,
// erfcc), error 1.2e-7 of its value; log1p and erf near 0 are power series.
#include math
#include flat

fn f_log1p(x: f32) -> f32 {
  if (x > -0.4 && x < 0.5) {
    let s = x / (2.0 + x);
    let z = s * s;
    var p = 0.0769230769;
    p = fma(p, z, 0.0909090909);
    p = fma(p, z, 0.111111111);
    p = fma(p, z, 0.142857143);
    p = fma(p, z, 0.2);
    p = fma(p, z, 0.333333333);
    return 2.0 * fma(s * z, p, s);
  }
  return m_log(1.0 + x);
}
fn f_expm1(x: f32) -> f32 {
  if (abs(x) < 1.0) {
    let t = m_tanh(0.5 * x);
    return 2.0 * t / (1.0 - t);
  }
  return m_exp(x) - 1.0;
}
fn f_exp2(x: f32) -> f32 {
  let c = clamp(x, -150.0, 129.0);
  let n = round(c);
  return select(m_scale(m_exp_polynomial((c - n) * 0.693147181), i32(n)), x, is_nan(x));
}
// sinh and cosh of a = |x|: from 80 on e^a is taken in two factors, since it overflows first.
fn f_half_exp(a: f32) -> f32 {
  let h = m_exp(0.5 * a);
  return h * (0.5 * h);
}
fn f_sinh(x: f32) -> f32 {
  let e = f_expm1(abs(x));
  let y = select(0.5 * (e + e / (e + 1.0)), f_half_exp(abs(x)), abs(x) > 80.0);
  return select(select(y, -y, x < 0.0), x, is_nan(x) || x == 0.0);
}
fn f_cosh(x: f32) -> f32 {
  let e = m_exp(abs(x));
  return select(select(0.5 * (e + 1.0 / e), f_half_exp(abs(x)), abs(x) > 80.0), x, is_nan(x));
}
fn f_asinh(x: f32) -> f32 {
  let a = abs(x);
  var y = m_log(a) + 0.693147181;
  if (a < 1e9) { y = f_log1p(a + a * a / (1.0 + sqrt(fma(a, a, 1.0)))); }
  return select(select(y, -y, x < 0.0), x, is_nan(x) || x == 0.0);
}
fn f_acosh(x: f32) -> f32 {
  if (is_nan(x) || x < 1.0) { return nan(); }
  let t = x - 1.0;
  if (x > 1e9) { return m_log(x) + 0.693147181; }
  return f_log1p(t + sqrt(fma(t, t, 2.0 * t)));
}
fn f_atanh(x: f32) -> f32 {
  let a = abs(x);
  if (is_nan(x) || a > 1.0) { return nan(); }
  if (a == 1.0) { return select(inf(), -inf(), x < 0.0); }
  let y = 0.5 * f_log1p(2.0 * a / (1.0 - a));
  return select(select(y, -y, x < 0.0), x, x == 0.0);
}
fn f_atan(x: f32) -> f32 {
  let a = abs(x);
  var base = 0.0;
  var t = a;
  if (a > 2.41421356) {
    base = 1.57079633;
    t = select(-1.0 / a, 0.0, m_beyond(a, 0x7f800000u));
  } else if (a > 0.414213562) {
    base = 0.785398163;
    t = (a - 1.0) / (a + 1.0);
  }
  let z = t * t;
  var p = 8.05374449538e-2;
  p = fma(p, z, -1.38776856032e-1);
  p = fma(p, z, 1.99777106478e-1);
  p = fma(p, z, -3.33329491539e-1);
  let y = base + fma(p * z, t, t);
  return select(select(y, -y, x < 0.0), x, is_nan(x) || x == 0.0);
}
// asin of a in [0, 1/2].
fn f_asin_small(a: f32) -> f32 {
  let z = a * a;
  var p = 4.2163199048e-2;
  p = fma(p, z, 2.4181311049e-2);
  p = fma(p, z, 4.5470025998e-2);
  p = fma(p, z, 7.4953002686e-2);
  p = fma(p, z, 1.6666752422e-1);
  return fma(p * z, a, a);
}
fn f_asin(x: f32) -> f32 {
  let a = abs(x);
  if (is_nan(x) || a > 1.0) { return nan(); }
  var y = 0.0;
  if (a > 0.5) { y = 1.57079633 - 2.0 * f_asin_small(sqrt(0.5 * (1.0 - a))); } else { y = f_asin_small(a); }
  return select(select(y, -y, x < 0.0), x, x == 0.0);
}
fn f_acos(x: f32) -> f32 {
  let a = abs(x);
  if (is_nan(x) || a > 1.0) { return nan(); }
  if (a <= 0.5) { return 1.57079633 - f_asin(x); }
  let y = 2.0 * f_asin_small(sqrt(0.5 * (1.0 - a)));
  return select(y, 3.14159265 - y, x < 0.0);
}
// erfc of a >= 0.
fn f_erfc_positive(a: f32) -> f32 {
  let t = 1.0 / (1.0 + 0.5 * a);
  var p = 0.17087277;
  p = fma(p, t, -0.82215223);
  p = fma(p, t, 1.48851587);
  p = fma(p, t, -1.13520398);
  p = fma(p, t, 0.27886807);
  p = fma(p, t, -0.18628806);
  p = fma(p, t, 0.09678418);
  p = fma(p, t, 0.37409196);
  p = fma(p, t, 1.00002368);
  return t * m_exp(fma(p, t, -1.26551223) - a * a);
}
fn f_erf_series(x: f32) -> f32 {
  let z = x * x;
  var p = 1.48071928e-08;
  p = fma(p, z, -1.63658447e-07);
  p = fma(p, z, 1.64621144e-06);
  p = fma(p, z, -1.49256504e-05);
  p = fma(p, z, 0.00012055333);
  p = fma(p, z, -0.000854832702);
  p = fma(p, z, 0.00522397763);
  p = fma(p, z, -0.0268661706);
  p = fma(p, z, 0.112837917);
  p = fma(p, z, -0.376126389);
  p = fma(p, z, 1.12837917);
  return x * p;
}
fn f_erf(x: f32) -> f32 {
  let a = abs(x);
  if (is_nan(x)) { return x; }
  if (a < 1.0) { return f_erf_series(x); }
  let y = 1.0 - f_erfc_positive(min(a, 10.0));
  return select(y, -y, x < 0.0);
}
fn f_erfc(x: f32) -> f32 {
  if (is_nan(x)) { return x; }
  if (abs(x) < 0.5) { return 1.0 - f_erf_series(x); }
  let y = f_erfc_positive(min(abs(x), 11.0));
  return select(select(y, 2.0 - y, x < 0.0), select(0.0, 2.0, x < 0.0), abs(x) > 10.5);
}

//! shader math_of_one
//! buffers out:w:${T} x:r:${T}
//! params n:u32
fn apply(x: f32) -> f32 {
#if op in ("floor", "ceil", "round", "trunc")
  return select(${op}(x), x, is_nan(x));
#elif op == "sign"
  return select(select(0.0, select(1.0, -1.0, x < 0.0), x != 0.0), x, is_nan(x));
#elif op == "log2"
  return m_log(x) * 1.44269504;
#elif op == "log10"
  return m_log(x) * 0.434294482;
#elif op == "tan"
  return m_sin(x) / m_cos(x);
#else
  return f_${op}(x);
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

//! shader math_of_two
//! buffers out:w:u32 a:r:${E} b:r:${E}
//! params n:u32 ${" ".join("n%d:u32 a%d:u32 b%d:u32" % (d, d, d) for d in range(rank))}
#include truncated_remainder
fn apply(x: ${E}, y: ${E}) -> ${E} {
#if op == "fmod" and E == "f32"
  return truncated_remainder(x, y);
#elif op == "fmod"
  return select(x % y, 0, y == 0);
#elif op == "gcd"
  var u = select(u32(x), 0u - u32(x), x < 0);
  var v = select(u32(y), 0u - u32(y), y < 0);
  while (v != 0u) {
    let rest = u % v;
    u = v;
    v = rest;
  }
  return i32(u);
#elif op == "copysign"
  return bitcast<f32>((bitcast<u32>(x) & 0x7fffffffu) | (bitcast<u32>(y) & 0x80000000u));
#elif op == "nextafter"
  if (is_nan(x) || is_nan(y)) { return nan(); }
  let bits = bitcast<u32>(x);
  if (x == y) { return y; }
  if ((bits & 0x7fffffffu) == 0u) { return bitcast<f32>((bitcast<u32>(y) & 0x80000000u) | 1u); }
  return bitcast<f32>(select(bits - 1u, bits + 1u, (x < y) == (bits >> 31u == 0u)));
#elif op == "hypot"
  if (m_beyond(x, 0x7f800000u) || m_beyond(y, 0x7f800000u)) {
    return select(nan(), inf(), abs(x) == inf() || abs(y) == inf());
  }
  let large = max(abs(x), abs(y));
  let ratio = min(abs(x), abs(y)) / large;
  return select(large * sqrt(fma(ratio, ratio, 1.0)), 0.0, large == 0.0);
#elif op == "atan2"
  if (is_nan(x) || is_nan(y)) { return nan(); }
  let left = bitcast<u32>(y) >> 31u == 1u;
  var angle = 0.0;
  if (abs(x) == inf() && abs(y) == inf()) {
    angle = 0.785398163;
  } else if (x != 0.0 || y != 0.0) {
    angle = select(f_atan(abs(x) / abs(y)), 1.57079633, y == 0.0);
  }
  angle = select(angle, 3.14159265 - angle, left);
  return select(angle, -angle, bitcast<u32>(x) >> 31u == 1u);
#end
}
fn value(i: u32) -> u32 {
  var rest = i;
  var u = P.a;
  var v = P.b;
#for d in range(rank - 1, 0, -1)
  u += rest % P.n${d} * P.a${d};
  v += rest % P.n${d} * P.b${d};
  rest /= P.n${d};
#end
  return bitcast<u32>(apply(a[u + rest * P.a0], b[v + rest * P.b0]));
}
