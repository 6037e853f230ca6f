// Reductions of [outer, n, inner] over n, the norm of the flat gradient and its clipping.
//
// A float sum is split into fixed chunks of n. Their partial sums are in shared scratch and are
// added in order, in float64. The chunks depend on the sizes alone: so the bits do not depend on
// the number of threads.
#include <type_traits>
#include "loops.h"
#include "wide.h"

namespace {

// Elements of a row's chunk, rows of a column sum's chunk, columns that a thread sums at once;
// elements of a chunk of the gradient.
constexpr int64_t ROW_CHUNK = 8192, COLUMN_CHUNK = 64, COLUMNS = 64, NORM_CHUNK = 16384;

struct Shape {
  int64_t outer, n, inner;
  explicit Shape(const Slot* a) : outer(a[REDUCE_outer].i), n(a[REDUCE_n].i), inner(a[REDUCE_inner].i) {}
  int64_t chunk() const { return inner == 1 ? ROW_CHUNK : COLUMN_CHUNK; }
  int64_t chunks() const { return ceil_div(n, chunk()); }
};

// How two values combine (apply), the identity, and the sum or extreme of a vector's lanes (fold).
// NaN wins in max and min, as in PyTorch.
struct Sum {
  static vf apply(vf a, vf b) { return vadd(a, b); }
  static float identity() { return 0; }
  static float fold(vf v) { return vsum(v); }
};
template <bool largest> struct Extreme {
  static vf apply(vf a, vf b) { return vselect(mask_or(largest ? vgt(a, b) : vlt(a, b), vne(a, a)), a, b); }
  static float identity() { return largest ? -INFINITY : INFINITY; }
  static float fold(vf v) { return any(vne(v, v)) ? NAN : largest ? vhmax(v) : vhmin(v); }
};

// The sum or extreme of one contiguous row.
template <class Op> float reduce_row(const float* x, int64_t n) {
  const vf identity = vsplat(Op::identity());
  vf s[4] = {identity, identity, identity, identity};
  int64_t i = 0;
  for (; i + 4 * VW <= n; i += 4 * VW)
    for (int k = 0; k < 4; k++) s[k] = Op::apply(s[k], vload(x + i + k * VW));
  each_vector(i, n,
              [&](int64_t j, int m) { s[0] = Op::apply(s[0], vselect(vhead(m), vload_tail(x + j, m), identity)); });
  return Op::fold(Op::apply(Op::apply(s[0], s[1]), Op::apply(s[2], s[3])));
}

// The sums or extremes of at most COLUMNS columns of `rows` rows, `stride` apart, into out. One
// cache line of columns at a time: where the stride is a power of two, the rows map to the same few
// sets of the first-level cache, and a line would be evicted before its second vector is read.
template <class Op> void reduce_columns(float* out, const float* x, int64_t rows, int64_t stride, int64_t columns) {
  enum { LINE = 16 / VW };
  int64_t c = 0;
  for (; c + LINE * VW <= columns; c += LINE * VW) {
    vf even[LINE], odd[LINE];
    for (int l = 0; l < LINE; l++) even[l] = odd[l] = vsplat(Op::identity());
    int64_t r = 0;
    for (; r + 2 <= rows; r += 2)
      for (int l = 0; l < LINE; l++) {
        even[l] = Op::apply(even[l], vload(x + r * stride + c + l * VW));
        odd[l] = Op::apply(odd[l], vload(x + (r + 1) * stride + c + l * VW));
      }
    for (int l = 0; l < LINE; l++) {
      if (r < rows) even[l] = Op::apply(even[l], vload(x + r * stride + c + l * VW));
      vstore(out + c + l * VW, Op::apply(even[l], odd[l]));
    }
  }
  each_vector(c, columns, [&](int64_t at, int m) {
    vf even = vsplat(Op::identity()), odd = even;
    int64_t r = 0;
    for (; r + 2 <= rows; r += 2) {
      even = Op::apply(even, vload_tail(x + r * stride + at, m));
      odd = Op::apply(odd, vload_tail(x + (r + 1) * stride + at, m));
    }
    if (r < rows) even = Op::apply(even, vload_tail(x + r * stride + at, m));
    vstore_tail(out + at, Op::apply(even, odd), m);
  });
}

// Sums and means: chunks into scratch, then the chunks in order.
void reduce_sum(const Slot* a, Team& team, double scale) {
  Shape shape(a);
  float* out = buffer<float>(a, REDUCE_out);
  const float* x = buffer<const float>(a, REDUCE_x);
  float* parts = (float*)team.scratch;
  int64_t chunk = shape.chunk(), chunks = shape.chunks(), n = shape.n, inner = shape.inner;
  if (inner == 1) {
    Share s = share(shape.outer * chunks, team);
    for (int64_t u = s.begin; u < s.end; u++) {
      int64_t row = u / chunks, begin = u % chunks * chunk;
      parts[u] = reduce_row<Sum>(x + row * n + begin, n - begin < chunk ? n - begin : chunk);
    }
    team.barrier();
    Share rows = share(shape.outer, team, CACHE_LINE);
    for (int64_t row = rows.begin; row < rows.end; row++) {
      double sum = 0;
      for (int64_t c = 0; c < chunks; c++) sum += parts[row * chunks + c];
      out[row] = (float)(sum * scale);
    }
    return;
  }
  int64_t blocks = ceil_div(inner, COLUMNS), stride = padded(inner);
  Share s = share(shape.outer * chunks * blocks, team);
  for (int64_t u = s.begin; u < s.end; u++) {
    int64_t column = u % blocks * COLUMNS, at = u / blocks, begin = at % chunks * chunk, row = at / chunks;
    int64_t columns = inner - column < COLUMNS ? inner - column : COLUMNS;
    reduce_columns<Sum>(parts + at * stride + column, x + (row * n + begin) * inner + column,
                        n - begin < chunk ? n - begin : chunk, inner, columns);
    for (int64_t c = column + columns; column + COLUMNS > inner && c < stride; c++) parts[at * stride + c] = 0;
  }
  team.barrier();
  Share units = share(shape.outer * blocks, team);
  for (int64_t u = units.begin; u < units.end; u++) {
    int64_t row = u / blocks, column = u % blocks * COLUMNS, end = column + COLUMNS < inner ? column + COLUMNS : inner;
    sum_chunks(out + row * inner, parts + row * chunks * stride, chunks, stride, {column, end}, scale);
  }
}

template <class Op> void reduce_extreme(const Slot* a, Team& team) {
  Shape shape(a);
  float* out = buffer<float>(a, REDUCE_out);
  const float* x = buffer<const float>(a, REDUCE_x);
  int64_t n = shape.n, inner = shape.inner, blocks = ceil_div(inner, COLUMNS);
  Share s = share(shape.outer * blocks, team);
  for (int64_t u = s.begin; u < s.end; u++) {
    int64_t row = u / blocks, column = u % blocks * COLUMNS,
            columns = inner - column < COLUMNS ? inner - column : COLUMNS;
    if (inner == 1) out[row] = reduce_row<Op>(x + row * n, n);
    else reduce_columns<Op>(out + row * inner + column, x + row * n * inner + column, n, inner, columns);
  }
}

bool is_nan(float v) { return v != v; }
bool is_nan(int32_t) { return false; }

template <class T, class F> void each_column(const Slot* a, Team& team, F f) {
  Shape shape(a);
  Share s = share(shape.outer * shape.inner, team, CACHE_LINE);
  for (int64_t u = s.begin; u < s.end; u++)
    f(u, buffer<const T>(a, REDUCE_x) + u / shape.inner * shape.n * shape.inner + u % shape.inner, shape.n,
      shape.inner);
}

// The first index of a contiguous row where the extreme value is; of a NaN where there is one.
template <bool largest> int32_t index_in_row(const float* x, int64_t n) {
  const float value = reduce_row<Extreme<largest>>(x, n);
  const vf sought = vsplat(value);
  int64_t i = 0;
  if (is_nan(value)) {
    while (!is_nan(x[i])) i++;
    return (int32_t)i;
  }
  while (i + VW <= n && !any(veq(vload(x + i), sought))) i += VW;
  while (i < n - 1 && x[i] != value) i++;
  return (int32_t)i;
}

// The first index of the extreme value; the first NaN where there is one.
template <class T> void reduce_index(const Slot* a, Team& team) {
  bool largest = a[REDUCE_op].i == REDUCE_ARGMAX;
  int32_t* out = buffer<int32_t>(a, REDUCE_out);
  if constexpr (std::is_same<T, float>::value) {
    const Shape shape(a);
    if (shape.inner == 1) {
      const float* rows = buffer<const float>(a, REDUCE_x);
      const Share s = share(shape.outer, team, CACHE_LINE);
      for (int64_t u = s.begin; u < s.end; u++)
        out[u] = largest ? index_in_row<true>(rows + u * shape.n, shape.n)
                         : index_in_row<false>(rows + u * shape.n, shape.n);
      return;
    }
  }
  each_column<T>(a, team, [&](int64_t u, const T* x, int64_t n, int64_t stride) {
    int64_t best = 0;
    T value = x[0];
    for (int64_t i = 1; i < n && !is_nan(value); i++) {
      T v = x[i * stride];
      if ((largest ? v > value : v < value) || is_nan(v)) best = i, value = v;
    }
    out[u] = (int32_t)best;
  });
}

void reduce_int(const Slot* a, Team& team) {
  int64_t op = a[REDUCE_op].i;
  int32_t* out = buffer<int32_t>(a, REDUCE_out);
  each_column<int32_t>(a, team, [&](int64_t u, const int32_t* x, int64_t n, int64_t stride) {
    int32_t value = x[0];
    for (int64_t i = 1; i < n; i++) {
      int32_t v = x[i * stride];
      value = op == REDUCE_SUM                             ? (int32_t)((uint32_t)value + (uint32_t)v)
              : (op == REDUCE_MAX ? v > value : v < value) ? v
                                                           : value;
    }
    out[u] = value;
  });
}

}  // namespace

