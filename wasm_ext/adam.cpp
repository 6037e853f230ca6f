// Adam of one parameter (Kingma and Ba 2015), in the order of PyTorch's operations
// (torch/optim/adam.py: lerp, addcmul, addcdiv). Its scalars are combined in float64 by the caller.
#include "loops.h"

static void run_adam(const Slot* a, Team& team) {
  float *p = buffer<float>(a, ADAM_p), *m = buffer<float>(a, ADAM_m), *v = buffer<float>(a, ADAM_v);
  float* largest = buffer<float>(a, ADAM_largest);
  const float *g = buffer<const float>(a, ADAM_g), *h = buffer<const float>(a, ADAM_hyper);
  vf decay = vsplat(h[0]), coupled = vsplat(h[1]), take1 = vsplat(h[2]), rest1 = vsplat(h[2] - 1), keep2 = vsplat(h[3]),
     take2 = vsplat(h[4]), eps = vsplat(h[5]), step = vsplat(h[6]), scale = vsplat(h[7]);
  bool penalty = h[1] != 0, early = h[2] < 0.5f;  // as lerp: from the nearer end
  Share s = share(a[ADAM_n].i, team, CACHE_LINE);
  each_vector(s.begin, s.end, [&](int64_t i, int n) {
    vf p0 = vmul(vload_tail(p + i, n), decay), d = vload_tail(g + i, n), m0 = vload_tail(m + i, n);
    if (penalty) d = vfma(coupled, p0, d);
    vf apart = vsub(d, m0), m1 = early ? vfma(take1, apart, m0) : vfma(rest1, apart, d);
    vf v1 = vadd(vmul(keep2, vload_tail(v + i, n)), vmul(vmul(take2, d), d));
    vstore_tail(m + i, m1, n);
    vstore_tail(v + i, v1, n);
    if (largest) {
      v1 = vmax(vload_tail(largest + i, n), v1);
      vstore_tail(largest + i, v1, n);
    }
    vstore_tail(p + i, vadd(p0, vdiv(vmul(step, m1), vadd(vmul(vsqrt(v1), scale), eps))), n);
  });
}

ENTRY(adam, [](const Slot* a) { return 50 + a[ADAM_n].i * 0.9; }, nullptr);
