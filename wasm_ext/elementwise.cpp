// Elementwise kernels of one dense float32 input: unary and unary_backward.
#include "loops.h"
#include "math.h"

namespace {

vf one_by_x(vf x) { return vdiv(vsplat(1), x); }
vf vsin(vf x) {
  return lane_by_lane(x, [](float v) { return (float)sin((double)v); });
}
vf vcos(vf x) {
  return lane_by_lane(x, [](float v) { return (float)cos((double)v); });
}

template <class F> INLINE void map(float* out, const float* x, Share s, F f) {
  int64_t i = s.begin;
  for (; i + 2 * VW <= s.end; i += 2 * VW) {  // two at a time: their dependency chains overlap
    vf a = f(vload(x + i)), b = f(vload(x + i + VW));
    vstore(out + i, a);
    vstore(out + i + VW, b);
  }
  each_vector(i, s.end, [&](int64_t j, int n) { vstore_tail(out + j, f(vload_tail(x + j, n)), n); });
}

template <class F> INLINE void map(float* out, const float* a, const float* b, Share s, F f) {
  int64_t i = s.begin;
  for (; i + 2 * VW <= s.end; i += 2 * VW) {
    vf u = f(vload(a + i), vload(b + i)), v = f(vload(a + i + VW), vload(b + i + VW));
    vstore(out + i, u);
    vstore(out + i + VW, v);
  }
  each_vector(i, s.end,
              [&](int64_t j, int n) { vstore_tail(out + j, f(vload_tail(a + j, n), vload_tail(b + j, n)), n); });
}

// Nanoseconds an element, roughly (measured in V8, relaxed SIMD).
double unary_cost(int64_t op) {
  switch (op) {
    case UNARY_SIN:
    case UNARY_COS: return 25;
    case UNARY_GELU:
    case UNARY_GELU_TANH:
    case UNARY_LOG: return 1.7;
    case UNARY_EXP:
    case UNARY_TANH:
    case UNARY_SIGMOID:
    case UNARY_SILU: return 1.0;
    default: return 0.3;
  }
}

}  // namespace

static void run_unary(const Slot* a, Team& team) {
  float* out = buffer<float>(a, UNARY_out);
  const float* x = buffer<const float>(a, UNARY_x);
  Share s = share(a[UNARY_n].i, team, CACHE_LINE);
  switch (a[UNARY_op].i) {
    case UNARY_NEG: return map(out, x, s, [](vf v) { return vneg(v); });
    case UNARY_ABS: return map(out, x, s, [](vf v) { return vabs(v); });
    case UNARY_SQUARE: return map(out, x, s, [](vf v) { return vmul(v, v); });
    case UNARY_RECIPROCAL: return map(out, x, s, one_by_x);
    case UNARY_EXP: return map(out, x, s, [](vf v) { return vexp(v); });
    case UNARY_LOG: return map(out, x, s, [](vf v) { return vlog(v); });
    case UNARY_SQRT: return map(out, x, s, [](vf v) { return vsqrt(v); });
    case UNARY_RSQRT: return map(out, x, s, [](vf v) { return one_by_x(vsqrt(v)); });
    case UNARY_TANH: return map(out, x, s, [](vf v) { return vtanh(v); });
    case UNARY_SIGMOID: return map(out, x, s, [](vf v) { return vsigmoid(v); });
    case UNARY_RELU: return map(out, x, s, [](vf v) { return vselect(vlt(v, vzero()), vzero(), v); });  // NaN stays
    case UNARY_GELU: return map(out, x, s, [](vf v) { return vgelu(v); });
    case UNARY_GELU_TANH: return map(out, x, s, [](vf v) { return vgelu_tanh(v); });
    case UNARY_SILU: return map(out, x, s, [](vf v) { return vsilu(v); });
    case UNARY_SIN: return map(out, x, s, vsin);
    case UNARY_COS: return map(out, x, s, vcos);
    default: team.fail(STATUS_BAD_INDEX);
  }
}

// saved is x or y, by op, as the contract says.
static void run_unary_backward(const Slot* a, Team& team) {
  float* dx = buffer<float>(a, UNARY_BACKWARD_dx);
  const float *dy = buffer<const float>(a, UNARY_BACKWARD_dy), *saved = buffer<const float>(a, UNARY_BACKWARD_saved);
  Share s = share(a[UNARY_BACKWARD_n].i, team, CACHE_LINE);
  switch (a[UNARY_BACKWARD_op].i) {
    case UNARY_ABS:
      return map(dx, dy, saved, s, [](vf d, vf x) {  // 0 at 0 and at NaN
        vf sign = vselect(vgt(x, vzero()), vsplat(1), vselect(vlt(x, vzero()), vsplat(-1), vzero()));
        return vmul(d, sign);
      });
    case UNARY_SQUARE: return map(dx, dy, saved, s, [](vf d, vf x) { return vmul(d, vadd(x, x)); });
    case UNARY_RECIPROCAL: return map(dx, dy, saved, s, [](vf d, vf y) { return vmul(vneg(d), vmul(y, y)); });
    case UNARY_EXP: return map(dx, dy, saved, s, [](vf d, vf y) { return vmul(d, y); });
    case UNARY_LOG: return map(dx, dy, saved, s, [](vf d, vf x) { return vdiv(d, x); });
    case UNARY_SQRT: return map(dx, dy, saved, s, [](vf d, vf y) { return vdiv(d, vadd(y, y)); });
    case UNARY_RSQRT:
      return map(dx, dy, saved, s, [](vf d, vf y) { return vmul(vmul(vsplat(-0.5f), d), vmul(y, vmul(y, y))); });
    case UNARY_TANH: return map(dx, dy, saved, s, [](vf d, vf y) { return vmul(d, vfnma(y, y, vsplat(1))); });
    case UNARY_SIGMOID: return map(dx, dy, saved, s, [](vf d, vf y) { return vmul(d, vmul(y, vsub(vsplat(1), y))); });
    case UNARY_RELU:  // d at NaN, as in PyTorch
      return map(dx, dy, saved, s, [](vf d, vf x) { return vselect(vle(x, vzero()), vzero(), d); });
    case UNARY_GELU: return map(dx, dy, saved, s, [](vf d, vf x) { return vmul(d, vgelu_grad(x)); });
    case UNARY_GELU_TANH: return map(dx, dy, saved, s, [](vf d, vf x) { return vmul(d, vgelu_tanh_grad(x)); });
    case UNARY_SILU: return map(dx, dy, saved, s, [](vf d, vf x) { return vmul(d, vsilu_grad(x)); });
    case UNARY_SIN: return map(dx, dy, saved, s, [](vf d, vf x) { return vmul(d, vcos(x)); });
    case UNARY_COS: return map(dx, dy, saved, s, [](vf d, vf x) { return vmul(vneg(d), vsin(x)); });
    default: team.fail(STATUS_BAD_INDEX);
  }
}

ENTRY(unary, [](const Slot* a) { return 50 + a[UNARY_n].i * unary_cost(a[UNARY_op].i); }, nullptr);
ENTRY(unary_backward,
      [](const Slot* a) { return 50 + a[UNARY_BACKWARD_n].i * (0.2 + unary_cost(a[UNARY_BACKWARD_op].i)); }, nullptr);
