// Generated from py/tinygpt/kernels.py by `python3 -m tinygpt.kernels`; do not edit.
// A launch is slots of 8 bytes: id, slot count, then buffers (addresses) and params.
// X_y is the slot of y in a launch of X.
#pragma once

enum { DTYPE_FLOAT32 = 0, DTYPE_INT32 = 1, DTYPE_INT8 = 2, DTYPE_FLOAT64 = 3, DTYPE_INT64 = 4, DTYPE_INT16 = 5,
  DTYPE_UINT8 = 6, DTYPE_FLOAT16 = 7, DTYPE_BFLOAT16 = 8 };
enum { UNARY_NEG = 0, UNARY_ABS = 1, UNARY_SQUARE = 2, UNARY_RECIPROCAL = 3, UNARY_EXP = 4, UNARY_LOG = 5,
  UNARY_SQRT = 6, UNARY_RSQRT = 7, UNARY_TANH = 8, UNARY_SIGMOID = 9, UNARY_RELU = 10, UNARY_GELU = 11,
  UNARY_GELU_TANH = 12, UNARY_SILU = 13, UNARY_SIN = 14, UNARY_COS = 15 };
enum { BINARY_ADD = 0, BINARY_SUB = 1, BINARY_MUL = 2, BINARY_DIV = 3, BINARY_POW = 4, BINARY_MAXIMUM = 5,
  BINARY_MINIMUM = 6, BINARY_EQ = 7, BINARY_NE = 8, BINARY_LT = 9, BINARY_LE = 10, BINARY_GT = 11, BINARY_GE = 12,
  BINARY_FLOORDIV = 13, BINARY_REMAINDER = 14, BINARY_BITAND = 15, BINARY_BITOR = 16, BINARY_BITXOR = 17,
  BINARY_LSHIFT = 18, BINARY_RSHIFT = 19 };
enum { MATH_OF_ONE_FLOOR = 0, MATH_OF_ONE_CEIL = 1, MATH_OF_ONE_ROUND = 2, MATH_OF_ONE_TRUNC = 3, MATH_OF_ONE_SIGN = 4,
  MATH_OF_ONE_EXP2 = 5, MATH_OF_ONE_EXPM1 = 6, MATH_OF_ONE_LOG2 = 7, MATH_OF_ONE_LOG10 = 8, MATH_OF_ONE_LOG1P = 9,
  MATH_OF_ONE_TAN = 10, MATH_OF_ONE_ASIN = 11, MATH_OF_ONE_ACOS = 12, MATH_OF_ONE_ATAN = 13, MATH_OF_ONE_SINH = 14,
  MATH_OF_ONE_COSH = 15, MATH_OF_ONE_ASINH = 16, MATH_OF_ONE_ACOSH = 17, MATH_OF_ONE_ATANH = 18, MATH_OF_ONE_ERF = 19,
  MATH_OF_ONE_ERFC = 20, MATH_OF_ONE_ERFCX = 21, MATH_OF_ONE_ERFINV = 22, MATH_OF_ONE_NDTRI = 23,
  MATH_OF_ONE_LGAMMA = 24, MATH_OF_ONE_DIGAMMA = 25, MATH_OF_ONE_I0 = 26, MATH_OF_ONE_I0E = 27, MATH_OF_ONE_I1 = 28,
  MATH_OF_ONE_I1E = 29 };
enum { MATH_OF_TWO_FMOD = 0, MATH_OF_TWO_GCD = 1, MATH_OF_TWO_ATAN2 = 2, MATH_OF_TWO_HYPOT = 3,
  MATH_OF_TWO_COPYSIGN = 4, MATH_OF_TWO_NEXTAFTER = 5, MATH_OF_TWO_ZETA = 6 };
enum { ACTIVATION_LEAKY_RELU = 0, ACTIVATION_ELU = 1, ACTIVATION_HARDTANH = 2, ACTIVATION_HARDSIGMOID = 3,
  ACTIVATION_HARDSWISH = 4, ACTIVATION_SOFTPLUS = 5, ACTIVATION_MISH = 6, ACTIVATION_LOGSIGMOID = 7,
  ACTIVATION_SOFTSHRINK = 8, ACTIVATION_HARDSHRINK = 9, ACTIVATION_THRESHOLD = 10 };
enum { REDUCE_SUM = 0, REDUCE_MEAN = 1, REDUCE_MAX = 2, REDUCE_MIN = 3, REDUCE_ARGMAX = 4, REDUCE_ARGMIN = 5,
  REDUCE_PROD = 6 };
enum { SCAN_SUM = 0, SCAN_PROD = 1 };
enum { DRAW_UNIFORM = 0, DRAW_NORMAL = 1, DRAW_INTEGERS = 2, DRAW_BERNOULLI = 3, DRAW_EXPONENTIAL = 4,
  DRAW_PERMUTATION = 5, DRAW_WORDS = 6 };
enum { SCATTER_PUT = 0, SCATTER_ADD = 1, SCATTER_MUL = 2, SCATTER_MAX = 3, SCATTER_MIN = 4 };
enum { REDUCTION_NONE = 0, REDUCTION_MEAN = 1, REDUCTION_SUM = 2 };
enum { CELL_LSTM = 0, CELL_GRU = 1, CELL_TANH = 2, CELL_RELU = 3 };
enum { EPILOGUE_BIAS = 1, EPILOGUE_GELU = 2, EPILOGUE_GELU_BACKWARD = 4, EPILOGUE_RESIDUAL = 8,
  EPILOGUE_GRADIENT = 16 };
enum { MAX_RANK = 6, KERNEL_COUNT = 74, DTYPE_COUNT = 9 };
#define FOR_EACH_KERNEL(X) X(fill) X(arange) X(copy) X(unary) X(unary_backward) X(binary) X(binary_scalar) X(where) \
  X(tril) X(reduce) X(global_norm) X(clip_scale) X(matmul) X(int8_matmul) X(quantize_int8) X(dequantize_int8) \
  X(layer_norm) X(add_layer_norm) X(layer_norm_backward) X(rms_norm) X(rms_norm_backward) X(softmax) \
  X(softmax_backward) X(cross_entropy) X(attention) X(attention_backward) X(attention_decode) X(kv_append) X(rotary) \
  X(wide_unary) X(wide_unary_backward) X(math_of_one) X(math_of_two) X(variance) X(wide_matmul) X(take) X(put) \
  X(scan) X(sort) X(conv) X(conv_backward_x) X(conv_backward_weight) X(max_pool) X(max_pool_backward) X(avg_pool) \
  X(avg_pool_backward) X(batch_norm) X(batch_norm_backward) X(to_index) X(topk) X(gather) X(scatter) X(lu) \
  X(cholesky) X(triangular_solve) X(qr) X(eigh) X(svd) X(embedding) X(embedding_backward) X(random_uniform) \
  X(random_normal) X(random_int) X(dropout) X(batch_windows) X(mersenne) X(activation) X(activation_backward) \
  X(recurrent) X(recurrent_backward) X(adamw) X(sgd) X(adam) X(sample)
constexpr int KERNEL_SLOTS[KERNEL_COUNT] = {6, 7, 24, 6, 7, 25, 9, 31, 10, 9, 5, 6, 23, 10, 7, 7, 11, 13, 13, 9, 11, 7,
  8, 11, 27, 43, 14, 16, 17, 6, 7, 7, 25, 10, 18, 9, 10, 10, 9, 29, 29, 28, 26, 9, 27, 27, 17, 15, 6, 10, 10, 11, 9, 6,
  10, 9, 7, 9, 8, 8, 8, 8, 8, 8, 12, 9, 9, 10, 20, 26, 10, 9, 9, 9};

// out[i] = value (int32: truncated).
enum { KERNEL_FILL = 0, FILL_out = 2, FILL_dtype = 3, FILL_n = 4, FILL_value = 5, FILL_SLOTS = 6 };

