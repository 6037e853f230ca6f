// Elementwise kernels of several inputs with broadcasting: binary, binary_scalar, where.
//
// All work in runs along the innermost dimension, whose strides are mostly 1 or 0. Elements have 4
// bytes and are handled as the bits of int32.
#include "loops.h"
#include "wide.h"

namespace {

// Python's division with PyTorch's special cases (c10::div_floor_floating).
float floor_divide(float a, float b) {
  if (b == 0) return a / b;
  float mod = fmodf(a, b), div = (a - mod) / b;
  if (mod != 0 && (b < 0) != (mod < 0)) div -= 1;
  if (div == 0) return copysignf(0, a / b);
  float floored = floorf(div);
  return div - floored > 0.5f ? floored + 1 : floored;
}
float remainder_of(float a, float b) {
  float mod = fmodf(a, b);
  return mod != 0 && (b < 0) != (mod < 0) ? mod + b : mod;
}
// Division by zero gives 0, as in NumPy; the quotient of the least int32 by -1 wraps.
int32_t floor_divide(int32_t a, int32_t b) {
  if (b == 0) return 0;
  if (b == -1) return (int32_t)(0u - (uint32_t)a);
  return a / b - (a % b != 0 && (a < 0) != (b < 0));
}
int32_t remainder_of(int32_t a, int32_t b) {
  if (b == 0 || b == -1) return 0;
  int32_t mod = a % b;
  return mod != 0 && (b < 0) != (mod < 0) ? mod + b : mod;
}
int32_t bit_and(int32_t a, int32_t b) { return a & b; }
int32_t bit_or(int32_t a, int32_t b) { return a | b; }
int32_t bit_xor(int32_t a, int32_t b) { return a ^ b; }
int32_t left_shift(int32_t a, int32_t b) { return (int32_t)((uint32_t)a << (b & 31)); }
int32_t right_shift(int32_t a, int32_t b) { return a >> (b & 31); }
float power(float a, float b) { return (float)pow((double)a, (double)b); }

template <class T, T F(T, T)> INLINE vi lanes(vi a, vi b) {
  int32_t x[VW], y[VW];
  vistore(x, a);
  vistore(y, b);
  for (int l = 0; l < VW; l++) {
    T u, v;
    memcpy(&u, x + l, 4);
    memcpy(&v, y + l, 4);
    u = F(u, v);
    memcpy(x + l, &u, 4);
  }
  return viload(x);
}

// An operation maps the bits of VW elements to bits; a comparison gives 0 or 1.
typedef vi Operation(vi, vi);
#define FLOAT_OP(name, expression)        \
  INLINE vi name(vi u, vi v) {            \
    vf a = vfrombits(u);                  \
    [[maybe_unused]] vf b = vfrombits(v); \
    return vbits(expression);             \
  }
#define FLOAT_TEST(name, test) \
  INLINE vi name(vi u, vi v) { return viand((vi)test(vfrombits(u), vfrombits(v)), visplat(1)); }
#define INT_OP(name, expression) \
  INLINE vi name(vi a, vi b) { return expression; }
FLOAT_OP(add_f, vadd(a, b))
FLOAT_OP(sub_f, vsub(a, b))
FLOAT_OP(mul_f, vmul(a, b))
FLOAT_OP(div_f, vdiv(a, b))
FLOAT_OP(maximum_f, vselect(mask_or(vgt(a, b), vne(a, a)), a, b))  // a NaN wins
FLOAT_OP(minimum_f, vselect(mask_or(vlt(a, b), vne(a, a)), a, b))
FLOAT_TEST(eq_f, veq)
FLOAT_TEST(ne_f, vne)
FLOAT_TEST(lt_f, vlt)
FLOAT_TEST(le_f, vle)
FLOAT_TEST(gt_f, vgt)
FLOAT_TEST(ge_f, vge)
INT_OP(add_i, viadd(a, b))
INT_OP(sub_i, visub(a, b))
INT_OP(mul_i, vimul(a, b))
INT_OP(maximum_i, vimax(a, b))
INT_OP(minimum_i, vimin(a, b))
INT_OP(eq_i, viand((vi)vieq(a, b), visplat(1)))
INT_OP(ne_i, viadd((vi)vieq(a, b), visplat(1)))
INT_OP(lt_i, viand((vi)vilt(a, b), visplat(1)))
INT_OP(le_i, viadd((vi)vilt(b, a), visplat(1)))
INT_OP(gt_i, viand((vi)vilt(b, a), visplat(1)))
INT_OP(ge_i, viadd((vi)vilt(a, b), visplat(1)))
// Powers by a constant, as PyTorch special-cases them (pow_tensor_scalar).
FLOAT_OP(square_f, vmul(a, a))
FLOAT_OP(cube_f, vmul(vmul(a, a), a))

// n elements from p in steps of stride.
INLINE vi gather(const int32_t* p, int64_t stride, int n) {
  if (stride == 1) return viload_tail(p, n);
  if (stride == 0) return visplat(*p);
  int32_t lanes[VW] = {};
  for (int l = 0; l < n; l++) lanes[l] = p[l * stride];
  return viload(lanes);
}

typedef void Run(int32_t* out, const int32_t* a, int64_t a_step, const int32_t* b, int64_t b_step, int64_t n);
template <Operation F> void run_along(int32_t* out, const int32_t* a, int64_t a_step, const int32_t* b, int64_t b_step,
                                      int64_t n) {
  if (a_step == 1 && b_step == 1) {
    each_vector(0, n,
                [&](int64_t i, int m) { vistore_tail(out + i, F(viload_tail(a + i, m), viload_tail(b + i, m)), m); });
  } else if (a_step == 1 && b_step == 0) {
    vi y = visplat(*b);
    each_vector(0, n, [&](int64_t i, int m) { vistore_tail(out + i, F(viload_tail(a + i, m), y), m); });
  } else if (a_step == 0 && b_step == 1) {
    vi x = visplat(*a);
    each_vector(0, n, [&](int64_t i, int m) { vistore_tail(out + i, F(x, viload_tail(b + i, m)), m); });
  } else {
    each_vector(0, n, [&](int64_t i, int m) {
      vistore_tail(out + i, F(gather(a + i * a_step, a_step, m), gather(b + i * b_step, b_step, m)), m);
    });
  }
}

Run* run_of(int64_t op, bool is_float) {
  switch (op) {
    case BINARY_ADD: return is_float ? run_along<add_f> : run_along<add_i>;
    case BINARY_SUB: return is_float ? run_along<sub_f> : run_along<sub_i>;
    case BINARY_MUL: return is_float ? run_along<mul_f> : run_along<mul_i>;
    case BINARY_DIV: return is_float ? run_along<div_f> : nullptr;
    case BINARY_POW: return is_float ? run_along<lanes<float, power>> : nullptr;
    case BINARY_MAXIMUM: return is_float ? run_along<maximum_f> : run_along<maximum_i>;
    case BINARY_MINIMUM: return is_float ? run_along<minimum_f> : run_along<minimum_i>;
    case BINARY_EQ: return is_float ? run_along<eq_f> : run_along<eq_i>;
    case BINARY_NE: return is_float ? run_along<ne_f> : run_along<ne_i>;
    case BINARY_LT: return is_float ? run_along<lt_f> : run_along<lt_i>;
    case BINARY_LE: return is_float ? run_along<le_f> : run_along<le_i>;
    case BINARY_GT: return is_float ? run_along<gt_f> : run_along<gt_i>;
    case BINARY_GE: return is_float ? run_along<ge_f> : run_along<ge_i>;
    case BINARY_FLOORDIV:
      return is_float ? run_along<lanes<float, floor_divide>> : run_along<lanes<int32_t, floor_divide>>;
    case BINARY_REMAINDER:
      return is_float ? run_along<lanes<float, remainder_of>> : run_along<lanes<int32_t, remainder_of>>;
    case BINARY_BITAND: return is_float ? nullptr : run_along<lanes<int32_t, bit_and>>;
    case BINARY_BITOR: return is_float ? nullptr : run_along<lanes<int32_t, bit_or>>;
    case BINARY_BITXOR: return is_float ? nullptr : run_along<lanes<int32_t, bit_xor>>;
    case BINARY_LSHIFT: return is_float ? nullptr : run_along<lanes<int32_t, left_shift>>;
    case BINARY_RSHIFT: return is_float ? nullptr : run_along<lanes<int32_t, right_shift>>;
    default: return nullptr;
  }
}

double binary_cost(int64_t op) {
  return op == BINARY_POW ? 40 : op == BINARY_FLOORDIV || op == BINARY_REMAINDER ? 15 : 0.25;
}

}  // namespace

