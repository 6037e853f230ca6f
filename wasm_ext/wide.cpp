// Kernels of float64 and int64, plain loops: elementwise, reductions, products. And those of every
// type: take and put (indexing), scan (cumsum, cumprod), sort.
//
// binary.cpp and reduce.cpp call the first ones for the types that their vectors do not know.
#include "wide.h"
#include "loops.h"

namespace {

bool is_nan(double v) { return v != v; }
bool is_nan(float v) { return v != v; }
template <class T> bool is_nan(T) { return false; }

// ---- binary -------------------------------------------------------------------------------------

double floor_divide(double a, double b) {  // c10::div_floor_floating
  if (b == 0) return a / b;
  double mod = fmod(a, b), div = (a - mod) / b;
  if (mod != 0 && (b < 0) != (mod < 0)) div -= 1;
  if (div == 0) return copysign(0, a / b);
  double floored = floor(div);
  return div - floored > 0.5 ? floored + 1 : floored;
}
double remainder_of(double a, double b) {
  double mod = fmod(a, b);
  return mod != 0 && (b < 0) != (mod < 0) ? mod + b : mod;
}
int64_t floor_divide(int64_t a, int64_t b) {
  if (b == 0) return 0;
  if (b == -1) return (int64_t)(0ull - (uint64_t)a);
  return a / b - (a % b != 0 && (a < 0) != (b < 0));
}
int64_t remainder_of(int64_t a, int64_t b) {
  if (b == 0 || b == -1) return 0;
  int64_t mod = a % b;
  return mod != 0 && (b < 0) != (mod < 0) ? mod + b : mod;
}
double power(double a, double b) { return pow(a, b); }
int64_t power(int64_t a, int64_t b) {  // modulo 2^64; 1 / a^|b| toward zero
  if (b < 0) return a == 1 ? 1 : a == -1 ? (b & 1 ? -1 : 1) : 0;
  uint64_t result = 1, base = (uint64_t)a;
  for (uint64_t e = (uint64_t)b; e; e >>= 1, base *= base)
    if (e & 1) result *= base;
  return (int64_t)result;
}

// Integers wrap.
double plus(double a, double b) { return a + b; }
int64_t plus(int64_t a, int64_t b) { return (int64_t)((uint64_t)a + (uint64_t)b); }
double minus(double a, double b) { return a - b; }
int64_t minus(int64_t a, int64_t b) { return (int64_t)((uint64_t)a - (uint64_t)b); }
double times(double a, double b) { return a * b; }
int64_t times(int64_t a, int64_t b) { return (int64_t)((uint64_t)a * (uint64_t)b); }

double of_bits(int64_t, double a, double) { return a; }  // is never called: has_op
int64_t of_bits(int64_t op, int64_t a, int64_t b) {
  switch (op) {
    case BINARY_BITAND: return a & b;
    case BINARY_BITOR: return a | b;
    case BINARY_BITXOR: return a ^ b;
    case BINARY_LSHIFT: return (int64_t)((uint64_t)a << (b & 63));
    default: return a >> (b & 63);
  }
}

template <class T> INLINE T apply(int64_t op, T a, T b) {
  switch (op) {
    case BINARY_ADD: return plus(a, b);
    case BINARY_SUB: return minus(a, b);
    case BINARY_MUL: return times(a, b);
    case BINARY_DIV: return a / b;
    case BINARY_POW: return power(a, b);
    case BINARY_MAXIMUM: return is_nan(a) || a > b ? a : b;  // a NaN wins
    case BINARY_MINIMUM: return is_nan(a) || a < b ? a : b;
    case BINARY_FLOORDIV: return floor_divide(a, b);
    case BINARY_REMAINDER: return remainder_of(a, b);
    default: return of_bits(op, a, b);
  }
}
template <class T> INLINE bool compare(int64_t op, T a, T b) {
  switch (op) {
    case BINARY_EQ: return a == b;
    case BINARY_NE: return a != b;
    case BINARY_LT: return a < b;
    case BINARY_LE: return a <= b;
    case BINARY_GT: return a > b;
    default: return a >= b;
  }
}
bool is_comparison(int64_t op) { return op >= BINARY_EQ && op <= BINARY_GE; }

template <class T>
void along(int64_t op, char* out, int64_t first, const T* a, int64_t a_step, const T* b, int64_t b_step, int64_t n) {
  if (is_comparison(op))
    for (int64_t i = 0; i < n; i++) ((int32_t*)out)[first + i] = compare(op, a[i * a_step], b[i * b_step]);
  else
    for (int64_t i = 0; i < n; i++) ((T*)out)[first + i] = apply(op, a[i * a_step], b[i * b_step]);
}

bool has_op(int64_t op, bool is_float) {
  return is_float ? op >= BINARY_ADD && op <= BINARY_REMAINDER
                  : op >= BINARY_ADD && op <= BINARY_RSHIFT && op != BINARY_DIV;
}

template <class T> void binary(const Slot* a, Team& team) {
  int64_t op = a[BINARY_op].i;
  if (!has_op(op, IS_FLOAT<T>)) return team.fail(STATUS_BAD_INDEX);
  Strides<2> dims(a + BINARY_n0, {a + BINARY_a0, a + BINARY_b0});
  const T *x = buffer<const T>(a, BINARY_a), *y = buffer<const T>(a, BINARY_b);
  int64_t x_step = dims.s[0][dims.rank - 1], y_step = dims.s[1][dims.rank - 1];
  dims.each_run(share(dims.count, team, CACHE_LINE), [&](int64_t first, int64_t n, const int64_t* offset) {
    along(op, buffer<char>(a, BINARY_out), first, x + offset[0], x_step, y + offset[1], y_step, n);
  });
}

template <class T> void binary_scalar(const Slot* a, Team& team) {
  int64_t op = a[BINARY_SCALAR_op].i;
  if (!has_op(op, IS_FLOAT<T>)) return team.fail(STATUS_BAD_INDEX);
  T value = from_double<T>(a[BINARY_SCALAR_scalar].f);
  const T* x = buffer<const T>(a, BINARY_SCALAR_a);
  char* out = buffer<char>(a, BINARY_SCALAR_out);
  Share s = share(a[BINARY_SCALAR_n].i, team, CACHE_LINE);
  if (a[BINARY_SCALAR_reverse].i) along(op, out, s.begin, &value, 0, x + s.begin, 1, s.end - s.begin);
  else along(op, out, s.begin, x + s.begin, 1, &value, 0, s.end - s.begin);
}

// ---- unary, float64 -----------------------------------------------------------------------------

constexpr double ROOT_HALF = 0.70710678118654752440, PER_ROOT_TWO_PI = 0.39894228040143267794,
                 GELU_SCALE = 0.79788456080286535588, GELU_CUBE = 0.044715;

double sigmoid(double x) {
  double small = exp(-fabs(x));  // at most 1: no overflow on either side
  return (x < 0 ? small : 1) / (1 + small);
}
double gelu_tanh(double x) { return 0.5 * x * (1 + tanh(GELU_SCALE * (x + GELU_CUBE * x * x * x))); }
double gelu_tanh_slope(double x) {
  double t = tanh(GELU_SCALE * (x + GELU_CUBE * x * x * x));
  return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * GELU_SCALE * (1 + 3 * GELU_CUBE * x * x);
}

double unary_value(int64_t op, double x) {
  switch (op) {
    case UNARY_NEG: return -x;
    case UNARY_ABS: return fabs(x);
    case UNARY_SQUARE: return x * x;
    case UNARY_RECIPROCAL: return 1 / x;
    case UNARY_EXP: return exp(x);
    case UNARY_LOG: return log(x);
    case UNARY_SQRT: return sqrt(x);
    case UNARY_RSQRT: return 1 / sqrt(x);
    case UNARY_TANH: return tanh(x);
    case UNARY_SIGMOID: return sigmoid(x);
    case UNARY_RELU: return x < 0 ? 0 : x;  // NaN stays
    case UNARY_GELU: return 0.5 * x * erfc(-x * ROOT_HALF);
    case UNARY_GELU_TANH: return gelu_tanh(x);
    case UNARY_SILU: return x * sigmoid(x);
    case UNARY_SIN: return sin(x);
    default: return cos(x);
  }
}

// saved is x or y, by op, as the contract says.
double unary_slope(int64_t op, double saved) {
  switch (op) {
    case UNARY_ABS: return saved > 0 ? 1 : saved < 0 ? -1 : 0;
    case UNARY_SQUARE: return saved + saved;
    case UNARY_RECIPROCAL: return -saved * saved;
    case UNARY_EXP: return saved;
    case UNARY_LOG: return 1 / saved;
    case UNARY_SQRT: return 1 / (saved + saved);
    case UNARY_RSQRT: return -0.5 * saved * saved * saved;
    case UNARY_TANH: return 1 - saved * saved;
    case UNARY_SIGMOID: return saved * (1 - saved);
    case UNARY_RELU: return saved <= 0 ? 0 : 1;
    case UNARY_GELU: return 0.5 * erfc(-saved * ROOT_HALF) + saved * exp(-0.5 * saved * saved) * PER_ROOT_TWO_PI;
    case UNARY_GELU_TANH: return gelu_tanh_slope(saved);
    case UNARY_SILU: return sigmoid(saved) * (1 + saved * (1 - sigmoid(saved)));
    case UNARY_SIN: return cos(saved);
    default: return -sin(saved);
  }
}

// ---- reductions ---------------------------------------------------------------------------------

enum { SUM_CHUNK = 512 };  // elements that are added before their sum is added to the others

template <class T> T sum_of(const T* x, int64_t n, int64_t stride) {
  T total = 0;
  for (int64_t begin = 0; begin < n; begin += SUM_CHUNK) {
    T part = 0;
    for (int64_t i = begin; i < n && i < begin + SUM_CHUNK; i++) part = plus(part, x[i * stride]);
    total = plus(total, part);
  }
  return total;
}
template <class T> T product_of(const T* x, int64_t n, int64_t stride) {
  T total = 1;
  for (int64_t i = 0; i < n; i++) total = times(total, x[i * stride]);
  return total;
}
template <class T> T extreme_of(bool largest, const T* x, int64_t n, int64_t stride) {
  T value = x[0];
  for (int64_t i = 1; i < n; i++) value = apply(largest ? BINARY_MAXIMUM : BINARY_MINIMUM, value, x[i * stride]);
  return value;
}
template <class T> int64_t index_of_extreme(bool largest, const T* x, int64_t n, int64_t stride) {
  int64_t best = 0;
  for (int64_t i = 1; i < n && !is_nan(x[best * stride]); i++) {
    T v = x[i * stride];
    if ((largest ? v > x[best * stride] : v < x[best * stride]) || is_nan(v)) best = i;
  }
  return best;
}

template <class T> void reduce(const Slot* a, Team& team) {
  int64_t n = a[REDUCE_n].i, inner = a[REDUCE_inner].i, op = a[REDUCE_op].i;
  T* out = buffer<T>(a, REDUCE_out);
  int32_t* index = buffer<int32_t>(a, REDUCE_out);
  Share s = share(a[REDUCE_outer].i * inner, team, CACHE_LINE);
  for (int64_t u = s.begin; u < s.end; u++) {
    const T* x = buffer<const T>(a, REDUCE_x) + u / inner * n * inner + u % inner;
    switch (op) {
      case REDUCE_SUM: out[u] = sum_of(x, n, inner); break;
      case REDUCE_MEAN: out[u] = sum_of(x, n, inner) / (T)n; break;
      case REDUCE_PROD: out[u] = product_of(x, n, inner); break;
      case REDUCE_MAX:
      case REDUCE_MIN: out[u] = extreme_of(op == REDUCE_MAX, x, n, inner); break;
      case REDUCE_ARGMAX:
      case REDUCE_ARGMIN: index[u] = (int32_t)index_of_extreme(op == REDUCE_ARGMAX, x, n, inner); break;
      default: return team.fail(STATUS_BAD_INDEX);
    }
  }
}

// ---- products -----------------------------------------------------------------------------------

enum { COLUMNS = 8 };  // of the output that are summed at once

template <class T> void matmul(const Slot* a, Team& team) {
  int64_t M = a[WIDE_MATMUL_M].i, N = a[WIDE_MATMUL_N].i, K = a[WIDE_MATMUL_K].i;
  int64_t lda = a[WIDE_MATMUL_lda].i, ldb = a[WIDE_MATMUL_ldb].i, ldc = a[WIDE_MATMUL_ldc].i;
  int64_t a_m = a[WIDE_MATMUL_ta].i ? 1 : lda, a_k = a[WIDE_MATMUL_ta].i ? lda : 1;
  int64_t b_k = a[WIDE_MATMUL_tb].i ? 1 : ldb, b_n = a[WIDE_MATMUL_tb].i ? ldb : 1;
  Share s = share(a[WIDE_MATMUL_batch].i * M, team);
  for (int64_t row = s.begin; row < s.end; row++) {
    int64_t z = row / M, m = row % M;
    const T* x = buffer<const T>(a, WIDE_MATMUL_a) + z * a[WIDE_MATMUL_sa].i + m * a_m;
    const T* w = buffer<const T>(a, WIDE_MATMUL_b) + z * a[WIDE_MATMUL_sb].i;
    T* out = buffer<T>(a, WIDE_MATMUL_out) + z * a[WIDE_MATMUL_sc].i + m * ldc;
    for (int64_t n = 0; n < N; n += COLUMNS) {
      int64_t columns = N - n < COLUMNS ? N - n : (int64_t)COLUMNS;
      T sum[COLUMNS] = {};
      for (int64_t k = 0; k < K; k++)
        for (int64_t c = 0; c < columns; c++) sum[c] = plus(sum[c], times(x[k * a_k], w[k * b_k + (n + c) * b_n]));
      for (int64_t c = 0; c < columns; c++) out[n + c] = sum[c];
    }
  }
}

// ---- scan, sort ---------------------------------------------------------------------------------

template <class T> T add_of(T a, T b) { return a + b; }
int32_t add_of(int32_t a, int32_t b) { return (int32_t)((uint32_t)a + (uint32_t)b); }
int64_t add_of(int64_t a, int64_t b) { return plus(a, b); }
template <class T> T product(T a, T b) { return a * b; }
int32_t product(int32_t a, int32_t b) { return (int32_t)((uint32_t)a * (uint32_t)b); }
int64_t product(int64_t a, int64_t b) { return times(a, b); }

template <class T> void scan(const Slot* a, Team& team) {
  int64_t n = a[SCAN_n].i, inner = a[SCAN_inner].i;
  bool sums = a[SCAN_op].i == SCAN_SUM, reverse = a[SCAN_reverse].i != 0;
  // float32 sums in float64, as PyTorch's (at::acc_type)
  typedef std::conditional_t<std::is_same<T, float>::value, double, T> Wide;
  Share s = share(a[SCAN_outer].i * inner, team, CACHE_LINE);
  for (int64_t u = s.begin; u < s.end; u++) {
    int64_t at = u / inner * n * inner + u % inner;
    const T* x = buffer<const T>(a, SCAN_x) + at;
    T* out = buffer<T>(a, SCAN_out) + at;
    Wide total = sums ? 0 : 1;
    for (int64_t j = 0; j < n; j++) {
      int64_t i = (reverse ? n - 1 - j : j) * inner;
      total = sums ? add_of(total, (Wide)x[i]) : product(total, (Wide)x[i]);
      out[i] = (T)total;
    }
  }
}

// Whether a stands before b; a NaN is larger than every number, as in PyTorch.
template <class T> INLINE bool before(T a, T b, bool descending) {
  return descending ? (is_nan(a) ? !is_nan(b) : a > b) : is_nan(b) ? !is_nan(a) : a < b;
}

// Rows sorted by merging runs of doubled length; equal elements keep their order.
template <class T> void sort(const Slot* a, Team& team) {
  int64_t n = a[SORT_n].i;
  bool descending = a[SORT_descending].i != 0;
  Share s = share(a[SORT_rows].i, team);
  for (int64_t row = s.begin; row < s.end; row++) {
    const T* x = buffer<const T>(a, SORT_x) + row * n;
    int32_t *order = buffer<int32_t>(a, SORT_order) + row * n, *from = order, *to = (int32_t*)team.scratch + row * n;
    for (int64_t i = 0; i < n; i++) from[i] = (int32_t)i;
    for (int64_t run = 1; run < n; run *= 2) {
      for (int64_t begin = 0; begin < n; begin += 2 * run) {
        int64_t middle = begin + run < n ? begin + run : n, end = middle + run < n ? middle + run : n;
        int64_t i = begin, j = middle;
        for (int64_t k = begin; k < end; k++)
          to[k] = i < middle && (j == end || !before(x[from[j]], x[from[i]], descending)) ? from[i++] : from[j++];
      }
      int32_t* other = from;
      from = to, to = other;
    }
    if (from != order) memcpy(order, from, n * sizeof(int32_t));
    T* out = buffer<T>(a, SORT_out) + row * n;
    for (int64_t i = 0; i < n; i++) out[i] = x[order[i]];
  }
}

// The first k of a row in the order of `sort`: a heap whose root is the last of those kept.
template <class T> void topk(const Slot* a, Team& team) {
  int64_t n = a[TOPK_n].i, k = a[TOPK_k].i;
  bool largest = a[TOPK_largest].i != 0;
  Share s = share(a[TOPK_rows].i, team);
  for (int64_t row = s.begin; row < s.end; row++) {
    const T* x = buffer<const T>(a, TOPK_x) + row * n;
    int32_t* heap = buffer<int32_t>(a, TOPK_order) + row * k;
    auto first = [&](int32_t i, int32_t j) {
      return before(x[i], x[j], largest) || (!before(x[j], x[i], largest) && i < j);
    };
    auto sink = [&](int64_t at, int64_t count) {
      for (int64_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && first(heap[child], heap[child + 1])) child++;
        if (!first(heap[at], heap[child])) return;
        int32_t other = heap[at];
        heap[at] = heap[child], heap[child] = other;
      }
    };
    for (int64_t i = 0; i < k; i++) heap[i] = (int32_t)i;
    for (int64_t i = k / 2 - 1; i >= 0; i--) sink(i, k);
    for (int64_t i = k; i < n; i++)
      if (before(x[i], x[heap[0]], largest)) {
        heap[0] = (int32_t)i;
        sink(0, k);
      }
    for (int64_t count = k - 1; count > 0; count--) {
      int32_t last = heap[0];
      heap[0] = heap[count], heap[count] = last;
      sink(0, count);
    }
    T* out = buffer<T>(a, TOPK_out) + row * k;
    for (int64_t i = 0; i < k; i++) out[i] = x[heap[i]];
  }
}

}  // namespace

