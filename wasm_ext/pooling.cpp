// Pooling of planes over up to three spatial dimensions: the largest element of each window with
// its place, and the mean; forward and backward.
//
// A row of outputs is computed at once: one pass over it for each tap of the window. The backward
// of both adds to the elements of a plane, which belongs to one thread.
#include <limits>
#include "conv.h"

namespace {

// The window of output o along one dimension: taps begin, begin + step, .. < end, all inside;
// count: with the padding.
struct Window { Index begin, end, step, count; };

Window window_of(const Size& s, bool adaptive, Index o) {
  if (adaptive) {
    const Index begin = o * s.in / s.out, end = ((o + 1) * s.in + s.out - 1) / s.out;
    return {begin, end, 1, end - begin};
  }
  const Index start = o * s.stride - s.pad, last = start + (s.kernel - 1) * s.dilation + 1;
  const Index begin = start < 0 ? start + ceil_div(-start, s.dilation) * s.dilation : start;
  return {begin, last < s.in ? last : s.in, s.dilation, (last < s.in + s.pad ? last : s.in + s.pad) - start};
}

// The outputs low .. high - 1 of a row whose windows have tap t inside of the input.
void range_of(const Size& s, Index t, Index* low, Index* high) {
  const Index begin = t * s.dilation - s.pad;
  *low = begin < 0 ? ceil_div(-begin, s.stride) : 0;
  // Mostly without a division: a row is often shorter than one takes.
  *high = s.in > begin + (s.out - 1) * s.stride ? s.out : s.in > begin ? ceil_div(s.in - begin, s.stride) : 0;
}

struct Pool {
  Index planes;
  bool adaptive;
  Size size[3];
  Index in() const { return size[0].in * size[1].in * size[2].in; }
  Index out() const { return size[0].out * size[1].out * size[2].out; }
};

Pool read(const Slot* planes, const Slot* adaptive, const Slot* sizes) {
  Pool p = {(Index)planes->i, adaptive->i != 0, {}};
  read_sizes(sizes, p.size);
  return p;
}

// ---- max ----------------------------------------------------------------------------------------

template <class T> INLINE bool larger(T v, T best) { return (v > best) | (v != v); }  // as PyTorch: the last NaN

// The outputs low .. high - 1 of a row against the elements of one tap: element o * stride of
// `from`, which is at `place` + o * stride of its plane. STRIDE: the stride, or 0 for any.
template <int STRIDE, class T>
void take_tap(T* __restrict__ out, int32_t* __restrict__ index, const T* __restrict__ from, Index stride, int32_t place,
              Index low, Index high) {
  const Index step = STRIDE ? STRIDE : stride;
  for (Index o = low; o < high; o++) {
    const T v = from[o * step], best = out[o];
    const bool take = larger(v, best);
    out[o] = take ? v : best;
    index[o] = take ? place + (int32_t)(o * step) : index[o];
  }
}

template <class T> void max_pool(const Slot* a, Team& team) {
  const Pool p = read(a + MAX_POOL_planes, a + MAX_POOL_adaptive, a + MAX_POOL_i0);
  const Size &sz = p.size[0], &sy = p.size[1], &sx = p.size[2];
  const T lowest =
      std::numeric_limits<T>::has_infinity ? -std::numeric_limits<T>::infinity() : std::numeric_limits<T>::lowest();
  const Index padded = p.adaptive ? sx.out : sx.pad ? ceil_div(sx.pad, sx.stride) : 0;  // outputs that begin elsewhere
  const Share rows = share(p.planes * sz.out * sy.out, team);
  Index oy = sy.out ? (Index)rows.begin % sy.out : 0, oz = sy.out && sz.out ? (Index)rows.begin / sy.out % sz.out : 0;
  const T* x = buffer<const T>(a, MAX_POOL_x);
  if (rows.begin < rows.end) x += (Index)rows.begin / sy.out / sz.out * p.in();
  for (Index row = (Index)rows.begin; row < rows.end; row++) {
    const Window z = window_of(sz, p.adaptive, oz), y = window_of(sy, p.adaptive, oy);
    T* out = buffer<T>(a, MAX_POOL_out) + row * sx.out;
    int32_t* index = buffer<int32_t>(a, MAX_POOL_index) + row * sx.out;
    const int32_t place = (int32_t)((z.begin * sy.in + y.begin) * sx.in);
    for (Index o = 0; o < sx.out; o++) out[o] = lowest, index[o] = place + (int32_t)(o * sx.stride - sx.pad);
    for (Index o = 0; o < padded && o < sx.out; o++) index[o] = place + (int32_t)window_of(sx, p.adaptive, o).begin;
    for (Index iz = z.begin; iz < z.end; iz += z.step)
      for (Index iy = y.begin; iy < y.end; iy += y.step) {
        const Index line = (iz * sy.in + iy) * sx.in;
        const T* from = x + line;
        if (p.adaptive) {
          for (Index o = 0; o < sx.out; o++) {
            const Window w = window_of(sx, true, o);
            for (Index i = w.begin; i < w.end; i++)
              if (larger(from[i], out[o])) out[o] = from[i], index[o] = (int32_t)(line + i);
          }
          continue;
        }
        for (Index t = 0; t < sx.kernel; t++) {
          Index low, high;
          range_of(sx, t, &low, &high);
          const Index begin = t * sx.dilation - sx.pad;
          const auto take = sx.stride == 1 ? take_tap<1, T> : sx.stride == 2 ? take_tap<2, T> : take_tap<0, T>;
          take(out, index, from + begin, sx.stride, (int32_t)(line + begin), low, high);
        }
      }
    if (++oy == sy.out && (oy = 0, ++oz == sz.out)) oz = 0, x += p.in();
  }
}

template <class T> void max_pool_backward(const Slot* a, Team& team) {
  const Index n = (Index)a[MAX_POOL_BACKWARD_n].i, m = (Index)a[MAX_POOL_BACKWARD_m].i;
  const Share planes = share(a[MAX_POOL_BACKWARD_planes].i, team);
  for (Index plane = (Index)planes.begin; plane < planes.end; plane++) {
    T* dx = buffer<T>(a, MAX_POOL_BACKWARD_dx) + plane * n;
    const T* dy = buffer<const T>(a, MAX_POOL_BACKWARD_dy) + plane * m;
    const int32_t* index = buffer<const int32_t>(a, MAX_POOL_BACKWARD_index) + plane * m;
    memset(dx, 0, (size_t)n * sizeof(T));
    for (Index i = 0; i < m; i++) {
      if (index[i] < 0 || index[i] >= n) return team.fail(STATUS_BAD_INDEX);
      dx[index[i]] += dy[i];
    }
  }
}

// ---- mean ---------------------------------------------------------------------------------------

// What the sum of a window is divided by.
INLINE Index divisor_of(const Slot* count_pad, const Window& z, const Window& y, const Window& x) {
  const Slot* divisor = count_pad + 1;
  if (divisor->i) return (Index)divisor->i;
  if (count_pad->i) return z.count * y.count * x.count;
  return (z.end - z.begin) * (y.end - y.begin) * (x.end - x.begin);
}
static_assert(AVG_POOL_divisor == AVG_POOL_count_pad + 1, "adjacent in the contract");
static_assert(AVG_POOL_BACKWARD_divisor == AVG_POOL_BACKWARD_count_pad + 1, "adjacent in the contract");

template <class T> void avg_pool(const Slot* a, Team& team) {
  const Pool p = read(a + AVG_POOL_planes, a + AVG_POOL_adaptive, a + AVG_POOL_i0);
  const Size &sz = p.size[0], &sy = p.size[1], &sx = p.size[2];
  const Share rows = share(p.planes * sz.out * sy.out, team);
  for (Index row = (Index)rows.begin; row < rows.end; row++) {
    const Window z = window_of(sz, p.adaptive, row / sy.out % sz.out), y = window_of(sy, p.adaptive, row % sy.out);
    const T* x = buffer<const T>(a, AVG_POOL_x) + row / sy.out / sz.out * p.in();
    T* out = buffer<T>(a, AVG_POOL_out) + row * sx.out;
    for (Index o = 0; o < sx.out; o++) out[o] = 0;
    for (Index iz = z.begin; iz < z.end; iz++)
      for (Index iy = y.begin; iy < y.end; iy++) {
        const T* from = x + (iz * sy.in + iy) * sx.in;
        if (p.adaptive) {
          for (Index o = 0; o < sx.out; o++) {
            const Window w = window_of(sx, true, o);
            for (Index i = w.begin; i < w.end; i++) out[o] += from[i];
          }
          continue;
        }
        for (Index t = 0; t < sx.kernel; t++) {
          Index low, high;
          range_of(sx, t, &low, &high);
          for (Index o = low; o < high; o++) out[o] += from[o * sx.stride + t - sx.pad];
        }
      }
    for (Index o = 0; o < sx.out; o++) {
      const Window w = window_of(sx, p.adaptive, o);
      if (z.begin < z.end && y.begin < y.end && w.begin < w.end)
        out[o] /= (T)divisor_of(a + AVG_POOL_count_pad, z, y, w);
    }
  }
}

template <class T> void avg_pool_backward(const Slot* a, Team& team) {
  const Pool p = read(a + AVG_POOL_BACKWARD_planes, a + AVG_POOL_BACKWARD_adaptive, a + AVG_POOL_BACKWARD_i0);
  const Size &sz = p.size[0], &sy = p.size[1], &sx = p.size[2];
  const Share planes = share(p.planes, team);
  for (Index plane = (Index)planes.begin; plane < planes.end; plane++) {
    T* dx = buffer<T>(a, AVG_POOL_BACKWARD_dx) + plane * p.in();
    const T* dy = buffer<const T>(a, AVG_POOL_BACKWARD_dy) + plane * p.out();
    memset(dx, 0, (size_t)p.in() * sizeof(T));
    for (Index oz = 0; oz < sz.out; oz++)
      for (Index oy = 0; oy < sy.out; oy++) {
        const Window z = window_of(sz, p.adaptive, oz), y = window_of(sy, p.adaptive, oy);
        for (Index o = 0; o < sx.out; o++) {
          const Window w = window_of(sx, p.adaptive, o);
          const T v = *dy++ / (T)divisor_of(a + AVG_POOL_BACKWARD_count_pad, z, y, w);
          for (Index iz = z.begin; iz < z.end; iz++)
            for (Index iy = y.begin; iy < y.end; iy++)
              for (Index i = w.begin; i < w.end; i++) dx[(iz * sy.in + iy) * sx.in + i] += v;
        }
      }
  }
}

// Elements that a launch reads, from the slot of i0 on: all taps of all windows.
double taps_of(Index planes, bool adaptive, const Slot* sizes) {
  double taps = (double)planes;
  for (int d = 0; d < 3; d++)
    taps *= adaptive ? (double)sizes[d].i + sizes[6 + d].i : (double)sizes[3 + d].i * sizes[6 + d].i;
  return taps;
}

}  // namespace

