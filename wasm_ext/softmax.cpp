// Softmax, log-softmax and their backward, and the fused cross-entropy with its gradient. Threads
// divide the rows.
#include "loops.h"
#include "math.h"

namespace {

float row_max(const float* x, int64_t n) {
  const vf lowest = vsplat(-INFINITY);
  vf a = lowest, b = lowest;
  int64_t i = 0;
  for (; i + 2 * VW <= n; i += 2 * VW) {
    a = vmax(vload(x + i), a);  // skips NaN: the sum becomes NaN
    b = vmax(vload(x + i + VW), b);
  }
  each_vector(i, n, [&](int64_t j, int m) { a = vmax(vselect(vhead(m), vload_tail(x + j, m), lowest), a); });
  return vhmax(vmax(a, b));
}

// sum exp(x - max). The terms go to `terms` where it is given (it may be x).
double exp_sum_row(float* terms, const float* x, float max, int64_t n) {
  vf top = vsplat(max);
  if (!terms)
    return sum_vectors(
        n, [&](int64_t i, int m) { return head_or_zero(vexp_nonpositive(vsub(vload_tail(x + i, m), top)), m); });
  return sum_vectors(n, [&](int64_t i, int m) {
    vf e = vexp_nonpositive(vsub(vload_tail(x + i, m), top));
    vstore_tail(terms + i, e, m);
    return head_or_zero(e, m);
  });
}

void scale_row(float* x, float scale, int64_t n) {
  each_vector(0, n, [&](int64_t i, int m) { vstore_tail(x + i, vmul(vload_tail(x + i, m), vsplat(scale)), m); });
}

}  // namespace

static void run_softmax(const Slot* a, Team& team) {
  int64_t n = a[SOFTMAX_n].i;
  Share s = share(a[SOFTMAX_rows].i, team);
  for (int64_t r = s.begin; r < s.end; r++) {
    const float* x = buffer<const float>(a, SOFTMAX_x) + r * n;
    float *out = buffer<float>(a, SOFTMAX_out) + r * n, max = row_max(x, n);
    if (a[SOFTMAX_log].i) {
      // x - max first: it is exact where it is small, so log p has a small relative error.
      vf top = vsplat(max), log_sum = vsplat((float)log(exp_sum_row(nullptr, x, max, n)));
      each_vector(0, n,
                  [&](int64_t i, int m) { vstore_tail(out + i, vsub(vsub(vload_tail(x + i, m), top), log_sum), m); });
    } else {
      scale_row(out, (float)(1 / exp_sum_row(out, x, max, n)), n);
    }
  }
}

static void run_softmax_backward(const Slot* a, Team& team) {
  int64_t n = a[SOFTMAX_BACKWARD_n].i;
  bool log = a[SOFTMAX_BACKWARD_log].i != 0;
  Share s = share(a[SOFTMAX_BACKWARD_rows].i, team);
  for (int64_t r = s.begin; r < s.end; r++) {
    const float *dy = buffer<const float>(a, SOFTMAX_BACKWARD_dy) + r * n,
                *y = buffer<const float>(a, SOFTMAX_BACKWARD_y) + r * n;
    float* dx = buffer<float>(a, SOFTMAX_BACKWARD_dx) + r * n;
    vf sum = vsplat((float)sum_vectors(n, [&](int64_t i, int m) {
      vf d = vload_tail(dy + i, m);
      return log ? d : vmul(d, vload_tail(y + i, m));
    }));
    each_vector(0, n, [&](int64_t i, int m) {
      vf d = vload_tail(dy + i, m), v = vload_tail(y + i, m);
      vstore_tail(dx + i, log ? vfnma(vexp(v), sum, d) : vmul(v, vsub(d, sum)), m);
    });
  }
}

// ---- cross-entropy ------------------------------------------------------------------------------

static void run_cross_entropy(const Slot* a, Team& team) {
  int64_t rows = a[CROSS_ENTROPY_rows].i, V = a[CROSS_ENTROPY_V].i, ignore = a[CROSS_ENTROPY_ignore].i;
  bool mean = a[CROSS_ENTROPY_reduction].i == REDUCTION_MEAN;
  float *losses = buffer<float>(a, CROSS_ENTROPY_losses), *dlogits = buffer<float>(a, CROSS_ENTROPY_dlogits);
  const float* logits = buffer<const float>(a, CROSS_ENTROPY_logits);
  const int32_t* targets = buffer<const int32_t>(a, CROSS_ENTROPY_targets);

  // Every thread reads all targets: the gradient's scale needs the count, and all threads must
  // agree that the launch is valid.
  int64_t valid = 0;
  bool bad = false;
  for (int64_t r = 0; r < rows; r++) {
    if (targets[r] == ignore) continue;
    valid++;
    bad |= targets[r] < 0 || targets[r] >= V;
  }
  if (bad) return team.fail(STATUS_BAD_INDEX);

  double scale = mean ? 1.0 / (double)valid : 1.0;
  Share s = share(rows, team);
  for (int64_t r = s.begin; r < s.end; r++) {
    const float* x = logits + r * V;
    float* d = dlogits ? dlogits + r * V : nullptr;
    if (targets[r] == ignore) {
      losses[r] = 0;
      // PyTorch's gradient: 0 times the softmax, which is NaN where that is.
      if (!d) continue;
      const vf g = vsplat(exp_sum_row(nullptr, x, row_max(x, V), V) > 0 ? 0.0f : NAN);
      each_vector(0, V, [&](int64_t i, int m) { vstore_tail(d + i, g, m); });
      continue;
    }
    float max = row_max(x, V), chosen = x[targets[r]];  // read before the terms overwrite it: dlogits may be logits
    double sum = exp_sum_row(d, x, max, V);
    losses[r] = (float)(log(sum) + ((double)max - (double)chosen));
    if (!d) continue;
    float at_target = (float)(((double)d[targets[r]] / sum - 1) * scale);
    scale_row(d, (float)(scale / sum), V);
    d[targets[r]] = at_target;
  }
  team.barrier();
  if (team.rank) return;
  double total = 0;
  for (int64_t r = 0; r < rows; r++) total += losses[r];
  buffer<float>(a, CROSS_ENTROPY_total)[0] = (float)(mean ? total / (double)valid : total);
}

static double elements(const Slot* a, int rows, int n) { return (double)a[rows].i * (30 + a[n].i); }

ENTRY(softmax, [](const Slot* a) { return 50 + elements(a, SOFTMAX_rows, SOFTMAX_n) * 1.1; }, nullptr);
ENTRY(softmax_backward, [](const Slot* a) { return 50 + elements(a, SOFTMAX_BACKWARD_rows, SOFTMAX_BACKWARD_n) * 0.6; },
      nullptr);
ENTRY(cross_entropy, [](const Slot* a) { return 100 + elements(a, CROSS_ENTROPY_rows, CROSS_ENTROPY_V) * 1.1; },
      nullptr);
