// What generation needs: one query per sequence over a key/value cache, and appending new keys and values to it.
#include "attention.h"

// The position is data, not a parameter: a replayed Program moves on by itself.
static bool position_of(const int32_t* position, int64_t count, int64_t S, Team& team, Index* at) {
  *at = position[0];
  if (*at >= 0 && *at + count <= S) return true;
  team.fail(STATUS_BAD_INDEX);
  return false;
}

// scores[j] = scale * q . k_j, lanes over d.
static void score(const float* q, const float* k, Index keys, Index D, float scale, float* scores) {
  const Index whole = D / VW * VW;
  const int tail = (int)(D - whole);
  for (Index j = 0; j < keys; j++, k += D) {
    vf even = vzero(), odd = vzero();
    Index d = 0;
    for (; d + 2 * VW <= whole; d += 2 * VW) {
      even = vfma(vload(q + d), vload(k + d), even);
      odd = vfma(vload(q + d + VW), vload(k + d + VW), odd);
    }
    if (d < whole) even = vfma(vload(q + d), vload(k + d), even);
    if (tail) odd = vfma(vload_tail(q + whole, tail), vload_tail(k + whole, tail), odd);
    scores[j] = scale * vsum(vadd(even, odd));
  }
}

// scores become exp(score - max), zero up to a whole vector; returns 1 / sum.
static float exponentiate(float* scores, Index keys) {
  for (Index j = keys; j % VW; j++) scores[j] = -INFINITY;
  vf top = vsplat(-INFINITY), sum = vzero();
  for (Index j = 0; j < keys; j += VW) top = vmax(top, vload(scores + j));
  top = vsplat(vhmax(top));
  for (Index j = 0; j < keys; j += VW) {
    vf e = vexp_nonpositive(vsub(vload(scores + j), top));
    if (keys - j < VW) e = vselect(vhead((int)(keys - j)), e, vzero());
    sum = vadd(sum, e);
    vstore(scores + j, e);
  }
  return 1.0f / vsum(sum);
}

// out[d] = inverse * sum_j weight[j] * v_j[d] for NVEC vectors of d from d0, the last of w lanes.
template <int NVEC>
INLINE void blend(const float* weight, const float* v, Index keys, Index D, float inverse, int w, float* out) {
  vf sum[NVEC];
  UNROLL for (int x = 0; x < NVEC; x++) sum[x] = vzero();
  for (Index j = 0; j < keys; j++, v += D) {
    vf p = vbroadcast(weight + j);
    UNROLL for (int x = 0; x < NVEC; x++) sum[x] = vfma(p, NVEC > 1 ? vload(v + x * VW) : vload_tail(v, w), sum[x]);
  }
  UNROLL for (int x = 0; x < NVEC; x++) {
    vf r = vmul(sum[x], vsplat(inverse));
    if (NVEC > 1) vstore(out + x * VW, r);
    else vstore_tail(out, r, w);
  }
}

static Index score_room(const Slot* s) { return line((Index)s[ATTENTION_DECODE_S].i + VW); }

static void run_attention_decode(const Slot* s, Team& team) {
  const Index B = s[ATTENTION_DECODE_B].i, H = s[ATTENTION_DECODE_H].i, G = s[ATTENTION_DECODE_G].i, D = s[ATTENTION_DECODE_D].i,
              S = s[ATTENTION_DECODE_S].i, q_b = s[ATTENTION_DECODE_q_b].i;
  const float scale = (float)s[ATTENTION_DECODE_scale].f;
  Index position;
  if (!position_of(buffer<int32_t>(s, ATTENTION_DECODE_position), 1, S, team, &position)) return;
  float* scores = (float*)team.scratch + team.t * score_room(s);
  const Share mine = share(B * H, team);
  for (Index z = (Index)mine.begin; z < mine.end; z++) {
    const Index b = z / H, h = z % H, at = (b * G + h * G / H) * S * D, keys = position + 1;
    const float *q = buffer<float>(s, ATTENTION_DECODE_q) + b * q_b + h * D, *v = buffer<float>(s, ATTENTION_DECODE_v_cache) + at;
    float* out = buffer<float>(s, ATTENTION_DECODE_out) + z * D;
    score(q, buffer<float>(s, ATTENTION_DECODE_k_cache) + at, keys, D, scale, scores);
    const float inverse = exponentiate(scores, keys);
    Index d = 0;
    for (; d + 4 * VW <= D; d += 4 * VW) blend<4>(scores, v + d, keys, D, inverse, VW, out + d);
    for (; d < D; d += VW) blend<1>(scores, v + d, keys, D, inverse, D - d < VW ? (int)(D - d) : (int)VW, out + d);
  }
}

static double work_attention_decode(const Slot* s) {
  return (double)s[ATTENTION_DECODE_B].i * s[ATTENTION_DECODE_H].i * s[ATTENTION_DECODE_D].i * s[ATTENTION_DECODE_S].i / 10;
}
static size_t scratch_attention_decode(const Slot* s) { return (size_t)MAX_THREADS * score_room(s) * sizeof(float); }

ENTRY(attention_decode, work_attention_decode, scratch_attention_decode);

static void run_kv_append(const Slot* s, Team& team) {
  const Index B = s[KV_APPEND_B].i, G = s[KV_APPEND_G].i, T = s[KV_APPEND_T].i, D = s[KV_APPEND_D].i, S = s[KV_APPEND_S].i;
  Index position;
  if (!position_of(buffer<int32_t>(s, KV_APPEND_position), T, S, team, &position)) return;
  const Share mine = share(B * G, team);
  for (int which = 0; which < 2; which++) {
    float* cache = buffer<float>(s, which ? KV_APPEND_v_cache : KV_APPEND_k_cache);
    const float* from = buffer<float>(s, which ? KV_APPEND_v : KV_APPEND_k);
    const Index b_stride = s[which ? KV_APPEND_v_b : KV_APPEND_k_b].i, t_stride = s[which ? KV_APPEND_v_t : KV_APPEND_k_t].i;
    for (Index z = (Index)mine.begin; z < mine.end; z++)
      for (Index t = 0; t < T; t++)
        memcpy(cache + (z * S + position + t) * D, from + z / G * b_stride + t * t_stride + z % G * D, D * sizeof(float));
  }
}

static double work_kv_append(const Slot* s) {
  return (double)s[KV_APPEND_B].i * s[KV_APPEND_G].i * s[KV_APPEND_T].i * s[KV_APPEND_D].i / 2;
}

ENTRY(kv_append, work_kv_append, nullptr);
