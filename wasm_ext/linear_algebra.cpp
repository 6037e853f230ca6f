// Factorisations of small matrices in float64, a batch at a time: LU, Cholesky, QR, symmetric
// eigenvalues, singular values, triangular systems. One thread does one matrix.
//
// Householder vectors, pivots and rotations follow LAPACK (getrf, geqrf, sytd2, steqr), so that
// signs are its. Singular values are by one-sided Jacobi rotations (Hestenes 1958).
#include <cmath>
#include <cstring>
#include "loops.h"

namespace {

const double EPS = 1.1102230246251565e-16;  // half a unit in the last place of 1, LAPACK's
const double SAFE_MINIMUM = 2.2250738585072014e-308;

double sign_of(double a, double b) { return copysign(a < 0 ? -a : a, b); }
double magnitude(double a) { return a < 0 ? -a : a; }
double length_of(double a, double b) {
  a = magnitude(a), b = magnitude(b);
  double w = a > b ? a : b, z = a > b ? b : a;
  return z == 0 ? w : w * sqrt(1 + (z / w) * (z / w));
}

// The reflection that sends (alpha, x) to (beta, 0): dlarfg. x is n elements `step` apart, and
// becomes the vector v behind its leading 1. Returns tau; alpha becomes beta.
double reflection(double& alpha, double* x, int64_t n, int64_t step) {
  double largest = 0, sum = 0;
  for (int64_t i = 0; i < n; i++) largest = magnitude(x[i * step]) > largest ? magnitude(x[i * step]) : largest;
  if (largest == 0) return 0;
  for (int64_t i = 0; i < n; i++) sum += (x[i * step] / largest) * (x[i * step] / largest);
  double beta = -sign_of(length_of(alpha, largest * sqrt(sum)), alpha), tau = (beta - alpha) / beta;
  for (int64_t i = 0; i < n; i++) x[i * step] *= 1 / (alpha - beta);
  alpha = beta;
  return tau;
}

// ---- LU, Cholesky, triangular systems ----------------------------------------------------------

// Row exchanges by the largest of a column, the first on ties. order: where each row came from.
void lu(double* a, int32_t* order, int32_t* pivots, int32_t* info, int64_t m, int64_t n) {
  *info = 0;
  for (int64_t i = 0; i < m; i++) order[i] = (int32_t)i;
  for (int64_t k = 0; k < m && k < n; k++) {
    int64_t p = k;
    for (int64_t i = k + 1; i < m; i++)
      if (magnitude(a[i * n + k]) > magnitude(a[p * n + k])) p = i;
    pivots[k] = (int32_t)p + 1;
    if (p != k) {
      for (int64_t j = 0; j < n; j++) {
        double v = a[k * n + j];
        a[k * n + j] = a[p * n + j], a[p * n + j] = v;
      }
      int32_t from = order[k];
      order[k] = order[p], order[p] = from;
    }
    double pivot = a[k * n + k];
    if (pivot == 0) {
      if (!*info) *info = (int32_t)k + 1;
      continue;
    }
    for (int64_t i = k + 1; i < m; i++) {
      double factor = a[i * n + k] /= pivot;
      if (factor != 0)
        for (int64_t j = k + 1; j < n; j++) a[i * n + j] -= factor * a[k * n + j];
    }
  }
}

// The lower factor in place, from the lower triangle. info: the first minor that is not positive.
void cholesky(double* a, int32_t* info, int64_t n) {
  *info = 0;
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < n; j++) {
      if (j > i) {
        a[i * n + j] = 0;
        continue;
      }
      double sum = a[i * n + j];
      for (int64_t k = 0; k < j; k++) sum -= a[i * n + k] * a[j * n + k];
      if (j < i) a[i * n + j] = sum / a[j * n + j];
      else {
        if (!(sum > 0) && !*info) *info = (int32_t)i + 1;
        a[i * n + i] = sqrt(sum);
      }
    }
}

void triangular_solve(double* x, const double* a, int64_t n, int64_t k, bool upper, bool transposed, bool unit) {
  bool backward = upper != transposed;
  for (int64_t s = 0; s < n; s++) {
    int64_t i = backward ? n - 1 - s : s;
    for (int64_t r = 0; r < s; r++) {
      int64_t j = backward ? n - 1 - r : r;
      double factor = transposed ? a[j * n + i] : a[i * n + j];
      if (factor != 0)
        for (int64_t c = 0; c < k; c++) x[i * k + c] -= factor * x[j * k + c];
    }
    if (!unit)
      for (int64_t c = 0; c < k; c++) x[i * k + c] /= a[i * n + i];
  }
}

