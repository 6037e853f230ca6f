// matmul: packed panels and a register tile for everything, a direct path for a few rows or a few columns.
//
// B is packed once into panels of NR columns and shared by the team; every thread packs the rows of A it works on and computes a
// rectangle of tiles. Sums are complete when alpha, beta and the epilogue see them, so a fused epilogue has the bits of the
// separate kernels. Which path is taken depends on the sizes alone, and within a path an element's sum does not depend on where
// the work was cut, so the bits are the same for any number of threads.
#include "gemm.h"
#include "math.h"
#include "runtime.h"

struct Matmul {
  float* out;
  const float *a, *b, *bias, *residual;
  float* pre;
  Index batch, M, N, K, lda, ldb, ldc, sa, sb, sc;
  bool ta, tb;
  float alpha, beta;
  int epilogue;
  bool plain;  // out = the sum as it is
};

static Matmul read(const Slot* s) {
  Matmul g = {buffer<float>(s, MATMUL_out), buffer<float>(s, MATMUL_a), buffer<float>(s, MATMUL_b), buffer<float>(s, MATMUL_bias),
              buffer<float>(s, MATMUL_residual), buffer<float>(s, MATMUL_pre), (Index)s[MATMUL_batch].i, (Index)s[MATMUL_M].i,
              (Index)s[MATMUL_N].i, (Index)s[MATMUL_K].i, (Index)s[MATMUL_lda].i, (Index)s[MATMUL_ldb].i, (Index)s[MATMUL_ldc].i,
              (Index)s[MATMUL_sa].i, (Index)s[MATMUL_sb].i, (Index)s[MATMUL_sc].i, s[MATMUL_ta].i != 0, s[MATMUL_tb].i != 0,
              (float)s[MATMUL_alpha].f, (float)s[MATMUL_beta].f, (int)s[MATMUL_epilogue].i & ~EPILOGUE_GRADIENT, false};
  g.plain = g.alpha == 1.0f && g.beta == 0.0f && g.epilogue == 0;
  // One B for the whole batch: its rows are rows of one taller matrix.
  if (g.batch > 1 && g.sb == 0 && !g.ta && g.sa == g.M * g.lda && g.sc == g.M * g.ldc) g.M *= g.batch, g.batch = 1;
  return g;
}

static Index ceil_div(Index a, Index b) { return (a + b - 1) / b; }