// out[i] = start + i * step, computed in float64.
enum { KERNEL_ARANGE = 1, ARANGE_out = 2, ARANGE_dtype = 3, ARANGE_n = 4, ARANGE_start = 5, ARANGE_step = 6,
  ARANGE_SLOTS = 7 };

// out[sum i_d o_d] = cast(x[sum i_d x_d]). Transpose, slice, expand, cat and cast are this kernel.
// float to int truncates toward zero. No element of out is written twice; out and x do not overlap.
enum { KERNEL_COPY = 2, COPY_out = 2, COPY_x = 3, COPY_dtype_out = 4, COPY_dtype_x = 5, COPY_n0 = 6, COPY_n1 = 7,
  COPY_n2 = 8, COPY_n3 = 9, COPY_n4 = 10, COPY_n5 = 11, COPY_o0 = 12, COPY_o1 = 13, COPY_o2 = 14, COPY_o3 = 15,
  COPY_o4 = 16, COPY_o5 = 17, COPY_x0 = 18, COPY_x1 = 19, COPY_x2 = 20, COPY_x3 = 21, COPY_x4 = 22, COPY_x5 = 23,
  COPY_SLOTS = 24 };

// out[i] = op(x[i]), op from UNARY; out may be x. gelu is the exact erf form (Hendrycks and Gimpel
// 2016), gelu_tanh its tanh approximation, silu x * sigmoid(x).
enum { KERNEL_UNARY = 3, UNARY_out = 2, UNARY_x = 3, UNARY_op = 4, UNARY_n = 5, UNARY_SLOTS = 6 };

// dx[i] = dy[i] * op'(...). saved is the input x for abs square log relu gelu gelu_tanh silu sin
// cos, and the output y for reciprocal exp sqrt rsqrt tanh sigmoid. relu'(0) = abs'(0) = 0. At NaN
// relu' is 1, abs' 0. dx may be dy. neg is not here (it is its own gradient).
enum { KERNEL_UNARY_BACKWARD = 4, UNARY_BACKWARD_dx = 2, UNARY_BACKWARD_dy = 3, UNARY_BACKWARD_saved = 4,
  UNARY_BACKWARD_op = 5, UNARY_BACKWARD_n = 6, UNARY_BACKWARD_SLOTS = 7 };

// out = op(a, b) with broadcasting through strides (0 repeats); out is dense over n. dtype is that
// of a and b; out has the same, but the comparisons eq..ge write int32 0/1. op from BINARY. int32:
// add sub mul maximum minimum, comparisons, floordiv and remainder (Python's signs), bits and
// shifts (by less than the type's bits; rshift keeps the sign); float32: all but those of bits.
// float64 and int64 as float32 and int32. out may be a (or b) where it is dense.
enum { KERNEL_BINARY = 5, BINARY_out = 2, BINARY_a = 3, BINARY_b = 4, BINARY_op = 5, BINARY_dtype = 6, BINARY_n0 = 7,
  BINARY_n1 = 8, BINARY_n2 = 9, BINARY_n3 = 10, BINARY_n4 = 11, BINARY_n5 = 12, BINARY_a0 = 13, BINARY_a1 = 14,
  BINARY_a2 = 15, BINARY_a3 = 16, BINARY_a4 = 17, BINARY_a5 = 18, BINARY_b0 = 19, BINARY_b1 = 20, BINARY_b2 = 21,
  BINARY_b3 = 22, BINARY_b4 = 23, BINARY_b5 = 24, BINARY_SLOTS = 25 };

// out[i] = op(a[i], scalar), or op(scalar, a[i]) when reverse. The scalar is rounded to a's dtype
// first. Comparisons write int32 0/1. out may be a.
enum { KERNEL_BINARY_SCALAR = 6, BINARY_SCALAR_out = 2, BINARY_SCALAR_a = 3, BINARY_SCALAR_op = 4,
  BINARY_SCALAR_dtype = 5, BINARY_SCALAR_n = 6, BINARY_SCALAR_scalar = 7, BINARY_SCALAR_reverse = 8,
  BINARY_SCALAR_SLOTS = 9 };

// out = cond ? a : b with broadcasting through strides; out is dense over n.
enum { KERNEL_WHERE = 7, WHERE_out = 2, WHERE_cond = 3, WHERE_a = 4, WHERE_b = 5, WHERE_dtype = 6, WHERE_n0 = 7,
  WHERE_n1 = 8, WHERE_n2 = 9, WHERE_n3 = 10, WHERE_n4 = 11, WHERE_n5 = 12, WHERE_c0 = 13, WHERE_c1 = 14, WHERE_c2 = 15,
  WHERE_c3 = 16, WHERE_c4 = 17, WHERE_c5 = 18, WHERE_a0 = 19, WHERE_a1 = 20, WHERE_a2 = 21, WHERE_a3 = 22,
  WHERE_a4 = 23, WHERE_a5 = 24, WHERE_b0 = 25, WHERE_b1 = 26, WHERE_b2 = 27, WHERE_b3 = 28, WHERE_b4 = 29,
  WHERE_b5 = 30, WHERE_SLOTS = 31 };

// Keeps x[m, n] where n - m <= diagonal (tril), or n - m >= diagonal when upper (triu); 0
// elsewhere. out may be x.
enum { KERNEL_TRIL = 8, TRIL_out = 2, TRIL_x = 3, TRIL_dtype = 4, TRIL_batch = 5, TRIL_M = 6, TRIL_N = 7,
  TRIL_diagonal = 8, TRIL_upper = 9, TRIL_SLOTS = 10 };

// x seen as [outer, n, inner] is reduced over n. sum mean max min keep the dtype (mean: float32
// only); argmax argmin write int32, the first index on ties. n >= 1. NaN wins in max and min, as in
// PyTorch.
enum { KERNEL_REDUCE = 9, REDUCE_out = 2, REDUCE_x = 3, REDUCE_op = 4, REDUCE_dtype = 5, REDUCE_outer = 6, REDUCE_n = 7,
  REDUCE_inner = 8, REDUCE_SLOTS = 9 };

// out[0] = sqrt(sum g[i]^2): the norm of the flat gradient. Partial sums are kept in float64.
enum { KERNEL_GLOBAL_NORM = 10, GLOBAL_NORM_out = 2, GLOBAL_NORM_g = 3, GLOBAL_NORM_n = 4, GLOBAL_NORM_SLOTS = 5 };

// g[i] *= min(1, max_norm / (norm[0] + 1e-6)): torch.nn.utils.clip_grad_norm_'s coefficient.
enum { KERNEL_CLIP_SCALE = 11, CLIP_SCALE_g = 2, CLIP_SCALE_norm = 3, CLIP_SCALE_n = 4, CLIP_SCALE_max_norm = 5,
  CLIP_SCALE_SLOTS = 6 };

// For each batch z: v = alpha * op(A_z) op(B_z) + beta * out (out is not read when beta is 0, so
// NaN in it does not matter), where A_z starts at a + z*sa with row stride lda and op transposes it
// when ta (A_z is then stored K x M); B likewise (stored N x K when tb, as PyTorch's Linear
// weight). Then, in this order, for the bits of epilogue: BIAS v += bias[n]; GELU: pre (same layout
// as out, if given) = v, v = gelu(v) (erf form); GELU_BACKWARD: v *= gelu'(pre); RESIDUAL v +=
// residual (same layout as out; may be out itself). out = v. The result has the same bits as the
// separate kernels in that order would give. K may be 0 (then the product is 0). GRADIENT is a hint
// that a holds gradients, which may be small; it does not change the result.
enum { KERNEL_MATMUL = 12, MATMUL_out = 2, MATMUL_a = 3, MATMUL_b = 4, MATMUL_bias = 5, MATMUL_residual = 6,
  MATMUL_pre = 7, MATMUL_batch = 8, MATMUL_M = 9, MATMUL_N = 10, MATMUL_K = 11, MATMUL_ta = 12, MATMUL_tb = 13,
  MATMUL_lda = 14, MATMUL_ldb = 15, MATMUL_ldc = 16, MATMUL_sa = 17, MATMUL_sb = 18, MATMUL_sc = 19, MATMUL_alpha = 20,
  MATMUL_beta = 21, MATMUL_epilogue = 22, MATMUL_SLOTS = 23 };

