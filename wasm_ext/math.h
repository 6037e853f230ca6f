// Elementary functions on vectors of float32: exp, log, tanh, sigmoid and the activations with
// their derivatives.
//
// Branch-free polynomials without a lookup table and with one division at most (the sigmoids): so
// they run at the speed of the arithmetic units in 4-lane WebAssembly. Every kernel that needs one
// of these functions (the matmul epilogue too) calls it here: the same input has the same bits in a
// vector, in a tail and in another kernel. NaN stays NaN; +-inf and denormals give the limits.
// test_math.cpp asserts the bounds below over a sweep of all magnitudes. Relative to the float64
// function, in units of 2^-24 = 6e-8 (results below 2^-118: within 2^-118):
//   vexp 2, vlog 2, vtanh 6, vsigmoid 4, vsilu 5, vgelu_tanh 5 + 6 |u| (u: the argument of tanh)
// Absolute, in the same units: the derivatives, which have a zero, 5; vgelu 1 + 4 min(|x|, 5.6) for
// x < 0, 1 + 4 |x| otherwise.
//
// Sources: exp and log follow Cephes (Moshier; expf.c, logf.c: the reduction by ln 2 in two parts,
// the polynomial of logf). The polynomial of exp and the rational functions of tanh and gelu are
// minimax fits made for this file (Lawson's iteration, weighted for relative error); the error of
// each fit is beside it.
#pragma once
#include "simd.h"

// Constants are in tables that are read through in_memory (simd_wasm.h). Coefficients run from the
// highest power to the lowest.
template <int N> INLINE vf polynomial(vf x, const float (&c)[N]) {
  vf p = vbroadcast(c);
  for (int i = 1; i < N; i++) p = vfma(p, x, vbroadcast(c + i));
  return p;
}
// The same for S vectors interleaved: each coefficient is read once, and the chains of
// multiply-adds hide one another's latency. A processor does not overlap them by itself: one long
// chain fills its scheduler before the next has begun.
template <int S, int N> INLINE void polynomials(const vf (&x)[S], const float (&c)[N], vf (&p)[S]) {
  for (int s = 0; s < S; s++) p[s] = vbroadcast(c);
  for (int i = 1; i < N; i++) {
    vf k = vbroadcast(c + i);
    for (int s = 0; s < S; s++) p[s] = vfma(p[s], x[s], k);
  }
}
INLINE vf clamp(vf x, const float (&bounds)[2]) {  // the bounds are the first operands: NaN passes
  return vmax(vbroadcast(bounds), vmin(vbroadcast(bounds + 1), x));
}

static const struct ExpTable {
  float bounds[2] = {-104.0f, 89.0f}, least = -88.0f, log2e = 1.44269504f;
  // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits; with 127 more they are
  // the exponent of 2^n.
  float magic = 12582912.0f, magic127 = 12583039.0f;
  int32_t magic_bits = 0x4b400000, one_bits = 0x3f800000;
  float ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
  // e^r on |r| <= ln(2)/2, error 3e-9
  float p[7] = {1.3814609e-3f, 8.3687175e-3f, 4.1668389e-2f, 1.6666521e-1f, 4.9999994e-1f, 1.0f, 1.0f};
} EXP;

// e^r after x = n ln 2 + r. The products n * 0.693359375 are exact, so the reduction is as good
// without FMA.
INLINE vf exp_reduced(vf x, vf n, const ExpTable& k) {
  return polynomial(vfnma(n, vbroadcast(&k.ln2_low), vfnma(n, vbroadcast(&k.ln2_high), x)), k.p);
}

// 2^n is applied as two factors: so results in the denormal range are right.
INLINE vf vexp(vf x) {
  const ExpTable& k = *in_memory(&EXP);
  vf magic = vbroadcast(&k.magic);
  x = clamp(x, k.bounds);
  vf t = vfma(x, vbroadcast(&k.log2e), magic), p = exp_reduced(x, vsub(t, magic), k);
  vi n = visub(vbits(t), vbits(magic)), half = vishr(n, 1), unit = vibroadcast(&k.one_bits);
  return vmul(vmul(p, vfrombits(viadd(vishl(half, 23), unit))), vfrombits(viadd(vishl(visub(n, half), 23), unit)));
}

// e^x for x <= 0, a third cheaper. Results below 2^-126 become 0.
INLINE vf vexp_nonpositive(vf x) {
  const ExpTable& k = *in_memory(&EXP);
  vf magic = vbroadcast(&k.magic127);
  x = vmax(vbroadcast(&k.least), x);
  vf t = vfma(x, vbroadcast(&k.log2e), magic);
  vi exponent = vimax(vbits(t), vibroadcast(&k.magic_bits));
  return vmul(exp_reduced(x, vsub(t, magic), k), vfrombits(vishl(exponent, 23)));
}

