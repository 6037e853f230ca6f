// The plain kernels of test_plain.h, but for random numbers and optimizers: one loop nest each,
// outputs rounded once. Written for reading, not for speed.
#include "test_plain.h"
#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

namespace {

typedef int64_t I;
typedef std::vector<double> Row;
float* F(const Slot* a, int slot) { return buffer<float>(a, slot); }
int32_t* N(const Slot* a, int slot) { return buffer<int32_t>(a, slot); }
int32_t to_int(double v) { return (int32_t)v; }

double phi(double x) { return std::exp(-x * x / 2) / std::sqrt(2 * M_PI); }
double cdf(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }
double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// Offset of the element whose row-major position among the sizes n is `index`.
I offset(const Slot* n, const Slot* stride, I index) {
  I at = 0;
  for (int d = MAX_RANK - 1; d >= 0; d--) at += index % n[d].i * stride[d].i, index /= n[d].i;
  return at;
}
I count(const Slot* n) { return n[0].i * n[1].i * n[2].i * n[3].i * n[4].i * n[5].i; }

// ---- elementwise --------------------------------------------------------------------------------

double unary_of(I op, double x) {
  const double s = std::sqrt(2 / M_PI);
  switch (op) {
    case UNARY_NEG: return -x;
    case UNARY_ABS: return std::fabs(x);
    case UNARY_SQUARE: return x * x;
    case UNARY_RECIPROCAL: return 1 / x;
    case UNARY_EXP: return std::exp(x);
    case UNARY_LOG: return std::log(x);
    case UNARY_SQRT: return std::sqrt(x);
    case UNARY_RSQRT: return 1 / std::sqrt(x);
    case UNARY_TANH: return std::tanh(x);
    case UNARY_SIGMOID: return sigmoid(x);
    case UNARY_RELU: return x > 0 ? x : 0;
    case UNARY_GELU: return x * cdf(x);
    case UNARY_GELU_TANH: return 0.5 * x * (1 + std::tanh(s * (x + 0.044715 * x * x * x)));
    case UNARY_SILU: return x * sigmoid(x);
    case UNARY_SIN: return std::sin(x);
    default: return std::cos(x);
  }
}
double slope_of(I op, double v) {
  const double s = std::sqrt(2 / M_PI), t = std::tanh(s * (v + 0.044715 * v * v * v)), g = sigmoid(v);
  switch (op) {
    case UNARY_ABS: return (v > 0) - (v < 0);
    case UNARY_SQUARE: return 2 * v;
    case UNARY_RECIPROCAL: return -v * v;
    case UNARY_EXP: return v;
    case UNARY_LOG: return 1 / v;
    case UNARY_SQRT: return 0.5 / v;
    case UNARY_RSQRT: return -0.5 * v * v * v;
    case UNARY_TANH: return 1 - v * v;
    case UNARY_SIGMOID: return v * (1 - v);
    case UNARY_RELU: return !(v <= 0);
    case UNARY_GELU: return cdf(v) + v * phi(v);
    case UNARY_GELU_TANH: return 0.5 * (1 + t) + 0.5 * v * (1 - t * t) * s * (1 + 3 * 0.044715 * v * v);
    case UNARY_SILU: return g * (1 + v * (1 - g));
    case UNARY_SIN: return std::cos(v);
    default: return -std::sin(v);
  }
}
double binary_of(I op, double a, double b) {
  switch (op) {
    case BINARY_ADD: return a + b;
    case BINARY_SUB: return a - b;
    case BINARY_MUL: return a * b;
    case BINARY_DIV: return a / b;
    case BINARY_POW: return std::pow(a, b);
    case BINARY_MAXIMUM: return a != a || b != b ? NAN : std::max(a, b);
    case BINARY_MINIMUM: return a != a || b != b ? NAN : std::min(a, b);
    case BINARY_EQ: return a == b;
    case BINARY_NE: return a != b;
    case BINARY_LT: return a < b;
    case BINARY_LE: return a <= b;
    case BINARY_GT: return a > b;
    case BINARY_GE: return a >= b;
    case BINARY_FLOORDIV: return std::floor(a / b);
    default: return a - b * std::floor(a / b);
  }
}
bool is_test(I op) { return op >= BINARY_EQ && op <= BINARY_GE; }
void apply_binary(const Slot* s, int out, int a, int b, I i, I op, I dtype, I ia, I ib) {
  double v = dtype == DTYPE_FLOAT32 ? binary_of(op, F(s, a)[ia], F(s, b)[ib]) : binary_of(op, N(s, a)[ia], N(s, b)[ib]);
  if (dtype == DTYPE_FLOAT32 && !is_test(op)) F(s, out)[i] = (float)v;
  else N(s, out)[i] = to_int(v);
}

void fill(const Slot* a) {
  for (I i = 0; i < a[FILL_n].i; i++)
    if (a[FILL_dtype].i == DTYPE_FLOAT32) F(a, FILL_out)[i] = (float)a[FILL_value].f;
    else N(a, FILL_out)[i] = to_int(a[FILL_value].f);
}
void arange(const Slot* a) {
  for (I i = 0; i < a[ARANGE_n].i; i++) {
    double v = a[ARANGE_start].f + (double)i * a[ARANGE_step].f;
    if (a[ARANGE_dtype].i == DTYPE_FLOAT32) F(a, ARANGE_out)[i] = (float)v;
    else N(a, ARANGE_out)[i] = to_int(v);
  }
}
double load(const Slot* a, int slot, I dtype, I i) {
  return dtype == DTYPE_FLOAT32 ? F(a, slot)[i] : dtype == DTYPE_INT32 ? N(a, slot)[i] : buffer<int8_t>(a, slot)[i];
}
void copy(const Slot* a) {
  for (I i = 0; i < count(a + COPY_n0); i++) {
    double v = load(a, COPY_x, a[COPY_dtype_x].i, offset(a + COPY_n0, a + COPY_x0, i));
    I o = offset(a + COPY_n0, a + COPY_o0, i);
    if (a[COPY_dtype_out].i == DTYPE_FLOAT32) F(a, COPY_out)[o] = (float)v;
    else if (a[COPY_dtype_out].i == DTYPE_INT32) N(a, COPY_out)[o] = to_int(v);
    else buffer<int8_t>(a, COPY_out)[o] = (int8_t)to_int(v);
  }
}
void unary(const Slot* a) {
  for (I i = 0; i < a[UNARY_n].i; i++) F(a, UNARY_out)[i] = (float)unary_of(a[UNARY_op].i, F(a, UNARY_x)[i]);
}
void unary_backward(const Slot* a) {
  for (I i = 0; i < a[UNARY_BACKWARD_n].i; i++) F(a, UNARY_BACKWARD_dx)
  [i] = (float)(F(a, UNARY_BACKWARD_dy)[i] * slope_of(a[UNARY_BACKWARD_op].i, F(a, UNARY_BACKWARD_saved)[i]));
}
void binary(const Slot* a) {
  for (I i = 0; i < count(a + BINARY_n0); i++)
    apply_binary(a, BINARY_out, BINARY_a, BINARY_b, i, a[BINARY_op].i, a[BINARY_dtype].i,
                 offset(a + BINARY_n0, a + BINARY_a0, i), offset(a + BINARY_n0, a + BINARY_b0, i));
}
void binary_scalar(const Slot* a) {
  bool is_float = a[BINARY_SCALAR_dtype].i == DTYPE_FLOAT32;
  I op = a[BINARY_SCALAR_op].i;
  double s = is_float ? (double)(float)a[BINARY_SCALAR_scalar].f : (double)to_int(a[BINARY_SCALAR_scalar].f);
  for (I i = 0; i < a[BINARY_SCALAR_n].i; i++) {
    double x = load(a, BINARY_SCALAR_a, a[BINARY_SCALAR_dtype].i, i),
           v = a[BINARY_SCALAR_reverse].i ? binary_of(op, s, x) : binary_of(op, x, s);
    if (is_float && !is_test(op)) F(a, BINARY_SCALAR_out)[i] = (float)v;
    else N(a, BINARY_SCALAR_out)[i] = to_int(v);
  }
}
void where(const Slot* a) {
  for (I i = 0; i < count(a + WHERE_n0); i++) {
    bool yes = N(a, WHERE_cond)[offset(a + WHERE_n0, a + WHERE_c0, i)] != 0;
    N(a, WHERE_out)
    [i] = yes ? N(a, WHERE_a)[offset(a + WHERE_n0, a + WHERE_a0, i)]
              : N(a, WHERE_b)[offset(a + WHERE_n0, a + WHERE_b0, i)];
  }
}
void tril(const Slot* a) {
  for (I i = 0; i < a[TRIL_batch].i * a[TRIL_M].i * a[TRIL_N].i; i++) {
    I n = i % a[TRIL_N].i, m = i / a[TRIL_N].i % a[TRIL_M].i;
    bool keep = a[TRIL_upper].i ? n - m >= a[TRIL_diagonal].i : n - m <= a[TRIL_diagonal].i;
    N(a, TRIL_out)[i] = keep ? N(a, TRIL_x)[i] : 0;
  }
}

// ---- reductions ---------------------------------------------------------------------------------

void reduce(const Slot* a) {
  I n = a[REDUCE_n].i, inner = a[REDUCE_inner].i, op = a[REDUCE_op].i, dtype = a[REDUCE_dtype].i;
  for (I u = 0; u < a[REDUCE_outer].i * inner; u++) {
    double v = 0;
    I best = 0;
    for (I i = 0; i < n; i++) {
      double x = load(a, REDUCE_x, dtype, (u / inner * n + i) * inner + u % inner);
      if (op == REDUCE_SUM || op == REDUCE_MEAN) v += x;
      else if (i == 0 || (v == v && (x != x || (op == REDUCE_MAX || op == REDUCE_ARGMAX ? x > v : x < v))))
        v = x, best = i;
    }
    if (op == REDUCE_MEAN) v /= (double)n;
    if (op == REDUCE_ARGMAX || op == REDUCE_ARGMIN) N(a, REDUCE_out)[u] = (int32_t)best;
    else if (dtype == DTYPE_INT32) N(a, REDUCE_out)[u] = to_int(v);
    else F(a, REDUCE_out)[u] = (float)v;
  }
}
void global_norm(const Slot* a) {
  double sum = 0;
  for (I i = 0; i < a[GLOBAL_NORM_n].i; i++) sum += (double)F(a, GLOBAL_NORM_g)[i] * F(a, GLOBAL_NORM_g)[i];
  F(a, GLOBAL_NORM_out)[0] = (float)std::sqrt(sum);
}
void clip_scale(const Slot* a) {
  double norm = F(a, CLIP_SCALE_norm)[0],
         c = norm != norm ? norm : std::min(1.0, a[CLIP_SCALE_max_norm].f / (norm + 1e-6));
  for (I i = 0; i < a[CLIP_SCALE_n].i; i++) F(a, CLIP_SCALE_g)[i] = (float)(F(a, CLIP_SCALE_g)[i] * c);
}

// ---- int8 ---------------------------------------------------------------------------------------

void int8_matmul(const Slot* a) {
  I M = a[INT8_MATMUL_M].i, K = a[INT8_MATMUL_K].i, width = a[INT8_MATMUL_N].i;
  for (I m = 0; m < M; m++)
    for (I n = 0; n < width; n++) {
      double v = 0;
      for (I k = 0; k < K; k++)
        v += (double)F(a, INT8_MATMUL_x)[m * K + k] * buffer<int8_t>(a, INT8_MATMUL_w)[n * K + k];
      v *= F(a, INT8_MATMUL_scale)[n];
      F(a, INT8_MATMUL_out)[m * width + n] = (float)(F(a, INT8_MATMUL_bias) ? v + F(a, INT8_MATMUL_bias)[n] : v);
    }
}
void quantize_int8(const Slot* a) {
  I K = a[QUANTIZE_INT8_K].i;
  for (I n = 0; n < a[QUANTIZE_INT8_N].i; n++) {
    const float* x = F(a, QUANTIZE_INT8_x) + n * K;
    float largest = 0;
    for (I k = 0; k < K; k++) largest = std::max(largest, std::fabs(x[k]));
    float scale = largest == 0 ? 1 : largest / 127;
    F(a, QUANTIZE_INT8_scale)[n] = scale;
    for (I k = 0; k < K; k++)
      buffer<int8_t>(a, QUANTIZE_INT8_w)[n * K + k] =
          (int8_t)std::max(-127.0f, std::min(127.0f, std::nearbyint(x[k] / scale)));
  }
}
void dequantize_int8(const Slot* a) {
  I K = a[DEQUANTIZE_INT8_K].i;
  for (I i = 0; i < a[DEQUANTIZE_INT8_N].i * K; i++)
    F(a, DEQUANTIZE_INT8_out)[i] = F(a, DEQUANTIZE_INT8_scale)[i / K] * buffer<int8_t>(a, DEQUANTIZE_INT8_w)[i];
}

// ---- normalisation ------------------------------------------------------------------------------

void norm_rows(const float* x, const float* residual, float* sum, float* out, float* mean, float* rstd,
               const float* weight, const float* bias, I rows, I C, double eps) {
  for (I r = 0; r < rows; r++) {
    Row v(C);
    double m = 0, var = 0;
    for (I c = 0; c < C; c++) {
      v[c] = x[r * C + c];
      if (residual) v[c] = sum[r * C + c] = x[r * C + c] + residual[r * C + c];
      m += v[c] / (double)C;
    }
    for (double e : v) var += (e - m) * (e - m) / (double)C;
    double s = 1 / std::sqrt(var + eps);
    for (I c = 0; c < C; c++)
      out[r * C + c] = (float)((v[c] - m) * s * (weight ? weight[c] : 1) + (bias ? bias[c] : 0));
    mean[r] = (float)m, rstd[r] = (float)s;
  }
}
void layer_norm(const Slot* a) {
  norm_rows(F(a, LAYER_NORM_x), nullptr, nullptr, F(a, LAYER_NORM_out), F(a, LAYER_NORM_mean), F(a, LAYER_NORM_rstd),
            F(a, LAYER_NORM_weight), F(a, LAYER_NORM_bias), a[LAYER_NORM_rows].i, a[LAYER_NORM_C].i,
            a[LAYER_NORM_eps].f);
}
void add_layer_norm(const Slot* a) {
  norm_rows(F(a, ADD_LAYER_NORM_x), F(a, ADD_LAYER_NORM_residual), F(a, ADD_LAYER_NORM_sum), F(a, ADD_LAYER_NORM_out),
            F(a, ADD_LAYER_NORM_mean), F(a, ADD_LAYER_NORM_rstd), F(a, ADD_LAYER_NORM_weight),
            F(a, ADD_LAYER_NORM_bias), a[ADD_LAYER_NORM_rows].i, a[ADD_LAYER_NORM_C].i, a[ADD_LAYER_NORM_eps].f);
}
// Layer norm's backward; RMS norm's where there is no mean.
void norm_backward(float* dx, float* dweight, float* dbias, const float* dy, const float* x, const float* weight,
                   const float* mean, const float* rstd, const float* add, I rows, I C) {
  Row dw(C), db(C);
  for (I r = 0; r < rows; r++) {
    double g_mean = 0, gx_mean = 0;
    Row g(C), xhat(C);
    for (I c = 0; c < C; c++) {
      g[c] = (double)dy[r * C + c] * (weight ? weight[c] : 1);
      xhat[c] = ((double)x[r * C + c] - (mean ? mean[r] : 0)) * rstd[r];
      if (mean) g_mean += g[c] / (double)C;
      gx_mean += g[c] * xhat[c] / (double)C;
      dw[c] += dy[r * C + c] * xhat[c];
      db[c] += dy[r * C + c];
    }
    for (I c = 0; c < C; c++)
      dx[r * C + c] = (float)(rstd[r] * (g[c] - g_mean - xhat[c] * gx_mean) + (add ? add[r * C + c] : 0));
  }
  for (I c = 0; c < C; c++) {
    if (dweight) dweight[c] = (float)dw[c];
    if (dbias) dbias[c] = (float)db[c];
  }
}
void layer_norm_backward(const Slot* a) {
  norm_backward(F(a, LAYER_NORM_BACKWARD_dx), F(a, LAYER_NORM_BACKWARD_dweight), F(a, LAYER_NORM_BACKWARD_dbias),
                F(a, LAYER_NORM_BACKWARD_dy), F(a, LAYER_NORM_BACKWARD_x), F(a, LAYER_NORM_BACKWARD_weight),
                F(a, LAYER_NORM_BACKWARD_mean), F(a, LAYER_NORM_BACKWARD_rstd), F(a, LAYER_NORM_BACKWARD_add),
                a[LAYER_NORM_BACKWARD_rows].i, a[LAYER_NORM_BACKWARD_C].i);
}
void rms_norm(const Slot* a) {
  I C = a[RMS_NORM_C].i;
  for (I r = 0; r < a[RMS_NORM_rows].i; r++) {
    const float *x = F(a, RMS_NORM_x) + r * C, *weight = F(a, RMS_NORM_weight);
    double square = 0;
    for (I c = 0; c < C; c++) square += (double)x[c] * x[c] / (double)C;
    double s = 1 / std::sqrt(square + a[RMS_NORM_eps].f);
    for (I c = 0; c < C; c++) F(a, RMS_NORM_out)[r * C + c] = (float)(x[c] * s * (weight ? weight[c] : 1));
    F(a, RMS_NORM_rstd)[r] = (float)s;
  }
}
void rms_norm_backward(const Slot* a) {
  norm_backward(F(a, RMS_NORM_BACKWARD_dx), F(a, RMS_NORM_BACKWARD_dweight), nullptr, F(a, RMS_NORM_BACKWARD_dy),
                F(a, RMS_NORM_BACKWARD_x), F(a, RMS_NORM_BACKWARD_weight), nullptr, F(a, RMS_NORM_BACKWARD_rstd),
                F(a, RMS_NORM_BACKWARD_add), a[RMS_NORM_BACKWARD_rows].i, a[RMS_NORM_BACKWARD_C].i);
}

// ---- softmax and cross-entropy ------------------------------------------------------------------

Row log_softmax(const float* x, I n) {
  double max = x[0], sum = 0;
  for (I i = 0; i < n; i++) max = std::max(max, (double)x[i]);
  for (I i = 0; i < n; i++) sum += std::exp(x[i] - max);
  Row out(n);
  for (I i = 0; i < n; i++) out[i] = x[i] - max - std::log(sum);
  return out;
}
void softmax(const Slot* a) {
  I n = a[SOFTMAX_n].i;
  for (I r = 0; r < a[SOFTMAX_rows].i; r++) {
    Row v = log_softmax(F(a, SOFTMAX_x) + r * n, n);
    for (I i = 0; i < n; i++) F(a, SOFTMAX_out)[r * n + i] = (float)(a[SOFTMAX_log].i ? v[i] : std::exp(v[i]));
  }
}
void softmax_backward(const Slot* a) {
  I n = a[SOFTMAX_BACKWARD_n].i;
  bool log = a[SOFTMAX_BACKWARD_log].i != 0;
  for (I r = 0; r < a[SOFTMAX_BACKWARD_rows].i; r++) {
    const float *dy = F(a, SOFTMAX_BACKWARD_dy) + r * n, *y = F(a, SOFTMAX_BACKWARD_y) + r * n;
    double sum = 0;
    for (I i = 0; i < n; i++) sum += log ? dy[i] : (double)dy[i] * y[i];
    for (I i = 0; i < n; i++)
      F(a, SOFTMAX_BACKWARD_dx)[r * n + i] = (float)(log ? dy[i] - std::exp((double)y[i]) * sum : y[i] * (dy[i] - sum));
  }
}
void cross_entropy(const Slot* a) {
  I rows = a[CROSS_ENTROPY_rows].i, V = a[CROSS_ENTROPY_V].i, valid = 0;
  const int32_t* targets = N(a, CROSS_ENTROPY_targets);
  for (I r = 0; r < rows; r++) valid += targets[r] != a[CROSS_ENTROPY_ignore].i;
  double total = 0, divisor = a[CROSS_ENTROPY_reduction].i == REDUCTION_MEAN ? (double)valid : 1;
  for (I r = 0; r < rows; r++) {
    bool ignored = targets[r] == a[CROSS_ENTROPY_ignore].i;
    Row log_p = log_softmax(F(a, CROSS_ENTROPY_logits) + r * V, V);
    double loss = ignored ? 0 : -log_p[targets[r]];
    F(a, CROSS_ENTROPY_losses)[r] = (float)loss;
    total += loss;
    for (I v = 0; F(a, CROSS_ENTROPY_dlogits) && v < V; v++) F(a, CROSS_ENTROPY_dlogits)
    [r * V + v] = (float)(ignored ? 0 : (std::exp(log_p[v]) - (v == targets[r])) / divisor);
  }
  F(a, CROSS_ENTROPY_total)[0] = (float)(total / divisor);
}

// ---- embedding, rotary --------------------------------------------------------------------------

void embedding(const Slot* a) {
  I C = a[EMBEDDING_C].i;
  for (I i = 0; i < a[EMBEDDING_n].i * C; i++)
    F(a, EMBEDDING_out)[i] = F(a, EMBEDDING_table)[N(a, EMBEDDING_index)[i / C] * C + i % C];
}
void embedding_backward(const Slot* a) {
  I C = a[EMBEDDING_BACKWARD_C].i;
  Row sum(a[EMBEDDING_BACKWARD_V].i * C);
  for (I i = 0; i < a[EMBEDDING_BACKWARD_n].i * C; i++)
    sum[N(a, EMBEDDING_BACKWARD_index)[i / C] * C + i % C] += F(a, EMBEDDING_BACKWARD_dout)[i];
  for (size_t i = 0; i < sum.size(); i++) F(a, EMBEDDING_BACKWARD_dtable)[i] = (float)sum[i];
}
void rotary(const Slot* a) {
  I T = a[ROTARY_T].i, H = a[ROTARY_H].i, D = a[ROTARY_D].i;
  const int32_t* position = N(a, ROTARY_position);
  for (I i = 0; i < a[ROTARY_B].i * T * H * (D / 2); i++) {
    I d = i % (D / 2), h = i / (D / 2) % H, t = i / (D / 2) / H % T, b = i / (D / 2) / H / T;
    double angle =
        (double)(t + (position ? position[0] : 0)) * std::pow(a[ROTARY_base].f, -2.0 * (double)d / (double)D);
    double c = std::cos(angle), s = std::sin(a[ROTARY_inverse].i ? -angle : angle);
    const float* x = F(a, ROTARY_x) + b * a[ROTARY_x_b].i + t * a[ROTARY_x_t].i + h * a[ROTARY_x_h].i + d;
    float* out = F(a, ROTARY_out) + b * a[ROTARY_o_b].i + t * a[ROTARY_o_t].i + h * a[ROTARY_o_h].i + d;
    double left = x[0], right = x[D / 2];
    out[0] = (float)(left * c - right * s);
    out[D / 2] = (float)(left * s + right * c);
  }
}

}  // namespace

