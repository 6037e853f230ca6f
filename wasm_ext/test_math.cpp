// math.h against the C library in float64: every 1009th float32, the limits, and the same bits in
// every lane.
//
// Prints the largest error of each function in units of 2^-24 of the result (or of 1); exits with 1
// where a bound is exceeded.
#include "math.h"
#include <cstdio>

static int failures = 0;

static double phi(double x) { return exp(-x * x / 2) * 0.39894228040143267794; }
static double cdf(double x) { return 0.5 * erfc(-x * 0.70710678118654752440); }
static double sigmoid(double x) { return 1 / (1 + exp(-x)); }
static double u(double x) { return 0.79788456080286535588 * (x + 0.044715 * x * x * x); }
static double du(double x) { return 0.79788456080286535588 * (1 + 3 * 0.044715 * x * x); }

static double ref_exp(double x) { return exp(x); }
static double ref_log(double x) { return log(x); }
static double ref_tanh(double x) { return tanh(x); }
static double ref_sigmoid(double x) { return sigmoid(x); }
static double ref_silu(double x) { return x * sigmoid(x); }
static double ref_silu_grad(double x) {
  double s = sigmoid(x);
  return fabs(x) > 1e4 ? x > 0 : s * (1 + x * (1 - s));
}
static double ref_gelu(double x) { return x < -40 ? 0 : x * cdf(x); }
static double ref_gelu_grad(double x) { return fabs(x) > 40 ? x > 0 : cdf(x) + x * phi(x); }
static double ref_gelu_tanh(double x) { return x < -40 ? 0 : x * sigmoid(2 * u(x)); }
static double ref_gelu_tanh_grad(double x) {
  double s = sigmoid(2 * u(x));
  if (fabs(x) >= 0x1p64) return NAN;  // where x^2 overflows
  return fabs(x) > 40 ? x > 0 : s + x * s * (1 - s) * 2 * du(x);
}
static double no_slack(double) { return 0; }
static double tanh_slack(double x) { return 6 * fabs(u(x)); }
static double gelu_slack(double x) { return 4 * (x < -5.6 ? 5.6 : fabs(x)); }

// relative: the bound in 2^-24 of the result, to which slack(x) is added; otherwise in 2^-24
// absolute.
template <class F>
static void check(const char* name, F f, double (*reference)(double), bool relative, double bound,
                  double (*slack)(double) = no_slack) {
  const double unit = 0x1p-24;
  double worst = 0, at = 0;
  long broken = 0;
  for (uint64_t bits = 0; bits < 0x100000000ull; bits += 1009) {
    uint32_t word = (uint32_t)bits;
    float x, got[VW];
    memcpy(&x, &word, 4);
    double want = reference((double)x);
    vstore(got, f(vsplat(x)));
    for (int l = 1; l < VW; l++)
      if (memcmp(got, got + l, 4)) broken++;
    if (x != x) {
      broken += got[0] == got[0];
      continue;
    }
    if (want != want) {
      broken += got[0] == got[0];
      continue;
    }
    if (fabs(want) > 3.4028235677973366e38) {
      broken += got[0] != (want > 0 ? INFINITY : -INFINITY);
      continue;
    }
    double error = fabs((double)got[0] - want);
    if (relative && fabs(want) < 0x1p-118) {
      broken += !(error <= 0x1p-118);
      continue;
    }
    error /= relative ? fabs(want) * unit : unit;
    double excess = error - slack((double)x);
    if (!(excess <= bound)) broken++;
    if (excess > worst) worst = excess, at = x;
  }
  printf("%-14s %6.2f of %4.1f (%s) at %g%s\n", name, worst, bound, relative ? "relative" : "absolute", at,
         broken ? "  BROKEN" : "");
  failures += broken != 0;
}

template <class F> static void limit(const char* name, F f, float x, float want) {
  float got = vfirst(f(vsplat(x)));
  if (got == want || (got != got && want != want)) return;
  printf("%s(%g) is %g, not %g\n", name, x, got, want);
  failures++;
}

#define F(name) [](vf x) { return name(x); }

int main() {
  check("vexp", F(vexp), ref_exp, true, 2);
  check("vlog", F(vlog), ref_log, true, 2);
  check("vtanh", F(vtanh), ref_tanh, true, 6);
  check("vsigmoid", F(vsigmoid), ref_sigmoid, true, 4);
  check("vsilu", F(vsilu), ref_silu, true, 5);
  check("vsilu_grad", F(vsilu_grad), ref_silu_grad, false, 5);
  check("vgelu", F(vgelu), ref_gelu, false, 1, gelu_slack);
  check("vgelu_grad", F(vgelu_grad), ref_gelu_grad, false, 5);
  check("vgelu_tanh", F(vgelu_tanh), ref_gelu_tanh, true, 5, tanh_slack);
  check("vgelu_tanh_grad", F(vgelu_tanh_grad), ref_gelu_tanh_grad, false, 5);
  limit("vexp", F(vexp), -INFINITY, 0);
  limit("vexp", F(vexp), INFINITY, INFINITY);
  limit("vexp", F(vexp), 0, 1);
  limit("vlog", F(vlog), 0, -INFINITY);
  limit("vlog", F(vlog), 1, 0);
  limit("vlog", F(vlog), INFINITY, INFINITY);
  limit("vlog", F(vlog), -1, NAN);
  limit("vtanh", F(vtanh), INFINITY, 1);
  limit("vtanh", F(vtanh), -INFINITY, -1);
  limit("vsigmoid", F(vsigmoid), -INFINITY, 0);
  limit("vsigmoid", F(vsigmoid), INFINITY, 1);
  limit("vgelu", F(vgelu), INFINITY, INFINITY);
  limit("vgelu", F(vgelu), -1e30f, 0);
  limit("vgelu", F(vgelu), -INFINITY, NAN);  // here and below as in PyTorch
  limit("vgelu_tanh", F(vgelu_tanh), INFINITY, INFINITY);
  limit("vgelu_tanh", F(vgelu_tanh), -INFINITY, NAN);
  limit("vsilu", F(vsilu), INFINITY, INFINITY);
  limit("vsilu", F(vsilu), -INFINITY, NAN);
  const float infinities[] = {INFINITY, -INFINITY};
  for (float x : infinities) {
    limit("vgelu_grad", F(vgelu_grad), x, NAN);
    limit("vsilu_grad", F(vsilu_grad), x, NAN);
    limit("vgelu_tanh_grad", F(vgelu_tanh_grad), x, NAN);
  }
  limit("vgelu_grad", F(vgelu_grad), 3e38f, 1);
  limit("vsilu_grad", F(vsilu_grad), 3e38f, 1);
  limit("vsilu_grad", F(vsilu_grad), -3e38f, 0);
  limit("vgelu_tanh_grad", F(vgelu_tanh_grad), 1.8e19f, 1);
  limit("vgelu_tanh_grad", F(vgelu_tanh_grad), -1.8e19f, 0);
  puts(failures ? "FAILED" : "passed");
  return failures != 0;
}