static const struct LogTable {
  float least = 1.17549435e-38f, two25 = 33554432.0f, twenty_five = 25.0f, one = 1.0f, half = 0.5f, inf = INFINITY,
        nan = NAN;
  float ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
  int32_t sqrt_half = 0x3f3504f3;
  float p[9] = {7.0376836292e-2f,  -1.1514610310e-1f, 1.1676998740e-1f,  -1.2420140846e-1f, 1.4249322787e-1f,
                -1.6668057665e-1f, 2.0000714765e-1f,  -2.4999993993e-1f, 3.3333331174e-1f};
} LOG;

// Natural logarithm: x = 2^e m with m in [sqrt(1/2), sqrt(2)), then Cephes' polynomial in m - 1.
// log(0) = -inf, log(x < 0) = NaN.
INLINE vf vlog(vf x) {
  const LogTable& k = *in_memory(&LOG);
  vm denormal = vlt(x, vbroadcast(&k.least));
  vf big = vselect(denormal, vmul(x, vbroadcast(&k.two25)), x);
  vi e = vishr(visub(vbits(big), vibroadcast(&k.sqrt_half)), 23);
  vf m = vsub(vfrombits(visub(vbits(big), vishl(e, 23))), vbroadcast(&k.one));
  vf n = vsub(vtofloat(e), vselect(denormal, vbroadcast(&k.twenty_five), vzero()));
  vf m2 = vmul(m, m), y = vmul(vmul(polynomial(m, k.p), m), m2);
  y = vfma(n, vbroadcast(&k.ln2_low), y);
  y = vsub(y, vmul(vbroadcast(&k.half), m2));
  y = vfma(n, vbroadcast(&k.ln2_high), vadd(m, y));
  y = vselect(vlt(x, vbroadcast(&k.inf)), y, x);  // +inf and NaN are their own logarithm
  y = vselect(veq(x, vzero()), vneg(vbroadcast(&k.inf)), y);
  return vselect(vlt(x, vzero()), vbroadcast(&k.nan), y);
}

static const struct TanhTable {
  float bounds[2] = {-9.05f, 9.05f}, unit[2] = {-1.0f, 1.0f};
  float p[5] = {1.32656508e-8f, 2.05449633e-5f, 3.49169411e-3f, 1.33777469e-1f, 1.0f};
  float q[5] = {7.74016769e-7f, 3.27926537e-4f, 2.58621685e-2f, 4.67110604e-1f, 1.0f};
} TANH;

// x P(x^2) / Q(x^2) on |x| <= 9.05, where tanh is 1 to float32; error 2.2e-8 of tanh.
INLINE vf vtanh(vf x) {
  const TanhTable& k = *in_memory(&TANH);
  x = clamp(x, k.bounds);
  vf z = vmul(x, x);
  return clamp(vmul(x, vdiv(polynomial(z, k.p), polynomial(z, k.q))), k.unit);
}

static const struct GateTable {
  float one = 1.0f, twice_root = 1.59576912f, cubic = 0.044715f, thrice_cubic = 0.134145f;  // 2 sqrt(2 / pi)
} GATE;

// The logistic function from e = exp(-|x|) and r = 1 / (1 + e): sigmoid(x) is e r for x < 0 and r
// otherwise, and 1 - sigmoid(x) is the other of the two. Neither overflows or cancels.
struct Logistic { vf e, r; };
INLINE Logistic logistic(vf x) {
  vf e = vexp_nonpositive(vneg(vabs(x))), one = vbroadcast(&in_memory(&GATE)->one);
  return {e, vdiv(one, vadd(one, e))};
}
INLINE vf times_sigmoid(vf v, vf x, Logistic l) { return vmul(vselect(vlt(x, vzero()), vmul(v, l.e), v), l.r); }
INLINE vf vsigmoid(vf x) { return times_sigmoid(vbroadcast(&in_memory(&GATE)->one), x, logistic(x)); }

// The activations at infinities are PyTorch's: where its formula has inf * 0 the result is NaN, at
// -inf and, for the derivatives, at +inf.
//
// silu(x) = x s with s = sigmoid(x), silu' = s (1 + x (1 - s)).
INLINE vf vsilu(vf x) { return times_sigmoid(x, x, logistic(x)); }
INLINE vf vsilu_grad(vf x) {
  Logistic l = logistic(x);
  vf er = vmul(l.e, l.r);
  vm negative = vlt(x, vzero());
  return vmul(vselect(negative, er, l.r), vfma(x, vselect(negative, l.r, er), vbroadcast(&in_memory(&GATE)->one)));
}

