// Functions without a vector form, of float32 and float64, plain loops over the C library:
// math_of_one (rounding, logarithms, inverse trigonometry, special functions) and math_of_two. And
// the variance, which is computed like them.
//
// All are computed in float64, so that a float32 result is rounded once.
#include <math.h>
#include "loops.h"
#include "wide.h"

namespace {

constexpr double PI = 3.14159265358979323846, ROOT_HALF = 0.70710678118654752440, PER_ROOT_PI = 0.56418958354775628695;

double sign(double x) { return x > 0 ? 1 : x < 0 ? -1 : x == x ? 0 : x; }

// A rational start (Giles; the form of PyTorch's calc_erfinv) and two steps of Newton.
double erfinv_tail(double half_tail) {  // of 1 - 2 * half_tail
  double z = sqrt(-log(half_tail));
  return (((1.641345311 * z + 3.429567803) * z - 1.624906493) * z - 1.970840454) /
         ((1.637067800 * z + 3.543889200) * z + 1);
}
double erfinv(double y) {
  double size = fabs(y);
  if (!(size <= 1)) return NAN;
  if (size == 1) return copysign(INFINITY, y);
  double x;
  if (size <= 0.7) {
    double z = y * y;
    x = y * (((-0.140543331 * z + 0.914624893) * z - 1.645349621) * z + 0.886226899) /
        ((((0.012229801 * z - 0.329097515) * z + 1.442710462) * z - 2.118377725) * z + 1);
  } else {
    x = copysign(erfinv_tail((1 - size) / 2), y);
  }
  for (int step = 0; step < 2; step++) x -= (erf(x) - y) / (2 * PER_ROOT_PI * exp(-x * x));
  return x;
}

// The quantile of the normal distribution. In the lower half Newton's steps are of the logarithm,
// so that the smallest probabilities keep their digits.
double ndtri(double p) {
  if (!(p >= 0 && p <= 1)) return NAN;
  if (p == 0 || p == 1) return p == 0 ? -INFINITY : INFINITY;
  if (p > 0.15) return erfinv(2 * p - 1) / ROOT_HALF;
  double x = -erfinv_tail(p) / ROOT_HALF;
  for (int step = 0; step < 4; step++) {
    double below = 0.5 * erfc(-x * ROOT_HALF), density = exp(-0.5 * x * x) * ROOT_HALF * PER_ROOT_PI;
    if (below == 0 || density == 0) break;
    x -= (log(below) - log(p)) * below / density;
  }
  return x;
}

// exp(x^2) erfc(x); from 4 on by its continued fraction (Abramowitz and Stegun 7.1.14).
double erfcx(double x) {
  if (x < 4) return exp(x * x) * erfc(x);
  double rest = x;
  for (int k = 60; k > 0; k--) rest = x + 0.5 * k / rest;
  return PER_ROOT_PI / rest;
}

// PyTorch's calc_digamma: reflection, recurrence up to 10, the asymptotic series.
double digamma(double x) {
  if (x == 0) return copysign(INFINITY, -x);
  if (x == -INFINITY) return NAN;
  double result = 0;
  if (x < 0) {
    double whole = trunc(x);
    if (x == whole) return NAN;
    result = -PI / tan(PI * (x - whole));
    x = 1 - x;
  }
  for (; x < 10; x += 1) result -= 1 / x;
  if (x == 10) return result + 2.25175258906672110764;
  double y = 0;
  if (x < 1e17) {
    static const double series[] = {8.33333333333333333333e-2,  -2.10927960927960927961e-2, 7.57575757575757575758e-3,
                                    -4.16666666666666666667e-3, 3.96825396825396825397e-3,  -8.33333333333333333333e-3,
                                    8.33333333333333333333e-2};
    double z = 1 / (x * x);
    for (double c : series) y = y * z + c;
    y *= z;
  }
  return result + log(x) - 0.5 / x - y;
}

// exp(-|x|) I_order(x), the modified Bessel functions of order 0 and 1: the power series, whose
// terms are positive, and from 30 on the asymptotic one (Abramowitz and Stegun 9.6.10, 9.7.1).
double bessel_i(int order, double x) {
  double size = fabs(x), sum = 1, term = 1;
  if (size < 30) {
    term = sum = order ? size / 2 : 1;
    for (int k = 1; term > 1e-17 * sum; k++) sum += term *= size * size / (4.0 * k * (k + order));
    sum *= exp(-size);
  } else {
    for (int k = 1; k < 30 && fabs(term) > 1e-17; k++)
      sum += term *= -(4.0 * order * order - (2.0 * k - 1) * (2.0 * k - 1)) / (8.0 * k * size);
    sum /= sqrt(2 * PI * size);
  }
  return order && x < 0 ? -sum : sum;
}

// Hurwitz' zeta function sum_k (k + q)^-x by Euler and Maclaurin's formula (Cephes, zeta.c).
double zeta(double x, double q) {
  if (x == 1) return INFINITY;
  if (!(x >= 1)) return NAN;
  if (q <= 0) {
    if (q == floor(q)) return INFINITY;
    if (x != floor(x)) return NAN;
  }
  static const double bernoulli[] = {12.0,
                                     -720.0,
                                     30240.0,
                                     -1209600.0,
                                     47900160.0,
                                     -1.8924375803183791606e9,
                                     7.47242496e10,
                                     -2.950130727918164224e12,
                                     1.1646782814350067249e14,
                                     -4.5979787224074726105e15,
                                     1.8152105401943546773e17,
                                     -7.1661652561756670113e18};
  double sum = pow(q, -x), a = q, b = 0;
  for (int i = 0; i < 9 || a <= 9; i++) {
    a += 1;
    b = pow(a, -x);
    sum += b;
    if (-1.1e-16 * sum < b && b < 1.1e-16 * sum) return sum;
  }
  sum += b * a / (x - 1) - 0.5 * b;
  double factor = 1, k = 0;
  for (double c : bernoulli) {
    factor *= x + k;
    b /= a;
    double term = factor * b / c;
    sum += term;
    if (fabs(term / sum) < 1.1e-16) break;
    k += 1;
    factor *= x + k;
    b /= a;
    k += 1;
  }
  return sum;
}

template <class T, class F> INLINE void each(const Slot* a, Team& team, F f) {
  T* out = buffer<T>(a, MATH_OF_ONE_out);
  const T* x = buffer<const T>(a, MATH_OF_ONE_x);
  Share s = share(a[MATH_OF_ONE_n].i, team, CACHE_LINE);
  for (int64_t i = s.begin; i < s.end; i++) out[i] = (T)f((double)x[i]);
}

template <class T> void math_of(const Slot* a, Team& team) {
#define CASE(name, expression) \
  case MATH_OF_ONE_##name: return each<T>(a, team, [](double x) { return expression; });
  switch (a[MATH_OF_ONE_op].i) {
    CASE(FLOOR, floor(x))
    CASE(CEIL, ceil(x))
    CASE(ROUND, rint(x))
    CASE(TRUNC, trunc(x))
    CASE(SIGN, sign(x))
    CASE(EXP2, exp2(x))
    CASE(EXPM1, expm1(x))
    CASE(LOG2, log2(x))
    CASE(LOG10, log10(x))
    CASE(LOG1P, log1p(x))
    CASE(TAN, tan(x))
    CASE(ASIN, asin(x))
    CASE(ACOS, acos(x))
    CASE(ATAN, atan(x))
    CASE(SINH, sinh(x))
    CASE(COSH, cosh(x))
    CASE(ASINH, asinh(x))
    CASE(ACOSH, acosh(x))
    CASE(ATANH, atanh(x))
    CASE(ERF, erf(x))
    CASE(ERFC, erfc(x))
    CASE(ERFCX, erfcx(x))
    CASE(ERFINV, erfinv(x))
    CASE(NDTRI, ndtri(x))
    CASE(LGAMMA, x == -INFINITY ? INFINITY : lgamma(x))
    CASE(DIGAMMA, digamma(x))
    CASE(I0, exp(fabs(x)) * bessel_i(0, x))
    CASE(I0E, bessel_i(0, x))
    CASE(I1, exp(fabs(x)) * bessel_i(1, x))
    CASE(I1E, bessel_i(1, x))
    default: team.fail(STATUS_BAD_INDEX);
  }
#undef CASE
}

// Rows of `inner` numbers side by side, so that memory is read in its order.
enum { COLUMNS = 64 };

template <class T> void variance_of(const Slot* a, Team& team) {
  int64_t n = a[VARIANCE_n].i, inner = a[VARIANCE_inner].i, count = a[VARIANCE_outer].i * inner;
  double divisor = (double)n - a[VARIANCE_correction].f;
  if (!(divisor > 0)) divisor = 0;
  bool root = a[VARIANCE_root].i;
  T* out = buffer<T>(a, VARIANCE_out);
  const T* all = buffer<const T>(a, VARIANCE_x);
  Share s = share(count, team, CACHE_LINE);
  for (int64_t i = s.begin; i < s.end;) {
    int64_t column = i % inner, width = inner - column;
    if (width > s.end - i) width = s.end - i;
    if (width > COLUMNS) width = COLUMNS;
    const T* x = all + (i / inner) * n * inner + column;
    double mean[COLUMNS] = {}, sum[COLUMNS] = {};
    for (int64_t k = 0; k < n; k++)
      for (int64_t l = 0; l < width; l++) mean[l] += x[k * inner + l];
    for (int64_t l = 0; l < width; l++) mean[l] /= (double)n;
    for (int64_t k = 0; k < n; k++)
      for (int64_t l = 0; l < width; l++) {
        double rest = x[k * inner + l] - mean[l];
        sum[l] += rest * rest;
      }
    for (int64_t l = 0; l < width; l++) out[i + l] = (T)(root ? sqrt(sum[l] / divisor) : sum[l] / divisor);
    i += width;
  }
}

template <class T> T greatest_divisor(T a, T b) {
  typedef typename std::make_unsigned<T>::type U;
  U x = a < 0 ? 0 - (U)a : (U)a, y = b < 0 ? 0 - (U)b : (U)b;
  while (y) {
    U rest = x % y;
    x = y;
    y = rest;
  }
  return (T)x;
}

template <class T, class F> INLINE void each_pair(const Slot* a, Team& team, F f) {
  Strides<2> dims(a + MATH_OF_TWO_n0, {a + MATH_OF_TWO_a0, a + MATH_OF_TWO_b0});
  const T *x = buffer<const T>(a, MATH_OF_TWO_a), *y = buffer<const T>(a, MATH_OF_TWO_b);
  T* out = buffer<T>(a, MATH_OF_TWO_out);
  int64_t x_step = dims.s[0][dims.rank - 1], y_step = dims.s[1][dims.rank - 1];
  dims.each_run(share(dims.count, team, CACHE_LINE), [&](int64_t first, int64_t n, const int64_t* offset) {
    for (int64_t i = 0; i < n; i++) out[first + i] = (T)f(x[offset[0] + i * x_step], y[offset[1] + i * y_step]);
  });
}

template <class T> void math_of_floats(const Slot* a, Team& team) {
  switch (a[MATH_OF_TWO_op].i) {
    case MATH_OF_TWO_FMOD: return each_pair<T>(a, team, [](double x, double y) { return fmod(x, y); });
    case MATH_OF_TWO_ATAN2: return each_pair<T>(a, team, [](double x, double y) { return atan2(x, y); });
    case MATH_OF_TWO_HYPOT: return each_pair<T>(a, team, [](double x, double y) { return hypot(x, y); });
    case MATH_OF_TWO_COPYSIGN: return each_pair<T>(a, team, [](double x, double y) { return copysign(x, y); });
    case MATH_OF_TWO_ZETA: return each_pair<T>(a, team, [](double x, double y) { return zeta(x, y); });
    case MATH_OF_TWO_NEXTAFTER:
      return each_pair<T>(a, team, [](T x, T y) {
        if constexpr (sizeof(T) == 4) return nextafterf(x, y);
        else return nextafter(x, y);
      });
    default: team.fail(STATUS_BAD_INDEX);
  }
}

template <class T> void math_of_integers(const Slot* a, Team& team) {
  switch (a[MATH_OF_TWO_op].i) {
    case MATH_OF_TWO_FMOD: return each_pair<T>(a, team, [](T x, T y) { return y == 0 || y == -1 ? 0 : x % y; });
    case MATH_OF_TWO_GCD: return each_pair<T>(a, team, greatest_divisor<T>);
    default: team.fail(STATUS_BAD_INDEX);
  }
}

}  // namespace

