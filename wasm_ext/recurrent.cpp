// Recurrent layers over time (Elman 1990; LSTM: Hochreiter and Schmidhuber 1997; GRU: Cho et al.
// 2014), one direction of one layer in a launch, forward and backward.
//
// The product of the input with its weights is in `gates` already, for all steps. A step is then
// the product of the state with the weights w [G * H, H], and the gates elementwise. Threads divide
// the units in panels of NR: a thread packs its panels of w once, keeps its part of the state, and
// meets the others once a step. An element's sum is one chain over k: its bits do not depend on the
// number of threads.
#include <type_traits>
#include "math.h"
#include "microkernel.h"
#include "runtime.h"

namespace {

// ---- a vector of T: lanes of float32, one float64 -----------------------------------------------

template <class T> struct Lanes;
template <> struct Lanes<float> {
  typedef vf V;
  enum { COUNT = VW };
};
template <> struct Lanes<double> {
  typedef double V;
  enum { COUNT = 1 };
};

using ::vadd, ::vsub, ::vmul, ::vsigmoid, ::vtanh;
INLINE vf load(const float* p, int n) { return vload_tail(p, n); }
INLINE double load(const double* p, int) { return *p; }
INLINE void store(float* p, vf v, int n) { vstore_tail(p, v, n); }
INLINE void store(double* p, double v, int) { *p = v; }
INLINE double vadd(double a, double b) { return a + b; }
INLINE double vsub(double a, double b) { return a - b; }
INLINE double vmul(double a, double b) { return a * b; }
INLINE double vsigmoid(double x) { return 1 / (1 + exp(-x)); }
INLINE double vtanh(double x) { return tanh(x); }
// v where x is positive or NaN, else 0.
INLINE vf positive(vf x, vf v) { return vselect(vle(x, vzero()), vzero(), v); }
INLINE double positive(double x, double v) { return x <= 0 ? 0 : v; }
template <class V> INLINE V all_lanes(float x) {
  if constexpr (std::is_same<V, double>::value) return x;
  else return vsplat(x);
}
template <class V> INLINE V zero() { return all_lanes<V>(0); }
template <class V> INLINE V slope_of_sigmoid(V y) { return vmul(y, vsub(all_lanes<V>(1), y)); }
template <class V> INLINE V slope_of_tanh(V y) { return vsub(all_lanes<V>(1), vmul(y, y)); }

// ---- products with a packed panel ---------------------------------------------------------------

template <int R> void tile(float* out, const float* a, Index lda, const float* b, Index K, bool more) {
  micro_kernel<R>(out, NR, more ? out : nullptr, NR, a, 1, lda, b, NR, K);
}
template <int R> void tile_of(Index rows, float* out, const float* a, Index lda, const float* b, Index K, bool more) {
  if (rows == R) tile<R>(out, a, lda, b, K, more);
  else if constexpr (R > 1) tile_of<R - 1>(rows, out, a, lda, b, K, more);
}

// out[r * NR + j] = sum_k a[r * lda + k] * b[k * NR + j], added to what is there when `more`.
void products(float* out, const float* a, Index lda, Index rows, const float* b, Index K, bool more) {
  if (rows <= 0) return;
  const Index height = ceil_div(rows, ceil_div(rows, MR));  // tiles of equal height
  for (Index r = 0; r < rows; r += height)
    tile_of<MR>(rows - r < height ? rows - r : height, out + r * NR, a + r * lda, lda, b, K, more);
}
void products(double* out, const double* a, Index lda, Index rows, const double* b, Index K, bool more) {
  for (Index r = 0; r < rows; r++, out += NR, a += lda) {
    if (!more) memset(out, 0, NR * sizeof(double));
    for (Index k = 0; k < K; k++)
      for (int j = 0; j < NR; j++) out[j] += a[k] * b[k * NR + j];
  }
}

// Rows of w as a panel for its transpose; columns of w as a panel.
void pack_rows(const float* w, Index ld, int rows, Index K, float* out) { pack_transposed<NR>(w, ld, rows, K, out); }
void pack_rows(const double* w, Index ld, int rows, Index K, double* out) {
  for (Index k = 0; k < K; k++)
    for (int j = 0; j < NR; j++) out[k * NR + j] = j < rows ? w[j * ld + k] : 0;
}
void pack_columns(const float* w, Index ld, int n, Index K, float* out) { pack_direct<NR>(w, ld, n, K, out); }
void pack_columns(const double* w, Index ld, int n, Index K, double* out) {
  for (Index k = 0; k < K; k++)
    for (int j = 0; j < NR; j++) out[k * NR + j] = j < n ? w[k * ld + j] : 0;
}

// ---- steps --------------------------------------------------------------------------------------

Index gates_of(int64_t cell) { return cell == CELL_LSTM ? 4 : cell == CELL_GRU ? 3 : 1; }

// The shape of a launch: at step t the first active(t) sequences have an element, which are rows of
// the dense buffers, step after step. sizes decrease, so sequence b is row first + b of a step.
struct Steps {
  Index B, T, H, G, rows;
  bool reverse;
  const int32_t* sizes;