// float64 or the low bits of an integer: rare, so plain.
template <class T, class Wide> static void reduce_product(const Slot* a, Team& team) {
  T* out = buffer<T>(a, REDUCE_out);
  each_column<T>(a, team, [&](int64_t u, const T* x, int64_t n, int64_t stride) {
    Wide value = 1;
    for (int64_t i = 0; i < n; i++) value *= (Wide)x[i * stride];
    out[u] = (T)value;
  });
}

static void run_reduce(const Slot* a, Team& team) {
  if (is_wide(a[REDUCE_dtype].i)) return wide_reduce(a, team);
  bool is_float = a[REDUCE_dtype].i == DTYPE_FLOAT32;
  switch (a[REDUCE_op].i) {
    case REDUCE_ARGMAX:
    case REDUCE_ARGMIN: return is_float ? reduce_index<float>(a, team) : reduce_index<int32_t>(a, team);
    case REDUCE_SUM: return is_float ? reduce_sum(a, team, 1) : reduce_int(a, team);
    case REDUCE_MAX: return is_float ? reduce_extreme<Extreme<true>>(a, team) : reduce_int(a, team);
    case REDUCE_MIN: return is_float ? reduce_extreme<Extreme<false>>(a, team) : reduce_int(a, team);
    case REDUCE_PROD:
      return is_float ? reduce_product<float, double>(a, team) : reduce_product<int32_t, uint32_t>(a, team);
    case REDUCE_MEAN: return reduce_sum(a, team, 1.0 / (double)a[REDUCE_n].i);  // float32 only
    default: team.fail(STATUS_BAD_INDEX);
  }
}

