// Kernels that move or create numbers: fill, arange, copy (strided, with a cast: transpose, slice,
// expand, cat), tril.
#include "loops.h"
#include "wide.h"

namespace {

// ---- copy ---------------------------------------------------------------------------------------

// The dimensions of a copy in the order of the output's strides: so it is written as contiguously
// as possible.
struct Order {
  Slot n[MAX_RANK], o[MAX_RANK], x[MAX_RANK];
  explicit Order(const Slot* a) {
    for (int d = 0; d < MAX_RANK; d++) {
      int at = d;
      for (; at > 0 && o[at - 1].i < a[COPY_o0 + d].i; at--) n[at] = n[at - 1], o[at] = o[at - 1], x[at] = x[at - 1];
      n[at] = a[COPY_n0 + d], o[at] = a[COPY_o0 + d], x[at] = a[COPY_x0 + d];
    }
  }
};

template <class To, class From>
INLINE void copy_run(To* out, int64_t o_step, const From* x, int64_t x_step, int64_t n) {
  if (o_step == 1 && x_step == 1) {
    if constexpr (std::is_same<To, From>::value) memcpy(out, x, n * sizeof(To));
    else
      for (int64_t i = 0; i < n; i++) out[i] = convert<To, From>(x[i]);
  } else if (o_step == 1 && x_step == 0) {
    To v = convert<To, From>(*x);
    for (int64_t i = 0; i < n; i++) out[i] = v;
  } else {
    for (int64_t i = 0; i < n; i++) out[i * o_step] = convert<To, From>(x[i * x_step]);
  }
}

enum { TILE = 16 };  // the side of the square that is transposed at once: 16 floats are a cache line

// A transpose: the innermost dimension of the input is dimension `d` of the output (Q elements),
// not the output's innermost one (R elements). A unit of work is a strip of TILE along d for one
// index of the other dimensions.
template <class To, class From>
void copy_transposed(To* out, const From* x, const Strides<2>& dims, int d, const Team& team) {
  int last = dims.rank - 1;
  int64_t R = dims.n[last], Q = dims.n[d], strips = ceil_div(Q, TILE), others = dims.count / (R * Q);
  int64_t o_r = dims.s[0][last], x_r = dims.s[1][last], o_q = dims.s[0][d], x_q = dims.s[1][d];
  Share s = share(others * strips, team);
  for (int64_t unit = s.begin; unit < s.end; unit++) {
    int64_t rest = unit / strips, o = 0, in = 0;
    for (int e = last - 1; e >= 0; e--) {
      if (e == d) continue;
      o += rest % dims.n[e] * dims.s[0][e];
      in += rest % dims.n[e] * dims.s[1][e];
      rest /= dims.n[e];
    }
    int64_t q0 = unit % strips * TILE, q1 = q0 + TILE < Q ? q0 + TILE : Q;
    for (int64_t r0 = 0; r0 < R; r0 += TILE) {
      int64_t r1 = r0 + TILE < R ? r0 + TILE : R;
      for (int64_t q = q0; q < q1; q++)
        for (int64_t r = r0; r < r1; r++) out[o + q * o_q + r * o_r] = convert<To, From>(x[in + q * x_q + r * x_r]);
    }
  }
}

template <class To, class From> void copy(const Slot* a, Team& team) {
  Order order(a);
  Strides<2> dims(order.n, {order.o, order.x});
  if (dims.count == 0) return;
  To* out = buffer<To>(a, COPY_out);
  const From* x = buffer<const From>(a, COPY_x);
  int last = dims.rank - 1;
  if (dims.s[1][last] > 1)
    for (int d = last - 1; d >= 0; d--)
      if (dims.s[1][d] == 1 && dims.n[d] >= 4) return copy_transposed(out, x, dims, d, team);
  int64_t o_step = dims.s[0][last], x_step = dims.s[1][last];
  dims.each_run(share(dims.count, team, CACHE_LINE), [&](int64_t, int64_t n, const int64_t* offset) {
    copy_run(out + offset[0], o_step, x + offset[1], x_step, n);
  });
}

// Between the other types: a piece of a run is read into int64 (float64 where it is a float), and
// written from there. Both hold every value exactly.
enum { PIECE = 64 };
typedef void Load(void* to, const char* x, int64_t step, int64_t n);
typedef void Store(char* out, int64_t step, const void* from, int64_t n);

template <class T> void load_run(void* to, const char* x, int64_t step, int64_t n) {
  const T* in = (const T*)x;
  for (int64_t i = 0; i < n; i++)
    if constexpr (IS_FLOAT<T>) ((double*)to)[i] = convert<double, T>(in[i * step]);
    else ((int64_t*)to)[i] = (int64_t)in[i * step];
}
template <class T, class From> void store_run(char* out, int64_t step, const void* from, int64_t n) {
  for (int64_t i = 0; i < n; i++) ((T*)out)[i * step] = convert<T, From>(((const From*)from)[i]);
}

void copy_converted(const Slot* a, Team& team) {
  Load* load = nullptr;
  Store* store = nullptr;
  bool from_float = false;
  int64_t size = 0, x_size = 0;
  with_type(a[COPY_dtype_x].i, [&](auto* type) {
    typedef std::remove_pointer_t<decltype(type)> T;
    load = load_run<T>, from_float = IS_FLOAT<T>, x_size = sizeof(T);
  });
  with_type(a[COPY_dtype_out].i, [&](auto* type) {
    typedef std::remove_pointer_t<decltype(type)> T;
    store = from_float ? store_run<T, double> : store_run<T, int64_t>, size = sizeof(T);
  });
  if (!load || !store) return team.fail(STATUS_BAD_INDEX);
  Order order(a);
  Strides<2> dims(order.n, {order.o, order.x});
  char* out = buffer<char>(a, COPY_out);
  const char* x = buffer<const char>(a, COPY_x);
  int64_t o_step = dims.s[0][dims.rank - 1], x_step = dims.s[1][dims.rank - 1];
  dims.each_run(share(dims.count, team, 64), [&](int64_t, int64_t n, const int64_t* offset) {
    int64_t piece[PIECE];
    for (int64_t i = 0; i < n; i += PIECE) {
      int64_t m = n - i < PIECE ? n - i : (int64_t)PIECE;
      load(piece, x + (offset[1] + i * x_step) * x_size, x_step, m);
      store(out + (offset[0] + i * o_step) * size, o_step, piece, m);
    }
  });
}

template <class To> void copy_to(const Slot* a, Team& team) {
  switch (a[COPY_dtype_x].i) {
    case DTYPE_FLOAT32: return copy<To, float>(a, team);
    case DTYPE_INT32: return copy<To, int32_t>(a, team);
    case DTYPE_INT8: return copy<To, int8_t>(a, team);
    default: return copy_converted(a, team);
  }
}

// Of one type: the bits alone count.
void copy_same(const Slot* a, Team& team) {
  switch (ITEM_BYTES[a[COPY_dtype_x].i]) {
    case 1: return copy<int8_t, int8_t>(a, team);
    case 2: return copy<int16_t, int16_t>(a, team);
    case 4: return copy<int32_t, int32_t>(a, team);
    default: return copy<int64_t, int64_t>(a, team);
  }
}

}  // namespace