void wide_binary(const Slot* a, Team& team) {
  switch (a[BINARY_dtype].i) {
    case DTYPE_FLOAT64: return binary<double>(a, team);
    case DTYPE_INT64: return binary<int64_t>(a, team);
    default: team.fail(STATUS_BAD_INDEX);
  }
}
void wide_binary_scalar(const Slot* a, Team& team) {
  switch (a[BINARY_SCALAR_dtype].i) {
    case DTYPE_FLOAT64: return binary_scalar<double>(a, team);
    case DTYPE_INT64: return binary_scalar<int64_t>(a, team);
    default: team.fail(STATUS_BAD_INDEX);
  }
}
void wide_reduce(const Slot* a, Team& team) {
  switch (a[REDUCE_dtype].i) {
    case DTYPE_FLOAT64: return reduce<double>(a, team);
    case DTYPE_INT64: return reduce<int64_t>(a, team);
    default: team.fail(STATUS_BAD_INDEX);
  }
}

static void run_wide_unary(const Slot* a, Team& team) {
  int64_t op = a[WIDE_UNARY_op].i;
  if (op < 0 || op > UNARY_COS) return team.fail(STATUS_BAD_INDEX);
  double* out = buffer<double>(a, WIDE_UNARY_out);
  const double* x = buffer<const double>(a, WIDE_UNARY_x);
  Share s = share(a[WIDE_UNARY_n].i, team, CACHE_LINE);
  for (int64_t i = s.begin; i < s.end; i++) out[i] = unary_value(op, x[i]);
}

