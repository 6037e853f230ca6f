// int8 weights with one scale per output channel: quantization and the product x W^T.
//
// A single row of x, as in decoding, is rounded to 16 bits (1.5e-5 of its largest element) and
// multiplied in integers. That takes a third of the instructions of a conversion of every weight to
// float, and the conversion dominates the time.
#include "loops.h"

namespace {

// A tile of R rows of x by S rows of w. Each (r, s) has one vector sum over k: its bits do not
// depend on its tile.
template <int R, int S>
void tile(const Slot* a, int64_t m0, int64_t n0) {
  int64_t N = a[INT8_MATMUL_N].i, K = a[INT8_MATMUL_K].i;
  const float *x = buffer<const float>(a, INT8_MATMUL_x) + m0 * K,
              *scale = buffer<const float>(a, INT8_MATMUL_scale) + n0, *bias = buffer<const float>(a, INT8_MATMUL_bias);
  const int8_t* w = buffer<const int8_t>(a, INT8_MATMUL_w) + n0 * K;
  vf sum[R][S];
  for (int r = 0; r < R; r++)
    for (int s = 0; s < S; s++) sum[r][s] = vzero();
  int64_t k = 0;
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

// ---- one row of x, as int16 ---------------------------------------------------------------------

enum { MAX_INT16 = 32767, EXACT_PRODUCTS = 2048 };  // VW int32 sums hold this many products of int16 and int8

int64_t row_words(int64_t K) {
  return padded((K + DW - 1) / DW * DW / 2);
}  // 4-byte words of the row, padded with zeros

// x = scale * q, q int16 up to the end of its last vector. False where x is not finite, or so small
// that 1 / scale is not finite.
bool round_row(const float* x, int64_t K, int16_t* q, float* scale) {
  vf largest = vzero(), other = vzero();
  each_vector(0, K, [&](int64_t k, int m) {
    vf v = vload_tail(x + k, m);
    largest = vmax(vabs(v), largest);
    other = vadd(other, vmul(v, vzero()));  // a NaN once an element is infinite or NaN
  });
  const float max = vhmax(largest), inverse = max == 0 ? 0 : MAX_INT16 / max, rest = vsum(other);
  if (rest != rest || inverse > 1e30f) return false;
  *scale = max / MAX_INT16;
  const vf factor = vsplat(inverse);
  for (int64_t k = 0; k < K; k += DW) {
    const int first = K - k < VW ? (int)(K - k) : (int)VW, second = K - k < DW ? (int)(K - k) - first : (int)VW;
    vistore_int16(q + k, vtoint(vround(vmul(factor, vload_tail(x + k, first)))),
                  vtoint(vround(vmul(factor, vload_tail(x + k + first, second)))));
  }
  return true;
}

// out[n], from row n of w. Row after row: so memory is read sequentially, with several sums in
// flight. Sums of integers are exact.
void row_of(const Slot* a, const int16_t* q, float x_scale, int64_t n) {
  enum { CHAINS = 4 };
  const int64_t K = a[INT8_MATMUL_K].i;
  const int8_t* w = buffer<const int8_t>(a, INT8_MATMUL_w) + n * K;
  vf total = vzero();
  for (int64_t begin = 0; begin < K; begin += EXACT_PRODUCTS) {
    const int64_t end = begin + EXACT_PRODUCTS < K ? begin + EXACT_PRODUCTS : K;
    vi sum[CHAINS];
    for (int c = 0; c < CHAINS; c++) sum[c] = visplat(0);
    int64_t k = begin;
    for (; k + CHAINS * DW <= end; k += CHAINS * DW)
      for (int c = 0; c < CHAINS; c++)
        sum[c] = viadd(sum[c], vidot(viload((const int32_t*)(q + k + c * DW)), w + k + c * DW));
    for (; k + DW <= end; k += DW) sum[0] = viadd(sum[0], vidot(viload((const int32_t*)(q + k)), w + k));
    if (k < end) {
      int8_t bytes[DW] = {};
      memcpy(bytes, w + k, end - k);
      sum[1] = viadd(sum[1], vidot(viload((const int32_t*)(q + k)), bytes));
    }
    total = vadd(total, vtofloat(viadd(viadd(sum[0], sum[1]), viadd(sum[2], sum[3]))));
  }
  const float v = buffer<const float>(a, INT8_MATMUL_scale)[n] * (x_scale * vsum(total)),
              *bias = buffer<const float>(a, INT8_MATMUL_bias);
  buffer<float>(a, INT8_MATMUL_out)[n] = bias ? v + bias[n] : v;
}

}  // namespace

static void run_int8_matmul(const Slot* a, Team& team) {
  Share s = share(a[INT8_MATMUL_N].i, team, CACHE_LINE);
  int64_t n = s.begin, K = a[INT8_MATMUL_K].i;
  float x_scale;
  int16_t* q =
      (int16_t*)((float*)team.scratch + team.rank * row_words(K));  // each thread has a copy of the rounded row
  if (a[INT8_MATMUL_M].i == 1 && round_row(buffer<const float>(a, INT8_MATMUL_x), K, q, &x_scale)) {
    for (; n < s.end; n++) row_of(a, q, x_scale, n);
    return;
  }
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
    if (scale == 0) scale = 1.40129846e-45f;  // the row is denormal: the smallest step
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
  const double M = (double)a[INT8_MATMUL_M].i;
  return 50 + M * (double)a[INT8_MATMUL_N].i * (2 + (double)a[INT8_MATMUL_K].i * (M == 1 ? 0.035 : 0.08));
}, [](const Slot* a) {
  return (size_t)(a[INT8_MATMUL_M].i == 1 ? MAX_THREADS * row_words(a[INT8_MATMUL_K].i) * sizeof(float) : 0);
});
ENTRY(quantize_int8,
      [](const Slot* a) { return 50 + (double)a[QUANTIZE_INT8_N].i * (10 + a[QUANTIZE_INT8_K].i * 2.0); }, nullptr);
ENTRY(dequantize_int8,
      [](const Slot* a) { return 50 + (double)a[DEQUANTIZE_INT8_N].i * (4 + a[DEQUANTIZE_INT8_K].i * 0.3); }, nullptr);