#define PLAIN_OF(name, NAME) \
  case KERNEL_##NAME: return name;
Plain* plain_random_kernel(int64_t id);  // test_plain_random.cpp
Plain* plain_kernel(int64_t id) {
  switch (id) {
    PLAIN_OF(fill, FILL)
    PLAIN_OF(arange, ARANGE)
    PLAIN_OF(copy, COPY)
    PLAIN_OF(unary, UNARY)
    PLAIN_OF(unary_backward, UNARY_BACKWARD)
    PLAIN_OF(binary, BINARY)
    PLAIN_OF(binary_scalar, BINARY_SCALAR)
    PLAIN_OF(where, WHERE)
    PLAIN_OF(tril, TRIL)
    PLAIN_OF(reduce, REDUCE)
    PLAIN_OF(global_norm, GLOBAL_NORM)
    PLAIN_OF(clip_scale, CLIP_SCALE)
    PLAIN_OF(int8_matmul, INT8_MATMUL)
    PLAIN_OF(quantize_int8, QUANTIZE_INT8)
    PLAIN_OF(dequantize_int8, DEQUANTIZE_INT8)
    PLAIN_OF(layer_norm, LAYER_NORM)
    PLAIN_OF(add_layer_norm, ADD_LAYER_NORM)
    PLAIN_OF(layer_norm_backward, LAYER_NORM_BACKWARD)
    PLAIN_OF(rms_norm, RMS_NORM)
    PLAIN_OF(rms_norm_backward, RMS_NORM_BACKWARD)
    PLAIN_OF(softmax, SOFTMAX)
    PLAIN_OF(softmax_backward, SOFTMAX_BACKWARD)
    PLAIN_OF(cross_entropy, CROSS_ENTROPY)
    PLAIN_OF(embedding, EMBEDDING)
    PLAIN_OF(embedding_backward, EMBEDDING_BACKWARD)
    PLAIN_OF(rotary, ROTARY)
    default: return plain_random_kernel(id);
  }
}
