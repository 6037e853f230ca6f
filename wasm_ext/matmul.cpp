// matmul: packed panels and a register tile for most sizes, direct loops for skinny products.
//
// The team packs B once into panels of NR columns and shares it. Each thread packs the rows of A
// that it works on, and computes a rectangle of tiles. The sizes alone choose between the paths,
// and within a path an element's sum does not depend on where the work was split: the bits are the
// same for any number of threads.
#include "matmul_epilogue.h"

// ---- skinny products (at most SKINNY rows or columns, as in decoding): no packing ---------------

enum { SKINNY = 4, CHUNK = 64 };

// sums[r * ldr + s * lds] = x_r . y_s over K, for `rows` rows of x and S rows of y. Lanes run over
// k: the long matrix x streams through once, GROUP rows at a time.
template <int S, int GROUP>
static void dot_products(float* sums, Index ldr, Index lds, const float* x, Index ldx, const float* y, Index ldy,
                         Index rows, Index K) {
  const Index vector_end = K / VW * VW;
  const int tail = (int)(K - vector_end);
  for (Index r = 0; r < rows; r += GROUP) {
    const float* row[GROUP];
    UNROLL_FOR (int i = 0; i < GROUP; i++) row[i] = x + (r + i < rows ? r + i : rows - 1) * ldx;
    vf c[GROUP][S];
    UNROLL_FOR (int i = 0; i < GROUP; i++)
      UNROLL_FOR (int s = 0; s < S; s++) c[i][s] = vzero();
    ROLLED_FOR (Index k = 0; k < vector_end; k += VW)
      UNROLL_FOR (int s = 0; s < S; s++) {
        vf v = vload(y + s * ldy + k);
        UNROLL_FOR (int i = 0; i < GROUP; i++) c[i][s] = vfma(vload(row[i] + k), v, c[i][s]);
      }
    if (tail)
      UNROLL_FOR (int s = 0; s < S; s++) {
        vf v = vload_tail(y + s * ldy + vector_end, tail);
        UNROLL_FOR (int i = 0; i < GROUP; i++) c[i][s] = vfma(vload_tail(row[i] + vector_end, tail), v, c[i][s]);
      }
    for (int i = 0; i < GROUP && r + i < rows; i++)
      UNROLL_FOR (int s = 0; s < S; s++) sums[(r + i) * ldr + s * lds] = vsum(c[i][s]);
  }
}

static void dot_products_of(Index S, Index rows, Index K, const float* x, Index ldx, const float* y, Index ldy,
                            float* sums, Index ldr, Index lds) {
  if (S == 1) dot_products<1, 4>(sums, ldr, lds, x, ldx, y, ldy, rows, K);
  if (S == 2) dot_products<2, 4>(sums, ldr, lds, x, ldx, y, ldy, rows, K);
  if (S == 3) dot_products<3, 2>(sums, ldr, lds, x, ldx, y, ldy, rows, K);
  if (S == 4) dot_products<4, 2>(sums, ldr, lds, x, ldx, y, ldy, rows, K);
}

// sums[s * lds + j] = sum_k x[s * ldx + k] * b[k * ldb + j] for s < S and j < columns <= NR. Lanes
// run over columns.
template <int S>
static void combine_rows(float* sums, Index lds, const float* x, Index ldx, const float* b, Index ldb, Index columns,
                         Index K) {
  if (columns == NR) return micro_kernel<S>(sums, lds, nullptr, 0, x, 1, ldx, b, ldb, K);
  for (Index j = 0; j < columns; j += VW) {
    const int w = columns - j < VW ? (int)(columns - j) : (int)VW;
    vf c[S];
    UNROLL_FOR (int s = 0; s < S; s++) c[s] = vzero();
    for (Index k = 0; k < K; k++) {
      vf row = vload_tail(b + k * ldb + j, w);
      UNROLL_FOR (int s = 0; s < S; s++) c[s] = vfma(vsplat(x[s * ldx + k]), row, c[s]);
    }
    UNROLL_FOR (int s = 0; s < S; s++) vstore(sums + s * lds + j, c[s]);
  }
}

// S vectors of K elements, element k of vector s at x[s * x_s + k * x_k], as contiguous rows `*ld`
// apart: in place where x_k is 1, else copied to `rows`.
static const float* contiguous_rows(float* rows, Index* ld, const float* x, Index x_s, Index x_k, Index S, Index K) {
  *ld = x_s;
  if (x_k == 1) return x;
  for (Index s = 0; s < S; s++)
    for (Index k = 0; k < K; k++) rows[s * K + k] = x[s * x_s + k * x_k];
  *ld = K;
  return rows;
}