static void run_wide_unary_backward(const Slot* a, Team& team) {
  int64_t op = a[WIDE_UNARY_BACKWARD_op].i;
  if (op <= UNARY_NEG || op > UNARY_COS) return team.fail(STATUS_BAD_INDEX);
  double* dx = buffer<double>(a, WIDE_UNARY_BACKWARD_dx);
  const double *dy = buffer<const double>(a, WIDE_UNARY_BACKWARD_dy),
               *saved = buffer<const double>(a, WIDE_UNARY_BACKWARD_saved);
  Share s = share(a[WIDE_UNARY_BACKWARD_n].i, team, CACHE_LINE);
  for (int64_t i = s.begin; i < s.end; i++) dx[i] = dy[i] * unary_slope(op, saved[i]);
}

static void run_wide_matmul(const Slot* a, Team& team) {
  switch (a[WIDE_MATMUL_dtype].i) {
    case DTYPE_FLOAT64: return matmul<double>(a, team);
    case DTYPE_INT64: return matmul<int64_t>(a, team);
    default: team.fail(STATUS_BAD_INDEX);
  }
}

static void run_take(const Slot* a, Team& team) {
  int64_t dtype = a[TAKE_dtype].i, V = a[TAKE_V].i;
  if (dtype < 0 || dtype >= DTYPE_COUNT) return team.fail(STATUS_BAD_INDEX);
  int64_t row = a[TAKE_C].i * ITEM_BYTES[dtype];
  const int32_t* index = buffer<const int32_t>(a, TAKE_index);
  Share s = share(a[TAKE_n].i, team, CACHE_LINE);
  for (int64_t i = s.begin; i < s.end; i++) {
    if (index[i] < 0 || index[i] >= V) return team.fail(STATUS_BAD_INDEX);
    memcpy(buffer<char>(a, TAKE_out) + i * row, buffer<const char>(a, TAKE_x) + index[i] * row, (size_t)row);
  }
}

