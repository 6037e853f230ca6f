// Batch norm over [N, C, S]: mean and variance of each channel over N and S, forward and backward.
//
// A thread has complete channels: so the bits do not depend on the number of threads. Short rows
// (S) are read a cache line of channels at a time. Sums of a row are float32 lanes, those of rows
// float64.
#include "loops.h"

namespace {

enum { LANES = 16, SHORT = 8 };  // below SHORT elements a row is no vector's worth

// Sum of f(i) over a row of n.
template <class T, class F> INLINE double row_sum(int64_t n, F f) {
  double total = 0;
  for (int64_t begin = 0; begin < n; begin += 4096) {
    int64_t end = begin + 4096 < n ? begin + 4096 : n, i = begin;
    T lanes[LANES] = {};
    for (; i + LANES <= end; i += LANES)
      for (int l = 0; l < LANES; l++) lanes[l] += f(i + l);
    for (; i < end; i++) lanes[0] += f(i);
    T sum = 0;
    for (int l = 0; l < LANES; l++) sum += lanes[l];
    total += (double)sum;
  }
  return total;
}

// sums[c - begin] = the sum of f(element, channel - begin) over the elements of channels begin ..
// end - 1, at most LANES of them.
template <class T, class F>
INLINE void channel_sums(double* sums, int64_t begin, int64_t end, int64_t N, int64_t C, int64_t S, F f) {
  for (int64_t c = begin; c < end; c++) sums[c - begin] = 0;
  for (int64_t n = 0; n < N; n++)
    for (int64_t c = begin; c < end; c++) {
      int64_t at = (n * C + c) * S;
      if (S < SHORT)
        for (int64_t s = 0; s < S; s++) sums[c - begin] += (double)f(at + s, c - begin);
      else sums[c - begin] += row_sum<T>(S, [&](int64_t s) { return f(at + s, c - begin); });
    }
}

// f(begin, end) for blocks of the channels of this thread; a block of short rows is a cache line of
// x.
template <class F> void each_block(int64_t C, int64_t S, const Team& team, F f) {
  Share s = share(C, team, S < SHORT ? (int64_t)LANES : 1);
  int64_t step = S < SHORT ? (int64_t)LANES : 1;
  for (int64_t c = s.begin; c < s.end; c += step) f(c, c + step < s.end ? c + step : s.end);
}

template <class T> void batch_norm(const Slot* a, Team& team) {
  int64_t N = a[BATCH_NORM_N].i, C = a[BATCH_NORM_C].i, S = a[BATCH_NORM_S].i;
  T *out = buffer<T>(a, BATCH_NORM_out), *mean = buffer<T>(a, BATCH_NORM_mean), *rstd = buffer<T>(a, BATCH_NORM_rstd),
    *running_mean = buffer<T>(a, BATCH_NORM_running_mean), *running_var = buffer<T>(a, BATCH_NORM_running_var);
  const T *x = buffer<const T>(a, BATCH_NORM_x), *weight = buffer<const T>(a, BATCH_NORM_weight),
          *bias = buffer<const T>(a, BATCH_NORM_bias);
  double count = (double)N * (double)S, momentum = a[BATCH_NORM_momentum].f, eps = a[BATCH_NORM_eps].f;
  each_block(C, S, team, [&](int64_t begin, int64_t end) {
    double sums[LANES];
    T scale[LANES], shift[LANES], *center = mean + begin;
    if (a[BATCH_NORM_training].i) {
      channel_sums<T>(sums, begin, end, N, C, S, [&](int64_t i, int64_t) { return x[i]; });
      for (int64_t c = begin; c < end; c++) mean[c] = (T)(sums[c - begin] / count);
      channel_sums<T>(sums, begin, end, N, C, S, [&](int64_t i, int64_t c) {
        T d = x[i] - center[c];
        return d * d;
      });
    }
    for (int64_t c = begin; c < end; c++) {
      double variance;
      if (a[BATCH_NORM_training].i) {
        variance = sums[c - begin] / count;
        if (running_mean) running_mean[c] = (T)(momentum * mean[c] + (1 - momentum) * running_mean[c]);
        if (running_var)
          running_var[c] = (T)(momentum * (sums[c - begin] / (count - 1)) + (1 - momentum) * running_var[c]);
      } else {
        mean[c] = running_mean[c], variance = running_var[c];
      }
      rstd[c] = (T)(1 / sqrt(variance + eps));
      scale[c - begin] = weight ? rstd[c] * weight[c] : rstd[c], shift[c - begin] = bias ? bias[c] : (T)0;
    }
    for (int64_t n = 0; n < N; n++)
      for (int64_t c = begin; c < end; c++) {
        const T* from = x + (n * C + c) * S;
        T *to = out + (n * C + c) * S, m = mean[c], k = scale[c - begin], b = shift[c - begin];
        for (int64_t s = 0; s < S; s++) to[s] = (from[s] - m) * k + b;
      }
  });
}

template <class T> void batch_norm_backward(const Slot* a, Team& team) {
  int64_t N = a[BATCH_NORM_BACKWARD_N].i, C = a[BATCH_NORM_BACKWARD_C].i, S = a[BATCH_NORM_BACKWARD_S].i;
  T *dx = buffer<T>(a, BATCH_NORM_BACKWARD_dx), *dweight = buffer<T>(a, BATCH_NORM_BACKWARD_dweight),
    *dbias = buffer<T>(a, BATCH_NORM_BACKWARD_dbias);
  const T *dy = buffer<const T>(a, BATCH_NORM_BACKWARD_dy), *x = buffer<const T>(a, BATCH_NORM_BACKWARD_x),
          *weight = buffer<const T>(a, BATCH_NORM_BACKWARD_weight),
          *mean = buffer<const T>(a, BATCH_NORM_BACKWARD_mean), *rstd = buffer<const T>(a, BATCH_NORM_BACKWARD_rstd);
  double count = (double)N * (double)S;
  each_block(C, S, team, [&](int64_t begin, int64_t end) {
    double sums[LANES], products[LANES];
    const T* center = mean + begin;
    channel_sums<T>(sums, begin, end, N, C, S, [&](int64_t i, int64_t) { return dy[i]; });
    channel_sums<T>(products, begin, end, N, C, S, [&](int64_t i, int64_t c) { return dy[i] * (x[i] - center[c]); });
    T scale[LANES], slope[LANES], shift[LANES];
    for (int64_t c = begin; c < end; c++) {
      int64_t i = c - begin;
      dbias[c] = (T)sums[i], dweight[c] = (T)(products[i] * rstd[c]);
      bool training = a[BATCH_NORM_BACKWARD_training].i != 0;
      scale[i] = weight ? rstd[c] * weight[c] : rstd[c];
      slope[i] = training ? (T)(products[i] / count * rstd[c] * rstd[c]) : (T)0;
      shift[i] = training ? (T)(sums[i] / count) : (T)0;
    }
    for (int64_t n = 0; n < N; n++)
      for (int64_t c = begin; c < end; c++) {
        int64_t at = (n * C + c) * S;
        T m = mean[c], k = scale[c - begin], p = slope[c - begin], b = shift[c - begin];
        for (int64_t s = at; s < at + S; s++) dx[s] = (dy[s] - b - (x[s] - m) * p) * k;
      }
  });
}

}  // namespace