static void skinny_rows(const Matmul& g, const Team& team) {
  float sums[SKINNY * CHUNK];
  float* scratch = (float*)team.scratch + team.rank * SKINNY * g.K;
  const Index chunk = g.tb ? (Index)CHUNK : (Index)NR, chunks = ceil_div(g.N, chunk);
  const Share mine = share(g.batch * chunks, team);
  Index loaded = -1, ldx = 0;
  const float* x = nullptr;
  for (Index unit = (Index)mine.begin; unit < mine.end; unit++) {
    const Index z = unit / chunks, n = unit % chunks * chunk, columns = g.N - n < chunk ? g.N - n : chunk;
    if (z != loaded)
      x = contiguous_rows(scratch, &ldx, g.a + z * g.sa, g.ta ? 1 : g.lda, g.ta ? g.lda : 1, g.M, g.K), loaded = z;
    if (g.tb) {
      dot_products_of(g.M, columns, g.K, g.b + z * g.sb + n * g.ldb, g.ldb, x, ldx, sums, 1, CHUNK);
    } else {
      const float* b = g.b + z * g.sb + n;
      if (g.M == 1) combine_rows<1>(sums, CHUNK, x, ldx, b, g.ldb, columns, g.K);
      if (g.M == 2) combine_rows<2>(sums, CHUNK, x, ldx, b, g.ldb, columns, g.K);
      if (g.M == 3) combine_rows<3>(sums, CHUNK, x, ldx, b, g.ldb, columns, g.K);
      if (g.M == 4) combine_rows<4>(sums, CHUNK, x, ldx, b, g.ldb, columns, g.K);
    }
    apply_epilogue(g, z, 0, n, g.M, columns, sums, CHUNK);
  }
}

static void skinny_columns(const Matmul& g, const Team& team) {
  float sums[CHUNK * 8] = {};
  float* scratch = (float*)team.scratch + team.rank * SKINNY * g.K;
  const Index chunks = ceil_div(g.M, CHUNK);
  const Share mine = share(g.batch * chunks, team);
  Index loaded = -1, ldy = 0;
  const float* y = nullptr;
  for (Index unit = (Index)mine.begin; unit < mine.end; unit++) {
    const Index z = unit / chunks, m = unit % chunks * CHUNK, rows = g.M - m < CHUNK ? g.M - m : (Index)CHUNK;
    if (z != loaded)
      y = contiguous_rows(scratch, &ldy, g.b + z * g.sb, g.tb ? g.ldb : 1, g.tb ? 1 : g.ldb, g.N, g.K), loaded = z;
    dot_products_of(g.N, rows, g.K, g.a + z * g.sa + m * g.lda, g.lda, y, ldy, sums, 8, 1);
    apply_epilogue(g, z, m, 0, rows, g.N, sums, 8);
  }
}

// ---- packed products ----------------------------------------------------------------------------

// Depth of a block of k: a panel of B (NR wide) and one of A (MR high) of this depth share the
// first-level cache.
static const Index K_BLOCK = VW == 8 ? 256 : 384;
static const Index A_FLOATS = 65536;  // what a thread packs of A at a time, roughly: it stays in the second-level cache

static Index block_rows(const Matmul& g) {
  Index rows = A_FLOATS / (g.K + 1) / MR * MR;
  if (rows < 4 * MR) rows = 4 * MR;
  if (rows > 32 * MR) rows = 32 * MR;
  const Index all = ceil_div(g.M, MR) * MR;
  return rows < all ? rows : all;
}
static Index packed_b(const Matmul& g) { return padded(ceil_div(g.N, NR) * NR * g.K); }
static Index packed_a(const Matmul& g) { return padded(block_rows(g) * g.K) + padded(block_rows(g) * NR); }
// Many small products: each thread computes complete products, with B in its own scratch.
static bool batch_parallel(const Matmul& g) { return g.batch > 1 && packed_b(g) <= A_FLOATS; }

static __attribute__((noinline)) void packed_tile(Index K, const float* a, const float* b, const float* init,
                                                  float* out, Index ldo) {
  micro_kernel<MR, true>(out, ldo, init, NR, a, MR, 1, b, NR, K);
}

// Panels first .. last - 1 of B of product z.
static void pack_b(const Matmul& g, Index z, Index first, Index last, float* packed) {
  for (Index p = first; p < last; p++) {
    const Index n = p * NR;
    const int columns = g.N - n < NR ? (int)(g.N - n) : (int)NR;
    if (g.tb) pack_transposed<NR>(g.b + z * g.sb + n * g.ldb, g.ldb, columns, g.K, packed + n * g.K);
    else pack_direct<NR>(g.b + z * g.sb + n, g.ldb, columns, g.K, packed + n * g.K);
  }
}

// Rows m .. m + rows - 1 of A of product z, in panels of MR.
static void pack_a(const Matmul& g, Index z, Index m, Index rows, float* packed) {
  for (Index i = 0; i < rows; i += MR, packed += MR * g.K) {
    const int height = rows - i < MR ? (int)(rows - i) : (int)MR;
    if (g.ta) pack_direct<MR>(g.a + z * g.sa + m + i, g.lda, height, g.K, packed);
    else pack_transposed<MR>(g.a + z * g.sa + (m + i) * g.lda, g.lda, height, g.K, packed);
  }
}

