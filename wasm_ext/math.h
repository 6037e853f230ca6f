// Elementary functions on vectors of float32: exp, log, tanh, sigmoid and the activations with their derivatives.
//
// Branch-free polynomials, no table, at most one division each (sigmoid-like) so that they run at ALU speed in 4-lane WebAssembly. Every
// kernel that needs one of these (the matmul epilogue too) calls it here: the same input has the same bits wherever it is computed, in a
// vector, in a tail or in another kernel. NaN stays NaN, +-inf and denormals give the limits; the bounds below are asserted by
// test_math.cpp over a sweep of all magnitudes (relative to the float64 function, in units of 2^-24 = 6e-8; results below 2^-120 within 2^-135):
//   vexp 2, vlog 2, vtanh 6, vsigmoid 4, vsilu 5, vgelu 8 (in the negative tail too), vgelu_tanh 5 + 6 |u| (u: the argument of tanh)
// and absolute, in the same units, for the derivatives, which have a zero: 5.
//
// Sources: exp, log after Cephes (Moshier; expf.c, logf.c: the reduction by ln 2 in two parts, logf's polynomial). The polynomial of exp,
// and the rational functions of tanh and of the normal tail are minimax fits made for this file (Lawson's iteration, weighted for
// relative error; the fitted error stands beside each).
#pragma once
#include "simd.h"

INLINE vf poly_step(vf p, vf x, float c) { return vfma(p, x, vsplat(c)); }

// e^(x + y) for a small correction y (0 for exp itself). Round x to n ln 2, expand the rest; 2^n is applied in two factors, so
// that results in the denormal range are right. The products n * 0.693359375 are exact, so no FMA is needed for the reduction.
INLINE vf exp_sum(vf x, vf y) {
  x = vmax(vsplat(-104.0f), vmin(vsplat(89.0f), x));  // the bounds stand first: NaN passes
  const vf magic = vsplat(12582912.0f);               // 1.5 * 2^23: adding it rounds to an integer, kept in the low bits
  vf t = vfma(x, vsplat(1.44269504f), magic), n = vsub(t, magic);
  vf r = vadd(vsub(vsub(x, vmul(n, vsplat(0.693359375f))), vmul(n, vsplat(-2.12194440e-4f))), y);
  vf p = vsplat(1.3814609e-3f);  // (e^r - 1 - r) / r^2 on |r| <= ln(2)/2, error 3e-9 of e^r
  p = poly_step(p, r, 8.3687175e-3f);
  p = poly_step(p, r, 4.1668389e-2f);
  p = poly_step(p, r, 1.6666521e-1f);
  p = poly_step(p, r, 4.9999994e-1f);
  p = vadd(vfma(p, vmul(r, r), r), vsplat(1.0f));
  vi k = visub(vbits(t), vbits(magic)), half = vishr(k, 1);
  vi one = visplat(0x3f800000);
  return vmul(vmul(p, vfrombits(viadd(vishl(half, 23), one))), vfrombits(viadd(vishl(visub(k, half), 23), one)));
}

INLINE vf vexp(vf x) { return exp_sum(x, vzero()); }

// Natural logarithm: x = 2^e m with m in [sqrt(1/2), sqrt(2)), then Cephes' polynomial in m - 1. log(0) = -inf, log(x < 0) = NaN.
INLINE vf vlog(vf x) {
  vm denormal = vlt(x, vsplat(1.17549435e-38f));
  vf big = vselect(denormal, vmul(x, vsplat(33554432.0f)), x);  // times 2^25
  vi e = vishr(visub(vbits(big), visplat(0x3f3504f3)), 23);
  vf m = vsub(vfrombits(visub(vbits(big), vishl(e, 23))), vsplat(1.0f));
  vf n = vsub(vtofloat(e), vselect(denormal, vsplat(25.0f), vzero()));
  vf p = vsplat(7.0376836292e-2f);
  p = poly_step(p, m, -1.1514610310e-1f);
  p = poly_step(p, m, 1.1676998740e-1f);
  p = poly_step(p, m, -1.2420140846e-1f);
  p = poly_step(p, m, 1.4249322787e-1f);
  p = poly_step(p, m, -1.6668057665e-1f);
  p = poly_step(p, m, 2.0000714765e-1f);
  p = poly_step(p, m, -2.4999993993e-1f);
  p = poly_step(p, m, 3.3333331174e-1f);
  vf m2 = vmul(m, m);
  vf y = vmul(vmul(p, m), m2);
  y = vfma(n, vsplat(-2.12194440e-4f), y);
  y = vsub(y, vmul(vsplat(0.5f), m2));
  y = vfma(n, vsplat(0.693359375f), vadd(m, y));
  y = vselect(vlt(x, vsplat(INFINITY)), y, x);  // +inf and NaN are their own logarithm
  y = vselect(veq(x, vzero()), vsplat(-INFINITY), y);
  return vselect(vlt(x, vzero()), vsplat(NAN), y);
}

