// Elementary functions on float32, for `#include math`: exp, log, pow, tanh, sin, cos, the
// activations and their derivatives.
//
// WGSL's own are imprecise by specification (exp 3 + 2 |x| ULP, tanh and pow without a useful
// bound, sin and cos for |x| <= pi only), and differ between drivers. These are the polynomials of
// wasm_ext/math.h, so the error bounds stated there hold (a division may cost 2.5 ULP more), and
// the devices agree to a few units of 2^-24. Sources: exp, log, sin, cos after Cephes (Moshier);
// pow after fdlibm's e_powf (Sun Microsystems); the polynomial of exp and the rational functions of
// tanh and gelu are minimax fits made for this project.
//
// A compiler may fuse a product and a sum or leave them apart. What must be exact (range
// reductions, sums in two parts) is built from products that are exact in 24 bits, so that both
// ways give the same. NaN is tested by its bits, as min, max and clamp may drop it. Infinities give
// the limits, but for the activations, which give NaN where PyTorch's formula has inf * 0: at -inf
// and, for the derivatives, at +inf. Denormal arguments of log and pow are taken apart as integers,
// since a GPU may flush them to zero in arithmetic.

// e^r for |r| <= ln(2) / 2, error 3e-9.
fn m_exp_polynomial(r: f32) -> f32 {
  var p = 1.3814609e-3;
  p = fma(p, r, 8.3687175e-3);
  p = fma(p, r, 4.1668389e-2);
  p = fma(p, r, 1.6666521e-1);
  p = fma(p, r, 4.9999994e-1);
  p = fma(p, r, 1.0);
  return fma(p, r, 1.0);
}

// x - n ln 2. The products n * 0.693359375 are exact.
fn m_exp_reduced(x: f32, n: f32) -> f32 {
  return (x - n * 0.693359375) + n * 2.12194440e-4;
}

// p * 2^n in two factors, so that results in the denormal range are right; |n| <= 252.
fn m_scale(p: f32, n: i32) -> f32 {
  let half = n >> 1u;
  return (p * bitcast<f32>((half + 127) << 23u)) * bitcast<f32>((n - half + 127) << 23u);
}

fn m_exp(x: f32) -> f32 {
  let c = clamp(x, -104.0, 89.0);
  let n = round(c * 1.44269504);
  return select(m_scale(m_exp_polynomial(m_exp_reduced(c, n)), i32(n)), x, is_nan(x));
}

// e^x for x <= 0, a third cheaper: what is below 2^-126 becomes 0.
fn m_exp_nonpositive(x: f32) -> f32 {
  let c = max(x, -88.0);
  let n = round(c * 1.44269504);
  return select(m_exp_polynomial(m_exp_reduced(c, n)) * bitcast<f32>((i32(n) + 127) << 23u), x, is_nan(x));
}

// Natural logarithm: x = 2^e m with m in [sqrt(1/2), sqrt(2)), then Cephes' polynomial in m - 1.
// log(0) = -inf, log(x < 0) = NaN.
fn m_log(x: f32) -> f32 {
  let given = bitcast<u32>(x);
  let denormal = given < 0x800000u;
  let bits = bitcast<i32>(select(x, f32(given), denormal));
  let e = (bits - 0x3f3504f3) >> 23u;
  let m = bitcast<f32>(bits - (e << 23u)) - 1.0;
  let n = f32(e) - select(0.0, 149.0, denormal);
  var p = 7.0376836292e-2;
  p = fma(p, m, -1.1514610310e-1);
  p = fma(p, m, 1.1676998740e-1);
  p = fma(p, m, -1.2420140846e-1);
  p = fma(p, m, 1.4249322787e-1);
  p = fma(p, m, -1.6668057665e-1);
  p = fma(p, m, 2.0000714765e-1);
  p = fma(p, m, -2.4999993993e-1);
  p = fma(p, m, 3.3333331174e-1);
  let m2 = m * m;
  var y = p * m * m2;
  y = y - n * 2.12194440e-4;
  y = y - 0.5 * m2;
  y = (m + y) + n * 0.693359375;
  y = select(y, x, given >= 0x7f800000u);  // +inf and NaN are their own logarithm
  y = select(y, nan(), given > 0x80000000u);
  return select(y, -inf(), (given & 0x7fffffffu) == 0u);
}