static void run_math_of_one(const Slot* a, Team& team) {
  switch (a[MATH_OF_ONE_dtype].i) {
    case DTYPE_FLOAT32: return math_of<float>(a, team);
    case DTYPE_FLOAT64: return math_of<double>(a, team);
    default: team.fail(STATUS_BAD_INDEX);
  }
}

static void run_math_of_two(const Slot* a, Team& team) {
  switch (a[MATH_OF_TWO_dtype].i) {
    case DTYPE_FLOAT32: return math_of_floats<float>(a, team);
    case DTYPE_FLOAT64: return math_of_floats<double>(a, team);
    case DTYPE_INT32: return math_of_integers<int32_t>(a, team);
    case DTYPE_INT64: return math_of_integers<int64_t>(a, team);
    default: team.fail(STATUS_BAD_INDEX);
  }
}

static void run_variance(const Slot* a, Team& team) {
  switch (a[VARIANCE_dtype].i) {
    case DTYPE_FLOAT32: return variance_of<float>(a, team);
    case DTYPE_FLOAT64: return variance_of<double>(a, team);
    default: team.fail(STATUS_BAD_INDEX);
  }
}

static double count_of(const Slot* n) { return (double)n[0].i * n[1].i * n[2].i * n[3].i * n[4].i * n[5].i; }

ENTRY(math_of_one, [](const Slot* a) {
  return 50 + a[MATH_OF_ONE_n].i * (a[MATH_OF_ONE_op].i <= MATH_OF_ONE_SIGN ? 1.0 : 15.0);
}, nullptr);
ENTRY(variance, [](const Slot* a) {
  return 50 + (double)a[VARIANCE_outer].i * a[VARIANCE_n].i * a[VARIANCE_inner].i * 2;
}, nullptr);
ENTRY(math_of_two, [](const Slot* a) { return 100 + count_of(a + MATH_OF_TWO_n0) * 10.0; }, nullptr);