// Rows m0 .. m1 - 1 (complete tiles but for the last) by panels p0 .. p1 - 1 of product z: the
// loops over blocks of A, panels of B, blocks of k and tiles (the macro-kernel of BLIS: Van Zee and
// van de Geijn 2015).
static void macro_kernel(const Matmul& g, Index z, Index m0, Index m1, Index p0, Index p1, const float* b, float* a) {
  if (m0 >= m1 || p0 >= p1) return;
  const Index blocks = ceil_div(m1 - m0, block_rows(g)), height = ceil_div(ceil_div(m1 - m0, blocks), MR) * MR;
  const Index k_blocks = g.K ? ceil_div(g.K, K_BLOCK) : 1, depth = ceil_div(g.K, k_blocks);
  float* sums = a + padded(block_rows(g) * g.K);  // tile after tile, MR x NR each
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
          if (last && g.no_epilogue && h == MR && columns == NR) {
            packed_tile(K, ap, bp, init, g.out + z * g.sc + (m + i) * g.ldc + n, g.ldc);
          } else {
            if (last) prefetch_epilogue(g, z * g.sc + (m + i) * g.ldc + n, h);
            packed_tile(K, ap, bp, init, sum, NR);
            if (last) tile_epilogue(g, sum, z, m + i, n, h, columns);
          }
        }
      }
    }
  }
}

// The threads as a grid over the tiles: the grid whose largest share is smallest. Among equals, a
// wide matrix is split by columns (a thread then reads only panels of B that it packed itself), a
// tall one by rows (no row of A is packed twice).
static void thread_grid(Index* grid_rows, Index* grid_columns, Index row_tiles, Index column_tiles, int threads,
                        bool columns_first) {
  Index best = -1;
  for (Index x = threads; x >= 1; x--) {
    const Index y = threads / x, d = columns_first ? y : x, c = columns_first ? x : y,
                largest = ceil_div(row_tiles, d) * ceil_div(column_tiles, c);
    if (best < 0 || largest < best) best = largest, *grid_rows = d, *grid_columns = c;
  }
}

static void packed(const Matmul& g, Team& team) {
  const Index row_tiles = ceil_div(g.M, MR), column_tiles = ceil_div(g.N, NR);
  float* shared = (float*)team.scratch;
  if (batch_parallel(g)) {
    float* b = shared + team.rank * (packed_b(g) + packed_a(g));
    const Share mine = share(g.batch, team);
    for (Index z = (Index)mine.begin; z < mine.end; z++) {
      if (z == mine.begin || g.sb) pack_b(g, z, 0, column_tiles, b);
      macro_kernel(g, z, 0, g.M, 0, column_tiles, b, b + packed_b(g));
    }
    return;
  }
  Index grid_rows = 1, grid_columns = 1;
  thread_grid(&grid_rows, &grid_columns, row_tiles, column_tiles, team.size, 2 * g.M <= g.N);
  const Index row = team.rank / grid_columns, column = team.rank % grid_columns;
  const Share panels = share(column_tiles, team);
  for (Index z = 0; z < g.batch; z++) {
    if (z) team.barrier();
    pack_b(g, z, (Index)panels.begin, (Index)panels.end, shared);
    team.barrier();
    if (row < grid_rows) {
      const Index m0 = row_tiles * row / grid_rows * MR, m1 = row_tiles * (row + 1) / grid_rows * MR;
      macro_kernel(g, z, m0, m1 < g.M ? m1 : g.M, column_tiles * column / grid_columns,
                   column_tiles * (column + 1) / grid_columns, shared, shared + packed_b(g) + team.rank * packed_a(g));
    }
  }
}

static void run_matmul(const Slot* a, Team& team) {
  const Matmul g = read_matmul(a);
  if (g.batch <= 0 || g.M <= 0 || g.N <= 0) return;
  if (g.M <= SKINNY) skinny_rows(g, team);
  else if (g.N <= SKINNY && !g.ta) skinny_columns(g, team);
  else packed(g, team);
}

static double work_matmul(const Slot* a) {
  const Matmul g = read_matmul(a);
  const double outputs = (double)g.batch * g.M * g.N, products = outputs * g.K;
  if (g.M <= SKINNY || g.N <= SKINNY) return (double)g.batch * (g.M > g.N ? g.M : g.N) * g.K / 4 + outputs;
  return products / 25 + outputs / 2;
}

static size_t scratch_matmul(const Slot* a) {
  const Matmul g = read_matmul(a);
  if (g.batch <= 0 || g.M <= 0 || g.N <= 0) return 0;
  Index floats;
  if (g.M <= SKINNY || (g.N <= SKINNY && !g.ta)) floats = MAX_THREADS * SKINNY * g.K;
  else if (batch_parallel(g)) floats = MAX_THREADS * (packed_b(g) + packed_a(g));
  else floats = packed_b(g) + MAX_THREADS * packed_a(g);
  return (size_t)floats * sizeof(float);
}

ENTRY(matmul, work_matmul, scratch_matmul);
