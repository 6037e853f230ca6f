// Layer norm and RMS norm over the last dimension of [rows, C], forward and backward.
//
// Threads divide the rows. The gradients of the parameters are sums over rows: each chunk of 32
// rows has its partial sums in shared scratch, and the chunks are added in order. So the bits do
// not depend on the number of threads, and the summation error stays small.
#include "loops.h"

namespace {

constexpr int64_t ROWS = 32;  // of a chunk

// ---- layer norm ---------------------------------------------------------------------------------

void normalise_row(float* out, float* mean_out, float* rstd_out, const float* x, const float* weight, const float* bias,
                   int64_t C, double eps) {
  float mean = (float)(sum_vectors(C, [&](int64_t c, int m) { return vload_tail(x + c, m); }) / (double)C);
  vf center = vsplat(mean);
  double squares = sum_vectors(C, [&](int64_t c, int m) {
    vf d = head_or_zero(vsub(vload_tail(x + c, m), center), m);
    return vmul(d, d);
  });
  float rstd = (float)(1 / sqrt(squares / (double)C + eps));
  vf scale = vsplat(rstd);
  each_vector(0, C, [&](int64_t c, int m) {
    vf v = vmul(vsub(vload_tail(x + c, m), center), scale);
    if (weight) v = vmul(v, vload_tail(weight + c, m));
    if (bias) v = vadd(v, vload_tail(bias + c, m));
    vstore_tail(out + c, v, m);
  });
  *mean_out = mean;
  *rstd_out = rstd;
}

// The partial sums of chunk `chunk`: `kinds` rows of padded(C) floats.
float* parts_of(const Team& team, int64_t chunk, int64_t C, int kinds) {
  return (float*)team.scratch + chunk * kinds * padded(C);
}

size_t parts_bytes(int64_t rows, int64_t C, int kinds) {
  return (size_t)(ceil_div(rows, ROWS) * kinds * padded(C)) * sizeof(float);
}

// dx = v, plus the gradient that reaches x by another path.
INLINE void store_dx(float* dx, const float* add, vf v, int m) {
  if (add) v = vadd(v, vload_tail(add, m));
  vstore_tail(dx, v, m);
}

}  // namespace

static void run_layer_norm(const Slot* a, Team& team) {
  int64_t C = a[LAYER_NORM_C].i;
  Share s = share(a[LAYER_NORM_rows].i, team);
  for (int64_t r = s.begin; r < s.end; r++)
    normalise_row(buffer<float>(a, LAYER_NORM_out) + r * C, buffer<float>(a, LAYER_NORM_mean) + r,
                  buffer<float>(a, LAYER_NORM_rstd) + r, buffer<const float>(a, LAYER_NORM_x) + r * C,
                  buffer<const float>(a, LAYER_NORM_weight), buffer<const float>(a, LAYER_NORM_bias), C,
                  a[LAYER_NORM_eps].f);
}

static void run_add_layer_norm(const Slot* a, Team& team) {
  int64_t C = a[ADD_LAYER_NORM_C].i;
  Share s = share(a[ADD_LAYER_NORM_rows].i, team);
  for (int64_t r = s.begin; r < s.end; r++) {
    float* sum = buffer<float>(a, ADD_LAYER_NORM_sum) + r * C;
    const float *x = buffer<const float>(a, ADD_LAYER_NORM_x) + r * C,
                *residual = buffer<const float>(a, ADD_LAYER_NORM_residual) + r * C;
    each_vector(0, C, [&](int64_t c, int m) {
      vstore_tail(sum + c, vadd(vload_tail(x + c, m), vload_tail(residual + c, m)), m);
    });
    normalise_row(buffer<float>(a, ADD_LAYER_NORM_out) + r * C, buffer<float>(a, ADD_LAYER_NORM_mean) + r,
                  buffer<float>(a, ADD_LAYER_NORM_rstd) + r, sum, buffer<const float>(a, ADD_LAYER_NORM_weight),
                  buffer<const float>(a, ADD_LAYER_NORM_bias), C, a[ADD_LAYER_NORM_eps].f);
  }
}