// out[m, n] = scale[n] * sum_k x[m, k] * w[n, k] + bias[n]: int8 weight-only linear,
// per-output-channel scales. A single row of x may be rounded to 16 bits, steps of max|x| / 32767
// (the CPU does).
enum { KERNEL_INT8_MATMUL = 13, INT8_MATMUL_out = 2, INT8_MATMUL_x = 3, INT8_MATMUL_w = 4, INT8_MATMUL_scale = 5,
  INT8_MATMUL_bias = 6, INT8_MATMUL_M = 7, INT8_MATMUL_N = 8, INT8_MATMUL_K = 9, INT8_MATMUL_SLOTS = 10 };

// Per row: scale = max|x| / 127 (1 where the row is all zero), w = round_half_even(x / scale) in
// [-127, 127].
enum { KERNEL_QUANTIZE_INT8 = 14, QUANTIZE_INT8_w = 2, QUANTIZE_INT8_scale = 3, QUANTIZE_INT8_x = 4,
  QUANTIZE_INT8_N = 5, QUANTIZE_INT8_K = 6, QUANTIZE_INT8_SLOTS = 7 };

// out[n, k] = scale[n] * w[n, k], rounded once.
enum { KERNEL_DEQUANTIZE_INT8 = 15, DEQUANTIZE_INT8_out = 2, DEQUANTIZE_INT8_w = 3, DEQUANTIZE_INT8_scale = 4,
  DEQUANTIZE_INT8_N = 5, DEQUANTIZE_INT8_K = 6, DEQUANTIZE_INT8_SLOTS = 7 };

// out = (x - mean) * rstd * weight + bias, rstd = 1 / sqrt(var + eps), biased variance (Ba et al.
// 2016), two passes. An absent weight is 1, an absent bias 0.
enum { KERNEL_LAYER_NORM = 16, LAYER_NORM_out = 2, LAYER_NORM_mean = 3, LAYER_NORM_rstd = 4, LAYER_NORM_x = 5,
  LAYER_NORM_weight = 6, LAYER_NORM_bias = 7, LAYER_NORM_rows = 8, LAYER_NORM_C = 9, LAYER_NORM_eps = 10,
  LAYER_NORM_SLOTS = 11 };

// sum = x + residual, then layer_norm of sum (same bits as the two kernels).
enum { KERNEL_ADD_LAYER_NORM = 17, ADD_LAYER_NORM_sum = 2, ADD_LAYER_NORM_out = 3, ADD_LAYER_NORM_mean = 4,
  ADD_LAYER_NORM_rstd = 5, ADD_LAYER_NORM_x = 6, ADD_LAYER_NORM_residual = 7, ADD_LAYER_NORM_weight = 8,
  ADD_LAYER_NORM_bias = 9, ADD_LAYER_NORM_rows = 10, ADD_LAYER_NORM_C = 11, ADD_LAYER_NORM_eps = 12,
  ADD_LAYER_NORM_SLOTS = 13 };

// With g = dy * weight and xhat = (x - mean) * rstd: dx = rstd * (g - mean_c(g) - xhat * mean_c(g *
// xhat)), plus add where given (the gradient that reaches x by another way; may be dx). dweight =
// sum_rows dy * xhat, dbias = sum_rows dy.
enum { KERNEL_LAYER_NORM_BACKWARD = 18, LAYER_NORM_BACKWARD_dx = 2, LAYER_NORM_BACKWARD_dweight = 3,
  LAYER_NORM_BACKWARD_dbias = 4, LAYER_NORM_BACKWARD_dy = 5, LAYER_NORM_BACKWARD_x = 6, LAYER_NORM_BACKWARD_weight = 7,
  LAYER_NORM_BACKWARD_mean = 8, LAYER_NORM_BACKWARD_rstd = 9, LAYER_NORM_BACKWARD_add = 10,
  LAYER_NORM_BACKWARD_rows = 11, LAYER_NORM_BACKWARD_C = 12, LAYER_NORM_BACKWARD_SLOTS = 13 };

// out = x * rstd * weight, rstd = 1 / sqrt(mean(x^2) + eps) (Zhang and Sennrich 2019).
enum { KERNEL_RMS_NORM = 19, RMS_NORM_out = 2, RMS_NORM_rstd = 3, RMS_NORM_x = 4, RMS_NORM_weight = 5,
  RMS_NORM_rows = 6, RMS_NORM_C = 7, RMS_NORM_eps = 8, RMS_NORM_SLOTS = 9 };

// With g = dy * weight: dx = rstd * (g - x * rstd^2 * mean_c(g * x)), plus add where given; dweight
// = sum_rows dy * x * rstd.
enum { KERNEL_RMS_NORM_BACKWARD = 20, RMS_NORM_BACKWARD_dx = 2, RMS_NORM_BACKWARD_dweight = 3, RMS_NORM_BACKWARD_dy = 4,
  RMS_NORM_BACKWARD_x = 5, RMS_NORM_BACKWARD_weight = 6, RMS_NORM_BACKWARD_rstd = 7, RMS_NORM_BACKWARD_add = 8,
  RMS_NORM_BACKWARD_rows = 9, RMS_NORM_BACKWARD_C = 10, RMS_NORM_BACKWARD_SLOTS = 11 };

// Softmax over n, or log-softmax when log; the row maximum is subtracted first. out may be x.
enum { KERNEL_SOFTMAX = 21, SOFTMAX_out = 2, SOFTMAX_x = 3, SOFTMAX_rows = 4, SOFTMAX_n = 5, SOFTMAX_log = 6,
  SOFTMAX_SLOTS = 7 };

// dx = y * (dy - sum(dy * y)), or dy - exp(y) * sum(dy) when log. dx may be dy.
enum { KERNEL_SOFTMAX_BACKWARD = 22, SOFTMAX_BACKWARD_dx = 2, SOFTMAX_BACKWARD_dy = 3, SOFTMAX_BACKWARD_y = 4,
  SOFTMAX_BACKWARD_rows = 5, SOFTMAX_BACKWARD_n = 6, SOFTMAX_BACKWARD_log = 7, SOFTMAX_BACKWARD_SLOTS = 8 };

// losses[r] = logsumexp(logits[r]) - logits[r, targets[r]], 0 where targets[r] == ignore. total =
// mean over the rows not ignored, or the sum, by reduction (REDUCTION; none: total = the sum).
// dlogits (if given) = d total / d logits for mean and sum, d losses[r] / d logits[r] for none:
// (softmax - onehot) * scale, 0 for ignored rows. A target outside [0, V) that is not ignore is an
// error (status 2). dlogits may be logits. No valid row: mean is NaN.
enum { KERNEL_CROSS_ENTROPY = 23, CROSS_ENTROPY_losses = 2, CROSS_ENTROPY_total = 3, CROSS_ENTROPY_dlogits = 4,
  CROSS_ENTROPY_logits = 5, CROSS_ENTROPY_targets = 6, CROSS_ENTROPY_rows = 7, CROSS_ENTROPY_V = 8,
  CROSS_ENTROPY_ignore = 9, CROSS_ENTROPY_reduction = 10, CROSS_ENTROPY_SLOTS = 11 };

// Scaled dot-product attention, T queries over S keys, element (b, t, h, d) of q at b*q_b + t*q_t +
// h*q_h + d, likewise k v out; query head h reads key head h * G // H. causal: key j is seen by
// query i when j <= i (PyTorch's top-left mask). lse[b, h, t] = logsumexp of the scaled scores, all
// that is kept for the backward (Dao 2023, online softmax, no T x T matrix).
enum { KERNEL_ATTENTION = 24, ATTENTION_out = 2, ATTENTION_lse = 3, ATTENTION_q = 4, ATTENTION_k = 5, ATTENTION_v = 6,
  ATTENTION_B = 7, ATTENTION_H = 8, ATTENTION_G = 9, ATTENTION_T = 10, ATTENTION_S = 11, ATTENTION_D = 12,
  ATTENTION_causal = 13, ATTENTION_q_b = 14, ATTENTION_q_t = 15, ATTENTION_q_h = 16, ATTENTION_k_b = 17,
  ATTENTION_k_t = 18, ATTENTION_k_h = 19, ATTENTION_v_b = 20, ATTENTION_v_t = 21, ATTENTION_v_h = 22,
  ATTENTION_o_b = 23, ATTENTION_o_t = 24, ATTENTION_o_h = 25, ATTENTION_scale = 26, ATTENTION_SLOTS = 27 };

