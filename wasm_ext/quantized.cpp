// int8 weights with one scale per output channel: quantisation and the product x W^T.
#include "loops.h"

namespace {

// A tile of R rows of x by S rows of w: each (r, s) has one vector sum over k, so its bits do not depend on the tile it falls in.
template <int R, int S>
void tile(const Slot* a, int64_t m0, int64_t n0) {
  int64_t N = a[INT8_MATMUL_N].i, K = a[INT8_MATMUL_K].i;
  const float *x = buffer<const float>(a, INT8_MATMUL_x) + m0 * K, *scale = buffer<const float>(a, INT8_MATMUL_scale) + n0,
              *bias = buffer<const float>(a, INT8_MATMUL_bias);
  const int8_t* w = buffer<const int8_t>(a, INT8_MATMUL_w) + n0 * K;
  vf sum[R][S];
  for (int r = 0; r < R; r++)
    for (int s = 0; s < S; s++) sum[r][s] = vzero();
  int64_t k = 0;
  if constexpr (R == 1) {  // a row of x: what is read of w decides the time
    for (; k + 16 <= K; k += 16) {
      vf xs[16 / VW];
      for (int i = 0; i < 16 / VW; i++) xs[i] = vload(x + k + i * VW);
      for (int s = 0; s < S; s++) {
        vf ws[16 / VW];
        vload_int8x16(w + s * K + k, ws);
        for (int i = 0; i < 16 / VW; i++) sum[0][s] = vfma(xs[i], ws[i], sum[0][s]);
      }
    }
  }
  for (; k + VW <= K; k += VW) {
    vf xs[R];
    for (int r = 0; r < R; r++) xs[r] = vload(x + r * K + k);
    for (int s = 0; s < S; s++) {
      vf ws = vload_int8(w + s * K + k);
      for (int r = 0; r < R; r++) sum[r][s] = vfma(xs[r], ws, sum[r][s]);
    }
  }
  int rest = (int)(K - k);
  for (int s = 0; rest && s < S; s++) {
    int8_t bytes[VW] = {};
    memcpy(bytes, w + s * K + k, rest);
    vf ws = vload_int8(bytes);
    for (int r = 0; r < R; r++) sum[r][s] = vfma(vload_tail(x + r * K + k, rest), ws, sum[r][s]);
  }
  for (int r = 0; r < R; r++)
    for (int s = 0; s < S; s++) {
      float v = scale[s] * vsum(sum[r][s]);
      buffer<float>(a, INT8_MATMUL_out)[(m0 + r) * N + n0 + s] = bias ? v + bias[n0 + s] : v;
    }
}

// All rows of x against S rows of w.
template <int S> void stripe(const Slot* a, int64_t n0) {
  int64_t M = a[INT8_MATMUL_M].i, m = 0;
  constexpr int R = S == 4 ? 2 : 1;
  for (; m + R <= M; m += R) tile<R, S>(a, m, n0);
  for (; m < M; m++) tile<1, S>(a, m, n0);
}

}  // namespace

static void run_int8_matmul(const Slot* a, Team& team) {
  Share s = share(a[INT8_MATMUL_N].i, team, CACHE_LINE);
  int64_t n = s.begin;
  if (a[INT8_MATMUL_M].i == 1)
    for (; n + 8 <= s.end; n += 8) stripe<8>(a, n);  // more sums under way at once
  for (; n + 4 <= s.end; n += 4) stripe<4>(a, n);
  for (; n < s.end; n++) stripe<1>(a, n);
}

static void run_quantize_int8(const Slot* a, Team& team) {
  int64_t K = a[QUANTIZE_INT8_K].i;
  Share s = share(a[QUANTIZE_INT8_N].i, team);
  for (int64_t r = s.begin; r < s.end; r++) {
    const float* x = buffer<const float>(a, QUANTIZE_INT8_x) + r * K;
    int8_t* w = buffer<int8_t>(a, QUANTIZE_INT8_w) + r * K;
    vf largest = vzero();
    each_vector(0, K, [&](int64_t k, int m) { largest = vmax(vabs(vload_tail(x + k, m)), largest); });
    float max = vhmax(largest), scale = max == 0 ? 1 : max / 127;
    if (scale == 0) scale = 1.40129846e-45f;  // the row is denormal: the least step there is
    buffer<float>(a, QUANTIZE_INT8_scale)[r] = scale;
    each_vector(0, K, [&](int64_t k, int m) {
      vf q = vround(vdiv(vload_tail(x + k, m), vsplat(scale)));
      float lanes[VW];
      vstore(lanes, vmin(vsplat(127), vmax(q, vsplat(-127))));  // a NaN becomes -127
      for (int l = 0; l < m; l++) w[k + l] = (int8_t)lanes[l];
    });
  }
}

static void run_dequantize_int8(const Slot* a, Team& team) {
  int64_t K = a[DEQUANTIZE_INT8_K].i;
  Share s = share(a[DEQUANTIZE_INT8_N].i, team);
  for (int64_t r = s.begin; r < s.end; r++) {
    const int8_t* w = buffer<const int8_t>(a, DEQUANTIZE_INT8_w) + r * K;
    float* out = buffer<float>(a, DEQUANTIZE_INT8_out) + r * K;
    vf scale = vsplat(buffer<const float>(a, DEQUANTIZE_INT8_scale)[r]);
    int64_t k = 0;
    for (; k + VW <= K; k += VW) vstore(out + k, vmul(scale, vload_int8(w + k)));
    for (; k < K; k++) out[k] = buffer<const float>(a, DEQUANTIZE_INT8_scale)[r] * w[k];
  }
}

ENTRY(int8_matmul, [](const Slot* a) {
  return 50 + (double)a[INT8_MATMUL_M].i * (double)a[INT8_MATMUL_N].i * (2 + (double)a[INT8_MATMUL_K].i * 0.08);
}, nullptr);
ENTRY(quantize_int8, [](const Slot* a) { return 50 + (double)a[QUANTIZE_INT8_N].i * (10 + a[QUANTIZE_INT8_K].i * 2.0); }, nullptr);
ENTRY(dequantize_int8, [](const Slot* a) { return 50 + (double)a[DEQUANTIZE_INT8_N].i * (4 + a[DEQUANTIZE_INT8_K].i * 0.3); }, nullptr);
