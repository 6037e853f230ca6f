// What attention's forward and backward share: the launch's parameters and the movement of head rows in and out of scratch.
#pragma once
#include "gemm.h"
#include "math.h"
#include "runtime.h"

// One operand: element (b, t, h, d) at data[b * b_stride + t * t_stride + h * h_stride + d].
struct Heads {
  float* data;
  Index b, t, h;
  float* at(Index bi, Index ti, Index hi) const { return data + bi * b + ti * t + hi * h; }
};

static inline Heads heads(const Slot* s, int data, int strides) {
  return {buffer<float>(s, data), (Index)s[strides].i, (Index)s[strides + 1].i, (Index)s[strides + 2].i};
}

struct Attention {
  Index B, H, G, T, S, D;
  bool causal;
  float scale;
  Heads q, k, v, out;
  float* lse;
};

static inline Index up(Index n, Index to) { return (n + to - 1) / to * to; }
static inline Index line(Index floats) { return up(floats, 16); }  // whole cache lines

// Rows of DP floats that half of a 32 KiB first-level cache holds, a multiple of 4.
static inline Index cached_rows(Index DP) {
  Index rows = 4096 / DP / 4 * 4;
  return rows < 32 ? 32 : rows;
}

// Rows of a tile: MR of them use the registers best, so n rows, a multiple of 4, are as many tiles of MR as leave a multiple of 4 over.
static inline Index rows_in_fours(Index n) {
  for (Index fours = 0; fours <= n; fours += 4)
    if ((n - fours) % MR == 0) return fours;
  return n;
}

// out[r][0..NR) = init[r][0..NR) + sum_k a[k * a_k + r] * b[k][0..NR) for `rows` rows (a multiple of 4), init null: zero.
void tiles(Index rows, Index K, const float* a, Index a_k, const float* b, const float* init, float* out);

// n rows of D floats, `stride` apart, turned: to[d * ld + i] = from[i * stride + d], zero for n <= i < up(n, 4).
void turn_rows(const float* from, Index stride, Index n, Index D, float* to, Index ld);

// n rows of D floats, `stride` apart, to `rows` rows of DP floats; the rest is zero.
void copy_rows(const float* from, Index stride, Index n, Index D, float* to, Index rows, Index DP);

// Turned rows [D, NR] (one lane a row) to n rows of D floats, `stride` apart.
void store_turned(const float* from, Index D, Index n, float* to, Index stride);
