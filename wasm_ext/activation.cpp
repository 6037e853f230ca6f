// Activation functions with settings, of one dense float32 input: activation and
// activation_backward.
#include "loops.h"
#include "math.h"

namespace {

// log(1 + e) and e^x - 1 with a small relative error: the error of u = 1 + e, or of u = e^x, is
// that of both factors of the quotient (Kahan; Higham 2002, section 1.14.1).
INLINE vf vlog1p(vf e) {
  vf one = vsplat(1), u = vadd(one, e);
  return vselect(veq(u, one), e, vmul(vlog(u), vdiv(e, vsub(u, one))));
}
INLINE vf vexpm1(vf x) {  // x <= 0
  vf one = vsplat(1), u = vexp_nonpositive(x), less = vsub(u, one);
  vf exact = vmul(less, vdiv(x, vlog(u)));
  return vselect(veq(u, one), x, vselect(vlt(x, vsplat(-17)), less, exact));
}

INLINE vf between(vf x, vf low, vf high) { return vmax(low, vmin(high, x)); }  // NaN passes
// max(x, 0) + log(1 + e^-|x|)
INLINE vf softplus(vf x) { return vadd(vselect(vlt(x, vzero()), vzero(), x), vlog1p(vexp_nonpositive(vneg(vabs(x))))); }
// tanh(softplus(x)) = (e^2 + 2 e) / (e^2 + 2 e + 2) with e = e^x; 1 from 20 on.
INLINE vf tanh_of_softplus(vf x) {
  vf e = vexp(vmin(vsplat(20), x)), top = vmul(e, vadd(e, vsplat(2)));
  return vdiv(top, vadd(top, vsplat(2)));
}

template <class F> INLINE void map(float* out, const float* x, Share s, F f) {
  each_vector(s.begin, s.end, [&](int64_t j, int n) { vstore_tail(out + j, f(vload_tail(x + j, n)), n); });
}
template <class F> INLINE void map(float* out, const float* d, const float* x, Share s, F f) {
  each_vector(s.begin, s.end,
              [&](int64_t j, int n) { vstore_tail(out + j, f(vload_tail(d + j, n), vload_tail(x + j, n)), n); });
}

double cost(int64_t op) {  // nanoseconds an element, roughly
  switch (op) {
    case ACTIVATION_ELU:
    case ACTIVATION_SOFTPLUS:
    case ACTIVATION_LOGSIGMOID:
    case ACTIVATION_MISH: return 2.5;
    default: return 0.3;
  }
}

}  // namespace

static void run_activation(const Slot* p, Team& team) {
  float* out = buffer<float>(p, ACTIVATION_out);
  const float* x = buffer<const float>(p, ACTIVATION_x);
  vf a = vsplat((float)p[ACTIVATION_a].f), b = vsplat((float)p[ACTIVATION_b].f), c = vsplat((float)p[ACTIVATION_c].f);
  vf zero = vzero(), minus_a = vneg(a), three = vsplat(3), six = vsplat(6);
  Share s = share(p[ACTIVATION_n].i, team, CACHE_LINE);
  switch (p[ACTIVATION_op].i) {
    case ACTIVATION_LEAKY_RELU: return map(out, x, s, [=](vf v) { return vselect(vgt(v, zero), v, vmul(v, a)); });
    case ACTIVATION_ELU:
      return map(out, x, s,
                 [=](vf v) { return vselect(vgt(v, zero), vmul(v, b), vmul(vexpm1(vmul(vmin(zero, v), c)), a)); });
    case ACTIVATION_HARDTANH: return map(out, x, s, [=](vf v) { return between(v, a, b); });
    case ACTIVATION_HARDSIGMOID:
      return map(out, x, s, [=](vf v) { return vdiv(between(vadd(v, three), zero, six), six); });
    case ACTIVATION_HARDSWISH:
      return map(out, x, s, [=](vf v) { return vdiv(vmul(v, between(vadd(v, three), zero, six)), six); });
    case ACTIVATION_SOFTPLUS:
      return map(out, x, s, [=](vf v) {
        vf scaled = vmul(v, a);
        return vselect(vgt(scaled, b), v, vdiv(softplus(scaled), a));
      });
    case ACTIVATION_MISH: return map(out, x, s, [](vf v) { return vmul(v, tanh_of_softplus(v)); });
    case ACTIVATION_LOGSIGMOID: return map(out, x, s, [](vf v) { return vneg(softplus(vneg(v))); });
    case ACTIVATION_SOFTSHRINK:
      return map(out, x, s, [=](vf v) {
        return vselect(vgt(v, a), vsub(v, a), vselect(vlt(v, minus_a), vadd(v, a), vmul(v, zero)));
      });
    case ACTIVATION_HARDSHRINK: return map(out, x, s, [=](vf v) { return vselect(vle(vabs(v), a), zero, v); });
    case ACTIVATION_THRESHOLD: return map(out, x, s, [=](vf v) { return vselect(vle(v, a), b, v); });
    default: team.fail(STATUS_BAD_INDEX);
  }
}