static const struct GeluTable {
  float half = 0.5f, saturation = 5.6f, before_saturation = 5.59999942f, grad_saturation = 6.2f,
        before_grad_saturation = 6.19999933f;
  float p[6] = {2.214519139e-8f, 6.356497359e-6f, 1.738499001e-4f, 4.707254614e-3f, 3.437605746e-2f, 3.989422216e-1f};
  float q[6] = {1.180205756e-6f, 7.510149420e-5f, 1.912973940e-3f, 2.894005464e-2f, 2.528337109e-1f, 1.0f};
  float grad_p[8] = {-3.067195752e-11f, 1.500837526e-8f, 1.406822906e-6f,  3.199693184e-5f,
                     3.910080831e-4f,   1.333803463e-2f, -1.220785313e-2f, 7.978844994e-1f};
  float grad_q[7] = {
      4.421877551e-7f, 1.217883496e-5f, 2.849967530e-4f, 4.449415103e-3f, 4.772970015e-2f, 3.180322947e-1f, 1.0f};
} GELU;

// out = a P(a^2) / Q(a^2), an odd function on 0 <= a <= far.
template <int S, int N, int M> INLINE void odd_ratios(const vf (&a)[S], const float (&p)[N], const float (&q)[M],
                                                      vf (&out)[S]) {
  vf z[S], over[S], under[S];
  for (int s = 0; s < S; s++) z[s] = vmul(a[s], a[s]);
  polynomials(z, p, over);
  polynomials(z, q, under);
  for (int s = 0; s < S; s++) out[s] = vmul(a[s], vdiv(over[s], under[s]));
}

// gelu(x) = x Phi(x) (Hendrycks and Gimpel 2016, the erf form) = max(x, 0) - a (1/2 - E(a)), a =
// |x|. E(a) = Phi(a) - 1/2 is a rational function, error 9e-9; from 5.6 on E is 1/2. Without an
// exponential it takes half the time of a form that keeps the relative accuracy of the negative
// tail, which PyTorch's x (1 + erf) / 2 does not keep either. In place, S vectors interleaved.
template <int S> INLINE void gelus(vf (&x)[S]) {
  const GeluTable& k = *in_memory(&GELU);
  vf a[S], e[S];
  for (int s = 0; s < S; s++) a[s] = vmin(vbroadcast(&k.saturation), vabs(x[s]));
  odd_ratios(a, k.p, k.q, e);
  for (int s = 0; s < S; s++) {
    vf tail = vsub(vbroadcast(&k.half), e[s]);
    vf positive = vsub(x[s], vmin(vzero(), x[s]));  // max(x, 0), and NaN for -inf
    x[s] = vsub(positive, vmul(a[s], vselect(vlt(vbroadcast(&k.before_saturation), a[s]), vzero(), tail)));
  }
}
INLINE vf vgelu(vf x) {
  vf one[1] = {x};
  gelus(one);
  return one[0];
}
// gelu'(x) = Phi(x) + x phi(x) = 1/2 +- D(|x|), D likewise, error 8e-9; from 6.2 on D is 1/2.
template <int S> INLINE void gelu_grads(vf (&x)[S]) {
  const GeluTable& k = *in_memory(&GELU);
  vf half = vbroadcast(&k.half), a[S], d[S];
  for (int s = 0; s < S; s++) a[s] = vmin(vbroadcast(&k.grad_saturation), vabs(x[s]));
  odd_ratios(a, k.grad_p, k.grad_q, d);
  for (int s = 0; s < S; s++) {
    vf saturated = vselect(vlt(vbroadcast(&k.before_grad_saturation), a[s]), half, d[s]);
    vf middle = vfma(x[s], vzero(), half);  // 1/2, and NaN for infinities
    x[s] = vselect(vlt(x[s], vzero()), vsub(middle, saturated), vadd(middle, saturated));
  }
}
INLINE vf vgelu_grad(vf x) {
  vf one[1] = {x};
  gelu_grads(one);
  return one[0];
}

// The tanh form: x (1 + tanh(u)) / 2 = x s with s = sigmoid(2 u), u = sqrt(2/pi) (x + 0.044715
// x^3); its derivative is s + x s (1 - s) 2 u', NaN from 2^64 on, where x^2 overflows.
INLINE vf twice_u(vf x, const GateTable& k) {
  return vmul(vmul(x, vbroadcast(&k.twice_root)), vfma(vmul(x, x), vbroadcast(&k.cubic), vbroadcast(&k.one)));
}
INLINE vf vgelu_tanh(vf x) {
  const GateTable& k = *in_memory(&GATE);
  return times_sigmoid(x, x, logistic(twice_u(x, k)));
}
INLINE vf vgelu_tanh_grad(vf x) {
  const GateTable& k = *in_memory(&GATE);
  Logistic l = logistic(twice_u(x, k));
  vf er = vmul(l.e, l.r);
  vf slope = vmul(vbroadcast(&k.twice_root), vfma(vmul(x, x), vbroadcast(&k.thrice_cubic), vbroadcast(&k.one)));
  return vfma(vmul(x, vmul(er, l.r)), slope, vselect(vlt(x, vzero()), er, l.r));
}