  Index active(Index t) const { return t < 0 || t >= T ? 0 : sizes ? sizes[t] : B; }
  Index time(Index step) const { return reverse ? T - 1 - step : step; }
  Index panels() const { return ceil_div(H, NR); }
  int columns(Index panel) const { return (int)(H - panel * NR < NR ? H - panel * NR : (Index)NR); }

  bool valid() const {
    if (B < 0 || T < 0 || H < 0) return false;
    Index sum = 0;
    for (Index t = 0; t < T; t++) {
      if (sizes && (sizes[t] < 1 || sizes[t] > (t ? sizes[t - 1] : B))) return false;
      sum += active(t);
    }
    return sum == rows && (!T || active(0) == B);
  }
};

template <class T> struct Scratch {
  T *panels, *sums;  // of w: G panels for each of the thread's own; [G][B][NR] of this thread
};
template <class T> Scratch<T> scratch_of(const Steps& s, const Team& team) {
  T* base = (T*)team.scratch;
  return {base, base + s.panels() * s.G * s.H * NR + team.rank * padded(s.G * s.B * NR)};
}
size_t scratch_bytes(int64_t cell, int64_t dtype, int64_t B, int64_t H) {
  const Index G = gates_of(cell), floats = ceil_div((Index)H, NR) * G * (Index)H * NR;
  return (size_t)(floats + MAX_THREADS * padded(G * (Index)B * NR)) * (dtype == DTYPE_FLOAT64 ? 8 : 4);
}

template <class T> void copy_columns(T* out, const T* x, Index rows, Index H, Index first, int n) {
  for (Index b = 0; b < rows; b++) memcpy(out + b * H + first, x + b * H + first, n * sizeof(T));
}

// Requests a panel's place in each gate of some rows while the products before their use are made:
// rows are far apart, so the processor would not see the next one coming.
template <class T> void prefetch_gates(const T* gates, Index panel, Index rows, Index G, Index H) {
  const Index last = panel * NR + NR < H ? panel * NR + NR - 1 : H - 1;  // the panel before has its first cache line
  for (Index row = 0; row < rows; row++)
    for (Index g = 0; g < G; g++) __builtin_prefetch(gates + (row * G + g) * H + last);
}

template <class T> struct Forward {
  typedef typename Lanes<T>::V V;
  Steps s;
  Index cell, ldy;
  T *y, *hn, *cn, *gates, *kept;
  const T *h0, *c0, *w, *bias;

  void run(Team& team) const {
    const Scratch<T> my = scratch_of<T>(s, team);
    const Share mine = share(s.panels(), team);
    for (Index p = (Index)mine.begin; p < mine.end; p++) {
      const int n = s.columns(p);
      for (Index g = 0; g < s.G; g++)
        pack_rows(w + (g * s.H + p * NR) * s.H, s.H, n, s.H, my.panels + (p * s.G + g) * s.H * NR);
      copy_columns(hn, h0, s.B, s.H, p * NR, n);
      if (cell == CELL_LSTM) copy_columns(cn, c0, s.B, s.H, p * NR, n);
    }
    Index row = s.reverse ? s.rows : 0, before = 0;
    Index known = 0;  // sequences with a step before
    for (Index step = 0; step < s.T; step++) {
      const Index active = s.active(s.time(step));
      if (s.reverse) row -= active;
      if (known > active) known = active;
      for (Index p = (Index)mine.begin; p < mine.end; p++) {
        prefetch_gates(gates + row * s.G * s.H, p, active, s.G, s.H);
        prefetch_gates(y + row * ldy, p, active, 1, ldy);
        if (kept) prefetch_gates(kept + row * s.H, p, active, 1, s.H);
        for (Index g = 0; g < s.G; g++) {
          const T* panel = my.panels + (p * s.G + g) * s.H * NR;
          T* sums = my.sums + g * s.B * NR;
          products(sums, y + before * ldy, ldy, known, panel, s.H, false);
          products(sums + known * NR, h0 + known * s.H, s.H, active - known, panel, s.H, false);
        }
        for (Index b = 0; b < active; b++) units(row + b, b, p, my.sums + b * NR);
      }
      known = active, before = row;
      if (!s.reverse) row += active;
      team.barrier();
    }
  }

  // The units of a panel at one row. sums: the products of the state, s.B * NR from gate to gate.
  void units(Index row, Index b, Index panel, const T* sums) const {
    const int n = s.columns(panel);
    T* gate = gates + row * s.G * s.H + panel * NR;
    for (int j = 0; j < n; j += Lanes<T>::COUNT) {
      const int m = n - j < Lanes<T>::COUNT ? n - j : (int)Lanes<T>::COUNT;
      const Index unit = panel * NR + j;
      auto hidden = [&](Index g) {
        V v = load(sums + g * s.B * NR + j, m);
        return bias ? vadd(v, load(bias + g * s.H + unit, m)) : v;
      };
      auto both = [&](Index g) { return vadd(load(gate + g * s.H + j, m), hidden(g)); };
      auto keep = [&](Index g, V v) { store(gate + g * s.H + j, v, m); };
      V h;
      if (cell == CELL_LSTM) {
        V i = vsigmoid(both(0)), f = vsigmoid(both(1)), c = vtanh(both(2)), o = vsigmoid(both(3));
        keep(0, i), keep(1, f), keep(2, c), keep(3, o);
        c = vadd(vmul(f, load(cn + b * s.H + unit, m)), vmul(i, c));
        store(cn + b * s.H + unit, c, m);
        if (kept) store(kept + row * s.H + unit, c, m);
        h = vmul(o, vtanh(c));
      } else if (cell == CELL_GRU) {
        V r = vsigmoid(both(0)), z = vsigmoid(both(1)), from_state = hidden(2);
        V candidate = vtanh(vadd(load(gate + 2 * s.H + j, m), vmul(r, from_state)));
        keep(0, r), keep(1, z), keep(2, candidate);
        if (kept) store(kept + row * s.H + unit, from_state, m);
        h = vadd(vmul(vsub(load(hn + b * s.H + unit, m), candidate), z), candidate);
      } else {
        V v = both(0);
        h = cell == CELL_TANH ? vtanh(v) : positive(v, v);
        keep(0, h);
      }
      store(hn + b * s.H + unit, h, m);
      store(y + row * ldy + unit, h, m);
    }
  }
};

template <class T> struct Backward {
  typedef typename Lanes<T>::V V;
  Steps s;
  Index cell, ldy, lddy;
  T *dgates, *dhidden, *hprev, *dh0, *dc0;
  const T *dy, *dhn, *dcn, *gates, *kept, *y, *h0, *c0, *w;

  // dh0 and dc0 hold what the later steps give to a sequence's state without a product.
  void run(Team& team) const {
    const Scratch<T> my = scratch_of<T>(s, team);
    const Share mine = share(s.panels(), team);
    const Index K = s.G * s.H;
    for (Index p = (Index)mine.begin; p < mine.end; p++) {
      const int n = s.columns(p);
      pack_columns(w + p * NR, s.H, n, K, my.panels + p * K * NR);
      begin(dh0, dhn, p, n);
      if (cell == CELL_LSTM) begin(dc0, dcn, p, n);
    }
    Index row = s.reverse ? 0 : s.rows, after = 0;
    Index later = 0;  // sequences of the step after
    for (Index step = s.T - 1; step >= -1; step--) {
      const Index active = step < 0 ? 0 : s.active(s.time(step));
      const Index before = step < 1 ? 0 : s.active(s.time(step - 1)), known = before < active ? before : active;
      if (!s.reverse) row -= active;
      // Row of the step before, whose state this one had.
      const Index row_before = s.reverse ? row + active : row - before;
      for (Index p = (Index)mine.begin; p < mine.end; p++) {
        prefetch_gates(gates + row * K, p, active, s.G, s.H);
        prefetch_gates(dgates + row * K, p, active, s.G, s.H);
        prefetch_gates(hprev + row * s.H, p, active, 1, s.H);
        if (kept) prefetch_gates(kept + row * s.H, p, active, 1, s.H);
        if (dy) prefetch_gates(dy + row * lddy, p, active, 1, lddy);
        for (Index g = 0; g < s.G; g++)
          products(my.sums, dhidden + after * K + g * s.H, K, later, my.panels + (p * K + g * s.H) * NR, s.H, g > 0);
        for (Index b = 0; b < later; b++) add(dh0 + b * s.H + p * NR, my.sums + b * NR, s.columns(p));
        for (Index b = 0; b < active; b++) {
          const bool in_y = b < known;
          units(row + b, b, p, in_y ? y + (row_before + b) * ldy : h0 + b * s.H,
                cell != CELL_LSTM ? nullptr
                : in_y            ? kept + (row_before + b) * s.H
                                  : c0 + b * s.H);
        }
      }
      after = row, later = active;
      if (s.reverse) row += active;
      team.barrier();
    }
  }

  void begin(T* out, const T* given, Index p, int n) const {
    if (given) return copy_columns(out, given, s.B, s.H, p * NR, n);
    for (Index b = 0; b < s.B; b++) memset(out + b * s.H + p * NR, 0, n * sizeof(T));
  }

  static void add(T* out, const T* x, int n) {
    for (int j = 0; j < n; j += Lanes<T>::COUNT) {
      const int m = n - j < Lanes<T>::COUNT ? n - j : (int)Lanes<T>::COUNT;
      store(out + j, vadd(load(out + j, m), load(x + j, m)), m);
    }
  }

  // The gradients of the gates of a panel at one row. h, c: the state before, of this sequence.
  void units(Index row, Index b, Index panel, const T* h, const T* c) const {
    const int n = s.columns(panel);
    const Index at = row * s.G * s.H + panel * NR;
    memcpy(hprev + row * s.H + panel * NR, h + panel * NR, n * sizeof(T));
    for (int j = 0; j < n; j += Lanes<T>::COUNT) {
      const int m = n - j < Lanes<T>::COUNT ? n - j : (int)Lanes<T>::COUNT;
      const Index unit = panel * NR + j;
      const V one = all_lanes<V>(1);
      auto gate = [&](Index g) { return load(gates + at + g * s.H + j, m); };
      auto give = [&](Index g, V v) { store(dgates + at + g * s.H + j, v, m); };
      T *dh_at = dh0 + b * s.H + unit, *dc_at = dc0 + b * s.H + unit;
      V dh = load(dh_at, m);
      if (dy) dh = vadd(dh, load(dy + row * lddy + unit, m));
      if (cell == CELL_LSTM) {
        V i = gate(0), f = gate(1), g = gate(2), o = gate(3), squashed = vtanh(load(kept + row * s.H + unit, m));
        V dc = vadd(load(dc_at, m), vmul(vmul(dh, o), slope_of_tanh(squashed)));
        give(0, vmul(vmul(dc, g), slope_of_sigmoid(i)));
        give(1, vmul(vmul(dc, load(c + unit, m)), slope_of_sigmoid(f)));
        give(2, vmul(vmul(dc, i), slope_of_tanh(g)));
        give(3, vmul(vmul(dh, squashed), slope_of_sigmoid(o)));
        store(dc_at, vmul(dc, f), m);
        store(dh_at, zero<V>(), m);
      } else if (cell == CELL_GRU) {
        V r = gate(0), z = gate(1), candidate = gate(2);
        V dn = vmul(vmul(dh, vsub(one, z)), slope_of_tanh(candidate));
        V dr = vmul(vmul(dn, load(kept + row * s.H + unit, m)), slope_of_sigmoid(r));
        V dz = vmul(vmul(dh, vsub(load(h + unit, m), candidate)), slope_of_sigmoid(z));
        give(0, dr), give(1, dz), give(2, dn);
        T* hidden = dhidden + at + j;
        store(hidden, dr, m), store(hidden + s.H, dz, m), store(hidden + 2 * s.H, vmul(dn, r), m);
        store(dh_at, vmul(dh, z), m);
      } else {
        V out = gate(0);
        give(0, cell == CELL_TANH ? vmul(dh, slope_of_tanh(out)) : positive(out, dh));
        store(dh_at, zero<V>(), m);
      }
    }
  }
};

template <class T> void forward(const Slot* a, Team& team) {
  const Index cell = (Index)a[RECURRENT_cell].i;
  const Forward<T> f = {
      {(Index)a[RECURRENT_B].i, (Index)a[RECURRENT_T].i, (Index)a[RECURRENT_H].i, gates_of(cell),
       (Index)a[RECURRENT_rows].i, a[RECURRENT_reverse].i != 0, buffer<const int32_t>(a, RECURRENT_sizes)},
      cell,
      (Index)a[RECURRENT_ldy].i,
      buffer<T>(a, RECURRENT_y),
      buffer<T>(a, RECURRENT_hn),
      buffer<T>(a, RECURRENT_cn),
      buffer<T>(a, RECURRENT_gates),
      buffer<T>(a, RECURRENT_kept),
      buffer<const T>(a, RECURRENT_h0),
      buffer<const T>(a, RECURRENT_c0),
      buffer<const T>(a, RECURRENT_w),
      buffer<const T>(a, RECURRENT_bias),
  };
  if (cell < 0 || cell > CELL_RELU || !f.s.valid()) return team.fail(STATUS_BAD_INDEX);
  f.run(team);
}

template <class T> void backward(const Slot* a, Team& team) {
  const Index cell = (Index)a[RECURRENT_BACKWARD_cell].i;
  T* dgates = buffer<T>(a, RECURRENT_BACKWARD_dgates);
  const Backward<T> f = {
      {(Index)a[RECURRENT_BACKWARD_B].i, (Index)a[RECURRENT_BACKWARD_T].i, (Index)a[RECURRENT_BACKWARD_H].i,
       gates_of(cell), (Index)a[RECURRENT_BACKWARD_rows].i, a[RECURRENT_BACKWARD_reverse].i != 0,
       buffer<const int32_t>(a, RECURRENT_BACKWARD_sizes)},
      cell,
      (Index)a[RECURRENT_BACKWARD_ldy].i,
      (Index)a[RECURRENT_BACKWARD_lddy].i,
      dgates,
      cell == CELL_GRU ? buffer<T>(a, RECURRENT_BACKWARD_dhidden) : dgates,
      buffer<T>(a, RECURRENT_BACKWARD_hprev),
      buffer<T>(a, RECURRENT_BACKWARD_dh0),
      buffer<T>(a, RECURRENT_BACKWARD_dc0),
      buffer<const T>(a, RECURRENT_BACKWARD_dy),
      buffer<const T>(a, RECURRENT_BACKWARD_dhn),
      buffer<const T>(a, RECURRENT_BACKWARD_dcn),
      buffer<const T>(a, RECURRENT_BACKWARD_gates),
      buffer<const T>(a, RECURRENT_BACKWARD_kept),
      buffer<const T>(a, RECURRENT_BACKWARD_y),
      buffer<const T>(a, RECURRENT_BACKWARD_h0),
      buffer<const T>(a, RECURRENT_BACKWARD_c0),
      buffer<const T>(a, RECURRENT_BACKWARD_w),
  };
  if (cell < 0 || cell > CELL_RELU || !f.s.valid()) return team.fail(STATUS_BAD_INDEX);
  f.run(team);
}

double work_of(int64_t cell, int64_t dtype, int64_t rows, int64_t H) {
  const double G = (double)gates_of(cell), units = (double)rows * H;
  return 100 + units * H * G / (dtype == DTYPE_FLOAT64 ? 1 : 20) + units * G * 3;
}

}  // namespace