// ---- QR ----------------------------------------------------------------------------------------

// a [m, n] -= tau v (v' a) for rows `first`.., columns `from`..to; v is 1 and a column of `store`.
void reflect(double* a, int64_t stride, int64_t from, int64_t to, const double* store, int64_t store_stride,
             int64_t first, int64_t m, double tau, double* sums) {
  if (tau == 0) return;
  for (int64_t j = from; j < to; j++) sums[j] = a[first * stride + j];
  for (int64_t i = first + 1; i < m; i++) {
    double v = store[i * store_stride];
    for (int64_t j = from; j < to; j++) sums[j] += v * a[i * stride + j];
  }
  for (int64_t i = first; i < m; i++) {
    double v = tau * (i == first ? 1 : store[i * store_stride]);
    for (int64_t j = from; j < to; j++) a[i * stride + j] -= v * sums[j];
  }
}

// a becomes R, with the reflections below the diagonal; q their product's first `columns` columns.
void qr(double* q, double* a, double* tau, double* sums, int64_t m, int64_t n, int64_t columns) {
  int64_t count = m < n ? m : n;
  for (int64_t k = 0; k < count; k++) {
    tau[k] = k + 1 < m ? reflection(a[k * n + k], a + (k + 1) * n + k, m - k - 1, n) : 0;
    reflect(a, n, k + 1, n, a + k, n, k, m, tau[k], sums);
  }
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < columns; j++) q[i * columns + j] = i == j;
  for (int64_t k = count - 1; k >= 0; k--) reflect(q, columns, k, columns, a + k, n, k, m, tau[k], sums);
}

// ---- symmetric eigenvalues ---------------------------------------------------------------------

void rotation(double f, double g, double& c, double& s, double& r) {  // dlartg
  if (g == 0) c = 1, s = 0, r = f;
  else if (f == 0) c = 0, s = sign_of(1, g), r = magnitude(g);
  else {
    double d = length_of(f, g);
    c = magnitude(f) / d, r = sign_of(d, f), s = g / r;
  }
}

void eigen_of_two(double a, double b, double c, double& rt1, double& rt2, double& cs, double& sn) {  // dlaev2
  double sum = a + c, difference = a - c, twice = b + b, ab = magnitude(twice), adf = magnitude(difference);
  double most = magnitude(a) > magnitude(c) ? a : c, least = magnitude(a) > magnitude(c) ? c : a;
  double rt = adf > ab   ? adf * sqrt(1 + (ab / adf) * (ab / adf))
              : adf < ab ? ab * sqrt(1 + (adf / ab) * (adf / ab))
                         : ab * sqrt(2.0);
  int first = 1, second = difference >= 0 ? 1 : -1;
  if (sum == 0) rt1 = 0.5 * rt, rt2 = -0.5 * rt;
  else {
    first = sum < 0 ? -1 : 1;
    rt1 = 0.5 * (sum + first * rt);
    rt2 = (most / rt1) * least - (b / rt1) * b;
  }
  double v = difference + second * rt;
  if (magnitude(v) > ab) {
    double t = -twice / v;
    sn = 1 / sqrt(1 + t * t), cs = t * sn;
  } else if (ab == 0) cs = 1, sn = 0;
  else {
    double t = -v / twice;
    cs = 1 / sqrt(1 + t * t), sn = t * cs;
  }
  if (first == second) {
    double t = cs;
    cs = -sn, sn = t;
  }
}

// Columns j and j + 1 of z, rotated (dlasr 'R', 'V').
void rotate(double* z, int64_t n, int64_t j, double c, double s) {
  if (c == 1 && s == 0) return;
  for (int64_t i = 0; i < n; i++) {
    double* row = z + i * n + j;
    double t = row[1];
    row[1] = c * t - s * row[0];
    row[0] = s * t + c * row[0];
  }
}