// Recomputes P = exp(scale * q k^T - lse); dv = P^T dout, dP = dout v^T, dS = P * (dP - rowsum(dout
// * out)), dq = scale * dS k, dk = scale * dS^T q; dk and dv sum over the H/G query heads that
// share a key head. dq dk dv are overwritten at every (b, t, h, d) they have.
enum { KERNEL_ATTENTION_BACKWARD = 25, ATTENTION_BACKWARD_dq = 2, ATTENTION_BACKWARD_dk = 3, ATTENTION_BACKWARD_dv = 4,
  ATTENTION_BACKWARD_dout = 5, ATTENTION_BACKWARD_q = 6, ATTENTION_BACKWARD_k = 7, ATTENTION_BACKWARD_v = 8,
  ATTENTION_BACKWARD_out = 9, ATTENTION_BACKWARD_lse = 10, ATTENTION_BACKWARD_B = 11, ATTENTION_BACKWARD_H = 12,
  ATTENTION_BACKWARD_G = 13, ATTENTION_BACKWARD_T = 14, ATTENTION_BACKWARD_S = 15, ATTENTION_BACKWARD_D = 16,
  ATTENTION_BACKWARD_causal = 17, ATTENTION_BACKWARD_q_b = 18, ATTENTION_BACKWARD_q_t = 19, ATTENTION_BACKWARD_q_h = 20,
  ATTENTION_BACKWARD_k_b = 21, ATTENTION_BACKWARD_k_t = 22, ATTENTION_BACKWARD_k_h = 23, ATTENTION_BACKWARD_v_b = 24,
  ATTENTION_BACKWARD_v_t = 25, ATTENTION_BACKWARD_v_h = 26, ATTENTION_BACKWARD_o_b = 27, ATTENTION_BACKWARD_o_t = 28,
  ATTENTION_BACKWARD_o_h = 29, ATTENTION_BACKWARD_do_b = 30, ATTENTION_BACKWARD_do_t = 31, ATTENTION_BACKWARD_do_h = 32,
  ATTENTION_BACKWARD_dq_b = 33, ATTENTION_BACKWARD_dq_t = 34, ATTENTION_BACKWARD_dq_h = 35,
  ATTENTION_BACKWARD_dk_b = 36, ATTENTION_BACKWARD_dk_t = 37, ATTENTION_BACKWARD_dk_h = 38,
  ATTENTION_BACKWARD_dv_b = 39, ATTENTION_BACKWARD_dv_t = 40, ATTENTION_BACKWARD_dv_h = 41,
  ATTENTION_BACKWARD_scale = 42, ATTENTION_BACKWARD_SLOTS = 43 };

// One query per sequence over a key/value cache [B, G, S, D]: keys 0..position[0] are seen. q
// element (b, h, d) at b*q_b + h*D + d; out is dense [B, H, D]. position outside [0, S) is an error
// (status 2).
enum { KERNEL_ATTENTION_DECODE = 26, ATTENTION_DECODE_out = 2, ATTENTION_DECODE_q = 3, ATTENTION_DECODE_k_cache = 4,
  ATTENTION_DECODE_v_cache = 5, ATTENTION_DECODE_position = 6, ATTENTION_DECODE_B = 7, ATTENTION_DECODE_H = 8,
  ATTENTION_DECODE_G = 9, ATTENTION_DECODE_D = 10, ATTENTION_DECODE_S = 11, ATTENTION_DECODE_q_b = 12,
  ATTENTION_DECODE_scale = 13, ATTENTION_DECODE_SLOTS = 14 };

// cache[b, g, position[0] + t, d] = new[b*k_b + t*k_t + g*D + d] for T new tokens, k and v.
// position[0] + T > S is an error (status 2).
enum { KERNEL_KV_APPEND = 27, KV_APPEND_k_cache = 2, KV_APPEND_v_cache = 3, KV_APPEND_k = 4, KV_APPEND_v = 5,
  KV_APPEND_position = 6, KV_APPEND_B = 7, KV_APPEND_G = 8, KV_APPEND_T = 9, KV_APPEND_D = 10, KV_APPEND_S = 11,
  KV_APPEND_k_b = 12, KV_APPEND_k_t = 13, KV_APPEND_v_b = 14, KV_APPEND_v_t = 15, KV_APPEND_SLOTS = 16 };

// Rotary position embedding (Su et al. 2021) in the half-split layout: for d < D/2, angle = (t +
// position[0]) * base^(-2d/D), (x_d, x_{d+D/2}) is rotated by the angle, by minus the angle when
// inverse (the backward). An absent position is 0. Angles are computed in float64, then rounded.
// out may be x (same strides).
enum { KERNEL_ROTARY = 28, ROTARY_out = 2, ROTARY_x = 3, ROTARY_position = 4, ROTARY_B = 5, ROTARY_T = 6, ROTARY_H = 7,
  ROTARY_D = 8, ROTARY_x_b = 9, ROTARY_x_t = 10, ROTARY_x_h = 11, ROTARY_o_b = 12, ROTARY_o_t = 13, ROTARY_o_h = 14,
  ROTARY_base = 15, ROTARY_inverse = 16, ROTARY_SLOTS = 17 };

// unary of float64. out may be x.
enum { KERNEL_WIDE_UNARY = 29, WIDE_UNARY_out = 2, WIDE_UNARY_x = 3, WIDE_UNARY_op = 4, WIDE_UNARY_n = 5,
  WIDE_UNARY_SLOTS = 6 };

// unary_backward of float64. dx may be dy.
enum { KERNEL_WIDE_UNARY_BACKWARD = 30, WIDE_UNARY_BACKWARD_dx = 2, WIDE_UNARY_BACKWARD_dy = 3,
  WIDE_UNARY_BACKWARD_saved = 4, WIDE_UNARY_BACKWARD_op = 5, WIDE_UNARY_BACKWARD_n = 6, WIDE_UNARY_BACKWARD_SLOTS = 7 };

// out[i] = op(x[i]), op from MATH_OF_ONE, float32 or float64, computed in float64; round is to the
// nearest, ties to even. out may be x.
enum { KERNEL_MATH_OF_ONE = 31, MATH_OF_ONE_out = 2, MATH_OF_ONE_x = 3, MATH_OF_ONE_op = 4, MATH_OF_ONE_dtype = 5,
  MATH_OF_ONE_n = 6, MATH_OF_ONE_SLOTS = 7 };

// out = op(a, b), op from MATH_OF_TWO, placed as in binary. fmod (the sign of a) of float32,
// float64, int32 and int64; gcd of the integers; the others of the floats: zeta is Hurwitz's. fmod
// of an integer by 0 is 0. out may be a (or b) where it is dense.
enum { KERNEL_MATH_OF_TWO = 32, MATH_OF_TWO_out = 2, MATH_OF_TWO_a = 3, MATH_OF_TWO_b = 4, MATH_OF_TWO_op = 5,
  MATH_OF_TWO_dtype = 6, MATH_OF_TWO_n0 = 7, MATH_OF_TWO_n1 = 8, MATH_OF_TWO_n2 = 9, MATH_OF_TWO_n3 = 10,
  MATH_OF_TWO_n4 = 11, MATH_OF_TWO_n5 = 12, MATH_OF_TWO_a0 = 13, MATH_OF_TWO_a1 = 14, MATH_OF_TWO_a2 = 15,
  MATH_OF_TWO_a3 = 16, MATH_OF_TWO_a4 = 17, MATH_OF_TWO_a5 = 18, MATH_OF_TWO_b0 = 19, MATH_OF_TWO_b1 = 20,
  MATH_OF_TWO_b2 = 21, MATH_OF_TWO_b3 = 22, MATH_OF_TWO_b4 = 23, MATH_OF_TWO_b5 = 24, MATH_OF_TWO_SLOTS = 25 };

