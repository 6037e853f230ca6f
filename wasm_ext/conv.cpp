// Convolution over up to three spatial dimensions: forward, and backward to the input (which is the
// transposed convolution). conv_weight.cpp has the backward to the weight.
//
// Both are one correlation: out[m, position] = sum_k a[m, k] * source[k's channel, position + k's
// shift], k over channels and taps. conv.h copies a band of the padded source so that for each k
// the positions of a row are contiguous, whatever stride and dilation are. Products of several rows
// of a go through matmul's register tile; products of few rows, float64 and int64 through plain
// loops. The sizes alone choose the path and the blocks, and a sum is one chain in the order of k:
// the bits do not depend on the number of threads.
#include "conv.h"

namespace {

enum { FEW = 2, LANES = 32 };  // rows of a that take plain loops; positions that these sum at once
enum { PANELS = 4 };           // of NR positions, which share one pass over a block of a
const Index K_BLOCK = VW == 8 ? 256 : 384;
const Index BAND_BYTES = 1 << 19;  // of the source that a thread copies at once, roughly: second-level cache
const Index UNITS = 32;            // a large launch has at least so many, for the threads to share

// A launch of either kernel: out [N, groups * M, positions] of a [M, S * taps] and source [N,
// groups * S, ...]. a's element (m, s, tap) is at m * a_m + s * a_s + tap.
template <class T> struct Correlation {
  T* out;
  const T *source, *weight, *bias;
  Index N, groups, M, S, a_m, a_s;
  Size size[3];  // of the convolution, in the words of its forward
  bool backward;
};

// What one phase needs: its axes, its band's layout, its place in the shared scratch.
struct Plan {
  Axis z, y, x;
  Layout layout;
  Index K, images, rows, bands, units;  // a unit: `rows` rows of positions of `images` images, one z, one group
  Index packed, offsets;                // elements of T and of int32 in front of this phase's
};

template <class T> bool plain(const Correlation<T>& c) { return sizeof(T) == 8 || c.M <= FEW; }

// The rows of a as tiles of about equal height, at most MR: a last tile of few rows would be slow.
struct Tiles {
  Index M, count;
  template <class T> explicit Tiles(const Correlation<T>& c)
      : M(c.M), count(plain(c) ? c.M : ceil_div(c.M, (Index)MR)) {}
  Index first(Index tile) const { return tile * M / count; }
  Index rows(Index tile) const { return first(tile + 1) - first(tile); }
};

template <class T> Index phases(const Correlation<T>& c) {
  return c.backward ? c.size[0].stride * c.size[1].stride * c.size[2].stride : 1;
}

template <class T> Plan plan_of(const Correlation<T>& c, Index phase) {
  Plan p;
  const Index sy = c.size[1].stride, sx = c.size[2].stride;
  p.z = c.backward ? backward_axis(c.size[0], phase / (sy * sx)) : forward_axis(c.size[0]);
  p.y = c.backward ? backward_axis(c.size[1], phase / sx % sy) : forward_axis(c.size[1]);
  p.x = c.backward ? backward_axis(c.size[2], phase % sx) : forward_axis(c.size[2]);
  p.K = c.S * p.z.taps * p.y.taps * p.x.taps;
  // The band: as many rows as fit, and no more than leave UNITS units.
  const Index line = layout_of(c.S, p.z, p.y, p.x, 1).size - layout_of(c.S, p.z, p.y, p.x, 0).size;
  const Index halo = layout_of(c.S, p.z, p.y, p.x, 0).size;
  const Index budget = BAND_BYTES / (Index)sizeof(T), outer = c.N * c.groups * p.z.count;
  Index rows = line ? (budget - halo) / line : p.y.count;
  Index shared = ceil_div(p.y.count, ceil_div(UNITS, outer > 0 ? outer : 1));
  const Index least = p.x.count ? ceil_div(PANELS * NR, p.x.count) : 1;  // smaller ones are mostly halo
  if (shared < least) shared = least;
  if (rows > shared) rows = shared;
  if (rows > p.y.count) rows = p.y.count;
  p.rows = rows < 1 ? 1 : rows;
  p.layout = layout_of(c.S, p.z, p.y, p.x, p.rows);
  p.bands = ceil_div(p.y.count, p.rows);
  // Small images: several share a pass over a.
  p.images = 1;
  const Index positions = p.rows * p.x.count;
  if (p.bands == 1 && positions > 0 && positions < PANELS * NR) {
    p.images = ceil_div(PANELS * NR, positions);
    const Index fitting = p.layout.size ? budget / p.layout.size : 1, share = ceil_div(c.N, ceil_div(UNITS, c.groups));
    if (p.images > fitting) p.images = fitting;
    if (p.images > share) p.images = share;
    if (p.images < 1) p.images = 1;
  }
  p.units = p.y.count && p.x.count ? ceil_div(c.N, p.images) * c.groups * p.z.count * p.bands : 0;
  p.packed = p.offsets = 0;
  for (Index before = 0; before < phase; before++) {
    const Index by = before / sx % sy, bx = before % sx, bz = before / (sy * sx);
    const Index k =
        c.S * backward_axis(c.size[0], bz).taps * backward_axis(c.size[1], by).taps * backward_axis(c.size[2], bx).taps;
    p.packed += padded(c.groups * c.M * k), p.offsets += padded(k);
  }
  return p;
}

// Bytes: the packed weight of all phases, the tables of offsets, then each thread's own.
template <class T> struct Scratch {
  Index weight, offsets, source, panels, sums, own, total;
  explicit Scratch(const Correlation<T>& c) {
    Index elements = 0, shifts = 0, band = 0, k = 0;
    for (Index phase = 0; phase < phases(c); phase++) {
      const Plan p = plan_of(c, phase);
      elements = p.packed + padded(c.groups * c.M * p.K), shifts = p.offsets + padded(p.K);
      if (p.images * p.layout.size > band) band = p.images * p.layout.size;
      if (p.K > k) k = p.K;
    }
    const Index depth = k < K_BLOCK ? k : K_BLOCK, at_once = plain(c) ? 0 : (Index)(PANELS * NR);
    weight = padded(elements) * (Index)sizeof(T);
    offsets = padded(shifts) * 4;
    source = (padded(band) + 4 * LANES) * (Index)sizeof(T);  // a row is read past its end
    panels = padded((depth + 2) * NR) * 4;
    sums = padded(c.M * (at_once + NR) + MR * NR) * 4;
    own = source + (plain(c) ? 0 : panels + sums);
    total = weight + offsets + MAX_THREADS * own;
  }
};

// a [M, K] of each group in tiles, element (r, k) of a tile at k * its rows + r.
template <class T> void pack(const Correlation<T>& c, const Plan& p, const Team& team, T* packed) {
  const Tiles tiles(c);
  const Index taps = c.size[1].kernel * c.size[2].kernel;
  const Share mine = share(c.groups * tiles.count, team);
  for (Index unit = (Index)mine.begin; unit < mine.end; unit++) {
    const Index g = unit / tiles.count, tile = unit % tiles.count, m0 = tiles.first(tile), height = tiles.rows(tile);
    const T* group = c.weight + (c.backward ? g * c.S * c.a_s : g * c.M * c.a_m) + m0 * c.a_m;
    T* to = packed + (g * c.M + m0) * p.K;
    for (Index s = 0; s < c.S; s++)
      for (Index z = 0; z < p.z.taps; z++)
        for (Index y = 0; y < p.y.taps; y++)
          for (Index x = 0; x < p.x.taps; x++, to += height) {
            const T* from = group + s * c.a_s + p.z.tap(z) * taps + p.y.tap(y) * c.size[2].kernel + p.x.tap(x);
            for (Index r = 0; r < height; r++) to[r] = from[r * c.a_m];
          }
  }
}

// Where a unit is, and where it writes.
template <class T> struct Unit {
  const Plan& p;
  Index n, images, g, z, row, rows;  // of positions
  Index plane, image, line;          // of out, in elements: a channel, an image, a row of positions
  T* out;                            // channel 0 of the group, position 0 of the band

  Unit(const Correlation<T>& c, const Plan& plan, Index unit) : p(plan) {
    Index rest = unit / p.bands;
    row = unit % p.bands * p.rows, rows = p.y.count - row < p.rows ? p.y.count - row : p.rows;
    z = rest % p.z.count, rest /= p.z.count;
    g = rest % c.groups, n = rest / c.groups * p.images;
    images = c.N - n < p.images ? c.N - n : p.images;
    const Index size_y = c.backward ? c.size[1].in : c.size[1].out, size_x = c.backward ? c.size[2].in : c.size[2].out,
                size_z = c.backward ? c.size[0].in : c.size[0].out;
    plane = size_z * size_y * size_x, image = c.groups * c.M * plane, line = p.y.step * size_x;
    out = c.out + n * image + g * c.M * plane +
          ((p.z.first + z * p.z.step) * size_y + p.y.first + row * p.y.step) * size_x + p.x.first;
  }
  bool dense() const { return p.x.step == 1 && line == p.x.count; }  // its positions are contiguous in out
};

// f(lane, length, place in the copied source, place in out) for each piece of a row among the
// positions at .. at + n - 1 of a unit.
template <class T, class F> INLINE void each_piece(const Unit<T>& u, Index at, Index n, F f) {
  const Layout& l = u.p.layout;
  const Index W = u.p.x.count;
  Index row = at / W, i = at % W;
  for (Index lane = 0; lane < n;) {
    const Index length = W - i < n - lane ? W - i : n - lane, b = row / u.rows, j = row % u.rows;
    f(lane, length, b * l.size + j * l.columns + i, b * u.image + j * u.line + i * u.p.x.step);
    lane += length, i = 0, row++;
  }
}

// ---- plain loops --------------------------------------------------------------------------------

// sum[l] = first + sum_k row[k] * from[offsets[k] + l] for l < LANES.
INLINE void sums_of(float* sum, float first, const float* row, const int32_t* offsets, Index K, const float* from) {
  vf c[LANES / VW];
  UNROLL_FOR (int l = 0; l < LANES / VW; l++) c[l] = vsplat(first);
  ROLLED_FOR (Index k = 0; k < K; k++) {
    const vf w = vbroadcast(row + k);
    const float* x = from + offsets[k];
    UNROLL_FOR (int l = 0; l < LANES / VW; l++) c[l] = vfma(w, vload(x + l * VW), c[l]);
  }
  UNROLL_FOR (int l = 0; l < LANES / VW; l++) vstore(sum + l * VW, c[l]);
}
// Of float64, and of uint64: int64 modulo 2^64.
template <class T>
INLINE void sums_of(T* sum, T first, const T* row, const int32_t* offsets, Index K, const T* from) {
  for (int l = 0; l < LANES; l++) sum[l] = first;
  for (Index k = 0; k < K; k++) {
    const T w = row[k], *x = from + offsets[k];
    for (int l = 0; l < LANES; l++) sum[l] += w * x[l];
  }
}

template <class T>
void plain_unit(const Correlation<T>& c, const Unit<T>& u, const T* a, const int32_t* offsets, const T* source) {
  const Plan& p = u.p;
  const Index W = p.x.count, pitch = p.layout.columns, span = (u.rows - 1) * pitch + W;
  for (Index b = 0; b < u.images; b++)
    for (Index m = 0; m < c.M; m++) {
      const T first = c.bias ? c.bias[u.g * c.M + m] : (T)0, *row = a + m * p.K;
      T* out = u.out + b * u.image + m * u.plane;
      for (Index at = 0; at < span; at += LANES) {
        T sum[LANES];
        sums_of(sum, first, row, offsets, p.K, source + b * p.layout.size + at);
        const Index end = span - at < LANES ? span - at : (Index)LANES;
        for (Index l = 0; l < end;) {
          const Index j = (at + l) / pitch, i = (at + l) % pitch, length = pitch - i < end - l ? pitch - i : end - l;
          for (Index e = 0; e < length && i + e < W; e++) out[j * u.line + (i + e) * p.x.step] = sum[l + e];
          l += length;
        }
      }
    }
}

// ---- the register tile --------------------------------------------------------------------------

// NR positions of k first .. last - 1 as matmul's panel: out[(k - first) * NR + lane]. A piece is
// copied to its end and beyond, and the next piece or the next k overwrites that.
void pack_panel(const Unit<float>& u, Index at, Index n, const int32_t* offsets, Index first, Index last,
                const float* source, float* out) {
  Index lanes[NR], places[NR], pieces = 0;
  each_piece(u, at, n, [&](Index lane, Index, Index place, Index) { lanes[pieces] = lane, places[pieces++] = place; });
  if (pieces == 1) {
    const float* from = source + places[0];
    for (Index k = first; k < last; k++, out += NR)
      UNROLL_FOR (int v = 0; v < NV; v++) vstore(out + v * VW, vload(from + offsets[k] + v * VW));
    return;
  }
  if (pieces == 2) {  // both are read at their lanes
    vm head[NV];
    for (int v = 0; v < NV; v++) head[v] = vhead((int)lanes[1] - v * VW);
    const float *one = source + places[0], *two = source + places[1] - lanes[1];
    for (Index k = first; k < last; k++, out += NR)
      UNROLL_FOR (int v = 0; v < NV; v++)
        vstore(out + v * VW, vselect(head[v], vload(one + offsets[k] + v * VW), vload(two + offsets[k] + v * VW)));
    return;
  }
  for (Index k = first; k < last; k++, out += NR) {
    const float* from = source + offsets[k];
    for (Index i = 0; i < pieces; i++)
      UNROLL_FOR (int v = 0; v < NV; v++) vstore(out + lanes[i] + v * VW, vload(from + places[i] + v * VW));
  }
}

template <int R>
__attribute__((noinline)) void tile(Index K, const float* a, const float* b, const float* init, float* out, Index ldo) {
  micro_kernel<R, true>(out, ldo, init, NR, a, R, 1, b, NR, K);
}
template <int R>
void tile_of(Index rows, Index K, const float* a, const float* b, const float* init, float* out, Index ldo) {
  if (rows == R) tile<R>(K, a, b, init, out, ldo);
  else if constexpr (R > 1) tile_of<R - 1>(rows, K, a, b, init, out, ldo);
}

void tiled_unit(const Correlation<float>& c, const Unit<float>& u, const float* a, const int32_t* offsets,
                const float* source, float* panels, float* sums) {
  const Plan& p = u.p;
  const Tiles tiles(c);
  const Index M = c.M, count = u.images * u.rows * p.x.count, inside = u.rows * p.x.count;
  const Index blocks = p.K ? ceil_div(p.K, K_BLOCK) : 1, depth = ceil_div(p.K, blocks);
  float *bias = sums + M * PANELS * NR, *edge = bias + M * NR;
  if (c.bias)
    for (Index m = 0; m < M; m++)
      for (Index j = 0; j < NR; j++) bias[m * NR + j] = c.bias[u.g * M + m];
  for (Index at = 0; at < count; at += PANELS * NR) {
    const Index group = ceil_div(count - at < PANELS * NR ? count - at : (Index)(PANELS * NR), NR);
    for (Index block = 0; block < blocks; block++) {
      const Index first = block * depth, last = first + depth < p.K ? first + depth : p.K, K = last - first;
      for (Index q = 0; q < group; q++) {
        const Index begin = at + q * NR, n = count - begin < NR ? count - begin : (Index)NR;
        pack_panel(u, begin, n, offsets, first, last, source, panels);
        const bool whole = n == NR && u.dense() && begin / inside == (begin + n - 1) / inside;
        float* to = u.out + begin / inside * u.image + begin % inside;
        for (Index t = 0; t < tiles.count; t++) {
          const Index m = tiles.first(t), rows = tiles.rows(t);
          float* sum = sums + (q * M + m) * NR;
          const float *ap = a + m * p.K + first * rows, *init = block ? sum : c.bias ? bias + m * NR : nullptr;
          if (block < blocks - 1) {
            tile_of<MR>(rows, K, ap, panels, init, sum, NR);
          } else if (whole) {
            tile_of<MR>(rows, K, ap, panels, init, to + m * u.plane, u.plane);
          } else {
            tile_of<MR>(rows, K, ap, panels, init, edge, NR);
            each_piece(u, begin, n, [&](Index lane, Index length, Index, Index place) {
              for (Index r = 0; r < rows; r++)
                for (Index i = 0; i < length; i++)
                  u.out[(m + r) * u.plane + place + i * p.x.step] = edge[r * NR + lane + i];
            });
          }
        }
      }
    }
  }
}

// ---- both ---------------------------------------------------------------------------------------

template <class T> void correlate(const Correlation<T>& c, Team& team) {
  const Scratch<T> at(c);
  char *offsets = team.scratch + at.weight, *own = offsets + at.offsets + team.rank * at.own;
  Index units = 0;
  for (Index phase = 0; phase < phases(c); phase++) {
    const Plan p = plan_of(c, phase);
    units += p.units;
    pack(c, p, team, (T*)team.scratch + p.packed);
    if (phase % team.size == team.rank) fill_offsets(p.layout, c.S, p.z, p.y, p.x, (int32_t*)offsets + p.offsets);
  }
  team.barrier();
  const Share mine = share(units, team);
  Index begin = (Index)mine.begin, before = 0;
  for (Index phase = 0; phase < phases(c) && begin < mine.end; phase++) {
    const Plan p = plan_of(c, phase);
    for (; begin < mine.end && begin < before + p.units; begin++) {
      const Unit<T> u(c, p, begin - before);
      T* source = (T*)own;
      const Size &sz = c.size[0], &sy = c.size[1], &sx = c.size[2];
      const Index dims[3] = {c.backward ? sz.out : sz.in, c.backward ? sy.out : sy.in, c.backward ? sx.out : sx.in};
      const Index channel = dims[0] * dims[1] * dims[2];
      for (Index b = 0; b < u.images; b++)
        copy_source(p.layout, p.z, p.y, p.x, dims, c.S, c.source + ((u.n + b) * c.groups + u.g) * c.S * channel, u.z,
                    u.row, source + b * p.layout.size);
      const T* a = (const T*)team.scratch + p.packed + u.g * c.M * p.K;
      const int32_t* shifts = (const int32_t*)offsets + p.offsets;
      if constexpr (sizeof(T) == 4) {
        if (!plain(c)) {
          float* panels = (float*)(own + at.source);
          tiled_unit(c, u, a, shifts, source, panels, panels + at.panels / 4);
          continue;
        }
      }
      plain_unit(c, u, a, shifts, source);
    }
    before += p.units;
  }
}

template <class T> Correlation<T> forward_of(const Slot* a) {
  const Index groups = (Index)a[CONV_groups].i, S = (Index)a[CONV_C].i / groups;
  Correlation<T> c = {buffer<T>(a, CONV_out),
                      buffer<const T>(a, CONV_x),
                      buffer<const T>(a, CONV_weight),
                      buffer<const T>(a, CONV_bias),
                      (Index)a[CONV_N].i,
                      groups,
                      (Index)a[CONV_O].i / groups,
                      S,
                      0,
                      0,
                      {},
                      false};
  read_sizes(a + CONV_i0, c.size);
  c.a_s = c.size[0].kernel * c.size[1].kernel * c.size[2].kernel, c.a_m = S * c.a_s;
  return c;
}

template <class T> Correlation<T> backward_of(const Slot* a) {
  const Index groups = (Index)a[CONV_BACKWARD_X_groups].i, M = (Index)a[CONV_BACKWARD_X_C].i / groups;
  Correlation<T> c = {buffer<T>(a, CONV_BACKWARD_X_dx),
                      buffer<const T>(a, CONV_BACKWARD_X_dy),
                      buffer<const T>(a, CONV_BACKWARD_X_weight),
                      buffer<const T>(a, CONV_BACKWARD_X_bias),
                      (Index)a[CONV_BACKWARD_X_N].i,
                      groups,
                      M,
                      (Index)a[CONV_BACKWARD_X_O].i / groups,
                      0,
                      0,
                      {},
                      true};
  read_sizes(a + CONV_BACKWARD_X_i0, c.size);
  c.a_m = c.size[0].kernel * c.size[1].kernel * c.size[2].kernel, c.a_s = M * c.a_m;
  return c;
}

}  // namespace