// Tridiagonal d, e to diagonal, with its rotations in z: dsteqr, by QL or QR from the larger end.
bool diagonalise(double* d, double* e, double* z, double* c, double* s, int64_t n) {
  int64_t left = n * 30;
  for (int64_t start = 0; start < n;) {
    if (start > 0) e[start - 1] = 0;
    int64_t stop = start;
    for (; stop < n - 1; stop++) {
      double size = magnitude(e[stop]);
      if (size == 0) break;
      if (size <= sqrt(magnitude(d[stop])) * sqrt(magnitude(d[stop + 1])) * EPS) {
        e[stop] = 0;
        break;
      }
    }
    int64_t l = start, end = stop;
    start = stop + 1;
    if (end == l) continue;
    if (magnitude(d[end]) < magnitude(d[l])) end = l, l = stop;
    int64_t first = l < end ? l : end;
    bool ql = end > l;
    while (ql ? l <= end : l >= end) {
      int64_t m = l;  // the nearest one behind which the block ends
      for (; m != end; ql ? m++ : m--) {
        double size = ql ? e[m] : e[m - 1];
        double other = ql ? d[m + 1] : d[m - 1];
        if (size * size <= (EPS * EPS * magnitude(d[m])) * magnitude(other) + SAFE_MINIMUM) break;
      }
      if (m != end) e[ql ? m : m - 1] = 0;
      double p = d[l];
      if (m == l) {
        d[l] = p;
        ql ? l++ : l--;
        continue;
      }
      if (m == (ql ? l + 1 : l - 1)) {
        int64_t j = ql ? l : l - 1;
        double rt1, rt2, cs, sn;
        eigen_of_two(d[j], e[j], d[j + 1], rt1, rt2, cs, sn);
        rotate(z, n, j, cs, sn);
        d[j] = rt1, d[j + 1] = rt2, e[j] = 0;
        l += ql ? 2 : -2;
        continue;
      }
      if (left-- <= 0) return false;
      double beside = ql ? e[l] : e[l - 1];
      double g = ((ql ? d[l + 1] : d[l - 1]) - p) / (2 * beside), r = length_of(g, 1);
      g = d[m] - p + beside / (g + sign_of(r, g));
      double sn = 1, cs = 1;
      p = 0;
      if (ql) {
        for (int64_t i = m - 1; i >= l; i--) {
          double f = sn * e[i], b = cs * e[i];
          rotation(g, f, cs, sn, r);
          if (i != m - 1) e[i + 1] = r;
          g = d[i + 1] - p;
          r = (d[i] - g) * sn + 2 * cs * b;
          p = sn * r;
          d[i + 1] = g + p;
          g = cs * r - b;
          c[i] = cs, s[i] = -sn;
        }
        for (int64_t i = m - 1; i >= l; i--) rotate(z, n, i, c[i], s[i]);
        d[l] -= p, e[l] = g;
      } else {
        for (int64_t i = m; i < l; i++) {
          double f = sn * e[i], b = cs * e[i];
          rotation(g, f, cs, sn, r);
          if (i != m) e[i - 1] = r;
          g = d[i] - p;
          r = (d[i + 1] - g) * sn + 2 * cs * b;
          p = sn * r;
          d[i] = g + p;
          g = cs * r - b;
          c[i] = cs, s[i] = sn;
        }
        for (int64_t i = m; i < l; i++) rotate(z, n, i, c[i], s[i]);
        d[l] -= p, e[l - 1] = g;
      }
    }
    // dsteqr looks at the whole block again: a split may have left parts of it
    for (int64_t i = first; i < stop; i++)
      if (e[i] != 0) {
        start = first;
        break;
      }
  }
  for (int64_t i = 0; i < n - 1; i++) {
    int64_t k = i;
    for (int64_t j = i + 1; j < n; j++)
      if (d[j] < d[k]) k = j;
    if (k == i) continue;
    double v = d[i];
    d[i] = d[k], d[k] = v;
    for (int64_t row = 0; row < n; row++) {
      v = z[row * n + i];
      z[row * n + i] = z[row * n + k], z[row * n + k] = v;
    }
  }
  return true;
}