// x seen as [outer, n, inner]: out = sum (x - mean)^2 / max(n - correction, 0) over n, its square
// root when root; float32 or float64, two passes in float64. n >= 1.
enum { KERNEL_VARIANCE = 33, VARIANCE_out = 2, VARIANCE_x = 3, VARIANCE_dtype = 4, VARIANCE_root = 5,
  VARIANCE_outer = 6, VARIANCE_n = 7, VARIANCE_inner = 8, VARIANCE_correction = 9, VARIANCE_SLOTS = 10 };

// For each batch z: out_z = op(A_z) op(B_z) of float64 or int64 (modulo 2^64), placed as in matmul.
enum { KERNEL_WIDE_MATMUL = 34, WIDE_MATMUL_out = 2, WIDE_MATMUL_a = 3, WIDE_MATMUL_b = 4, WIDE_MATMUL_dtype = 5,
  WIDE_MATMUL_batch = 6, WIDE_MATMUL_M = 7, WIDE_MATMUL_N = 8, WIDE_MATMUL_K = 9, WIDE_MATMUL_ta = 10,
  WIDE_MATMUL_tb = 11, WIDE_MATMUL_lda = 12, WIDE_MATMUL_ldb = 13, WIDE_MATMUL_ldc = 14, WIDE_MATMUL_sa = 15,
  WIDE_MATMUL_sb = 16, WIDE_MATMUL_sc = 17, WIDE_MATMUL_SLOTS = 18 };

// out[i] = x[index[i]], rows of C elements. An index outside [0, V) is an error (status 2).
enum { KERNEL_TAKE = 35, TAKE_out = 2, TAKE_x = 3, TAKE_index = 4, TAKE_dtype = 5, TAKE_n = 6, TAKE_C = 7, TAKE_V = 8,
  TAKE_SLOTS = 9 };

// out[index[i]] = x[i], or += x[i] when accumulate, rows of C elements in the order of i: of equal
// indices the last one wins. An index outside [0, V) is an error (status 2).
enum { KERNEL_PUT = 36, PUT_out = 2, PUT_x = 3, PUT_index = 4, PUT_dtype = 5, PUT_accumulate = 6, PUT_n = 7, PUT_C = 8,
  PUT_V = 9, PUT_SLOTS = 10 };

// x seen as [outer, n, inner]: out[:, i] = op of x[:, 0..i], or of x[:, i..n-1] when reverse; op
// from SCAN. float32, int32, float64, int64; float32 is accumulated in float64. out may be x.
enum { KERNEL_SCAN = 37, SCAN_out = 2, SCAN_x = 3, SCAN_op = 4, SCAN_dtype = 5, SCAN_outer = 6, SCAN_n = 7,
  SCAN_inner = 8, SCAN_reverse = 9, SCAN_SLOTS = 10 };

// Each row sorted, and where each element stood. Stable; NaN is larger than every number, as in
// PyTorch. float32, int32, float64, int64.
enum { KERNEL_SORT = 38, SORT_out = 2, SORT_order = 3, SORT_x = 4, SORT_dtype = 5, SORT_rows = 6, SORT_n = 7,
  SORT_descending = 8, SORT_SLOTS = 9 };

// out[n, o, i] = bias[o] + sum over c, t of weight[o, c, t] * x[n, c, i * s - p + t * d], channels
// c of o's group, places i and taps t in three dimensions; x is 0 outside. An absent bias is 0.
enum { KERNEL_CONV = 39, CONV_out = 2, CONV_x = 3, CONV_weight = 4, CONV_bias = 5, CONV_dtype = 6, CONV_N = 7,
  CONV_C = 8, CONV_O = 9, CONV_groups = 10, CONV_i0 = 11, CONV_i1 = 12, CONV_i2 = 13, CONV_k0 = 14, CONV_k1 = 15,
  CONV_k2 = 16, CONV_o0 = 17, CONV_o1 = 18, CONV_o2 = 19, CONV_s0 = 20, CONV_s1 = 21, CONV_s2 = 22, CONV_p0 = 23,
  CONV_p1 = 24, CONV_p2 = 25, CONV_d0 = 26, CONV_d1 = 27, CONV_d2 = 28, CONV_SLOTS = 29 };

// The transpose of conv in x: dx[n, c, j] = bias[c] + sum over o, i, t with i * s - p + t * d = j
// of weight[o, c, t] * dy[n, o, i]. With a bias [C] it is the transposed convolution.
enum { KERNEL_CONV_BACKWARD_X = 40, CONV_BACKWARD_X_dx = 2, CONV_BACKWARD_X_dy = 3, CONV_BACKWARD_X_weight = 4,
  CONV_BACKWARD_X_bias = 5, CONV_BACKWARD_X_dtype = 6, CONV_BACKWARD_X_N = 7, CONV_BACKWARD_X_C = 8,
  CONV_BACKWARD_X_O = 9, CONV_BACKWARD_X_groups = 10, CONV_BACKWARD_X_i0 = 11, CONV_BACKWARD_X_i1 = 12,
  CONV_BACKWARD_X_i2 = 13, CONV_BACKWARD_X_k0 = 14, CONV_BACKWARD_X_k1 = 15, CONV_BACKWARD_X_k2 = 16,
  CONV_BACKWARD_X_o0 = 17, CONV_BACKWARD_X_o1 = 18, CONV_BACKWARD_X_o2 = 19, CONV_BACKWARD_X_s0 = 20,
  CONV_BACKWARD_X_s1 = 21, CONV_BACKWARD_X_s2 = 22, CONV_BACKWARD_X_p0 = 23, CONV_BACKWARD_X_p1 = 24,
  CONV_BACKWARD_X_p2 = 25, CONV_BACKWARD_X_d0 = 26, CONV_BACKWARD_X_d1 = 27, CONV_BACKWARD_X_d2 = 28,
  CONV_BACKWARD_X_SLOTS = 29 };

// dweight[o, c, t] = sum over n, i of dy[n, o, i] * x[n, c, i * s - p + t * d].
enum { KERNEL_CONV_BACKWARD_WEIGHT = 41, CONV_BACKWARD_WEIGHT_dweight = 2, CONV_BACKWARD_WEIGHT_dy = 3,
  CONV_BACKWARD_WEIGHT_x = 4, CONV_BACKWARD_WEIGHT_dtype = 5, CONV_BACKWARD_WEIGHT_N = 6, CONV_BACKWARD_WEIGHT_C = 7,
  CONV_BACKWARD_WEIGHT_O = 8, CONV_BACKWARD_WEIGHT_groups = 9, CONV_BACKWARD_WEIGHT_i0 = 10,
  CONV_BACKWARD_WEIGHT_i1 = 11, CONV_BACKWARD_WEIGHT_i2 = 12, CONV_BACKWARD_WEIGHT_k0 = 13,
  CONV_BACKWARD_WEIGHT_k1 = 14, CONV_BACKWARD_WEIGHT_k2 = 15, CONV_BACKWARD_WEIGHT_o0 = 16,
  CONV_BACKWARD_WEIGHT_o1 = 17, CONV_BACKWARD_WEIGHT_o2 = 18, CONV_BACKWARD_WEIGHT_s0 = 19,
  CONV_BACKWARD_WEIGHT_s1 = 20, CONV_BACKWARD_WEIGHT_s2 = 21, CONV_BACKWARD_WEIGHT_p0 = 22,
  CONV_BACKWARD_WEIGHT_p1 = 23, CONV_BACKWARD_WEIGHT_p2 = 24, CONV_BACKWARD_WEIGHT_d0 = 25,
  CONV_BACKWARD_WEIGHT_d1 = 26, CONV_BACKWARD_WEIGHT_d2 = 27, CONV_BACKWARD_WEIGHT_SLOTS = 28 };