// x P(x^2) / Q(x^2) on |x| <= 9.05, where tanh is 1 to float32; error 2.2e-8 of tanh.
fn m_tanh(x: f32) -> f32 {
  let c = clamp(x, -9.05, 9.05);
  let z = c * c;
  var p = 1.32656508e-8;
  p = fma(p, z, 2.05449633e-5);
  p = fma(p, z, 3.49169411e-3);
  p = fma(p, z, 1.33777469e-1);
  p = fma(p, z, 1.0);
  var q = 7.74016769e-7;
  q = fma(q, z, 3.27926537e-4);
  q = fma(q, z, 2.58621685e-2);
  q = fma(q, z, 4.67110604e-1);
  q = fma(q, z, 1.0);
  return select(clamp(c * (p / q), -1.0, 1.0), x, is_nan(x));
}

// The logistic function from e = exp(-|x|) and r = 1 / (1 + e): (sigmoid(x), 1 - sigmoid(x)) is (e
// r, r) for x < 0 and (r, e r) otherwise, so that neither overflows nor cancels.
fn m_logistic(x: f32) -> vec2f {
  let e = m_exp_nonpositive(-abs(x));
  let r = 1.0 / (1.0 + e);
  return select(vec2f(r, e * r), vec2f(e * r, r), x < 0.0);
}
fn m_sigmoid(x: f32) -> f32 {
  return m_logistic(x).x;
}

// Whether |x| is NaN or at least the number of these bits.
fn m_beyond(x: f32, bits: u32) -> bool {
  return (bitcast<u32>(x) & 0x7fffffffu) >= bits;
}
// NaN for NaN and -inf, else `value`.
fn m_unless_lowest(x: f32, value: f32) -> f32 {
  return select(value, nan(), m_beyond(x, 0x7f800000u) && bitcast<u32>(x) != 0x7f800000u);
}

// silu(x) = x s with s = sigmoid(x), silu' = s (1 + x (1 - s)). The bounds keep inf * 0 away.
fn m_silu(x: f32) -> f32 {
  return m_unless_lowest(x, max(x, -120.0) * m_logistic(x).x);
}
fn m_silu_grad(x: f32) -> f32 {
  let s = m_logistic(x);
  return select(s.x * fma(clamp(x, -120.0, 120.0), s.y, 1.0), nan(), m_beyond(x, 0x7f800000u));
}