// values, and a, of which the lower triangle is read, becomes the vectors (its columns).
// scratch: 5 n + n^2.
void eigh(double* values, double* a, int32_t* info, double* scratch, int64_t n) {
  double *e = scratch, *tau = e + n, *w = tau + n, *c = w + n, *s = c + n, *z = s + n;
  for (int64_t k = 0; k + 1 < n; k++) {  // dsytd2
    double alpha = a[(k + 1) * n + k];
    tau[k] = k + 2 < n ? reflection(alpha, a + (k + 2) * n + k, n - k - 2, n) : 0;
    e[k] = alpha;
    if (tau[k] == 0) continue;
    a[(k + 1) * n + k] = 1;
    double dot = 0;
    for (int64_t i = k + 1; i < n; i++) {
      double sum = 0;
      for (int64_t j = k + 1; j < n; j++) sum += (j <= i ? a[i * n + j] : a[j * n + i]) * a[j * n + k];
      w[i] = tau[k] * sum;
      dot += w[i] * a[i * n + k];
    }
    double half = -0.5 * tau[k] * dot;
    for (int64_t i = k + 1; i < n; i++) w[i] += half * a[i * n + k];
    for (int64_t i = k + 1; i < n; i++)
      for (int64_t j = k + 1; j <= i; j++) a[i * n + j] -= a[i * n + k] * w[j] + w[i] * a[j * n + k];
  }
  for (int64_t i = 0; i < n; i++) {
    values[i] = a[i * n + i];
    for (int64_t j = 0; j < n; j++) z[i * n + j] = i == j;
  }
  for (int64_t k = n - 2; k >= 0; k--) reflect(z, n, k + 1, n, a + k, n, k + 1, n, tau[k], w);
  *info = diagonalise(values, e, z, c, s, n) ? 0 : 1;
  memcpy(a, z, (size_t)(n * n) * sizeof(double));
}

// ---- singular values ---------------------------------------------------------------------------

// u: the columns of a matrix [m, n], m >= n, as rows; they become left singular vectors (0 where
// the value is), the rows of v the right ones, values from the largest.
void svd(double* u, double* values, double* v, int32_t* info, int64_t m, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < n; j++) v[i * n + j] = i == j;
  *info = 1;
  for (int sweep = 0; sweep < 60 && *info; sweep++) {
    *info = 0;
    for (int64_t i = 0; i < n; i++)
      for (int64_t j = i + 1; j < n; j++) {
        double *x = u + i * m, *y = u + j * m, a = 0, b = 0, dot = 0;
        for (int64_t k = 0; k < m; k++) a += x[k] * x[k], b += y[k] * y[k], dot += x[k] * y[k];
        if (dot != dot) return (void)(*info = 1);
        if (magnitude(dot) <= 4 * EPS * sqrt(a) * sqrt(b) || dot == 0) continue;
        *info = 1;
        double zeta = (b - a) / (2 * dot), t = sign_of(1, zeta) / (magnitude(zeta) + length_of(1, zeta));
        double c = 1 / sqrt(1 + t * t), s = c * t;
        for (int64_t k = 0; k < m; k++) {
          double p = x[k], q = y[k];
          x[k] = c * p - s * q, y[k] = s * p + c * q;
        }
        for (int64_t k = 0; k < n; k++) {
          double p = v[i * n + k], q = v[j * n + k];
          v[i * n + k] = c * p - s * q, v[j * n + k] = s * p + c * q;
        }
      }
  }
  for (int64_t i = 0; i < n; i++) {
    double sum = 0;
    for (int64_t k = 0; k < m; k++) sum += u[i * m + k] * u[i * m + k];
    values[i] = sqrt(sum);
  }
  for (int64_t i = 0; i < n; i++) {
    int64_t best = i;
    for (int64_t j = i + 1; j < n; j++)
      if (values[j] > values[best]) best = j;
    if (best != i) {
      double t = values[i];
      values[i] = values[best], values[best] = t;
      for (int64_t k = 0; k < m; k++) t = u[i * m + k], u[i * m + k] = u[best * m + k], u[best * m + k] = t;
      for (int64_t k = 0; k < n; k++) t = v[i * n + k], v[i * n + k] = v[best * n + k], v[best * n + k] = t;
    }
    if (values[i] > 0)
      for (int64_t k = 0; k < m; k++) u[i * m + k] /= values[i];
  }
}

// f(number of the matrix) for this thread's part of a batch.
template <class F> void each_matrix(int64_t batch, Team& team, F f) {
  Share s = share(batch, team);
  for (int64_t z = s.begin; z < s.end; z++) f(z);
}

}  // namespace

static void run_lu(const Slot* a, Team& team) {
  int64_t m = a[LU_m].i, n = a[LU_n].i, k = m < n ? m : n;
  each_matrix(a[LU_batch].i, team, [&](int64_t z) {
    lu(buffer<double>(a, LU_a) + z * m * n, buffer<int32_t>(a, LU_order) + z * m, buffer<int32_t>(a, LU_pivots) + z * k,
       buffer<int32_t>(a, LU_info) + z, m, n);
  });
}

