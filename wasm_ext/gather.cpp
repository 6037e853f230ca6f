// Elements along one dimension by an index for each of them: gather, and scatter with what it does
// to the element that is there.
#include "loops.h"
#include "wide.h"

static void run_to_index(const Slot* a, Team& team) {
  if (a[TO_INDEX_dtype].i != DTYPE_INT64) return team.fail(STATUS_BAD_INDEX);
  int32_t* out = buffer<int32_t>(a, TO_INDEX_out);
  const int64_t* x = buffer<const int64_t>(a, TO_INDEX_x);
  Share s = share(a[TO_INDEX_n].i, team, CACHE_LINE);
  for (int64_t i = s.begin; i < s.end; i++)
    out[i] = (int32_t)(x[i] < INT32_MIN ? INT32_MIN : x[i] > INT32_MAX ? INT32_MAX : x[i]);
}

static void run_gather(const Slot* a, Team& team) {
  int64_t n = a[GATHER_n].i, k = a[GATHER_k].i, inner = a[GATHER_inner].i, dtype = a[GATHER_dtype].i;
  const int32_t* index = buffer<const int32_t>(a, GATHER_index);
  const int64_t plane = k * inner;  // of the index, for one of `outer`
  Share s = share(a[GATHER_outer].i * plane, team, CACHE_LINE);
  bool known = with_type(dtype, [&](auto* type) {
    typedef std::remove_pointer_t<decltype(type)> T;
    if (s.begin >= s.end) return;
    T* out = buffer<T>(a, GATHER_out);
    const T* x = buffer<const T>(a, GATHER_x) + s.begin / plane * n * inner;
    int64_t at = s.begin % plane, column = s.begin % inner;
    for (int64_t u = s.begin; u < s.end; u++) {
      if (index[u] < 0 || index[u] >= n) return team.fail(STATUS_BAD_INDEX);
      out[u] = x[index[u] * inner + column];
      if (++column == inner) column = 0;
      if (++at == plane) at = 0, x += n * inner;
    }
  });
  if (!known) team.fail(STATUS_BAD_INDEX);
}

template <class T> INLINE T combined(int64_t op, T old, T v) {
  if constexpr (IS_HALF<T>) {
    return convert<T, float>(combined<float>(op, to_float(old), to_float(v)));
  } else if constexpr (std::is_floating_point<T>::value) {
    switch (op) {
      case SCATTER_ADD: return old + v;
      case SCATTER_MUL: return old * v;
      case SCATTER_MAX: return v > old || v != v ? v : old;  // NaN wins
      case SCATTER_MIN: return v < old || v != v ? v : old;
      default: return v;
    }
  } else {
    switch (op) {
      case SCATTER_ADD: return (T)((uint64_t)old + (uint64_t)v);
      case SCATTER_MUL: return (T)((uint64_t)old * (uint64_t)v);
      case SCATTER_MAX: return v > old ? v : old;
      case SCATTER_MIN: return v < old ? v : old;
      default: return v;
    }
  }
}

// Threads divide the columns, so no two write one element, and equal indices are in order.
static void run_scatter(const Slot* a, Team& team) {
  int64_t n = a[SCATTER_n].i, k = a[SCATTER_k].i, inner = a[SCATTER_inner].i, dtype = a[SCATTER_dtype].i;
  int64_t op = a[SCATTER_op].i;
  const int32_t* index = buffer<const int32_t>(a, SCATTER_index);
  Share s = share(a[SCATTER_outer].i * inner, team, CACHE_LINE);
  bool known = with_type(dtype, [&](auto* type) {
    typedef std::remove_pointer_t<decltype(type)> T;
    T* out = buffer<T>(a, SCATTER_out);
    const T* x = buffer<const T>(a, SCATTER_x);
    for (int64_t u = s.begin; u < s.end; u++) {
      int64_t outer = u / inner, c = u % inner;
      for (int64_t i = 0; i < k; i++) {
        int64_t from = (outer * k + i) * inner + c, at = index[from];
        if (at < 0 || at >= n) return team.fail(STATUS_BAD_INDEX);
        T* place = out + (outer * n + at) * inner + c;
        *place = combined<T>(op, *place, x[from]);
      }
    }
  });
  if (!known) team.fail(STATUS_BAD_INDEX);
}

ENTRY(to_index, [](const Slot* a) { return 50 + a[TO_INDEX_n].i * 1.0; }, nullptr);
ENTRY(gather, [](const Slot* a) { return 50 + (double)a[GATHER_outer].i * a[GATHER_k].i * a[GATHER_inner].i * 3; },
      nullptr);
ENTRY(scatter, [](const Slot* a) { return 50 + (double)a[SCATTER_outer].i * a[SCATTER_k].i * a[SCATTER_inner].i * 4; },
      nullptr);