// gelu(x) = x Phi(x) (Hendrycks and Gimpel 2016, the erf form): max(x, 0) less a (1/2 - E(a)), a =
// |x|, with E(a) = Phi(a) - 1/2 as a rational function a P(a^2) / Q(a^2), error 9e-9; from 5.6 on E
// is 1/2.
fn m_gelu(x: f32) -> f32 {
  let a = min(abs(x), 5.6);
  let z = a * a;
  var p = 2.214519139e-8;
  p = fma(p, z, 6.356497359e-6);
  p = fma(p, z, 1.738499001e-4);
  p = fma(p, z, 4.707254614e-3);
  p = fma(p, z, 3.437605746e-2);
  p = fma(p, z, 3.989422216e-1);
  var q = 1.180205756e-6;
  q = fma(q, z, 7.510149420e-5);
  q = fma(q, z, 1.912973940e-3);
  q = fma(q, z, 2.894005464e-2);
  q = fma(q, z, 2.528337109e-1);
  q = fma(q, z, 1.0);
  let tail = select(a * (0.5 - a * (p / q)), 0.0, a > 5.59999942);
  return m_unless_lowest(x, max(x, 0.0) - tail);
}
// gelu'(x) = Phi(x) + x phi(x) = 1/2 +- D(|x|), D likewise a P(a^2) / Q(a^2), error 8e-9; from 6.2
// on D is 1/2.
fn m_gelu_grad(x: f32) -> f32 {
  let a = min(abs(x), 6.2);
  let z = a * a;
  var p = -3.067195752e-11;
  p = fma(p, z, 1.500837526e-8);
  p = fma(p, z, 1.406822906e-6);
  p = fma(p, z, 3.199693184e-5);
  p = fma(p, z, 3.910080831e-4);
  p = fma(p, z, 1.333803463e-2);
  p = fma(p, z, -1.220785313e-2);
  p = fma(p, z, 7.978844994e-1);
  var q = 4.421877551e-7;
  q = fma(q, z, 1.217883496e-5);
  q = fma(q, z, 2.849967530e-4);
  q = fma(q, z, 4.449415103e-3);
  q = fma(q, z, 4.772970015e-2);
  q = fma(q, z, 3.180322947e-1);
  q = fma(q, z, 1.0);
  let d = select(a * (p / q), 0.5, a > 6.19999933);
  return select(0.5 + select(d, -d, x < 0.0), nan(), m_beyond(x, 0x7f800000u));
}

// The tanh form: x (1 + tanh(u)) / 2 = x sigmoid(2 u), u = sqrt(2/pi) (x + 0.044715 x^3); its
// derivative is NaN from 2^64 on, where x^2 overflows.
fn m_gelu_tanh(x: f32) -> f32 {
  let b = clamp(x, -30.0, 30.0);
  let s = m_logistic(b * 1.59576912 * fma(b * b, 0.044715, 1.0));
  return m_unless_lowest(x, max(x, -30.0) * s.x);
}
fn m_gelu_tanh_grad(x: f32) -> f32 {
  let b = clamp(x, -30.0, 30.0);
  let s = m_logistic(b * 1.59576912 * fma(b * b, 0.044715, 1.0));
  let slope = 1.59576912 * fma(b * b, 0.134145, 1.0);
  return select(s.x * fma(b * slope, s.y, 1.0), nan(), m_beyond(x, 0x5f800000u));
}

// ---- pow ---------------------------------------------------------------------------------------

// The upper 12 bits of the mantissa: the product of two such numbers is exact.
fn m_head(x: f32) -> f32 {
  return bitcast<f32>(bitcast<u32>(x) & 0xfffff000u);
}