static void run_cholesky(const Slot* a, Team& team) {
  int64_t n = a[CHOLESKY_n].i;
  each_matrix(a[CHOLESKY_batch].i, team, [&](int64_t z) {
    cholesky(buffer<double>(a, CHOLESKY_a) + z * n * n, buffer<int32_t>(a, CHOLESKY_info) + z, n);
  });
}

static void run_triangular_solve(const Slot* a, Team& team) {
  int64_t n = a[TRIANGULAR_SOLVE_n].i, k = a[TRIANGULAR_SOLVE_k].i;
  each_matrix(a[TRIANGULAR_SOLVE_batch].i, team, [&](int64_t z) {
    triangular_solve(buffer<double>(a, TRIANGULAR_SOLVE_x) + z * n * k,
                     buffer<const double>(a, TRIANGULAR_SOLVE_a) + z * n * n, n, k, a[TRIANGULAR_SOLVE_upper].i != 0,
                     a[TRIANGULAR_SOLVE_transposed].i != 0, a[TRIANGULAR_SOLVE_unit].i != 0);
  });
}

static int64_t qr_width(const Slot* a) { return a[QR_n].i > a[QR_columns].i ? a[QR_n].i : a[QR_columns].i; }

static void run_qr(const Slot* a, Team& team) {
  int64_t m = a[QR_m].i, n = a[QR_n].i, columns = a[QR_columns].i, k = m < n ? m : n;
  each_matrix(a[QR_batch].i, team, [&](int64_t z) {
    qr(buffer<double>(a, QR_q) + z * m * columns, buffer<double>(a, QR_a) + z * m * n,
       buffer<double>(a, QR_tau) + z * k, (double*)team.scratch + z * qr_width(a), m, n, columns);
  });
}

static void run_eigh(const Slot* a, Team& team) {
  int64_t n = a[EIGH_n].i;
  each_matrix(a[EIGH_batch].i, team, [&](int64_t z) {
    eigh(buffer<double>(a, EIGH_values) + z * n, buffer<double>(a, EIGH_a) + z * n * n,
         buffer<int32_t>(a, EIGH_info) + z, (double*)team.scratch + z * (5 * n + n * n), n);
  });
}

static void run_svd(const Slot* a, Team& team) {
  int64_t m = a[SVD_m].i, n = a[SVD_n].i;
  each_matrix(a[SVD_batch].i, team, [&](int64_t z) {
    svd(buffer<double>(a, SVD_u) + z * m * n, buffer<double>(a, SVD_values) + z * n,
        buffer<double>(a, SVD_v) + z * n * n, buffer<int32_t>(a, SVD_info) + z, m, n);
  });
}

ENTRY(lu, [](const Slot* a) { return 50 + (double)a[LU_batch].i * a[LU_m].i * a[LU_n].i * a[LU_n].i * 0.5; }, nullptr);
ENTRY(cholesky, [](const Slot* a) {
  return 50 + (double)a[CHOLESKY_batch].i * a[CHOLESKY_n].i * a[CHOLESKY_n].i * a[CHOLESKY_n].i * 0.3;
}, nullptr);
ENTRY(triangular_solve, [](const Slot* a) {
  double n = (double)a[TRIANGULAR_SOLVE_n].i;
  return 50 + (double)a[TRIANGULAR_SOLVE_batch].i * n * n * a[TRIANGULAR_SOLVE_k].i * 0.5;
}, nullptr);
ENTRY(qr, [](const Slot* a) {
  return 50 + (double)a[QR_batch].i * a[QR_m].i * a[QR_n].i * (a[QR_n].i + a[QR_columns].i);
}, [](const Slot* a) { return (size_t)(a[QR_batch].i * qr_width(a)) * sizeof(double); });
ENTRY(eigh, [](const Slot* a) {
  double n = (double)a[EIGH_n].i;
  return 50 + (double)a[EIGH_batch].i * n * n * n * 5;
}, [](const Slot* a) {
  return (size_t)(a[EIGH_batch].i * (5 * a[EIGH_n].i + a[EIGH_n].i * a[EIGH_n].i)) * sizeof(double);
});
ENTRY(svd, [](const Slot* a) {
  double n = (double)a[SVD_n].i;
  return 50 + (double)a[SVD_batch].i * n * n * a[SVD_m].i * 30;
}, nullptr);