// One thread, or several that divide the columns: no two write one element, and the last of equal
// indices wins.
static void run_put(const Slot* a, Team& team) {
  int64_t dtype = a[PUT_dtype].i, n = a[PUT_n].i, C = a[PUT_C].i, V = a[PUT_V].i;
  const int32_t* index = buffer<const int32_t>(a, PUT_index);
  Share s = share(C, team, 64);
  bool known = with_type(dtype, [&](auto* type) {
    typedef std::remove_pointer_t<decltype(type)> T;
    T* out = buffer<T>(a, PUT_out);
    const T* x = buffer<const T>(a, PUT_x);
    for (int64_t i = 0; i < n; i++) {
      if (index[i] < 0 || index[i] >= V) return team.fail(STATUS_BAD_INDEX);
      T* row = out + index[i] * C;
      if (!a[PUT_accumulate].i) memcpy(row + s.begin, x + i * C + s.begin, (size_t)(s.end - s.begin) * sizeof(T));
      else if constexpr (std::is_same<T, float>::value || std::is_same<T, double>::value)
        for (int64_t c = s.begin; c < s.end; c++) row[c] += x[i * C + c];
      else if constexpr (!IS_HALF<T>)
        for (int64_t c = s.begin; c < s.end; c++) row[c] = (T)plus((int64_t)row[c], (int64_t)x[i * C + c]);
      else
        for (int64_t c = s.begin; c < s.end; c++) row[c] = convert<T, float>(to_float(row[c]) + to_float(x[i * C + c]));
    }
  });
  if (!known) team.fail(STATUS_BAD_INDEX);
}

