// AdamW (Loshchilov and Hutter 2019) and SGD over a flat range of parameters whose groups are
// consecutive.
//
// Scalars are combined in float64 and rounded once, as in PyTorch's Python code. The elements
// follow the order of its operations (torch/optim/adamw.py: lerp, addcmul, addcdiv).
#include "loops.h"

namespace {

// f(hyper, begin, end) for the part of each group in this thread's share.
template <class F> void each_group(const float* hyper, int64_t groups, int64_t n, const Team& team, F f) {
  Share s = share(n, team, CACHE_LINE);
  int64_t begin = 0;
  for (int64_t group = 0; group < groups; group++, hyper += 8) {
    int32_t end_bits;
    memcpy(&end_bits, hyper, 4);
    int64_t end = end_bits < n ? end_bits : n, from = begin > s.begin ? begin : s.begin, to = end < s.end ? end : s.end;
    if (from < to) f(hyper, from, to);
    if (end > begin) begin = end;
  }
}

// Whether the step is skipped: the gradient's norm is given and not finite.
bool skipped(const float* norm) { return norm && !(*norm - *norm == 0); }

}  // namespace

static void run_adamw(const Slot* a, Team& team) {
  if (skipped(buffer<const float>(a, ADAMW_norm))) return;
  float *p = buffer<float>(a, ADAMW_p), *m = buffer<float>(a, ADAMW_m), *v = buffer<float>(a, ADAMW_v);
  const float* g = buffer<const float>(a, ADAMW_g);
  each_group(buffer<const float>(a, ADAMW_hyper), a[ADAMW_groups].i, a[ADAMW_n].i, team,
             [&](const float* h, int64_t begin, int64_t end) {
    double lr = h[1];
    vf decay = vsplat((float)(1 - lr * h[5])), one_minus_beta1 = vsplat((float)(1 - (double)h[2])),
       beta2 = vsplat(h[3]), one_minus_beta2 = vsplat((float)(1 - (double)h[3])), eps = vsplat(h[4]),
       step = vsplat((float)(-lr / h[6])), correction2 = vsplat((float)(1 / (double)h[7]));
    each_vector(begin, end, [&](int64_t i, int n) {
      vf grad = vload_tail(g + i, n), m0 = vload_tail(m + i, n);
      vf m1 = vfma(one_minus_beta1, vsub(grad, m0), m0);
      vf v1 = vadd(vmul(beta2, vload_tail(v + i, n)), vmul(vmul(one_minus_beta2, grad), grad));
      vf denominator = vadd(vmul(vsqrt(v1), correction2), eps);
      vf p1 = vadd(vmul(vload_tail(p + i, n), decay), vdiv(vmul(step, m1), denominator));
      vstore_tail(m + i, m1, n);
      vstore_tail(v + i, v1, n);
      vstore_tail(p + i, p1, n);
    });
  });
}

static void run_sgd(const Slot* a, Team& team) {
  if (skipped(buffer<const float>(a, SGD_norm))) return;
  float *p = buffer<float>(a, SGD_p), *buf = buffer<float>(a, SGD_buf);
  const float* g = buffer<const float>(a, SGD_g);
  each_group(buffer<const float>(a, SGD_hyper), a[SGD_groups].i, a[SGD_n].i, team,
             [&](const float* h, int64_t begin, int64_t end) {
    vf step = vsplat(-h[1]), momentum = vsplat(h[2]), one_minus_dampening = vsplat((float)(1 - (double)h[3])),
       decay = vsplat(h[4]);
    bool nesterov = h[5] != 0, first = h[6] != 0;
    each_vector(begin, end, [&](int64_t i, int n) {
      vf p0 = vload_tail(p + i, n), d = vfma(decay, p0, vload_tail(g + i, n));
      if (buf) {
        vf b = first ? d : vadd(vmul(momentum, vload_tail(buf + i, n)), vmul(one_minus_dampening, d));
        vstore_tail(buf + i, b, n);
        d = nesterov ? vfma(momentum, b, d) : b;
      }
      vstore_tail(p + i, vfma(step, d, p0), n);
    });
  });
}

ENTRY(adamw, [](const Slot* a) { return 50 + a[ADAMW_n].i * 0.9; }, nullptr);
ENTRY(sgd, [](const Slot* a) { return 50 + a[SGD_n].i * 0.4; }, nullptr);