// ---- the gradient's norm and clipping -----------------------------------------------------------

static void run_global_norm(const Slot* a, Team& team) {
  const float* g = buffer<const float>(a, GLOBAL_NORM_g);
  int64_t n = a[GLOBAL_NORM_n].i, chunks = ceil_div(n, NORM_CHUNK);
  double* parts = (double*)team.scratch;
  Share s = share(chunks, team);
  for (int64_t c = s.begin; c < s.end; c++) {
    int64_t i = c * NORM_CHUNK, end = i + NORM_CHUNK < n ? i + NORM_CHUNK : n;
    double sum[8] = {}, rest = 0;
    for (; i + 8 <= end; i += 8)
      for (int l = 0; l < 8; l++) sum[l] += (double)g[i + l] * (double)g[i + l];
    for (; i < end; i++) rest += (double)g[i] * (double)g[i];
    parts[c] = ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7])) + rest;
  }
  team.barrier();
  if (team.rank) return;
  double total = 0;
  for (int64_t c = 0; c < chunks; c++) total += parts[c];
  buffer<float>(a, GLOBAL_NORM_out)[0] = (float)sqrt(total);
}

static void run_clip_scale(const Slot* a, Team& team) {
  float* g = buffer<float>(a, CLIP_SCALE_g);
  float norm = buffer<const float>(a, CLIP_SCALE_norm)[0], scale = (float)a[CLIP_SCALE_max_norm].f / (norm + 1e-6f);
  if (scale >= 1) return;  // a NaN norm makes every gradient NaN, as in PyTorch
  Share s = share(a[CLIP_SCALE_n].i, team, CACHE_LINE);
  each_vector(s.begin, s.end,
              [&](int64_t i, int m) { vstore_tail(g + i, vmul(vload_tail(g + i, m), vsplat(scale)), m); });
}

ENTRY(reduce, [](const Slot* a) {
  Shape shape(a);
  double elements = (double)shape.outer * shape.n * shape.inner;
  bool vectors = a[REDUCE_dtype].i == DTYPE_FLOAT32 && a[REDUCE_op].i < REDUCE_ARGMAX;
  return 100 + elements * (vectors ? 0.25 : 1.5);
}, [](const Slot* a) {
  Shape shape(a);
  return (size_t)(shape.inner == 1 ? shape.outer * shape.chunks()
                                   : shape.outer * shape.chunks() * padded(shape.inner)) *
         sizeof(float);
});
ENTRY(global_norm, [](const Slot* a) { return 50 + a[GLOBAL_NORM_n].i * 0.3; },
      [](const Slot* a) { return (size_t)ceil_div(a[GLOBAL_NORM_n].i, NORM_CHUNK) * sizeof(double); });
ENTRY(clip_scale, [](const Slot* a) { return 50 + a[CLIP_SCALE_n].i * 0.15; }, nullptr);