static void run_scan(const Slot* a, Team& team) {
  switch (a[SCAN_dtype].i) {
    case DTYPE_FLOAT32: return scan<float>(a, team);
    case DTYPE_INT32: return scan<int32_t>(a, team);
    case DTYPE_FLOAT64: return scan<double>(a, team);
    case DTYPE_INT64: return scan<int64_t>(a, team);
    default: team.fail(STATUS_BAD_INDEX);
  }
}

static void run_sort(const Slot* a, Team& team) {
  switch (a[SORT_dtype].i) {
    case DTYPE_FLOAT32: return sort<float>(a, team);
    case DTYPE_INT32: return sort<int32_t>(a, team);
    case DTYPE_FLOAT64: return sort<double>(a, team);
    case DTYPE_INT64: return sort<int64_t>(a, team);
    default: team.fail(STATUS_BAD_INDEX);
  }
}

static void run_topk(const Slot* a, Team& team) {
  switch (a[TOPK_dtype].i) {
    case DTYPE_FLOAT32: return topk<float>(a, team);
    case DTYPE_INT32: return topk<int32_t>(a, team);
    case DTYPE_FLOAT64: return topk<double>(a, team);
    case DTYPE_INT64: return topk<int64_t>(a, team);
    default: team.fail(STATUS_BAD_INDEX);
  }
}