static void run_binary(const Slot* a, Team& team) {
  if (is_wide(a[BINARY_dtype].i)) return wide_binary(a, team);
  Run* run = run_of(a[BINARY_op].i, a[BINARY_dtype].i == DTYPE_FLOAT32);
  if (!run) return team.fail(STATUS_BAD_INDEX);
  Strides<2> dims(a + BINARY_n0, {a + BINARY_a0, a + BINARY_b0});
  int32_t* out = buffer<int32_t>(a, BINARY_out);
  const int32_t *x = buffer<const int32_t>(a, BINARY_a), *y = buffer<const int32_t>(a, BINARY_b);
  int64_t x_step = dims.s[0][dims.rank - 1], y_step = dims.s[1][dims.rank - 1];
  dims.each_run(share(dims.count, team, CACHE_LINE), [&](int64_t first, int64_t n, const int64_t* offset) {
    run(out + first, x + offset[0], x_step, y + offset[1], y_step, n);
  });
}

static void run_binary_scalar(const Slot* a, Team& team) {
  if (is_wide(a[BINARY_SCALAR_dtype].i)) return wide_binary_scalar(a, team);
  bool is_float = a[BINARY_SCALAR_dtype].i == DTYPE_FLOAT32, reverse = a[BINARY_SCALAR_reverse].i != 0;
  double value = a[BINARY_SCALAR_scalar].f;
  Run* run = run_of(a[BINARY_SCALAR_op].i, is_float);
  if (!run) return team.fail(STATUS_BAD_INDEX);
  if (a[BINARY_SCALAR_op].i == BINARY_POW && !reverse)
    run = value == 2 ? run_along<square_f> : value == 3 ? run_along<cube_f> : run;
  float as_float = (float)value;
  int32_t as_int = value >= 2147483647.0    ? INT32_MAX
                   : value <= -2147483648.0 ? INT32_MIN
                   : value == value         ? (int32_t)value
                                            : 0;
  int32_t bits;
  memcpy(&bits, is_float ? (const void*)&as_float : (const void*)&as_int, 4);
  int32_t* out = buffer<int32_t>(a, BINARY_SCALAR_out);
  const int32_t* x = buffer<const int32_t>(a, BINARY_SCALAR_a);
  Share s = share(a[BINARY_SCALAR_n].i, team, CACHE_LINE);
  if (reverse) run(out + s.begin, &bits, 0, x + s.begin, 1, s.end - s.begin);
  else run(out + s.begin, x + s.begin, 1, &bits, 0, s.end - s.begin);
}

