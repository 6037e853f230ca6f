// The register tile and the packing that matmul and attention are made of.
//
// A tile is R x NR sums that stay in registers while k runs. One step of k takes NV vectors of B
// and R broadcast elements of A, and gives R * NV multiply-adds. Each sum is one chain of vfma in
// the order of k, started from zero or from a stored tile: an element's bits depend neither on its
// tile nor on how k is split into blocks. The loop over k is not unrolled: LLVM would then regroup
// the multiply-adds, and V8 with its 15 vector registers would spill (46 in place of 56 GFLOP/s).
#pragma once
#include "simd.h"
#if !defined(__wasm__) && defined(__SSE__)
#include <xmmintrin.h>
#endif

typedef intptr_t Index;

static inline Index ceil_div(Index a, Index b) { return (a + b - 1) / b; }
static inline Index round_up(Index n, Index multiple) { return ceil_div(n, multiple) * multiple; }
static inline Index padded(Index floats) { return round_up(floats, 16); }  // to complete cache lines

enum { NV = 2, NR = NV * VW };  // vectors and columns of a tile
// Rows of a tile: as many as the registers hold (measured): 15 vector registers in V8, 16 in SSE
// and AVX2. Without a fused multiply-add the product needs a register of its own, and so does A
// with 64-bit addresses (below).
#if (defined(__wasm_relaxed_simd__) && !defined(__wasm64__)) || (!defined(__wasm__) && WIDE)
enum { MR = 6 };
#else
enum { MR = 5 };
#endif

// With 64-bit addresses an instruction of its own checks every access to memory. Four adjacent
// elements of A are then one load, whose lanes are broadcast (measured: 51 in place of 40 GFLOP/s).
#if defined(__wasm64__)
enum { BROADCAST_LANES = 1 };
#else
enum { BROADCAST_LANES = 0 };
#endif

// c[first + r] += a[first + r] * row for four r.
template <int R> INLINE void fma_four_rows(vf (&c)[R][NV], const float* a, const vf (&row)[NV], int first) {
#if defined(__wasm64__)
  const vf four = vload(a + first);
#define FMA_ROW(r)                                                                          \
  {                                                                                         \
    vf x = wasm_i32x4_shuffle(four, four, r, r, r, r);                                      \
    UNROLL_FOR (int j = 0; j < NV; j++) c[first + r][j] = vfma(x, row[j], c[first + r][j]); \
  }
  FMA_ROW(0)
  FMA_ROW(1)
  FMA_ROW(2)
  FMA_ROW(3)
#undef FMA_ROW
#else
  (void)c, (void)a, (void)row, (void)first;
#endif
}

// One tile: out[r * ldo + j] = init[r * ldi + j] + sum_k a[k * a_k + r * a_r] * b[k * ldb + j] for
// r < R and j < NR. init null: zero. A_CONTIGUOUS: a_r is 1.
template <int R, bool A_CONTIGUOUS = false>
INLINE void micro_kernel(float* out, Index ldo, const float* init, Index ldi, const float* a, Index a_k, Index a_r,
                         const float* b, Index ldb, Index K) {
  vf c[R][NV];
#if PAIRED  // V8 does not pair a sum whose first values meet from two branches
  static const float zeros[NR] = {};
  if (!init) init = zeros, ldi = 0;
#endif
  if (PAIRED || init) {
    UNROLL_FOR (int r = 0; r < R; r++)
      UNROLL_FOR (int j = 0; j < NV; j++) c[r][j] = vload(init + r * ldi + j * VW);
  } else {
    UNROLL_FOR (int r = 0; r < R; r++)
      UNROLL_FOR (int j = 0; j < NV; j++) c[r][j] = vzero();
  }
  ROLLED_FOR (Index k = 0; k < K; k++) {
    vf row[NV];
    UNROLL_FOR (int j = 0; j < NV; j++) row[j] = vload(b + j * VW);
    const int by_fours = BROADCAST_LANES && A_CONTIGUOUS ? R / 4 * 4 : 0;
    UNROLL_FOR (int r = 0; r < by_fours; r += 4) fma_four_rows(c, a, row, r);
    UNROLL_FOR (int r = by_fours; r < R; r++) {
      vf x = vbroadcast(a + r * a_r);
      UNROLL_FOR (int j = 0; j < NV; j++) c[r][j] = vfma(x, row[j], c[r][j]);
    }
    a += a_k;
    b += ldb;
  }
  UNROLL_FOR (int r = 0; r < R; r++)
    UNROLL_FOR (int j = 0; j < NV; j++) vstore(out + r * ldo + j * VW, c[r][j]);
}