static double bits_of_count(int64_t n) {
  double levels = 1;
  for (; n > 1; n >>= 1) levels++;
  return levels;
}

ENTRY(wide_unary, [](const Slot* a) { return 50 + a[WIDE_UNARY_n].i * 8.0; }, nullptr);
ENTRY(wide_unary_backward, [](const Slot* a) { return 50 + a[WIDE_UNARY_BACKWARD_n].i * 8.0; }, nullptr);
ENTRY(wide_matmul, [](const Slot* a) {
  return 50 + (double)a[WIDE_MATMUL_batch].i * a[WIDE_MATMUL_M].i * a[WIDE_MATMUL_N].i * a[WIDE_MATMUL_K].i;
}, nullptr);
ENTRY(take, [](const Slot* a) { return 50 + (double)a[TAKE_n].i * (5 + a[TAKE_C].i * 0.3); }, nullptr);
ENTRY(put, [](const Slot* a) { return 50 + (double)a[PUT_n].i * (5 + a[PUT_C].i * 0.3); }, nullptr);
ENTRY(scan, [](const Slot* a) { return 50 + (double)a[SCAN_outer].i * a[SCAN_n].i * a[SCAN_inner].i * 1.5; }, nullptr);
ENTRY(sort, [](const Slot* a) { return 50 + (double)a[SORT_rows].i * a[SORT_n].i * bits_of_count(a[SORT_n].i) * 4; },
      [](const Slot* a) { return (size_t)(a[SORT_rows].i * a[SORT_n].i) * sizeof(int32_t); });
ENTRY(topk, [](const Slot* a) { return 50 + (double)a[TOPK_rows].i * a[TOPK_n].i * 2; }, nullptr);