// x^y for finite x > 0 and finite y: 2^(y log2 x) with the logarithm and the product each in two
// parts.
fn m_pow_positive(x: f32, y: f32) -> f32 {
  let denormal = bitcast<u32>(x) < 0x800000u;
  let bits = bitcast<u32>(select(x, f32(bitcast<u32>(x)), denormal));
  // x = 2^e m, m in [sqrt(3)/2, sqrt(3)), and log2 m = log2 b + log2(m / b) with b = 1 or 1.5.
  let fraction = bits & 0x7fffffu;
  let above = fraction >= 0x5db3d7u;
  let middle = fraction > 0x1cc471u && !above;
  let e = f32(i32(bits >> 23u) - 127 - select(0, 149, denormal) + select(0, 1, above));
  let m_bits = fraction | select(0x3f800000u, 0x3f000000u, above);
  let m = bitcast<f32>(m_bits);
  let b = select(1.0, 1.5, middle);
  // s = (m - b) / (m + b) = s_high + s_low
  let difference = m - b;
  let v = 1.0 / (m + b);
  let s = difference * v;
  let s_high = m_head(s);
  let sum_high = m_head(m + b);
  let sum_low = m - (sum_high - b);
  let s_low = v * ((difference - s_high * sum_high) - s_high * sum_low);
  // ln(m / b) = 2/3 s (3 + s^2 + r)
  let z = s * s;
  var r = 2.0697501302e-1;
  r = fma(r, z, 2.3066075146e-1);
  r = fma(r, z, 2.7272811532e-1);
  r = fma(r, z, 3.3333334327e-1);
  r = fma(r, z, 4.2857143283e-1);
  r = fma(r, z, 6.0000002384e-1);
  r = r * (z * z) + s_low * (s_high + s);
  let z_high = s_high * s_high;
  let t_high = m_head(3.0 + z_high + r);
  let t_low = r - ((t_high - 3.0) - z_high);
  let u = s_high * t_high;
  let w = s_low * t_high + t_low * s;
  let p_high = m_head(u + w);
  let p_low = w - (p_high - u);
  // log2 x = l_high + l_low: times 2 / (3 ln 2) in two parts, log2 1.5 in two parts, e.
  let c_high = 9.6191406250e-1 * p_high;
  let c_low = -1.1736857402e-4 * p_high + p_low * 9.6179670095e-1 + select(0.0, 1.56322085e-6, middle);
  let b_high = select(0.0, 5.84960938e-1, middle);
  let l_high = m_head(((c_high + c_low) + b_high) + e);
  let l_low = c_low - (((l_high - e) - b_high) - c_high);
  // y log2 x = q_high + q_low, beyond the exponents of float32 cut off
  let y_high = m_head(y);
  let q_high = y_high * l_high;
  let q_low = (y - y_high) * l_high + y * l_low;
  let estimate = y * l_high;
  if (estimate > 160.0) { return inf(); }
  if (estimate < -160.0) { return 0.0; }
  let n = round(q_high + q_low);
  return m_scale(m_exp_polynomial(((q_high - n) + q_low) * 6.93147182e-1), i32(n));
}

// C's pow: a negative base with an integer exponent, and the limits at 0, infinity and NaN.
fn m_pow(x: f32, y: f32) -> f32 {
  let ax = abs(x);
  let ay = abs(y);
  if (y == 0.0 || bitcast<u32>(x) == 0x3f800000u) { return 1.0; }
  if (is_nan(x) || is_nan(y)) { return nan(); }
  let infinite_x = bitcast<u32>(ax) == 0x7f800000u;
  let infinite_y = bitcast<u32>(ay) == 0x7f800000u;
  let integer = floor(ay) == ay;
  // From 2^24 on every float is even.
  let odd = integer && ay < 16777216.0 && (u32(min(ay, 16777216.0)) & 1u) == 1u;
  var v: f32;
  if (infinite_y) {
    if (ax == 1.0) { return 1.0; }
    v = select(0.0, inf(), (ax > 1.0) == (y > 0.0));
  } else if (bitcast<u32>(ax) == 0u || infinite_x) {
    v = select(0.0, inf(), infinite_x == (y > 0.0));
  } else {
    if (bitcast<u32>(x) >> 31u == 1u && !integer) { return nan(); }
    v = m_pow_positive(ax, y);
  }
  return select(v, -v, odd && bitcast<u32>(x) >> 31u == 1u);
}

// ---- sin and cos -------------------------------------------------------------------------------

// sin and cos of a on |a| <= pi/4 (a little more at the seams of a reduction), Cephes' polynomials.
fn m_sin_octant(a: f32) -> f32 {
  let z = a * a;
  return fma(fma(fma(-1.9515295891e-4, z, 8.3321608736e-3), z, -1.6666654611e-1) * z, a, a);
}
fn m_cos_octant(a: f32) -> f32 {
  let z = a * a;
  return fma(fma(fma(2.443315711809948e-5, z, -1.388731625493765e-3), z, 4.166664568298827e-2), z * z, 1.0 - 0.5 * z);
}
// sin(a + quarter pi / 2)
fn m_sin_quarter(a: f32, quarter: i32) -> f32 {
  let v = select(m_sin_octant(a), m_cos_octant(a), (quarter & 1) == 1);
  return select(v, -v, (quarter & 2) == 2);
}