static void run_layer_norm_backward(const Slot* a, Team& team) {
  int64_t rows = a[LAYER_NORM_BACKWARD_rows].i, C = a[LAYER_NORM_BACKWARD_C].i, chunks = ceil_div(rows, ROWS),
          stride = padded(C);
  float *dx = buffer<float>(a, LAYER_NORM_BACKWARD_dx), *dweight = buffer<float>(a, LAYER_NORM_BACKWARD_dweight),
        *dbias = buffer<float>(a, LAYER_NORM_BACKWARD_dbias);
  const float *dy = buffer<const float>(a, LAYER_NORM_BACKWARD_dy), *x = buffer<const float>(a, LAYER_NORM_BACKWARD_x),
              *weight = buffer<const float>(a, LAYER_NORM_BACKWARD_weight),
              *mean = buffer<const float>(a, LAYER_NORM_BACKWARD_mean),
              *rstd = buffer<const float>(a, LAYER_NORM_BACKWARD_rstd),
              *add = buffer<const float>(a, LAYER_NORM_BACKWARD_add);
  bool parameters = dweight || dbias;
  Share s = share(chunks, team);
  for (int64_t chunk = s.begin; chunk < s.end; chunk++) {
    float *dw = parts_of(team, chunk, C, 2), *db = dw + stride;
    if (parameters) memset(dw, 0, 2 * stride * sizeof(float));
    int64_t end = (chunk + 1) * ROWS < rows ? (chunk + 1) * ROWS : rows;
    for (int64_t r = chunk * ROWS; r < end; r++) {
      const float *xr = x + r * C, *dyr = dy + r * C;
      vf center = vsplat(mean[r]), scale = vsplat(rstd[r]), g_sum = vzero(), gx_sum = vzero();
      each_vector(0, C, [&](int64_t c, int m) {
        vf d = vload_tail(dyr + c, m), xhat = vmul(vsub(vload_tail(xr + c, m), center), scale);
        vf g = weight ? vmul(d, vload_tail(weight + c, m)) : d;  // 0 beyond the row, because d is
        g_sum = vadd(g_sum, g);
        gx_sum = vfma(g, xhat, gx_sum);
        if (parameters) {
          vstore(dw + c, vfma(d, xhat, vload(dw + c)));
          vstore(db + c, vadd(d, vload(db + c)));
        }
      });
      vf g_mean = vsplat(vsum(g_sum) / (float)C), gx_mean = vsplat(vsum(gx_sum) / (float)C);
      each_vector(0, C, [&](int64_t c, int m) {
        vf d = vload_tail(dyr + c, m), xhat = vmul(vsub(vload_tail(xr + c, m), center), scale);
        vf g = weight ? vmul(d, vload_tail(weight + c, m)) : d;
        store_dx(dx + r * C + c, add ? add + r * C + c : nullptr, vmul(scale, vfnma(xhat, gx_mean, vsub(g, g_mean))),
                 m);
      });
    }
  }
  if (!parameters) return;
  team.barrier();
  Share columns = share(C, team, CACHE_LINE);
  if (dweight) sum_chunks(dweight, parts_of(team, 0, C, 2), chunks, 2 * stride, columns);
  if (dbias) sum_chunks(dbias, parts_of(team, 0, C, 2) + stride, chunks, 2 * stride, columns);
}

// ---- RMS norm -----------------------------------------------------------------------------------

static void run_rms_norm(const Slot* a, Team& team) {
  int64_t C = a[RMS_NORM_C].i;
  const float* weight = buffer<const float>(a, RMS_NORM_weight);
  Share s = share(a[RMS_NORM_rows].i, team);
  for (int64_t r = s.begin; r < s.end; r++) {
    const float* x = buffer<const float>(a, RMS_NORM_x) + r * C;
    float* out = buffer<float>(a, RMS_NORM_out) + r * C;
    double squares = sum_vectors(C, [&](int64_t c, int m) {
      vf v = vload_tail(x + c, m);
      return vmul(v, v);
    });
    float rstd = (float)(1 / sqrt(squares / (double)C + a[RMS_NORM_eps].f));
    buffer<float>(a, RMS_NORM_rstd)[r] = rstd;
    each_vector(0, C, [&](int64_t c, int m) {
      vf v = vmul(vload_tail(x + c, m), vsplat(rstd));
      if (weight) v = vmul(v, vload_tail(weight + c, m));
      vstore_tail(out + c, v, m);
    });
  }
}

