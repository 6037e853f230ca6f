// What decoding needs: attention_decode, one query per sequence over a key/value cache, and
// kv_append, which appends new keys and values to the cache.
#include "attention.h"

// position[0]; false, and the launch fails, where `count` keys from there do not fit. The position
// is data and no parameter: so a replayed Program advances by itself.
static bool read_position(Index* at, const int32_t* position, int64_t count, int64_t S, Team& team) {
  *at = position[0];
  if (*at >= 0 && *at + count <= S) return true;
  team.fail(STATUS_BAD_INDEX);
  return false;
}

// scores[j] = scale * q . k_j. Lanes run over d.
static void score(float* scores, const float* q, const float* k, Index keys, Index D, float scale) {
  const Index vector_end = D / VW * VW;
  const int tail = (int)(D - vector_end);
  for (Index j = 0; j < keys; j++, k += D) {
    vf even = vzero(), odd = vzero();
    Index d = 0;
    for (; d + 2 * VW <= vector_end; d += 2 * VW) {
      even = vfma(vload(q + d), vload(k + d), even);
      odd = vfma(vload(q + d + VW), vload(k + d + VW), odd);
    }
    if (d < vector_end) even = vfma(vload(q + d), vload(k + d), even);
    if (tail) odd = vfma(vload_tail(q + vector_end, tail), vload_tail(k + vector_end, tail), odd);
    scores[j] = scale * vsum(vadd(even, odd));
  }
}

// In place: scores become exp(score - max), zero up to the end of the last vector. Returns 1 / sum,
// or 0 where every score is -inf.
static float exponentiate(float* scores, Index keys) {
  for (Index j = keys; j % VW; j++) scores[j] = -INFINITY;
  vf top = vsplat(-INFINITY), sum = vzero();
  for (Index j = 0; j < keys; j += VW) top = vmax(top, vload(scores + j));
  top = vmax(vsplat(vhmax(top)), vsplat(-3.402823466e38f));  // finite, for a row of -inf alone
  for (Index j = 0; j < keys; j += VW) {
    vf e = vexp_nonpositive(vsub(vload(scores + j), top));
    if (keys - j < VW) e = vselect(vhead((int)(keys - j)), e, vzero());
    sum = vadd(sum, e);
    vstore(scores + j, e);
  }
  const float total = vsum(sum);
  return total == 0 ? 0 : 1.0f / total;
}

// out[d] = inverse * sum_j weight[j] * v_j[d] for NVEC vectors of d; a single vector has w lanes.
template <int NVEC>
INLINE void weighted_sum(float* out, const float* weight, const float* v, Index keys, Index D, int w, float inverse) {
  vf sum[NVEC];
  UNROLL_FOR (int x = 0; x < NVEC; x++) sum[x] = vzero();
  for (Index j = 0; j < keys; j++, v += D) {
    vf p = vbroadcast(weight + j);
    UNROLL_FOR (int x = 0; x < NVEC; x++) sum[x] = vfma(p, NVEC > 1 ? vload(v + x * VW) : vload_tail(v, w), sum[x]);
  }
  UNROLL_FOR (int x = 0; x < NVEC; x++) {
    vf r = vmul(sum[x], vsplat(inverse));
    if (NVEC > 1) vstore(out + x * VW, r);
    else vstore_tail(out, r, w);
  }
}

static Index score_floats(const Slot* a) { return padded((Index)a[ATTENTION_DECODE_S].i + VW); }

static void run_attention_decode(const Slot* a, Team& team) {
  const Index B = a[ATTENTION_DECODE_B].i, H = a[ATTENTION_DECODE_H].i, G = a[ATTENTION_DECODE_G].i,
              D = a[ATTENTION_DECODE_D].i, S = a[ATTENTION_DECODE_S].i, q_b = a[ATTENTION_DECODE_q_b].i;
  const float scale = (float)a[ATTENTION_DECODE_scale].f;
  Index position;
  if (!read_position(&position, buffer<int32_t>(a, ATTENTION_DECODE_position), 1, S, team)) return;
  float* scores = (float*)team.scratch + team.rank * score_floats(a);
  const Share mine = share(B * H, team);
  for (Index z = (Index)mine.begin; z < mine.end; z++) {
    const Index b = z / H, h = z % H, at = (b * G + h * G / H) * S * D, keys = position + 1;
    const float *q = buffer<float>(a, ATTENTION_DECODE_q) + b * q_b + h * D,
                *v = buffer<float>(a, ATTENTION_DECODE_v_cache) + at;
    float* out = buffer<float>(a, ATTENTION_DECODE_out) + z * D;
    score(scores, q, buffer<float>(a, ATTENTION_DECODE_k_cache) + at, keys, D, scale);
    const float inverse = exponentiate(scores, keys);
    Index d = 0;
    for (; d + 4 * VW <= D; d += 4 * VW) weighted_sum<4>(out + d, scores, v + d, keys, D, VW, inverse);
    for (; d < D; d += VW)
      weighted_sum<1>(out + d, scores, v + d, keys, D, D - d < VW ? (int)(D - d) : (int)VW, inverse);
  }
}

static double work_attention_decode(const Slot* a) {
  return (double)a[ATTENTION_DECODE_B].i * a[ATTENTION_DECODE_H].i * a[ATTENTION_DECODE_D].i * a[ATTENTION_DECODE_S].i /
         10;
}
static size_t scratch_attention_decode(const Slot* a) { return (size_t)MAX_THREADS * score_floats(a) * sizeof(float); }

ENTRY(attention_decode, work_attention_decode, scratch_attention_decode);

static void run_kv_append(const Slot* a, Team& team) {
  const Index B = a[KV_APPEND_B].i, G = a[KV_APPEND_G].i, T = a[KV_APPEND_T].i, D = a[KV_APPEND_D].i,
              S = a[KV_APPEND_S].i;
  Index position;
  if (!read_position(&position, buffer<int32_t>(a, KV_APPEND_position), T, S, team)) return;
  const Share mine = share(B * G, team);
  for (int values = 0; values < 2; values++) {
    float* cache = buffer<float>(a, values ? KV_APPEND_v_cache : KV_APPEND_k_cache);
    const float* from = buffer<float>(a, values ? KV_APPEND_v : KV_APPEND_k);
    const Index b_stride = a[values ? KV_APPEND_v_b : KV_APPEND_k_b].i,
                t_stride = a[values ? KV_APPEND_v_t : KV_APPEND_k_t].i;
    for (Index z = (Index)mine.begin; z < mine.end; z++)
      for (Index t = 0; t < T; t++)
        memcpy(cache + (z * S + position + t) * D, from + z / G * b_stride + t * t_stride + z % G * D,
               D * sizeof(float));
  }
}

static double work_kv_append(const Slot* a) {
  return (double)a[KV_APPEND_B].i * a[KV_APPEND_G].i * a[KV_APPEND_T].i * a[KV_APPEND_D].i / 2;
}

ENTRY(kv_append, work_kv_append, nullptr);