// x P(x^2) / Q(x^2), both of degree 4, on |x| <= 9.05 where tanh is 1 to float32; error 2.2e-8 of tanh.
INLINE vf vtanh(vf x) {
  x = vmax(vsplat(-9.05f), vmin(vsplat(9.05f), x));
  vf z = vmul(x, x);
  vf p = vsplat(1.32656508e-8f);
  p = poly_step(p, z, 2.05449633e-5f);
  p = poly_step(p, z, 3.49169411e-3f);
  p = poly_step(p, z, 1.33777469e-1f);
  p = poly_step(p, z, 1.0f);
  vf q = vsplat(7.74016769e-7f);
  q = poly_step(q, z, 3.27926537e-4f);
  q = poly_step(q, z, 2.58621685e-2f);
  q = poly_step(q, z, 4.67110604e-1f);
  q = poly_step(q, z, 1.0f);
  vf y = vmul(x, vdiv(p, q));
  return vmax(vsplat(-1.0f), vmin(vsplat(1.0f), y));
}

// The logistic function from e = exp(-|x|) and r = 1 / (1 + e): sigmoid(x) is e r for x < 0 and r otherwise, 1 - sigmoid(x) the other
// one, so that neither overflows nor cancels.
struct Logistic { vf e, r; };
INLINE Logistic logistic(vf x) {
  vf e = vexp(vneg(vabs(x)));
  return {e, vdiv(vsplat(1.0f), vadd(vsplat(1.0f), e))};
}
INLINE vf times_sigmoid(vf v, vf x, Logistic l) { return vmul(vselect(vlt(x, vzero()), vmul(v, l.e), v), l.r); }
INLINE vf vsigmoid(vf x) { return times_sigmoid(vsplat(1.0f), x, logistic(x)); }

// silu(x) = x s with s = sigmoid(x), silu' = s (1 + x (1 - s)). Beyond +-120 the exponential is 0: the bound keeps inf * 0 away.
INLINE vf vsilu(vf x) { return times_sigmoid(vmax(vsplat(-120.0f), x), x, logistic(x)); }
INLINE vf vsilu_grad(vf x) {
  Logistic l = logistic(x);
  vf b = vmax(vsplat(-120.0f), vmin(vsplat(120.0f), x)), er = vmul(l.e, l.r);
  vm negative = vlt(x, vzero());
  return vmul(vselect(negative, er, l.r), vfma(b, vselect(negative, l.r, er), vsplat(1.0f)));
}

// The normal distribution for gelu: with a = min(|x|, 14.5), where the tail has underflowed, e = exp(-a^2 / 2) and the tail
// 1 - Phi(a) = e ratio, ratio = P(a) / Q(a) with error 6e-9; the square is split so that the tail is right relative to its own size.
struct Normal { vf a, e, ratio; };
INLINE Normal normal(vf x) {
  vf a = vmin(vsplat(14.5f), vabs(x));
  vf high = vfrombits(viand(vbits(a), visplat((int32_t)0xfffff000))), low = vsub(a, high);
  vf e = exp_sum(vmul(vsplat(-0.5f), vmul(high, high)), vmul(vsplat(-0.5f), vmul(low, vadd(a, high))));
  vf p = vsplat(4.11629863e-3f);
  p = poly_step(p, a, 4.06331569e-2f);
  p = poly_step(p, a, 1.83234930e-1f);
  p = poly_step(p, a, 4.38294679e-1f);
  p = poly_step(p, a, 0.5f);
  vf q = vsplat(1.03179114e-2f);
  q = poly_step(q, a, 1.01858668e-1f);
  q = poly_step(q, a, 4.69470084e-1f);
  q = poly_step(q, a, 1.20250225f);
  q = poly_step(q, a, 1.67447436f);
  q = poly_step(q, a, 1.0f);
  return {a, e, vdiv(p, q)};
}

// gelu(x) = x Phi(x) (Hendrycks and Gimpel 2016, the erf form): max(x, 0) less |x| times the tail.
INLINE vf vgelu(vf x) {
  Normal d = normal(x);
  return vsub(vselect(vlt(x, vzero()), vzero(), x), vmul(vmul(d.a, d.e), d.ratio));
}
// gelu'(x) = Phi(x) + x exp(-x^2/2) / sqrt(2 pi): with t = tail - a e / sqrt(2 pi), t for x < 0 and 1 - t otherwise.
INLINE vf vgelu_grad(vf x) {
  Normal d = normal(x);
  vf t = vmul(d.e, vfnma(d.a, vsplat(0.398942280f), d.ratio));
  return vselect(vlt(x, vzero()), t, vsub(vsplat(1.0f), t));
}

// The tanh form: x (1 + tanh(u)) / 2 = x sigmoid(2 u), u = sqrt(2/pi) (x + 0.044715 x^3). Beyond +-30 the exponential is 0.
INLINE vf twice_u(vf x) { return vmul(vmul(x, vsplat(1.59576912f)), vfma(vmul(x, x), vsplat(0.044715f), vsplat(1.0f))); }
INLINE vf vgelu_tanh(vf x) { return times_sigmoid(vmax(vsplat(-30.0f), x), x, logistic(twice_u(x))); }
INLINE vf vgelu_tanh_grad(vf x) {
  vf b = vmax(vsplat(-30.0f), vmin(vsplat(30.0f), x));
  Logistic l = logistic(twice_u(b));
  vf er = vmul(l.e, l.r), slope = vmul(vsplat(1.59576912f), vfma(vmul(b, b), vsplat(0.134145f), vsplat(1.0f)));
  vm negative = vlt(x, vzero());
  return vmul(vselect(negative, er, l.r), vfma(vmul(b, slope), vselect(negative, l.r, er), vsplat(1.0f)));
}