static void run_recurrent(const Slot* a, Team& team) {
  if (a[RECURRENT_dtype].i == DTYPE_FLOAT32) forward<float>(a, team);
  else if (a[RECURRENT_dtype].i == DTYPE_FLOAT64) forward<double>(a, team);
  else team.fail(STATUS_BAD_INDEX);
}

static void run_recurrent_backward(const Slot* a, Team& team) {
  if (a[RECURRENT_BACKWARD_dtype].i == DTYPE_FLOAT32) backward<float>(a, team);
  else if (a[RECURRENT_BACKWARD_dtype].i == DTYPE_FLOAT64) backward<double>(a, team);
  else team.fail(STATUS_BAD_INDEX);
}

ENTRY(recurrent, [](const Slot* a) {
  return work_of(a[RECURRENT_cell].i, a[RECURRENT_dtype].i, a[RECURRENT_rows].i, a[RECURRENT_H].i);
}, [](const Slot* a) {
  return scratch_bytes(a[RECURRENT_cell].i, a[RECURRENT_dtype].i, a[RECURRENT_B].i, a[RECURRENT_H].i);
});
ENTRY(recurrent_backward, [](const Slot* a) {
  return work_of(a[RECURRENT_BACKWARD_cell].i, a[RECURRENT_BACKWARD_dtype].i, a[RECURRENT_BACKWARD_rows].i,
                 a[RECURRENT_BACKWARD_H].i);
}, [](const Slot* a) {
  return scratch_bytes(a[RECURRENT_BACKWARD_cell].i, a[RECURRENT_BACKWARD_dtype].i, a[RECURRENT_BACKWARD_B].i,
                       a[RECURRENT_BACKWARD_H].i);
});
