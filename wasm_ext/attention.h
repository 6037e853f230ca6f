// What attention's forward and backward share: the strided operands, and the copies of head rows to
// and from scratch.
//
// Names: B batch, H query heads, G key heads, T queries, S keys, D head size; DP, SP, TP: D, S, T
// padded. The functions are in attention.cpp.
#pragma once
#include "microkernel.h"
#include "math.h"
#include "runtime.h"

// One operand: element (b, t, h, d) at data[b * b_stride + t * t_stride + h * h_stride + d].
struct Heads {
  float* data;
  Index b, t, h;
  float* at(Index bi, Index ti, Index hi) const { return data + bi * b + ti * t + hi * h; }
};

static inline Heads heads(const Slot* a, int data, int strides) {
  return {buffer<float>(a, data), (Index)a[strides].i, (Index)a[strides + 1].i, (Index)a[strides + 2].i};
}

struct Attention {
  Index B, H, G, T, S, D;
  bool causal;
  float scale;
  Heads q, k, v, out;
  float* lse;
};

// Rows of DP floats that half of a 32 KiB first-level cache holds, a multiple of 4.
static inline Index cached_rows(Index DP) {
  Index rows = 4096 / DP / 4 * 4;
  return rows < 32 ? 32 : rows;
}

// How many of n rows (a multiple of 4) go into tiles of 4. The rest goes into tiles of MR, which
// use the registers best: so the result is the smallest multiple of 4 that leaves a multiple of MR.
static inline Index rows_in_fours(Index n) {
  for (Index fours = 0; fours <= n; fours += 4)
    if ((n - fours) % MR == 0) return fours;
  return n;
}

// out[r * NR + j] = init[r * NR + j] + sum_k a[k * a_k + r] * b[k * NR + j] for r < rows (a
// multiple of 4). init null: zero.
void panel_product(Index rows, Index K, const float* a, Index a_k, const float* b, const float* init, float* out);

// n rows of D floats, `stride` apart, transposed: to[d * ld + i] = from[i * stride + d], zero for n
// <= i < round_up(n, 4).
void transpose_rows(const float* from, Index stride, Index n, Index D, float* to, Index ld);

// n rows of D floats, `stride` apart, to `rows` rows of DP floats, zero beyond n and D.
void copy_rows(const float* from, Index stride, Index n, Index D, float* to, Index rows, Index DP);

// The transpose of D rows of NR floats (a lane a row), n columns of it: n rows of D floats,
// `stride` apart.
void store_transposed(const float* from, Index D, Index n, float* to, Index stride);