static void run_rms_norm_backward(const Slot* a, Team& team) {
  int64_t rows = a[RMS_NORM_BACKWARD_rows].i, C = a[RMS_NORM_BACKWARD_C].i, chunks = ceil_div(rows, ROWS),
          stride = padded(C);
  float *dx = buffer<float>(a, RMS_NORM_BACKWARD_dx), *dweight = buffer<float>(a, RMS_NORM_BACKWARD_dweight);
  const float *dy = buffer<const float>(a, RMS_NORM_BACKWARD_dy), *x = buffer<const float>(a, RMS_NORM_BACKWARD_x),
              *weight = buffer<const float>(a, RMS_NORM_BACKWARD_weight),
              *rstd = buffer<const float>(a, RMS_NORM_BACKWARD_rstd),
              *add = buffer<const float>(a, RMS_NORM_BACKWARD_add);
  Share s = share(chunks, team);
  for (int64_t chunk = s.begin; chunk < s.end; chunk++) {
    float* dw = parts_of(team, chunk, C, 1);
    if (dweight) memset(dw, 0, stride * sizeof(float));
    int64_t end = (chunk + 1) * ROWS < rows ? (chunk + 1) * ROWS : rows;
    for (int64_t r = chunk * ROWS; r < end; r++) {
      const float *xr = x + r * C, *dyr = dy + r * C;
      vf scale = vsplat(rstd[r]), gx_sum = vzero();
      each_vector(0, C, [&](int64_t c, int m) {
        vf d = vload_tail(dyr + c, m), xhat = vmul(vload_tail(xr + c, m), scale);
        gx_sum = vfma(weight ? vmul(d, vload_tail(weight + c, m)) : d, xhat, gx_sum);
        if (dweight) vstore(dw + c, vfma(d, xhat, vload(dw + c)));
      });
      vf gx_mean = vsplat(vsum(gx_sum) / (float)C);
      each_vector(0, C, [&](int64_t c, int m) {
        vf d = vload_tail(dyr + c, m), xhat = vmul(vload_tail(xr + c, m), scale);
        vf g = weight ? vmul(d, vload_tail(weight + c, m)) : d;
        store_dx(dx + r * C + c, add ? add + r * C + c : nullptr, vmul(scale, vfnma(xhat, gx_mean, g)), m);
      });
    }
  }
  if (!dweight) return;
  team.barrier();
  sum_chunks(dweight, parts_of(team, 0, C, 1), chunks, stride, share(C, team, CACHE_LINE));
}

static double elements(const Slot* a, int rows, int C) { return (double)a[rows].i * (20 + a[C].i); }

ENTRY(layer_norm, [](const Slot* a) { return 50 + elements(a, LAYER_NORM_rows, LAYER_NORM_C) * 0.45; }, nullptr);
ENTRY(add_layer_norm, [](const Slot* a) { return 50 + elements(a, ADD_LAYER_NORM_rows, ADD_LAYER_NORM_C) * 0.6; },
      nullptr);
ENTRY(layer_norm_backward, [](const Slot* a) {
  return 100 + elements(a, LAYER_NORM_BACKWARD_rows, LAYER_NORM_BACKWARD_C) * 0.6;
}, [](const Slot* a) { return parts_bytes(a[LAYER_NORM_BACKWARD_rows].i, a[LAYER_NORM_BACKWARD_C].i, 2); });
ENTRY(rms_norm, [](const Slot* a) { return 50 + elements(a, RMS_NORM_rows, RMS_NORM_C) * 0.35; }, nullptr);
ENTRY(rms_norm_backward, [](const Slot* a) {
  return 100 + elements(a, RMS_NORM_BACKWARD_rows, RMS_NORM_BACKWARD_C) * 0.5;
}, [](const Slot* a) { return parts_bytes(a[RMS_NORM_BACKWARD_rows].i, a[RMS_NORM_BACKWARD_C].i, 1); });