// The largest element of each window and its place in its plane, the first of equal ones; a NaN
// wins, the last one. What is outside x does not count. float32, float64, int32, int64.
enum { KERNEL_MAX_POOL = 42, MAX_POOL_out = 2, MAX_POOL_index = 3, MAX_POOL_x = 4, MAX_POOL_dtype = 5,
  MAX_POOL_planes = 6, MAX_POOL_adaptive = 7, MAX_POOL_i0 = 8, MAX_POOL_i1 = 9, MAX_POOL_i2 = 10, MAX_POOL_k0 = 11,
  MAX_POOL_k1 = 12, MAX_POOL_k2 = 13, MAX_POOL_o0 = 14, MAX_POOL_o1 = 15, MAX_POOL_o2 = 16, MAX_POOL_s0 = 17,
  MAX_POOL_s1 = 18, MAX_POOL_s2 = 19, MAX_POOL_p0 = 20, MAX_POOL_p1 = 21, MAX_POOL_p2 = 22, MAX_POOL_d0 = 23,
  MAX_POOL_d1 = 24, MAX_POOL_d2 = 25, MAX_POOL_SLOTS = 26 };

// dx [planes, n] = 0, then dx[plane, index[plane, i]] += dy[plane, i] in the order of i. float32 or
// float64. An index outside [0, n) is an error (status 2).
enum { KERNEL_MAX_POOL_BACKWARD = 43, MAX_POOL_BACKWARD_dx = 2, MAX_POOL_BACKWARD_dy = 3, MAX_POOL_BACKWARD_index = 4,
  MAX_POOL_BACKWARD_dtype = 5, MAX_POOL_BACKWARD_planes = 6, MAX_POOL_BACKWARD_n = 7, MAX_POOL_BACKWARD_m = 8,
  MAX_POOL_BACKWARD_SLOTS = 9 };

// The sum of each window divided by divisor, or where that is 0 by the number of its elements:
// those inside x, with count_pad those in x and its padding (as wide behind as in front). float32,
// float64, or int64 (the quotient toward zero).
enum { KERNEL_AVG_POOL = 44, AVG_POOL_out = 2, AVG_POOL_x = 3, AVG_POOL_dtype = 4, AVG_POOL_planes = 5,
  AVG_POOL_adaptive = 6, AVG_POOL_count_pad = 7, AVG_POOL_divisor = 8, AVG_POOL_i0 = 9, AVG_POOL_i1 = 10,
  AVG_POOL_i2 = 11, AVG_POOL_k0 = 12, AVG_POOL_k1 = 13, AVG_POOL_k2 = 14, AVG_POOL_o0 = 15, AVG_POOL_o1 = 16,
  AVG_POOL_o2 = 17, AVG_POOL_s0 = 18, AVG_POOL_s1 = 19, AVG_POOL_s2 = 20, AVG_POOL_p0 = 21, AVG_POOL_p1 = 22,
  AVG_POOL_p2 = 23, AVG_POOL_d0 = 24, AVG_POOL_d1 = 25, AVG_POOL_d2 = 26, AVG_POOL_SLOTS = 27 };

// The transpose of avg_pool: each dy divided as there, added to every element of its window.
enum { KERNEL_AVG_POOL_BACKWARD = 45, AVG_POOL_BACKWARD_dx = 2, AVG_POOL_BACKWARD_dy = 3, AVG_POOL_BACKWARD_dtype = 4,
  AVG_POOL_BACKWARD_planes = 5, AVG_POOL_BACKWARD_adaptive = 6, AVG_POOL_BACKWARD_count_pad = 7,
  AVG_POOL_BACKWARD_divisor = 8, AVG_POOL_BACKWARD_i0 = 9, AVG_POOL_BACKWARD_i1 = 10, AVG_POOL_BACKWARD_i2 = 11,
  AVG_POOL_BACKWARD_k0 = 12, AVG_POOL_BACKWARD_k1 = 13, AVG_POOL_BACKWARD_k2 = 14, AVG_POOL_BACKWARD_o0 = 15,
  AVG_POOL_BACKWARD_o1 = 16, AVG_POOL_BACKWARD_o2 = 17, AVG_POOL_BACKWARD_s0 = 18, AVG_POOL_BACKWARD_s1 = 19,
  AVG_POOL_BACKWARD_s2 = 20, AVG_POOL_BACKWARD_p0 = 21, AVG_POOL_BACKWARD_p1 = 22, AVG_POOL_BACKWARD_p2 = 23,
  AVG_POOL_BACKWARD_d0 = 24, AVG_POOL_BACKWARD_d1 = 25, AVG_POOL_BACKWARD_d2 = 26, AVG_POOL_BACKWARD_SLOTS = 27 };

// x [N, C, S]: out = (x - mean) * rstd * weight + bias for each channel (Ioffe and Szegedy 2015).
// training: mean and biased variance over N and S, two passes; the running ones, where given, move
// by momentum to the mean and to the unbiased variance. Else mean and variance are the running
// ones. rstd = 1 / sqrt(variance + eps). float32 or float64; N * S > 0.
enum { KERNEL_BATCH_NORM = 46, BATCH_NORM_out = 2, BATCH_NORM_mean = 3, BATCH_NORM_rstd = 4, BATCH_NORM_x = 5,
  BATCH_NORM_weight = 6, BATCH_NORM_bias = 7, BATCH_NORM_running_mean = 8, BATCH_NORM_running_var = 9,
  BATCH_NORM_dtype = 10, BATCH_NORM_N = 11, BATCH_NORM_C = 12, BATCH_NORM_S = 13, BATCH_NORM_training = 14,
  BATCH_NORM_momentum = 15, BATCH_NORM_eps = 16, BATCH_NORM_SLOTS = 17 };

// With xhat = (x - mean) * rstd: dbias = sum dy and dweight = sum dy * xhat over N and S; dx =
// weight * rstd * (dy - dbias / (N S) - xhat * dweight / (N S)) where training, else weight * rstd
// * dy.
enum { KERNEL_BATCH_NORM_BACKWARD = 47, BATCH_NORM_BACKWARD_dx = 2, BATCH_NORM_BACKWARD_dweight = 3,
  BATCH_NORM_BACKWARD_dbias = 4, BATCH_NORM_BACKWARD_dy = 5, BATCH_NORM_BACKWARD_x = 6, BATCH_NORM_BACKWARD_weight = 7,
  BATCH_NORM_BACKWARD_mean = 8, BATCH_NORM_BACKWARD_rstd = 9, BATCH_NORM_BACKWARD_dtype = 10,
  BATCH_NORM_BACKWARD_N = 11, BATCH_NORM_BACKWARD_C = 12, BATCH_NORM_BACKWARD_S = 13, BATCH_NORM_BACKWARD_training = 14,
  BATCH_NORM_BACKWARD_SLOTS = 15 };

// out[i] = x[i], a whole number of int64; one that int32 does not hold becomes its least or
// largest, which names no row.
enum { KERNEL_TO_INDEX = 48, TO_INDEX_out = 2, TO_INDEX_x = 3, TO_INDEX_dtype = 4, TO_INDEX_n = 5, TO_INDEX_SLOTS = 6 };

// The first k of each row of n as `sort` orders it (descending when largest), and where each stood.
// 1 <= k <= n. float32, int32, float64, int64.
enum { KERNEL_TOPK = 49, TOPK_out = 2, TOPK_order = 3, TOPK_x = 4, TOPK_dtype = 5, TOPK_rows = 6, TOPK_n = 7,
  TOPK_k = 8, TOPK_largest = 9, TOPK_SLOTS = 10 };

