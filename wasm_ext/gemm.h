// The register tile and the packing that matmul and attention are made of.
//
// A tile is R x NR sums held in registers while k runs: per step NV vectors of B and R broadcast elements of A give R * NV
// multiply-adds. Each sum is one chain of vfma in the order of k, started from zero or from a stored tile: so an element's bits
// depend on neither the tile it falls into nor how k is cut into blocks. The loop over k is not unrolled: LLVM would then regroup
// the multiply-adds and V8, with its 15 vector registers, would spill (46 in place of 56 GFLOP/s).
#pragma once
#include "simd.h"
#if !defined(__wasm__) && defined(__SSE__)
#include <xmmintrin.h>
#endif

typedef intptr_t Index;

enum { NV = 2, NR = NV * VW };
// Rows of the tile: as many as the registers hold (measured): 15 vector registers in V8, 16 in SSE and AVX2.
// Without a fused multiply-add the product needs a register of its own, and so does A with 64-bit addresses (below).
#if (defined(__wasm_relaxed_simd__) && !defined(__wasm64__)) || (!defined(__wasm__) && WIDE)
enum { MR = 6 };
#else
enum { MR = 5 };
#endif

#if defined(__clang__)
#define NO_UNROLL _Pragma("clang loop unroll(disable)")
#else
#define NO_UNROLL _Pragma("GCC unroll 1")
#endif
#define UNROLL _Pragma("GCC unroll 16")

// With 64-bit addresses every access to memory is checked by an instruction of its own: four rows of A, where they lie side by side, are
// then one load whose lanes are spread (measured: 51 in place of 40 GFLOP/s).
#if defined(__wasm64__)
enum { SPREAD_A = 1 };
#else
enum { SPREAD_A = 0 };
#endif

// c[first + r] += a[r] * row for four rows.
template <int R>
INLINE void spread_rows(const float* a, int first, const vf (&row)[NV], vf (&c)[R][NV]) {
#if defined(__wasm64__)
  const vf four = vload(a + first);
#define SPREAD_ROW(r)                                       \
  {                                                         \
    vf x = wasm_i32x4_shuffle(four, four, r, r, r, r);      \
    UNROLL for (int j = 0; j < NV; j++) c[first + r][j] = vfma(x, row[j], c[first + r][j]); \
  }
  SPREAD_ROW(0) SPREAD_ROW(1) SPREAD_ROW(2) SPREAD_ROW(3)
#undef SPREAD_ROW
#else
  (void)a, (void)first, (void)row, (void)c;
#endif
}

// out[r][0..NR) = init[r][0..NR) + sum_k a[k * a_k + r * a_r] * b[k * ldb + 0..NR), init null: zero; r < R. SIDE_BY_SIDE: a_r is 1.
template <int R, bool SIDE_BY_SIDE = false>
INLINE void tile(Index K, const float* a, Index a_k, Index a_r, const float* b, Index ldb, const float* init, Index ldi,
                 float* out, Index ldo) {
  vf c[R][NV];
#if PAIRED  // a sum whose first values meet from two branches is not paired
  static const float zeros[NR] = {};
  if (!init) init = zeros, ldi = 0;
#endif
  if (PAIRED || init) {
    UNROLL for (int r = 0; r < R; r++)
      UNROLL for (int j = 0; j < NV; j++) c[r][j] = vload(init + r * ldi + j * VW);
  } else {
    UNROLL for (int r = 0; r < R; r++)
      UNROLL for (int j = 0; j < NV; j++) c[r][j] = vzero();
  }
  NO_UNROLL for (Index k = 0; k < K; k++) {
    vf row[NV];
    UNROLL for (int j = 0; j < NV; j++) row[j] = vload(b + j * VW);
    const int spread = SPREAD_A && SIDE_BY_SIDE ? R / 4 * 4 : 0;
    UNROLL for (int r = 0; r < spread; r += 4) spread_rows(a, r, row, c);
    UNROLL for (int r = spread; r < R; r++) {
      vf x = vbroadcast(a + r * a_r);
      UNROLL for (int j = 0; j < NV; j++) c[r][j] = vfma(x, row[j], c[r][j]);
    }
    a += a_k;
    b += ldb;
  }
  UNROLL for (int r = 0; r < R; r++)
    UNROLL for (int j = 0; j < NV; j++) vstore(out + r * ldo + j * VW, c[r][j]);
}

// 4 x 4 elements, rows lds apart, to rows ldd apart: d[j][i] = s[i][j].
INLINE void transpose4(const float* s, Index lds, float* d, Index ldd) {
#if defined(__wasm_simd128__)
  half4 r0 = wasm_v128_load(s), r1 = wasm_v128_load(s + lds), r2 = wasm_v128_load(s + 2 * lds), r3 = wasm_v128_load(s + 3 * lds);
  half4 a = wasm_i32x4_shuffle(r0, r1, 0, 4, 1, 5), b = wasm_i32x4_shuffle(r0, r1, 2, 6, 3, 7);
  half4 e = wasm_i32x4_shuffle(r2, r3, 0, 4, 1, 5), f = wasm_i32x4_shuffle(r2, r3, 2, 6, 3, 7);
  wasm_v128_store(d, wasm_i64x2_shuffle(a, e, 0, 2));
  wasm_v128_store(d + ldd, wasm_i64x2_shuffle(a, e, 1, 3));
  wasm_v128_store(d + 2 * ldd, wasm_i64x2_shuffle(b, f, 0, 2));
  wasm_v128_store(d + 3 * ldd, wasm_i64x2_shuffle(b, f, 1, 3));
#elif defined(__SSE__)
  __m128 r0 = _mm_loadu_ps(s), r1 = _mm_loadu_ps(s + lds), r2 = _mm_loadu_ps(s + 2 * lds), r3 = _mm_loadu_ps(s + 3 * lds);
  _MM_TRANSPOSE4_PS(r0, r1, r2, r3);
  _mm_storeu_ps(d, r0);
  _mm_storeu_ps(d + ldd, r1);
  _mm_storeu_ps(d + 2 * ldd, r2);
  _mm_storeu_ps(d + 3 * ldd, r3);
#else
  for (int i = 0; i < 4; i++)
    for (int j = 0; j < 4; j++) d[j * ldd + i] = s[i * lds + j];
#endif
}

// One panel of P rows of a row-major matrix, turned: d[k * P + r] = s[r * ld + k], zero for r >= rows.
template <int P>
INLINE void pack_turned(const float* s, Index ld, int rows, Index K, float* d) {
  if (rows < P) memset(d, 0, (size_t)K * P * sizeof(float));
  int r = 0;
  for (; r + 4 <= rows; r += 4) {
    const float* from = s + r * ld;
    float* to = d + r;
    Index k = 0;
    for (; k + 4 <= K; k += 4) transpose4(from + k, ld, to + k * P, P);
    for (; k < K; k++)
      for (int x = 0; x < 4; x++) to[k * P + x] = from[x * ld + k];
  }
  for (; r < rows; r++)
    for (Index k = 0; k < K; k++) d[k * P + r] = s[r * ld + k];
}

// One panel of P columns of a row-major matrix: d[k * P + c] = s[k * ld + c], zero for c >= columns.
template <int P>
INLINE void pack_straight(const float* s, Index ld, int columns, Index K, float* d) {
  if (columns == P) {
    for (Index k = 0; k < K; k++, s += ld, d += P) memcpy(d, s, P * sizeof(float));
    return;
  }
  for (Index k = 0; k < K; k++, s += ld, d += P)
    for (int c = 0; c < P; c++) d[c] = c < columns ? s[c] : 0.0f;
}
