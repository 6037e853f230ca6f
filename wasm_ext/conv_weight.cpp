// The backward of a convolution to its weight: dweight[o, k] = sum over images and positions of
// dy[o, position] * x[k's channel, position + k's shift].
//
// Bands of x and of dy are copied to shared scratch with one pitch, dy with zeros between its rows:
// so both run over the positions as one vector, and nothing is transposed. The team copies a group
// of bands, then divides the rows of dweight; an element's sum is in the order of the bands,
// whoever adds it.
#include "conv.h"

namespace {

enum { TILE_O = MR == 6 ? 4 : 3, TILE_K = 3, CHUNK_K = 48 };  // sums in registers; k of a unit of work
const Index GROUP_BYTES = 1 << 22;                            // of copied bands, roughly

template <class T> struct Weight {
  T* dweight;
  const T *dy, *x;
  Index N, groups, M, S;  // M output channels and S input channels of a group
  Size size[3];
};

template <class T> Weight<T> read(const Slot* a) {
  const Index groups = (Index)a[CONV_BACKWARD_WEIGHT_groups].i;
  Weight<T> w = {buffer<T>(a, CONV_BACKWARD_WEIGHT_dweight),
                 buffer<const T>(a, CONV_BACKWARD_WEIGHT_dy),
                 buffer<const T>(a, CONV_BACKWARD_WEIGHT_x),
                 (Index)a[CONV_BACKWARD_WEIGHT_N].i,
                 groups,
                 (Index)a[CONV_BACKWARD_WEIGHT_O].i / groups,
                 (Index)a[CONV_BACKWARD_WEIGHT_C].i / groups,
                 {}};
  read_sizes(a + CONV_BACKWARD_WEIGHT_i0, w.size);
  return w;
}

// A band: `rows` rows of positions of one image and one z, all channels.
struct Bands {
  Axis z, y, x;
  Layout layout;
  Index K, rows, per_image, bands, length, group;  // length: positions with the gaps, to complete vectors
  Index source, gradient, offsets;                 // elements of a band; of the table
};

template <class T> Bands bands_of(const Weight<T>& w) {
  Bands b;
  b.z = forward_axis(w.size[0]), b.y = forward_axis(w.size[1]), b.x = forward_axis(w.size[2]);
  b.K = w.S * b.z.taps * b.y.taps * b.x.taps;
  const Index S = w.groups * w.S, M = w.groups * w.M;
  const Index halo = layout_of(S, b.z, b.y, b.x, 0).size, pitch = b.x.count + b.x.reach / b.x.stride;
  const Index line = layout_of(S, b.z, b.y, b.x, 1).size - halo + M * pitch;
  const Index budget = GROUP_BYTES / (Index)sizeof(T);
  Index rows = line ? (budget - halo) / line : b.y.count;
  if (rows > b.y.count) rows = b.y.count;
  b.rows = rows < 1 ? 1 : rows;
  b.layout = layout_of(w.S, b.z, b.y, b.x, b.rows);
  b.per_image = ceil_div(b.y.count, b.rows);
  b.bands = w.N * b.z.count * b.per_image;
  b.length = round_up((b.rows - 1) * b.layout.columns + b.x.count, 8);
  b.source = padded(w.groups * b.layout.size + 8), b.gradient = padded(M * b.length), b.offsets = padded(b.K);
  b.group = budget / (b.source + b.gradient + 1);
  if (b.group < 1) b.group = 1;
  if (b.group > b.bands) b.group = b.bands;
  return b;
}

template <class T> size_t scratch_of(const Weight<T>& w) {
  const Bands b = bands_of(w);
  return (size_t)b.offsets * 4 + (size_t)(b.group * (b.source + b.gradient) + 64) * sizeof(T);
}

// The bands first .. last - 1: x's at source, dy's at gradient. The team divides their channels.
template <class T>
void copy_bands(const Weight<T>& w, const Bands& b, Index first, Index last, T* source, T* gradient, const Team& team) {
  const Index S = w.groups * w.S, M = w.groups * w.M, channels = S + M;
  const Size &sz = w.size[0], &sy = w.size[1], &sx = w.size[2];
  const Index in[3] = {sz.in, sy.in, sx.in};
  const Share mine = share((last - first) * channels, team);
  for (Index unit = (Index)mine.begin; unit < mine.end; unit++) {
    const Index slot = unit / channels, s = unit % channels, band = first + slot;
    const Index row = band % b.per_image * b.rows, z = band / b.per_image % sz.out, n = band / b.per_image / sz.out;
    if (s < S) {
      copy_source(b.layout, b.z, b.y, b.x, in, 1, w.x + (n * S + s) * in[0] * in[1] * in[2], z, row,
                  source + slot * b.source + s * b.layout.channel);
    } else {
      T* to = gradient + slot * b.gradient + (s - S) * b.length;
      const Index rows = sy.out - row < b.rows ? sy.out - row : b.rows;
      const T* from = w.dy + (((n * M + s - S) * sz.out + z) * sy.out + row) * sx.out;
      for (Index j = 0; j < rows; j++, from += sx.out, to += b.layout.columns) {
        for (Index i = 0; i < sx.out; i++) to[i] = from[i];
        if (j < rows - 1)
          for (Index i = sx.out; i < b.layout.columns; i++) to[i] = 0;
      }
      to = gradient + slot * b.gradient + (s - S) * b.length;
      for (Index i = (rows - 1) * b.layout.columns + sx.out; i < b.length; i++) to[i] = 0;
    }
  }
}

// sums[r * J + j] of `bands` bands: dy row r . x shifted by offsets[j].
template <int R, int J>
void tile(float* sums, const float* dy, Index length, Index dy_band, const float* x, const int32_t* offsets,
          Index x_band, Index bands) {
  vf c[R][J];
  UNROLL_FOR (int r = 0; r < R; r++)
    UNROLL_FOR (int j = 0; j < J; j++) c[r][j] = vzero();
  const float* from[J];
  UNROLL_FOR (int j = 0; j < J; j++) from[j] = x + offsets[j];
  for (Index band = 0; band < bands; band++) {
    const float* row = dy + band * dy_band;
    const Index ahead = band * x_band;
    ROLLED_FOR (Index i = 0; i < length; i += VW) {
      vf v[J];
      UNROLL_FOR (int j = 0; j < J; j++) v[j] = vload(from[j] + ahead + i);
      UNROLL_FOR (int r = 0; r < R; r++) {
        const vf g = vload(row + r * length + i);
        UNROLL_FOR (int j = 0; j < J; j++) c[r][j] = vfma(g, v[j], c[r][j]);
      }
    }
  }
  UNROLL_FOR (int r = 0; r < R; r++)
    UNROLL_FOR (int j = 0; j < J; j++) sums[r * J + j] = vsum(c[r][j]);
}
template <int R, int J>
void tile(double* sums, const double* dy, Index length, Index dy_band, const double* x, const int32_t* offsets,
          Index x_band, Index bands) {
  for (int r = 0; r < R; r++)
    for (int j = 0; j < J; j++) {
      double c[4] = {};
      for (Index band = 0; band < bands; band++) {
        const double *row = dy + band * dy_band + r * length, *from = x + band * x_band + offsets[j];
        for (Index i = 0; i < length; i += 4)
          for (int l = 0; l < 4; l++) c[l] += row[i + l] * from[i + l];
      }
      sums[r * J + j] = (c[0] + c[1]) + (c[2] + c[3]);
    }
}

template <class T, int R>
void rows_of(const Bands& b, T* dweight, bool add, const T* dy, const T* x, const int32_t* offsets, Index first,
             Index last, Index bands) {
  T sums[R * TILE_K];
  for (Index k = first; k < last; k += TILE_K) {
    const Index columns = last - k < TILE_K ? last - k : (Index)TILE_K;
    if (columns == 3) tile<R, 3>(sums, dy, b.length, b.gradient, x, offsets + k, b.source, bands);
    else if (columns == 2) tile<R, 2>(sums, dy, b.length, b.gradient, x, offsets + k, b.source, bands);
    else tile<R, 1>(sums, dy, b.length, b.gradient, x, offsets + k, b.source, bands);
    for (Index r = 0; r < R; r++)
      for (Index j = 0; j < columns; j++) {
        T* to = dweight + r * b.K + k + j;
        *to = add ? *to + sums[r * columns + j] : sums[r * columns + j];
      }
  }
}

template <class T> void weights(const Slot* a, Team& team) {
  const Weight<T> w = read<T>(a);
  const Bands b = bands_of(w);
  int32_t* offsets = (int32_t*)team.scratch;
  T *source = (T*)(team.scratch + b.offsets * 4), *gradient = source + b.group * b.source;
  if (team.rank == 0) {
    fill_offsets(b.layout, w.S, b.z, b.y, b.x, offsets);
    // The last row of a band is read past its end, times zeros of dy.
    for (Index band = 0; band < b.group; band++)
      for (Index i = w.groups * b.layout.size; i < b.source; i++) source[band * b.source + i] = 0;
  }
  const Index tiles = ceil_div(w.M, TILE_O), chunks = ceil_div(b.K, CHUNK_K);
  if (!b.bands) {
    const Share mine = share((int64_t)w.groups * w.M * b.K, team);
    for (Index i = (Index)mine.begin; i < mine.end; i++) w.dweight[i] = 0;
  }
  for (Index first = 0; first < b.bands; first += b.group) {
    const Index last = first + b.group < b.bands ? first + b.group : b.bands;
    team.barrier();
    copy_bands(w, b, first, last, source, gradient, team);
    team.barrier();
    const Share mine = share(w.groups * tiles * chunks, team);
    for (Index unit = (Index)mine.begin; unit < mine.end; unit++) {
      const Index chunk = unit % chunks * CHUNK_K, m = unit / chunks % tiles * TILE_O, g = unit / chunks / tiles;
      const Index end = chunk + CHUNK_K < b.K ? chunk + CHUNK_K : b.K,
                  rows = w.M - m < TILE_O ? w.M - m : (Index)TILE_O;
      T* to = w.dweight + (g * w.M + m) * b.K;
      const T *dy = gradient + (g * w.M + m) * b.length, *x = source + g * b.layout.size;
      if (rows == 1) rows_of<T, 1>(b, to, first > 0, dy, x, offsets, chunk, end, last - first);
      if (rows == 2) rows_of<T, 2>(b, to, first > 0, dy, x, offsets, chunk, end, last - first);
      if (rows == 3) rows_of<T, 3>(b, to, first > 0, dy, x, offsets, chunk, end, last - first);
      if (rows == 4) rows_of<T, 4>(b, to, first > 0, dy, x, offsets, chunk, end, last - first);
    }
  }
}

}  // namespace

static void run_conv_backward_weight(const Slot* a, Team& team) {
  if (a[CONV_BACKWARD_WEIGHT_dtype].i == DTYPE_FLOAT32) weights<float>(a, team);
  else if (a[CONV_BACKWARD_WEIGHT_dtype].i == DTYPE_FLOAT64) weights<double>(a, team);
  else team.fail(STATUS_BAD_INDEX);
}

static size_t scratch_conv_backward_weight(const Slot* a) {
  return a[CONV_BACKWARD_WEIGHT_dtype].i == DTYPE_FLOAT64 ? scratch_of(read<double>(a)) : scratch_of(read<float>(a));
}

ENTRY(conv_backward_weight, [](const Slot* a) { return 500 + conv_products(a + CONV_BACKWARD_WEIGHT_dtype) / 20; },
      scratch_conv_backward_weight);