// out[o, i, c] = x[o, index[o, i, c], c], x seen as [outer, n, inner], out and index as [outer, k,
// inner]. An index outside [0, n) is an error (status 2).
enum { KERNEL_GATHER = 50, GATHER_out = 2, GATHER_x = 3, GATHER_index = 4, GATHER_dtype = 5, GATHER_outer = 6,
  GATHER_n = 7, GATHER_inner = 8, GATHER_k = 9, GATHER_SLOTS = 10 };

// out[o, index[o, i, c], c] = op(itself, x[o, i, c]) in the order of i, op from SCATTER; put: the
// last of equal indices wins. out is seen as [outer, n, inner], x and index as [outer, k, inner].
// Integers wrap, NaN wins in max and min. An index outside [0, n) is an error (status 2).
enum { KERNEL_SCATTER = 51, SCATTER_out = 2, SCATTER_x = 3, SCATTER_index = 4, SCATTER_dtype = 5, SCATTER_op = 6,
  SCATTER_outer = 7, SCATTER_n = 8, SCATTER_inner = 9, SCATTER_k = 10, SCATTER_SLOTS = 11 };

// Each a [m, n] becomes L below and U from the diagonal on, with a[order] = L U. pivots: LAPACK's,
// counted from 1. info: the first pivot that is 0, counted from 1.
enum { KERNEL_LU = 52, LU_a = 2, LU_order = 3, LU_pivots = 4, LU_info = 5, LU_batch = 6, LU_m = 7, LU_n = 8,
  LU_SLOTS = 9 };

// Each a [n, n], of which the lower triangle is read, becomes L with L L' = a. info: the first
// leading minor that is not positive, counted from 1.
enum { KERNEL_CHOLESKY = 53, CHOLESKY_a = 2, CHOLESKY_info = 3, CHOLESKY_batch = 4, CHOLESKY_n = 5,
  CHOLESKY_SLOTS = 6 };

// Each x [n, k] becomes inverse(T) x, T the lower or upper triangle of a, or its transpose; unit:
// its diagonal is 1.
enum { KERNEL_TRIANGULAR_SOLVE = 54, TRIANGULAR_SOLVE_x = 2, TRIANGULAR_SOLVE_a = 3, TRIANGULAR_SOLVE_batch = 4,
  TRIANGULAR_SOLVE_n = 5, TRIANGULAR_SOLVE_k = 6, TRIANGULAR_SOLVE_upper = 7, TRIANGULAR_SOLVE_transposed = 8,
  TRIANGULAR_SOLVE_unit = 9, TRIANGULAR_SOLVE_SLOTS = 10 };

// Each a [m, n] becomes R on and above the diagonal, LAPACK's reflections below it and in tau; q:
// the first `columns` columns of Q.
enum { KERNEL_QR = 55, QR_q = 2, QR_a = 3, QR_tau = 4, QR_batch = 5, QR_m = 6, QR_n = 7, QR_columns = 8, QR_SLOTS = 9 };

// Each symmetric a [n, n], of which the lower triangle is read, becomes its eigenvectors, as
// columns; values ascend.
enum { KERNEL_EIGH = 56, EIGH_values = 2, EIGH_a = 3, EIGH_info = 4, EIGH_batch = 5, EIGH_n = 6, EIGH_SLOTS = 7 };

// Each u [n, m] holds the columns of a matrix A [m, n], m >= n, as rows; they become those of U
// (zeros where the value is 0), v the rows of V': A = U diag(values) V', values descend.
enum { KERNEL_SVD = 57, SVD_u = 2, SVD_values = 3, SVD_v = 4, SVD_info = 5, SVD_batch = 6, SVD_m = 7, SVD_n = 8,
  SVD_SLOTS = 9 };

// out[i] = table[index[i]]. An index outside [0, V) is an error (status 2).
enum { KERNEL_EMBEDDING = 58, EMBEDDING_out = 2, EMBEDDING_table = 3, EMBEDDING_index = 4, EMBEDDING_n = 5,
  EMBEDDING_C = 6, EMBEDDING_V = 7, EMBEDDING_SLOTS = 8 };

// dtable = 0, then dtable[index[i]] += dout[i] in the order of i.
enum { KERNEL_EMBEDDING_BACKWARD = 59, EMBEDDING_BACKWARD_dtable = 2, EMBEDDING_BACKWARD_dout = 3,
  EMBEDDING_BACKWARD_index = 4, EMBEDDING_BACKWARD_n = 5, EMBEDDING_BACKWARD_C = 6, EMBEDDING_BACKWARD_V = 7,
  EMBEDDING_BACKWARD_SLOTS = 8 };

// out[i] = low + (high - low) * u_i.
enum { KERNEL_RANDOM_UNIFORM = 60, RANDOM_UNIFORM_out = 2, RANDOM_UNIFORM_rng = 3, RANDOM_UNIFORM_n = 4,
  RANDOM_UNIFORM_low = 5, RANDOM_UNIFORM_high = 6, RANDOM_UNIFORM_offset = 7, RANDOM_UNIFORM_SLOTS = 8 };

// Box-Muller on the block's pairs: with u1 = 1 - uniform(w0) (in (0, 1]), u2 = uniform(w1): r =
// sqrt(-2 ln u1), elements 4j, 4j+1 = mean + std * r * cos(2 pi u2), mean + std * r * sin(2 pi u2);
// likewise w2, w3 for 4j+2, 4j+3. Computed in float64, then rounded.
enum { KERNEL_RANDOM_NORMAL = 61, RANDOM_NORMAL_out = 2, RANDOM_NORMAL_rng = 3, RANDOM_NORMAL_n = 4,
  RANDOM_NORMAL_mean = 5, RANDOM_NORMAL_std = 6, RANDOM_NORMAL_offset = 7, RANDOM_NORMAL_SLOTS = 8 };

// out[i] = low + (w_i * (high - low) >> 32), w_i the block's uint32 words (Lemire's
// multiply-shift).
enum { KERNEL_RANDOM_INT = 62, RANDOM_INT_out = 2, RANDOM_INT_rng = 3, RANDOM_INT_n = 4, RANDOM_INT_low = 5,
  RANDOM_INT_high = 6, RANDOM_INT_offset = 7, RANDOM_INT_SLOTS = 8 };

// out[i] = u_i < p ? 0 : x[i] / (1 - p) (times the float32 reciprocal). The backward is the same
// launch on dy. out may be x.
enum { KERNEL_DROPOUT = 63, DROPOUT_out = 2, DROPOUT_x = 3, DROPOUT_rng = 4, DROPOUT_n = 5, DROPOUT_p = 6,
  DROPOUT_offset = 7, DROPOUT_SLOTS = 8 };

// Random windows of tokens[low:high]: starts[b] = low + (w_b * (high - low - T) >> 32), w_b the
// uint32 words of the Philox blocks; x[b, t] = tokens[starts[b] + t], y[b, t] = tokens[starts[b] +
// t + 1]. high - low > T.
enum { KERNEL_BATCH_WINDOWS = 64, BATCH_WINDOWS_x = 2, BATCH_WINDOWS_y = 3, BATCH_WINDOWS_starts = 4,
  BATCH_WINDOWS_tokens = 5, BATCH_WINDOWS_rng = 6, BATCH_WINDOWS_B = 7, BATCH_WINDOWS_T = 8, BATCH_WINDOWS_low = 9,
  BATCH_WINDOWS_high = 10, BATCH_WINDOWS_offset = 11, BATCH_WINDOWS_SLOTS = 12 };

// n numbers of the stream `state`, which moves on; kind from DRAW. uniform: in [a, b), 24 bits of a
// word, 53 of two for float64. normal: mean a, std b; Box-Muller in blocks of 16, fewer than 16 by
// pairs. words: word % b. integers: a + word % b, of two words where b is 2^28 or more; b = 0
// stands for 2^53 + 1, which no float64 is. bernoulli: 0 or 1, 1 with probability a. exponential:
// rate a. permutation: 0..n-1 shuffled. float32, float64, int32, int64; the integer types have
// words, integers, bernoulli and permutation.
enum { KERNEL_MERSENNE = 65, MERSENNE_out = 2, MERSENNE_state = 3, MERSENNE_kind = 4, MERSENNE_dtype = 5,
  MERSENNE_n = 6, MERSENNE_a = 7, MERSENNE_b = 8, MERSENNE_SLOTS = 9 };

