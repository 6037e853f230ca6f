// The loops that the kernels share: vectors over a range, lanes through a scalar function, sums in
// fixed chunks, strided iteration.
#pragma once
#include "runtime.h"
#include "simd.h"

constexpr int64_t CACHE_LINE = 16;  // elements of 4 bytes in 64 bytes: the grain at which threads divide an output

// f(i, n) for each vector of [begin, end). n is VW but for the last: a complete vector compiles to
// a plain load and store.
template <class F> INLINE void each_vector(int64_t begin, int64_t end, F f) {
  int64_t i = begin;
  for (; i + VW <= end; i += VW) f(i, (int)VW);
  if (i < end) f(i, (int)(end - i));
}

// The first m lanes of v, 0 beyond.
INLINE vf head_or_zero(vf v, int m) { return m >= VW ? v : vselect(vhead(m), v, vzero()); }

// A scalar function lane by lane, for the rare operations without a vector form.
template <class F> INLINE vf lane_by_lane(vf a, F f) {
  float x[VW];
  vstore(x, a);
  for (int l = 0; l < VW; l++) x[l] = f(x[l]);
  return vload(x);
}

INLINE int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
INLINE int64_t padded(int64_t n) { return (n + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE; }  // to complete cache lines

// Sum of f(i, n) over the vectors of [0, n): four vector sums, added to a float64 every 4096
// elements. f must return 0 in the lanes beyond n of the tail.
template <class F> INLINE double sum_vectors(int64_t n, F f) {
  double total = 0;
  for (int64_t begin = 0; begin < n; begin += 4096) {
    int64_t end = begin + 4096 < n ? begin + 4096 : n, i = begin;
    vf s0 = vzero(), s1 = vzero(), s2 = vzero(), s3 = vzero();
    for (; i + 4 * VW <= end; i += 4 * VW) {
      s0 = vadd(s0, f(i, (int)VW));
      s1 = vadd(s1, f(i + VW, (int)VW));
      s2 = vadd(s2, f(i + 2 * VW, (int)VW));
      s3 = vadd(s3, f(i + 3 * VW, (int)VW));
    }
    each_vector(i, end, [&](int64_t j, int m) { s0 = vadd(s0, f(j, m)); });
    total += vsum(vadd(vadd(s0, s1), vadd(s2, s3)));
  }
  return total;
}

// out[i] = sum over chunks, in their order and in float64, of parts[chunk * stride + i], for i in
// the share.
INLINE void sum_chunks(float* out, const float* parts, int64_t chunks, int64_t stride, Share s, double scale = 1) {
  for (int64_t i = s.begin; i < s.end; i += CACHE_LINE) {
    double sum[CACHE_LINE] = {};
    for (int64_t c = 0; c < chunks; c++)  // reads to the padded end of a row of parts
      for (int l = 0; l < CACHE_LINE; l++) sum[l] += parts[c * stride + i + l];
    for (int l = 0; l < CACHE_LINE && i + l < s.end; l++) out[i + l] = (float)(sum[l] * scale);
  }
}

// Iteration over MAX_RANK dimensions by several operands at once. Dimensions of size 1 are dropped,
// and neighbours that every operand walks as one dimension are merged: so the innermost run is as
// long as possible. n, s: sizes and strides that remain.
template <int OPERANDS> struct Strides {
  int rank = 0;
  int64_t n[MAX_RANK], s[OPERANDS][MAX_RANK], count = 1;

  Strides(const Slot* sizes, const Slot* const (&strides)[OPERANDS]) {
    for (int d = 0; d < MAX_RANK; d++) {
      int64_t size = sizes[d].i;
      count *= size;
      if (size == 1) continue;
      bool merge = rank > 0;
      for (int k = 0; k < OPERANDS && merge; k++) merge = s[k][rank - 1] == strides[k][d].i * size;
      if (!merge) n[rank++] = 1;
      n[rank - 1] *= size;
      for (int k = 0; k < OPERANDS; k++) s[k][rank - 1] = strides[k][d].i;
    }
    if (rank == 0) {
      rank = n[0] = 1;
      for (int k = 0; k < OPERANDS; k++) s[k][0] = 0;
    }
  }

  // f(first, n, offset) for each part of an innermost run in the share: elements first .. first + n
  // - 1 in row-major order. offset[k]: the place of element `first` in operand k.
  template <class F> void each_run(Share share, F f) const {
    int64_t at[MAX_RANK], offset[OPERANDS] = {};
    int64_t rest = share.begin;
    for (int d = rank - 1; d >= 0; d--) {
      at[d] = n[d] ? rest % n[d] : 0;
      rest = n[d] ? rest / n[d] : 0;
      for (int k = 0; k < OPERANDS; k++) offset[k] += at[d] * s[k][d];
    }
    for (int64_t i = share.begin; i < share.end;) {
      int last = rank - 1;
      int64_t run = n[last] - at[last];
      if (run > share.end - i) run = share.end - i;
      f(i, run, offset);
      i += run;
      at[last] += run;
      for (int k = 0; k < OPERANDS; k++) offset[k] += run * s[k][last];
      for (int d = last; d > 0 && at[d] == n[d]; d--) {
        at[d] = 0;
        at[d - 1]++;
        for (int k = 0; k < OPERANDS; k++) offset[k] += s[k][d - 1] - n[d] * s[k][d];
      }
    }
  }
};