// The upper word of a * b.
fn m_multiply_high(a: u32, b: u32) -> u32 {
  let al = a & 0xffffu;
  let ah = a >> 16u;
  let bl = b & 0xffffu;
  let bh = b >> 16u;
  let t = ah * bl + ((al * bl) >> 16u);
  let u = al * bh + (t & 0xffffu);
  return ah * bh + (t >> 16u) + (u >> 16u);
}
// Word i of the bits of 2/pi behind the point.
fn m_two_over_pi(i: u32) -> u32 {
  switch i {
    case 0u: { return 0xa2f9836eu; }
    case 1u: { return 0x4e441529u; }
    case 2u: { return 0xfc2757d1u; }
    case 3u: { return 0xf534ddc0u; }
    case 4u: { return 0xdb629599u; }
    default: { return 0x3c439041u; }
  }
}

struct MReduced { a: f32, quarter: i32 }

// x = a + quarter pi/2, |a| <= pi/4. To 8192 pi/2 in three parts (the products with the first two
// are exact); beyond, the product with as many bits of 2/pi as decide it, in integers (Payne and
// Hanek 1983).
fn m_reduce_quarter(x: f32) -> MReduced {
  let ax = abs(x);
  if (ax <= 8192.0) {
    let n = round(x * 6.36619772e-1);
    return MReduced(((x - n * 1.5703125) - n * 4.83751296997070313e-4) - n * 7.54978995489188216e-8, i32(n));
  }
  // |x| = m 2^(exponent - 150) with m < 2^24. Of 2/pi the first exponent - 152 bits give whole
  // turns; the next 64 (high, low) decide.
  let exponent = bitcast<u32>(ax) >> 23u;
  let m = (bitcast<u32>(ax) & 0x7fffffu) | 0x800000u;
  let skip = select(0u, exponent - 152u, exponent > 152u);
  let w0 = m_two_over_pi(skip >> 5u);
  let w1 = m_two_over_pi((skip >> 5u) + 1u);
  let w2 = m_two_over_pi((skip >> 5u) + 2u);
  let left = skip & 31u;
  var high = select(w0, (w0 << left) | (w1 >> ((32u - left) & 31u)), left > 0u);
  var low = select(w1, (w1 << left) | (w2 >> ((32u - left) & 31u)), left > 0u);
  if (exponent < 152u) {
    let right = 152u - exponent;
    low = (low >> right) | (high << (32u - right));
    high = high >> right;
  }
  // The fraction of a turn in units of 2^-32.
  let turn = m * high + m_multiply_high(m, low);
  let rounded = turn + 0x20000000u;
  let a = f32(bitcast<i32>(turn - (rounded & 0xc0000000u))) * 1.46291808e-9;
  let quarter = i32(rounded >> 30u);
  return MReduced(select(a, -a, x < 0.0), select(quarter, -quarter, x < 0.0));
}

fn m_sin(x: f32) -> f32 {
  if ((bitcast<u32>(x) & 0x7fffffffu) >= 0x7f800000u) { return nan(); }
  let r = m_reduce_quarter(x);
  return m_sin_quarter(r.a, r.quarter);
}
fn m_cos(x: f32) -> f32 {
  if ((bitcast<u32>(x) & 0x7fffffffu) >= 0x7f800000u) { return nan(); }
  let r = m_reduce_quarter(x);
  return m_sin_quarter(r.a, r.quarter + 1);
}

// sin and cos of 2 pi u for u in [-0.5, 0.5]: the reduction by quarter turns is exact.
fn m_turns_angle(r: f32) -> f32 {
  return r * 6.28318548 + r * -1.74845553e-7;  // 2 pi in two parts
}
fn m_sin_turns(u: f32) -> f32 {
  let n = round(4.0 * u);
  return m_sin_quarter(m_turns_angle(u - 0.25 * n), i32(n));
}
fn m_cos_turns(u: f32) -> f32 {
  let n = round(4.0 * u);
  return m_sin_quarter(m_turns_angle(u - 0.25 * n), i32(n) + 1);
}