// out[i] = op(x[i]), op from ACTIVATION; out may be x. leaky_relu: a is the slope below 0. elu: b x
// above 0, else a (exp(c x) - 1), c above 0. hardtanh: limits a and b. softplus: log(1 + exp(a x))
// / a, x where a x is above b. softshrink, hardshrink: a. threshold: x above a, else b. NaN stays
// NaN.
enum { KERNEL_ACTIVATION = 66, ACTIVATION_out = 2, ACTIVATION_x = 3, ACTIVATION_op = 4, ACTIVATION_n = 5,
  ACTIVATION_a = 6, ACTIVATION_b = 7, ACTIVATION_c = 8, ACTIVATION_SLOTS = 9 };

// dx[i] = dy[i] op'(x[i]), with PyTorch's slopes where there is none: 0 at both limits of hardtanh
// and hardsigmoid, at both ends of the shrinks' zeros and at the threshold. dx may be dy.
enum { KERNEL_ACTIVATION_BACKWARD = 67, ACTIVATION_BACKWARD_dx = 2, ACTIVATION_BACKWARD_dy = 3,
  ACTIVATION_BACKWARD_x = 4, ACTIVATION_BACKWARD_op = 5, ACTIVATION_BACKWARD_n = 6, ACTIVATION_BACKWARD_a = 7,
  ACTIVATION_BACKWARD_b = 8, ACTIVATION_BACKWARD_c = 9, ACTIVATION_BACKWARD_SLOTS = 10 };

// gates [rows, G, H] holds x w_ih^T + b_ih at first and the activated gates at last. With s = h w^T
// + bias, h the state before: LSTM (Hochreiter and Schmidhuber 1997): i f o = sigmoid(gate + s), g
// = tanh(gate + s), c = f * c + i * g, h = o * tanh(c); GRU (Cho et al. 2014, as PyTorch's): r z =
// sigmoid(gate + s), n = tanh(gate + r * s_n), h = (h - n) * z + n; else h = tanh or relu of gate +
// s. Row i of y is h at i * ldy. hn, cn [B, H]: each sequence's last state. kept [rows, H], for the
// backward: c (LSTM), s_n (GRU). dtype: float32 or float64. Sizes that do not decrease, or whose
// sum is not rows, are an error (status 2).
enum { KERNEL_RECURRENT = 68, RECURRENT_y = 2, RECURRENT_hn = 3, RECURRENT_cn = 4, RECURRENT_gates = 5,
  RECURRENT_kept = 6, RECURRENT_h0 = 7, RECURRENT_c0 = 8, RECURRENT_w = 9, RECURRENT_bias = 10, RECURRENT_sizes = 11,
  RECURRENT_cell = 12, RECURRENT_dtype = 13, RECURRENT_B = 14, RECURRENT_T = 15, RECURRENT_H = 16, RECURRENT_rows = 17,
  RECURRENT_ldy = 18, RECURRENT_reverse = 19, RECURRENT_SLOTS = 20 };

// Backward of recurrent through all steps. dy, dhn, dcn: the gradients of y, hn, cn (absent: 0).
// dgates: of x w_ih^T + b_ih. dhidden: of s, where it is another (GRU: n's is dgates_n * r). hprev
// [rows, H]: the state before each row, so that w's gradient is dhidden^T hprev.
enum { KERNEL_RECURRENT_BACKWARD = 69, RECURRENT_BACKWARD_dgates = 2, RECURRENT_BACKWARD_dhidden = 3,
  RECURRENT_BACKWARD_hprev = 4, RECURRENT_BACKWARD_dh0 = 5, RECURRENT_BACKWARD_dc0 = 6, RECURRENT_BACKWARD_dy = 7,
  RECURRENT_BACKWARD_dhn = 8, RECURRENT_BACKWARD_dcn = 9, RECURRENT_BACKWARD_gates = 10, RECURRENT_BACKWARD_kept = 11,
  RECURRENT_BACKWARD_y = 12, RECURRENT_BACKWARD_h0 = 13, RECURRENT_BACKWARD_c0 = 14, RECURRENT_BACKWARD_w = 15,
  RECURRENT_BACKWARD_sizes = 16, RECURRENT_BACKWARD_cell = 17, RECURRENT_BACKWARD_dtype = 18, RECURRENT_BACKWARD_B = 19,
  RECURRENT_BACKWARD_T = 20, RECURRENT_BACKWARD_H = 21, RECURRENT_BACKWARD_rows = 22, RECURRENT_BACKWARD_ldy = 23,
  RECURRENT_BACKWARD_lddy = 24, RECURRENT_BACKWARD_reverse = 25, RECURRENT_BACKWARD_SLOTS = 26 };

// AdamW (Loshchilov and Hutter 2019) as PyTorch's: hyper = end, lr, beta1, beta2, eps,
// weight_decay, bias_correction1 = 1 - beta1^t, sqrt(bias_correction2). p *= 1 - lr * weight_decay;
// m += (1 - beta1) * (g - m); v = beta2 * v + (1 - beta2) * g^2; p -= (lr / bias_correction1) * m /
// (sqrt(v) / sqrt(bias_correction2) + eps). A norm that is not finite: nothing is changed.
enum { KERNEL_ADAMW = 70, ADAMW_p = 2, ADAMW_m = 3, ADAMW_v = 4, ADAMW_g = 5, ADAMW_hyper = 6, ADAMW_norm = 7,
  ADAMW_n = 8, ADAMW_groups = 9, ADAMW_SLOTS = 10 };

// SGD as PyTorch's: hyper = end, lr, momentum, dampening, weight_decay, nesterov (0/1), first (1 on
// the first step), unused. d = g + weight_decay * p; with momentum (buf given): buf = first ? d :
// momentum * buf + (1 - dampening) * d; d = nesterov ? d + momentum * buf : buf; p -= lr * d. A
// norm that is not finite: nothing is changed.
enum { KERNEL_SGD = 71, SGD_p = 2, SGD_buf = 3, SGD_g = 4, SGD_hyper = 5, SGD_norm = 6, SGD_n = 7, SGD_groups = 8,
  SGD_SLOTS = 9 };

// Adam (Kingma and Ba 2015) of one parameter in PyTorch's order, its scalars combined in float64:
// hyper = decay (1 - lr * weight_decay where that is decoupled, else 1), weight_decay (where it is
// not), 1 - beta1, beta2, 1 - beta2, eps, step (-lr / bias_correction1), scale (1 /
// sqrt(bias_correction2)). p *= decay; d = g + weight_decay * p; m = lerp(m, d, 1 - beta1); v =
// beta2 * v + (1 - beta2) * d^2; largest = max(largest, v), in the place of v below where it is
// given (AMSGrad, Reddi et al. 2018); p += step * m / (sqrt(v) * scale + eps).
enum { KERNEL_ADAM = 72, ADAM_p = 2, ADAM_m = 3, ADAM_v = 4, ADAM_largest = 5, ADAM_g = 6, ADAM_hyper = 7, ADAM_n = 8,
  ADAM_SLOTS = 9 };

// One token per row. settings = temperature, top_k, top_p, unused. temperature 0: argmax (first on
// ties). Else z = logits / temperature; top_k > 0 keeps the values not below the k-th largest; then
// top_p in (0, 1) keeps the smallest set of most probable tokens (ties by lower index first) whose
// probability reaches top_p, the one that crosses it included (Holtzman et al. 2020). The draw is u
// * sum of the kept exp(z - max) in index order, u = uniform of word 0 of block b (counter base +
// offset + b).
enum { KERNEL_SAMPLE = 73, SAMPLE_out = 2, SAMPLE_logits = 3, SAMPLE_rng = 4, SAMPLE_settings = 5, SAMPLE_B = 6,
  SAMPLE_V = 7, SAMPLE_offset = 8, SAMPLE_SLOTS = 9 };