// Elements of other sizes than 4 bytes.
template <class T> static void where_of(const Slot* a, const Strides<3>& dims, const Team& team) {
  const int32_t* cond = buffer<const int32_t>(a, WHERE_cond);
  const T *x = buffer<const T>(a, WHERE_a), *y = buffer<const T>(a, WHERE_b);
  T* out = buffer<T>(a, WHERE_out);
  int64_t step[3];
  for (int k = 0; k < 3; k++) step[k] = dims.s[k][dims.rank - 1];
  dims.each_run(share(dims.count, team, 64), [&](int64_t first, int64_t n, const int64_t* offset) {
    for (int64_t i = 0; i < n; i++)
      out[first + i] = cond[offset[0] + i * step[0]] ? x[offset[1] + i * step[1]] : y[offset[2] + i * step[2]];
  });
}
static void where_wide(const Slot* a, const Strides<3>& dims, Team& team) {
  int64_t dtype = a[WHERE_dtype].i;
  if (dtype < 0 || dtype >= DTYPE_COUNT) return team.fail(STATUS_BAD_INDEX);
  switch (ITEM_BYTES[dtype]) {
    case 1: return where_of<uint8_t>(a, dims, team);
    case 2: return where_of<uint16_t>(a, dims, team);
    default: return where_of<uint64_t>(a, dims, team);
  }
}

static void run_where(const Slot* a, Team& team) {
  Strides<3> dims(a + WHERE_n0, {a + WHERE_c0, a + WHERE_a0, a + WHERE_b0});
  if (is_wide(a[WHERE_dtype].i)) return where_wide(a, dims, team);
  int32_t* out = buffer<int32_t>(a, WHERE_out);
  const int32_t* in[3] = {buffer<const int32_t>(a, WHERE_cond), buffer<const int32_t>(a, WHERE_a),
                          buffer<const int32_t>(a, WHERE_b)};
  int64_t step[3];
  for (int k = 0; k < 3; k++) step[k] = dims.s[k][dims.rank - 1];
  dims.each_run(share(dims.count, team, CACHE_LINE), [&](int64_t first, int64_t n, const int64_t* offset) {
    each_vector(0, n, [&](int64_t i, int m) {
      vi operand[3];
      for (int k = 0; k < 3; k++) operand[k] = gather(in[k] + offset[k] + i * step[k], step[k], m);
      vf chosen = vselect(vieq(operand[0], visplat(0)), vfrombits(operand[2]), vfrombits(operand[1]));
      vistore_tail(out + first + i, vbits(chosen), m);
    });
  });
}

static double count_of(const Slot* n) { return (double)n[0].i * n[1].i * n[2].i * n[3].i * n[4].i * n[5].i; }

ENTRY(binary, [](const Slot* a) { return 100 + count_of(a + BINARY_n0) * binary_cost(a[BINARY_op].i); }, nullptr);
ENTRY(binary_scalar, [](const Slot* a) { return 50 + a[BINARY_SCALAR_n].i * binary_cost(a[BINARY_SCALAR_op].i); },
      nullptr);
ENTRY(where, [](const Slot* a) { return 100 + count_of(a + WHERE_n0) * 1.0; }, nullptr);
