// What matmul does with its sums: the arguments of a launch, and alpha, beta and the epilogue
// (bias, GELU, residual).
//
// The sums are complete when they arrive here: so a fused epilogue has the bits of the separate
// kernels.
#pragma once
#include "math.h"
#include "microkernel.h"
#include "runtime.h"

// The arguments of a launch, in the contract's words: `batch` products out [M, N] = a [M, K] b [K,
// N]. a is stored [K, M] where ta, b [N, K] where tb. Product z starts at out + z * sc, a + z * sa,
// b + z * sb.
struct Matmul {
  float* out;
  const float *a, *b, *bias, *residual;
  float* pre;
  Index batch, M, N, K, lda, ldb, ldc, sa, sb, sc;
  bool ta, tb;
  float alpha, beta;
  int epilogue;
  bool no_epilogue;  // out is the plain sum
};

static Matmul read_matmul(const Slot* a) {
  Matmul g = {buffer<float>(a, MATMUL_out),
              buffer<float>(a, MATMUL_a),
              buffer<float>(a, MATMUL_b),
              buffer<float>(a, MATMUL_bias),
              buffer<float>(a, MATMUL_residual),
              buffer<float>(a, MATMUL_pre),
              (Index)a[MATMUL_batch].i,
              (Index)a[MATMUL_M].i,
              (Index)a[MATMUL_N].i,
              (Index)a[MATMUL_K].i,
              (Index)a[MATMUL_lda].i,
              (Index)a[MATMUL_ldb].i,
              (Index)a[MATMUL_ldc].i,
              (Index)a[MATMUL_sa].i,
              (Index)a[MATMUL_sb].i,
              (Index)a[MATMUL_sc].i,
              a[MATMUL_ta].i != 0,
              a[MATMUL_tb].i != 0,
              (float)a[MATMUL_alpha].f,
              (float)a[MATMUL_beta].f,
              (int)a[MATMUL_epilogue].i & ~EPILOGUE_GRADIENT,
              false};
  g.no_epilogue = g.alpha == 1.0f && g.beta == 0.0f && g.epilogue == 0;
  // One B for the complete batch: the rows of all products are the rows of one taller matrix.
  if (g.batch > 1 && g.sb == 0 && !g.ta && g.sa == g.M * g.lda && g.sc == g.M * g.ldc) g.M *= g.batch, g.batch = 1;
  return g;
}

// alpha, beta and the epilogue on rows x columns of complete sums, which belong at row m and column
// n of product z. The rows of sums are lds apart and padded to complete vectors.
static void apply_epilogue(const Matmul& g, Index z, Index m, Index n, Index rows, Index columns, const float* sums,
                           Index lds) {
  const vf alpha = vsplat(g.alpha), beta = vsplat(g.beta);
  for (Index i = 0; i < rows; i++)
    for (Index j = 0; j < columns; j += VW) {
      const int w = columns - j < VW ? (int)(columns - j) : (int)VW;
      const Index at = z * g.sc + (m + i) * g.ldc + n + j;
      vf v = vload(sums + i * lds + j);
      if (g.alpha != 1.0f) v = vmul(alpha, v);
      if (g.beta != 0.0f) v = vadd(v, vmul(beta, vload_tail(g.out + at, w)));
      if (g.epilogue & EPILOGUE_BIAS) v = vadd(v, vload_tail(g.bias + n + j, w));
      if (g.epilogue & EPILOGUE_GELU) {
        if (g.pre) vstore_tail(g.pre + at, v, w);
        v = vgelu(v);
      }
      if (g.epilogue & EPILOGUE_GELU_BACKWARD) v = vmul(v, vgelu_grad(vload_tail(g.pre + at, w)));
      if (g.epilogue & EPILOGUE_RESIDUAL) v = vadd(v, vload_tail(g.residual + at, w));
      vstore_tail(g.out + at, v, w);
    }
}

// The same for all NR columns of a panel, with the epilogue known to the compiler: no tails, no
// branches, the bias in registers.
template <int EPILOGUE>
static __attribute__((noinline)) void panel_epilogue(const Matmul& g, Index at, Index n, Index rows,
                                                     const float* sums) {
  vf bias[NV] = {};
  if (EPILOGUE & EPILOGUE_BIAS)
    UNROLL_FOR (int j = 0; j < NV; j++) bias[j] = vload(g.bias + n + j * VW);
  ROLLED_FOR (Index i = 0; i < rows; i++, at += g.ldc, sums += NR) {
    vf v[NV];
    UNROLL_FOR (int j = 0; j < NV; j++) {
      v[j] = vload(sums + j * VW);
      if (EPILOGUE & EPILOGUE_BIAS) v[j] = vadd(v[j], bias[j]);
    }
    if (EPILOGUE & EPILOGUE_GELU) {
      if (g.pre)
        UNROLL_FOR (int j = 0; j < NV; j++) vstore(g.pre + at + j * VW, v[j]);
      gelus(v);
    }
    if (EPILOGUE & EPILOGUE_GELU_BACKWARD) {
      vf slope[NV];
      UNROLL_FOR (int j = 0; j < NV; j++) slope[j] = vload(g.pre + at + j * VW);
      gelu_grads(slope);
      UNROLL_FOR (int j = 0; j < NV; j++) v[j] = vmul(v[j], slope[j]);
    }
    UNROLL_FOR (int j = 0; j < NV; j++) {
      if (EPILOGUE & EPILOGUE_RESIDUAL) v[j] = vadd(v[j], vload(g.residual + at + j * VW));
      vstore(g.out + at + j * VW, v[j]);
    }
  }
}

// Prefetches the cache lines that the epilogue of a tile reads, before the tile is computed: their
// rows are too far apart for the processor's own prefetcher, and an epilogue that starts with cache
// misses stalls the processor.
static void prefetch_epilogue(const Matmul& g, Index at, Index rows) {
  const float* operand = g.epilogue & EPILOGUE_GELU_BACKWARD ? g.pre
                         : g.epilogue & EPILOGUE_RESIDUAL    ? g.residual
                                                             : nullptr;
  if (operand)
    for (Index i = 0; i < rows; i++) (void)*(volatile const float*)(operand + at + i * g.ldc);
}

static void tile_epilogue(const Matmul& g, const float* sums, Index z, Index m, Index n, Index rows, Index columns) {
  const Index at = z * g.sc + m * g.ldc + n;
  if (columns == NR && g.alpha == 1.0f && g.beta == 0.0f) switch (g.epilogue) {
      case EPILOGUE_BIAS: return panel_epilogue<EPILOGUE_BIAS>(g, at, n, rows, sums);
      case EPILOGUE_RESIDUAL: return panel_epilogue<EPILOGUE_RESIDUAL>(g, at, n, rows, sums);
      case EPILOGUE_BIAS | EPILOGUE_GELU: return panel_epilogue<EPILOGUE_BIAS | EPILOGUE_GELU>(g, at, n, rows, sums);
      case EPILOGUE_BIAS | EPILOGUE_RESIDUAL:
        return panel_epilogue<EPILOGUE_BIAS | EPILOGUE_RESIDUAL>(g, at, n, rows, sums);
      case EPILOGUE_GELU_BACKWARD: return panel_epilogue<EPILOGUE_GELU_BACKWARD>(g, at, n, rows, sums);
    }
  apply_epilogue(g, z, m, n, rows, columns, sums, NR);
}