// Rows x columns of finished sums, rows ldt apart and padded to whole vectors, go through alpha, beta and the epilogue to out.
static void finish(const Matmul& g, Index z, Index m, Index n, Index rows, Index columns, const float* sums, Index ldt) {
  const vf alpha = vsplat(g.alpha), beta = vsplat(g.beta);
  for (Index i = 0; i < rows; i++)
    for (Index j = 0; j < columns; j += VW) {
      const int w = columns - j < VW ? (int)(columns - j) : (int)VW;
      const Index at = z * g.sc + (m + i) * g.ldc + n + j;
      vf v = vload(sums + i * ldt + j);
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

// The same for a whole panel's width, with the epilogue known to the compiler: no tails, no branches, the bias in registers.
template <int EPILOGUE>
static __attribute__((noinline)) void finish_panel(const Matmul& g, Index at, Index n, Index rows, const float* sums) {
  vf bias[NV] = {};
  if (EPILOGUE & EPILOGUE_BIAS)
    UNROLL for (int j = 0; j < NV; j++) bias[j] = vload(g.bias + n + j * VW);
  NO_UNROLL for (Index i = 0; i < rows; i++, at += g.ldc, sums += NR) {
    vf v[NV];
    UNROLL for (int j = 0; j < NV; j++) {
      v[j] = vload(sums + j * VW);
      if (EPILOGUE & EPILOGUE_BIAS) v[j] = vadd(v[j], bias[j]);
    }
    if (EPILOGUE & EPILOGUE_GELU) {
      if (g.pre)
        UNROLL for (int j = 0; j < NV; j++) vstore(g.pre + at + j * VW, v[j]);
      gelus(v);
    }
    if (EPILOGUE & EPILOGUE_GELU_BACKWARD) {
      vf slope[NV];
      UNROLL for (int j = 0; j < NV; j++) slope[j] = vload(g.pre + at + j * VW);
      gelu_grads(slope);
      UNROLL for (int j = 0; j < NV; j++) v[j] = vmul(v[j], slope[j]);
    }
    UNROLL for (int j = 0; j < NV; j++) {
      if (EPILOGUE & EPILOGUE_RESIDUAL) v[j] = vadd(v[j], vload(g.residual + at + j * VW));
      vstore(g.out + at + j * VW, v[j]);
    }
  }
}

// Asks for the lines that the epilogue of a tile will read, while the tile is computed: their rows lie too far apart for the processor to
// see what comes next, and an epilogue that waits for memory at its start keeps the processor waiting.
static void ask_for(const Matmul& g, Index at, Index rows) {
  const float* what = g.epilogue & EPILOGUE_GELU_BACKWARD ? g.pre : g.epilogue & EPILOGUE_RESIDUAL ? g.residual : nullptr;
  if (what)
    for (Index i = 0; i < rows; i++) (void)*(volatile const float*)(what + at + i * g.ldc);
}

static void finish_tile(const Matmul& g, Index z, Index m, Index n, Index rows, Index columns, const float* sums) {
  const Index at = z * g.sc + m * g.ldc + n;
  if (columns == NR && g.alpha == 1.0f && g.beta == 0.0f) switch (g.epilogue) {
    case EPILOGUE_BIAS: return finish_panel<EPILOGUE_BIAS>(g, at, n, rows, sums);
    case EPILOGUE_RESIDUAL: return finish_panel<EPILOGUE_RESIDUAL>(g, at, n, rows, sums);
    case EPILOGUE_BIAS | EPILOGUE_GELU: return finish_panel<EPILOGUE_BIAS | EPILOGUE_GELU>(g, at, n, rows, sums);
    case EPILOGUE_BIAS | EPILOGUE_RESIDUAL: return finish_panel<EPILOGUE_BIAS | EPILOGUE_RESIDUAL>(g, at, n, rows, sums);
    case EPILOGUE_GELU_BACKWARD: return finish_panel<EPILOGUE_GELU_BACKWARD>(g, at, n, rows, sums);
  }
  finish(g, z, m, n, rows, columns, sums, NR);
}

// ---- a few rows or a few columns: no packing -------------------------------------------------------------------------------

enum { FEW = 4, CHUNK = 64 };

// sums[r * ldr + s * lds] = x_r . y_s over K for `rows` rows of x and S of y, lanes over k: the long matrix x streams through once.
template <int S, int GROUP>
static void dots(Index rows, Index K, const float* x, Index ldx, const float* y, Index ldy, float* sums, Index ldr, Index lds) {
  const Index whole = K / VW * VW;
  const int tail = (int)(K - whole);
  for (Index r = 0; r < rows; r += GROUP) {
    const float* row[GROUP];
    UNROLL for (int i = 0; i < GROUP; i++) row[i] = x + (r + i < rows ? r + i : rows - 1) * ldx;
    vf c[GROUP][S];
    UNROLL for (int i = 0; i < GROUP; i++)
      UNROLL for (int s = 0; s < S; s++) c[i][s] = vzero();
    NO_UNROLL for (Index k = 0; k < whole; k += VW)
      UNROLL for (int s = 0; s < S; s++) {
        vf v = vload(y + s * ldy + k);
        UNROLL for (int i = 0; i < GROUP; i++) c[i][s] = vfma(vload(row[i] + k), v, c[i][s]);
      }
    if (tail)
      UNROLL for (int s = 0; s < S; s++) {
        vf v = vload_tail(y + s * ldy + whole, tail);
        UNROLL for (int i = 0; i < GROUP; i++) c[i][s] = vfma(vload_tail(row[i] + whole, tail), v, c[i][s]);
      }
    for (int i = 0; i < GROUP && r + i < rows; i++)
      UNROLL for (int s = 0; s < S; s++) sums[(r + i) * ldr + s * lds] = vsum(c[i][s]);
  }
}

static void dots_of(Index S, Index rows, Index K, const float* x, Index ldx, const float* y, Index ldy, float* sums, Index ldr, Index lds) {
  if (S == 1) dots<1, 4>(rows, K, x, ldx, y, ldy, sums, ldr, lds);
  if (S == 2) dots<2, 4>(rows, K, x, ldx, y, ldy, sums, ldr, lds);
  if (S == 3) dots<3, 2>(rows, K, x, ldx, y, ldy, sums, ldr, lds);
  if (S == 4) dots<4, 2>(rows, K, x, ldx, y, ldy, sums, ldr, lds);
}

// sums[s][0..columns) = sum_k x[s][k] * b[k][0..columns), b row-major, at most NR columns; lanes over columns.
template <int S>
static void combine(Index columns, Index K, const float* x, Index ldx, const float* b, Index ldb, float* sums, Index lds) {
  if (columns == NR) return tile<S>(K, x, 1, ldx, b, ldb, nullptr, 0, sums, lds);
  for (Index j = 0; j < columns; j += VW) {
    const int w = columns - j < VW ? (int)(columns - j) : (int)VW;
    vf c[S];
    UNROLL for (int s = 0; s < S; s++) c[s] = vzero();
    for (Index k = 0; k < K; k++) {
      vf row = vload_tail(b + k * ldb + j, w);
      UNROLL for (int s = 0; s < S; s++) c[s] = vfma(vsplat(x[s * ldx + k]), row, c[s]);
    }
    UNROLL for (int s = 0; s < S; s++) vstore(sums + s * lds + j, c[s]);
  }
}

// S vectors of K elements, element k of vector s at p[s * ls + k * lk], as contiguous rows (in `room` where they are not yet).
static const float* rows_of(const float* p, Index S, Index K, Index ls, Index lk, float* room, Index* ld) {
  *ld = ls;
  if (lk == 1) return p;
  for (Index s = 0; s < S; s++)
    for (Index k = 0; k < K; k++) room[s * K + k] = p[s * ls + k * lk];
  *ld = K;
  return room;
}

static void few_rows(const Matmul& g, const Team& team) {
  float sums[FEW * CHUNK];
  float* room = (float*)team.scratch + team.t * FEW * g.K;
  const Index chunk = g.tb ? (Index)CHUNK : (Index)NR, chunks = ceil_div(g.N, chunk);
  const Share mine = share(g.batch * chunks, team);
  Index ready = -1, ldx = 0;
  const float* x = nullptr;
  for (Index unit = (Index)mine.begin; unit < mine.end; unit++) {
    const Index z = unit / chunks, n = unit % chunks * chunk, columns = g.N - n < chunk ? g.N - n : chunk;
    if (z != ready) x = rows_of(g.a + z * g.sa, g.M, g.K, g.ta ? 1 : g.lda, g.ta ? g.lda : 1, room, &ldx), ready = z;
    if (g.tb) {
      dots_of(g.M, columns, g.K, g.b + z * g.sb + n * g.ldb, g.ldb, x, ldx, sums, 1, CHUNK);
    } else {
      const float* b = g.b + z * g.sb + n;
      if (g.M == 1) combine<1>(columns, g.K, x, ldx, b, g.ldb, sums, CHUNK);
      if (g.M == 2) combine<2>(columns, g.K, x, ldx, b, g.ldb, sums, CHUNK);
      if (g.M == 3) combine<3>(columns, g.K, x, ldx, b, g.ldb, sums, CHUNK);
      if (g.M == 4) combine<4>(columns, g.K, x, ldx, b, g.ldb, sums, CHUNK);
    }
    finish(g, z, 0, n, g.M, columns, sums, CHUNK);
  }
}

static void few_columns(const Matmul& g, const Team& team) {
  float sums[CHUNK * 8] = {};
  float* room = (float*)team.scratch + team.t * FEW * g.K;
  const Index chunks = ceil_div(g.M, CHUNK);
  const Share mine = share(g.batch * chunks, team);
  Index ready = -1, ldy = 0;
  const float* y = nullptr;
  for (Index unit = (Index)mine.begin; unit < mine.end; unit++) {
    const Index z = unit / chunks, m = unit % chunks * CHUNK, rows = g.M - m < CHUNK ? g.M - m : (Index)CHUNK;
    if (z != ready) y = rows_of(g.b + z * g.sb, g.N, g.K, g.tb ? g.ldb : 1, g.tb ? 1 : g.ldb, room, &ldy), ready = z;
    dots_of(g.N, rows, g.K, g.a + z * g.sa + m * g.lda, g.lda, y, ldy, sums, 8, 1);
    finish(g, z, m, 0, rows, g.N, sums, 8);
  }
}

// ---- packed ------------------------------------------------------------------------------------------------------------------

// Steps of k between two visits of a tile: a panel of B (NR wide) and one of A (MR high) share the first-level cache.
static const Index K_BLOCK = VW == 8 ? 256 : 384;
static const Index A_FLOATS = 65536;  // about what a thread packs of A at a time: it stays in the second-level cache

static Index block_rows(const Matmul& g) {
  Index rows = A_FLOATS / (g.K + 1) / MR * MR;
  if (rows < 4 * MR) rows = 4 * MR;
  if (rows > 32 * MR) rows = 32 * MR;
  const Index all = ceil_div(g.M, MR) * MR;
  return rows < all ? rows : all;
}
static Index line(Index floats) { return ceil_div(floats, 16) * 16; }
static Index packed_b(const Matmul& g) { return line(ceil_div(g.N, NR) * NR * g.K); }
static Index packed_a(const Matmul& g) { return line(block_rows(g) * g.K) + line(block_rows(g) * NR); }
// Many small products: each thread does whole ones, B in its own room.
static bool whole_products(const Matmul& g) { return g.batch > 1 && packed_b(g) <= A_FLOATS; }

static __attribute__((noinline)) void packed_tile(Index K, const float* a, const float* b, const float* init, float* out, Index ldo) {
  tile<MR, true>(K, a, MR, 1, b, NR, init, NR, out, ldo);
}

static void pack_b(const Matmul& g, Index z, Index first, Index last, float* packed) {
  for (Index p = first; p < last; p++) {
    const Index n = p * NR;
    const int columns = g.N - n < NR ? (int)(g.N - n) : (int)NR;
    if (g.tb) pack_turned<NR>(g.b + z * g.sb + n * g.ldb, g.ldb, columns, g.K, packed + n * g.K);
    else pack_straight<NR>(g.b + z * g.sb + n, g.ldb, columns, g.K, packed + n * g.K);
  }
}

static void pack_a(const Matmul& g, Index z, Index m, Index rows, float* packed) {
  for (Index i = 0; i < rows; i += MR, packed += MR * g.K) {
    const int height = rows - i < MR ? (int)(rows - i) : (int)MR;
    if (g.ta) pack_straight<MR>(g.a + z * g.sa + m + i, g.lda, height, g.K, packed);
    else pack_turned<MR>(g.a + z * g.sa + (m + i) * g.lda, g.lda, height, g.K, packed);
  }
}

// Rows m0..m1 (whole tiles, but for the last) of the panels p0..p1 of product z.
static void rectangle(const Matmul& g, Index z, Index m0, Index m1, Index p0, Index p1, const float* b, float* a) {
  if (m0 >= m1 || p0 >= p1) return;
  const Index blocks = ceil_div(m1 - m0, block_rows(g)), height = ceil_div(ceil_div(m1 - m0, blocks), MR) * MR;
  const Index k_blocks = g.K ? ceil_div(g.K, K_BLOCK) : 1, depth = ceil_div(g.K, k_blocks);
  float* sums = a + line(block_rows(g) * g.K);  // one tile after the other, MR x NR each
  for (Index m = m0; m < m1; m += height) {
    const Index rows = m1 - m < height ? m1 - m : height;
    pack_a(g, z, m, rows, a);
    for (Index p = p0; p < p1; p++) {
      const Index n = p * NR, columns = g.N - n < NR ? g.N - n : (Index)NR;
      for (Index kb = 0; kb < k_blocks; kb++) {
        const Index k = kb * depth, K = g.K - k < depth ? g.K - k : depth;
        const bool last = kb == k_blocks - 1;
        for (Index i = 0; i < rows; i += MR) {
          float* sum = sums + i * NR;
          const float *ap = a + i * g.K + k * MR, *bp = b + n * g.K + k * NR, *init = kb ? sum : nullptr;
          const Index h = rows - i < MR ? rows - i : (Index)MR;
          if (last && g.plain && h == MR && columns == NR) {
            packed_tile(K, ap, bp, init, g.out + z * g.sc + (m + i) * g.ldc + n, g.ldc);
          } else {
            if (last) ask_for(g, z * g.sc + (m + i) * g.ldc + n, h);
            packed_tile(K, ap, bp, init, sum, NR);
            if (last) finish_tile(g, z, m + i, n, h, columns, sum);
          }
        }
      }
    }
  }
}

// T threads as a grid over tiles: the one whose largest share is smallest. Among equals, columns are split where the matrix is wide (a
// thread then reads only panels of B that it packed itself), rows where it is tall (no row of A is packed twice).
static void grid(Index tall, Index wide, int T, bool columns_first, Index* down, Index* across) {
  Index best = -1;
  for (Index x = T; x >= 1; x--) {
    const Index y = T / x, d = columns_first ? y : x, c = columns_first ? x : y, largest = ceil_div(tall, d) * ceil_div(wide, c);
    if (best < 0 || largest < best) best = largest, *down = d, *across = c;
  }
}

static void packed(const Matmul& g, Team& team) {
  const Index tall = ceil_div(g.M, MR), wide = ceil_div(g.N, NR);
  float* shared = (float*)team.scratch;
  if (whole_products(g)) {
    float* b = shared + team.t * (packed_b(g) + packed_a(g));
    const Share mine = share(g.batch, team);
    for (Index z = (Index)mine.begin; z < mine.end; z++) {
      if (z == mine.begin || g.sb) pack_b(g, z, 0, wide, b);
      rectangle(g, z, 0, g.M, 0, wide, b, b + packed_b(g));
    }
    return;
  }
  Index down = 1, across = 1;
  grid(tall, wide, team.T, 2 * g.M <= g.N, &down, &across);
  const Index row = team.t / across, column = team.t % across;
  const Share panels = share(wide, team);
  for (Index z = 0; z < g.batch; z++) {
    if (z) team.barrier();
    pack_b(g, z, (Index)panels.begin, (Index)panels.end, shared);
    team.barrier();
    if (row < down) {
      const Index m0 = tall * row / down * MR, m1 = tall * (row + 1) / down * MR;
      rectangle(g, z, m0, m1 < g.M ? m1 : g.M, wide * column / across, wide * (column + 1) / across, shared,
                shared + packed_b(g) + team.t * packed_a(g));
    }
  }
}

static void run_matmul(const Slot* s, Team& team) {
  const Matmul g = read(s);
  if (g.batch <= 0 || g.M <= 0 || g.N <= 0) return;
  if (g.M <= FEW) few_rows(g, team);
  else if (g.N <= FEW && !g.ta) few_columns(g, team);
  else packed(g, team);
}

static double work_matmul(const Slot* s) {
  const Matmul g = read(s);
  const double outputs = (double)g.batch * g.M * g.N, products = outputs * g.K;
  if (g.M <= FEW || g.N <= FEW) return (double)g.batch * (g.M > g.N ? g.M : g.N) * g.K / 4 + outputs;
  return products / 25 + outputs / 2;
}

static size_t scratch_matmul(const Slot* s) {
  const Matmul g = read(s);
  if (g.batch <= 0 || g.M <= 0 || g.N <= 0) return 0;
  Index floats;
  if (g.M <= FEW || (g.N <= FEW && !g.ta)) floats = MAX_THREADS * FEW * g.K;
  else if (whole_products(g)) floats = MAX_THREADS * (packed_b(g) + packed_a(g));
  else floats = packed_b(g) + MAX_THREADS * packed_a(g);
  return (size_t)floats * sizeof(float);
}

ENTRY(matmul, work_matmul, scratch_matmul);