static void run_conv(const Slot* a, Team& team) {
  if (a[CONV_dtype].i == DTYPE_FLOAT32) correlate(forward_of<float>(a), team);
  else if (a[CONV_dtype].i == DTYPE_FLOAT64) correlate(forward_of<double>(a), team);
  else if (a[CONV_dtype].i == DTYPE_INT64) correlate(forward_of<uint64_t>(a), team);
  else team.fail(STATUS_BAD_INDEX);
}

static void run_conv_backward_x(const Slot* a, Team& team) {
  if (a[CONV_BACKWARD_X_dtype].i == DTYPE_FLOAT32) correlate(backward_of<float>(a), team);
  else if (a[CONV_BACKWARD_X_dtype].i == DTYPE_FLOAT64) correlate(backward_of<double>(a), team);
  else if (a[CONV_BACKWARD_X_dtype].i == DTYPE_INT64) correlate(backward_of<uint64_t>(a), team);
  else team.fail(STATUS_BAD_INDEX);
}

static size_t scratch_conv(const Slot* a) {
  if (a[CONV_dtype].i != DTYPE_FLOAT32) return (size_t)Scratch<double>(forward_of<double>(a)).total;
  return (size_t)Scratch<float>(forward_of<float>(a)).total;
}
static size_t scratch_conv_backward_x(const Slot* a) {
  if (a[CONV_BACKWARD_X_dtype].i != DTYPE_FLOAT32) return (size_t)Scratch<double>(backward_of<double>(a)).total;
  return (size_t)Scratch<float>(backward_of<float>(a)).total;
}

ENTRY(conv, [](const Slot* a) { return 200 + conv_products(a + CONV_dtype) / 20; }, scratch_conv);
ENTRY(conv_backward_x, [](const Slot* a) { return 200 + conv_products(a + CONV_BACKWARD_X_dtype) / 20; },
      scratch_conv_backward_x);