// The transpose of 4 x 4 elements: out[j * ldo + i] = x[i * ldx + j].
INLINE void transpose4(float* out, Index ldo, const float* x, Index ldx) {
#if defined(__wasm_simd128__)
  f32x4 r0 = wasm_v128_load(x), r1 = wasm_v128_load(x + ldx);
  f32x4 r2 = wasm_v128_load(x + 2 * ldx), r3 = wasm_v128_load(x + 3 * ldx);
  f32x4 a = wasm_i32x4_shuffle(r0, r1, 0, 4, 1, 5), b = wasm_i32x4_shuffle(r0, r1, 2, 6, 3, 7);
  f32x4 e = wasm_i32x4_shuffle(r2, r3, 0, 4, 1, 5), f = wasm_i32x4_shuffle(r2, r3, 2, 6, 3, 7);
  wasm_v128_store(out, wasm_i64x2_shuffle(a, e, 0, 2));
  wasm_v128_store(out + ldo, wasm_i64x2_shuffle(a, e, 1, 3));
  wasm_v128_store(out + 2 * ldo, wasm_i64x2_shuffle(b, f, 0, 2));
  wasm_v128_store(out + 3 * ldo, wasm_i64x2_shuffle(b, f, 1, 3));
#elif defined(__SSE__)
  __m128 r0 = _mm_loadu_ps(x), r1 = _mm_loadu_ps(x + ldx);
  __m128 r2 = _mm_loadu_ps(x + 2 * ldx), r3 = _mm_loadu_ps(x + 3 * ldx);
  _MM_TRANSPOSE4_PS(r0, r1, r2, r3);
  _mm_storeu_ps(out, r0);
  _mm_storeu_ps(out + ldo, r1);
  _mm_storeu_ps(out + 2 * ldo, r2);
  _mm_storeu_ps(out + 3 * ldo, r3);
#else
  for (int i = 0; i < 4; i++)
    for (int j = 0; j < 4; j++) out[j * ldo + i] = x[i * ldx + j];
#endif
}

// A panel of P rows of a row-major matrix, transposed: out[k * P + r] = x[r * ldx + k], zero for r
// >= rows.
template <int P> INLINE void pack_transposed(const float* x, Index ldx, int rows, Index K, float* out) {
  if (rows < P) memset(out, 0, (size_t)K * P * sizeof(float));
  int r = 0;
  for (; r + 4 <= rows; r += 4) {
    const float* from = x + r * ldx;
    float* to = out + r;
    Index k = 0;
    for (; k + 4 <= K; k += 4) transpose4(to + k * P, P, from + k, ldx);
    for (; k < K; k++)
      for (int i = 0; i < 4; i++) to[k * P + i] = from[i * ldx + k];
  }
  for (; r < rows; r++)
    for (Index k = 0; k < K; k++) out[k * P + r] = x[r * ldx + k];
}

// A panel of P columns of a row-major matrix: out[k * P + c] = x[k * ldx + c], zero for c >=
// columns.
template <int P> INLINE void pack_direct(const float* x, Index ldx, int columns, Index K, float* out) {
  if (columns == P) {
    for (Index k = 0; k < K; k++, x += ldx, out += P) memcpy(out, x, P * sizeof(float));
    return;
  }
  for (Index k = 0; k < K; k++, x += ldx, out += P)
    for (int c = 0; c < P; c++) out[c] = c < columns ? x[c] : 0.0f;
}