static void run_copy(const Slot* a, Team& team) {
  int64_t to = a[COPY_dtype_out].i, from = a[COPY_dtype_x].i;
  if (to < 0 || to >= DTYPE_COUNT || from < 0 || from >= DTYPE_COUNT) return team.fail(STATUS_BAD_INDEX);
  if (to == from) return copy_same(a, team);
  switch (to) {
    case DTYPE_FLOAT32: return copy_to<float>(a, team);
    case DTYPE_INT32: return copy_to<int32_t>(a, team);
    case DTYPE_INT8: return copy_to<int8_t>(a, team);
    default: return copy_converted(a, team);
  }
}

// ---- fill, arange -------------------------------------------------------------------------------

static void run_fill(const Slot* a, Team& team) {
  Share s = share(a[FILL_n].i, team, CACHE_LINE);
  double value = a[FILL_value].f;
  bool known = with_type(a[FILL_dtype].i, [&](auto* type) {
    typedef std::remove_pointer_t<decltype(type)> T;
    T v = from_double<T>(value), *out = buffer<T>(a, FILL_out);
    for (int64_t i = s.begin; i < s.end; i++) out[i] = v;
  });
  if (!known) team.fail(STATUS_BAD_INDEX);
}

static void run_arange(const Slot* a, Team& team) {
  Share s = share(a[ARANGE_n].i, team, CACHE_LINE);
  double start = a[ARANGE_start].f, step = a[ARANGE_step].f;
  bool known = with_type(a[ARANGE_dtype].i, [&](auto* type) {
    typedef std::remove_pointer_t<decltype(type)> T;
    T* out = buffer<T>(a, ARANGE_out);
    for (int64_t i = s.begin; i < s.end; i++) out[i] = from_double<T>(start + (double)i * step);
  });
  if (!known) team.fail(STATUS_BAD_INDEX);
}

// ---- tril ---------------------------------------------------------------------------------------

static void run_tril(const Slot* a, Team& team) {
  int64_t M = a[TRIL_M].i, N = a[TRIL_N].i, diagonal = a[TRIL_diagonal].i, size = ITEM_BYTES[a[TRIL_dtype].i];
  bool upper = a[TRIL_upper].i != 0;
  char* out = buffer<char>(a, TRIL_out);  // any type: 0 has the same bits
  const char* x = buffer<const char>(a, TRIL_x);
  Share s = share(a[TRIL_batch].i * M, team);
  for (int64_t row = s.begin; row < s.end; row++) {
    // Columns [begin, end) are kept.
    int64_t edge = row % M + diagonal + !upper;
    edge = edge < 0 ? 0 : edge > N ? N : edge;
    int64_t begin = upper ? edge : 0, end = upper ? N : edge;
    char* o = out + row * N * size;
    memset(o, 0, begin * size);
    memmove(o + begin * size, x + (row * N + begin) * size, (end - begin) * size);
    memset(o + end * size, 0, (N - end) * size);
  }
}

ENTRY(fill, [](const Slot* a) { return 50 + a[FILL_n].i * 0.2; }, nullptr);
ENTRY(arange, [](const Slot* a) { return 50 + a[ARANGE_n].i * 1.0; }, nullptr);
ENTRY(copy, [](const Slot* a) {
  const Slot* n = a + COPY_n0;
  double count = (double)n[0].i * n[1].i * n[2].i * n[3].i * n[4].i * n[5].i;
  return 100 + count * (a[COPY_x5].i == 1 && a[COPY_o5].i == 1 ? 0.3 : 1.2);
}, nullptr);
ENTRY(tril, [](const Slot* a) { return 50 + (double)a[TRIL_batch].i * a[TRIL_M].i * (10 + a[TRIL_N].i * 0.3); },
      nullptr);