static void run_batch_norm(const Slot* a, Team& team) {
  if (a[BATCH_NORM_dtype].i == DTYPE_FLOAT32) batch_norm<float>(a, team);
  else if (a[BATCH_NORM_dtype].i == DTYPE_FLOAT64) batch_norm<double>(a, team);
  else team.fail(STATUS_BAD_INDEX);
}
static void run_batch_norm_backward(const Slot* a, Team& team) {
  if (a[BATCH_NORM_BACKWARD_dtype].i == DTYPE_FLOAT32) batch_norm_backward<float>(a, team);
  else if (a[BATCH_NORM_BACKWARD_dtype].i == DTYPE_FLOAT64) batch_norm_backward<double>(a, team);
  else team.fail(STATUS_BAD_INDEX);
}

static double elements(const Slot* a, int N, int C, int S) { return (double)a[N].i * a[C].i * (a[S].i + 5); }

ENTRY(batch_norm, [](const Slot* a) { return 100 + elements(a, BATCH_NORM_N, BATCH_NORM_C, BATCH_NORM_S) * 0.6; },
      nullptr);
ENTRY(batch_norm_backward, [](const Slot* a) {
  return 100 + elements(a, BATCH_NORM_BACKWARD_N, BATCH_NORM_BACKWARD_C, BATCH_NORM_BACKWARD_S) * 0.8;
}, nullptr);