static void run_activation_backward(const Slot* p, Team& team) {
  float* dx = buffer<float>(p, ACTIVATION_BACKWARD_dx);
  const float *dy = buffer<const float>(p, ACTIVATION_BACKWARD_dy), *x = buffer<const float>(p, ACTIVATION_BACKWARD_x);
  vf a = vsplat((float)p[ACTIVATION_BACKWARD_a].f), b = vsplat((float)p[ACTIVATION_BACKWARD_b].f),
     c = vsplat((float)p[ACTIVATION_BACKWARD_c].f), ac = vmul(a, c);
  vf zero = vzero(), one = vsplat(1), three = vsplat(3);
  Share s = share(p[ACTIVATION_BACKWARD_n].i, team, CACHE_LINE);
  switch (p[ACTIVATION_BACKWARD_op].i) {
    case ACTIVATION_LEAKY_RELU:
      return map(dx, dy, x, s, [=](vf d, vf v) { return vselect(vgt(v, zero), d, vmul(d, a)); });
    case ACTIVATION_ELU:
      return map(dx, dy, x, s, [=](vf d, vf v) {
        vf slope = vmul(ac, vexp_nonpositive(vmul(vmin(zero, v), c)));
        return vmul(d, vselect(vle(v, zero), slope, b));
      });
    case ACTIVATION_HARDTANH:
      return map(dx, dy, x, s, [=](vf d, vf v) { return vselect(vle(v, a), zero, vselect(vge(v, b), zero, d)); });
    case ACTIVATION_HARDSIGMOID:
      return map(dx, dy, x, s,
                 [=](vf d, vf v) { return vselect(vlt(vabs(v), three), vmul(d, vsplat(1 / 6.0f)), zero); });
    case ACTIVATION_HARDSWISH:
      return map(dx, dy, x, s, [=](vf d, vf v) {
        vf middle = vmul(d, vadd(vdiv(v, three), vsplat(0.5f)));
        return vselect(vle(v, vneg(three)), zero, vselect(vlt(v, three), middle, d));
      });
    case ACTIVATION_SOFTPLUS:
      return map(dx, dy, x, s, [=](vf d, vf v) {
        vf scaled = vmul(v, a);
        return vselect(vgt(scaled, b), d, vmul(d, vsigmoid(scaled)));
      });
    case ACTIVATION_MISH:
      return map(dx, dy, x, s, [=](vf d, vf v) {
        vf t = tanh_of_softplus(v);
        return vmul(d, vfma(vmul(v, vsigmoid(v)), vfnma(t, t, one), t));
      });
    case ACTIVATION_LOGSIGMOID: return map(dx, dy, x, s, [](vf d, vf v) { return vmul(d, vsigmoid(vneg(v))); });
    case ACTIVATION_SOFTSHRINK:
    case ACTIVATION_HARDSHRINK: return map(dx, dy, x, s, [=](vf d, vf v) { return vselect(vle(vabs(v), a), zero, d); });
    case ACTIVATION_THRESHOLD: return map(dx, dy, x, s, [=](vf d, vf v) { return vselect(vle(v, a), zero, d); });
    default: team.fail(STATUS_BAD_INDEX);
  }
}

ENTRY(activation, [](const Slot* p) { return 50 + p[ACTIVATION_n].i * cost(p[ACTIVATION_op].i); }, nullptr);
ENTRY(activation_backward, [](const Slot* p) {
  return 50 + p[ACTIVATION_BACKWARD_n].i * (0.2 + cost(p[ACTIVATION_BACKWARD_op].i));
}, nullptr);