static void run_max_pool(const Slot* a, Team& team) {
  switch (a[MAX_POOL_dtype].i) {
    case DTYPE_FLOAT32: return max_pool<float>(a, team);
    case DTYPE_FLOAT64: return max_pool<double>(a, team);
    case DTYPE_INT32: return max_pool<int32_t>(a, team);
    case DTYPE_INT64: return max_pool<int64_t>(a, team);
    default: team.fail(STATUS_BAD_INDEX);
  }
}
static void run_max_pool_backward(const Slot* a, Team& team) {
  if (a[MAX_POOL_BACKWARD_dtype].i == DTYPE_FLOAT32) max_pool_backward<float>(a, team);
  else if (a[MAX_POOL_BACKWARD_dtype].i == DTYPE_FLOAT64) max_pool_backward<double>(a, team);
  else team.fail(STATUS_BAD_INDEX);
}
static void run_avg_pool(const Slot* a, Team& team) {
  if (a[AVG_POOL_dtype].i == DTYPE_FLOAT32) avg_pool<float>(a, team);
  else if (a[AVG_POOL_dtype].i == DTYPE_FLOAT64) avg_pool<double>(a, team);
  else if (a[AVG_POOL_dtype].i == DTYPE_INT64) avg_pool<int64_t>(a, team);
  else team.fail(STATUS_BAD_INDEX);
}
static void run_avg_pool_backward(const Slot* a, Team& team) {
  if (a[AVG_POOL_BACKWARD_dtype].i == DTYPE_FLOAT32) avg_pool_backward<float>(a, team);
  else if (a[AVG_POOL_BACKWARD_dtype].i == DTYPE_FLOAT64) avg_pool_backward<double>(a, team);
  else team.fail(STATUS_BAD_INDEX);
}

ENTRY(max_pool, [](const Slot* a) {
  return 100 + taps_of((Index)a[MAX_POOL_planes].i, a[MAX_POOL_adaptive].i, a + MAX_POOL_i0) * 0.7;
}, nullptr);
ENTRY(max_pool_backward, [](const Slot* a) {
  return 100 + (double)a[MAX_POOL_BACKWARD_planes].i * (a[MAX_POOL_BACKWARD_n].i * 0.1 + a[MAX_POOL_BACKWARD_m].i);
}, nullptr);
ENTRY(avg_pool, [](const Slot* a) {
  return 100 + taps_of((Index)a[AVG_POOL_planes].i, a[AVG_POOL_adaptive].i, a + AVG_POOL_i0) * 0.7;
}, nullptr);
ENTRY(avg_pool_backward, [](const Slot* a) {
  return 100 + taps_of((Index)a[AVG_POOL_BACKWARD_planes].i, a[AVG_POOL_BACKWARD_adaptive].i, a + AVG_POOL_BACKWARD_i0);
}, nullptr);
