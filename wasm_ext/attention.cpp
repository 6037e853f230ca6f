// attention: the fused forward.
//
// No T x T matrix exists. It takes NR queries at a time, a vector lane each: their scores over all the keys they see are
// one small block [keys, NR], so the softmax needs no sum across lanes and no rescaling of partial results. All
// products are the register tile of gemm.h.
#include "attention.h"

static Attention read_attention(const Slot* s) {
  Attention p = {};
  const int base = ATTENTION_B;
  p.B = s[base].i, p.H = s[base + 1].i, p.G = s[base + 2].i, p.T = s[base + 3].i, p.S = s[base + 4].i, p.D = s[base + 5].i;
  p.causal = s[ATTENTION_causal].i != 0;
  p.scale = (float)s[ATTENTION_scale].f;
  p.q = heads(s, ATTENTION_q, ATTENTION_q_b);
  p.k = heads(s, ATTENTION_k, ATTENTION_k_b);
  p.v = heads(s, ATTENTION_v, ATTENTION_v_b);
  p.out = heads(s, ATTENTION_out, ATTENTION_o_b);
  p.lse = buffer<float>(s, ATTENTION_lse);
  return p;
}

void copy_rows(const float* from, Index stride, Index n, Index D, float* to, Index rows, Index DP) {
  for (Index i = 0; i < rows; i++, to += DP) {
    if (i < n) memcpy(to, from + i * stride, D * sizeof(float));
    const Index from_column = i < n ? D : 0;
    if (from_column < DP) memset(to + from_column, 0, (DP - from_column) * sizeof(float));
  }
}

void turn_rows(const float* from, Index stride, Index n, Index D, float* to, Index ld) {
  const Index whole = n / 4 * 4;
  for (Index i = n; i < up(n, 4); i++)
    for (Index d = 0; d < D; d++) to[d * ld + i] = 0;
  for (Index i = 0; i < whole; i += 4) {
    Index d = 0;
    for (; d + 4 <= D; d += 4) transpose4(from + i * stride + d, stride, to + d * ld + i, ld);
    for (; d < D; d++)
      for (Index x = 0; x < 4; x++) to[d * ld + i + x] = from[(i + x) * stride + d];
  }
  for (Index i = whole; i < n; i++)
    for (Index d = 0; d < D; d++) to[d * ld + i] = from[i * stride + d];
}

template <int R>
static __attribute__((noinline)) void one_tile(Index K, const float* a, Index a_k, const float* b, const float* init, float* out) {
  tile<R, true>(K, a, a_k, 1, b, NR, init, NR, out, NR);
}

void tiles(Index rows, Index K, const float* a, Index a_k, const float* b, const float* init, float* out) {
  const Index tall = rows - rows_in_fours(rows);
  for (Index r = 0; r < tall; r += MR) one_tile<MR>(K, a + r, a_k, b, init ? init + r * NR : nullptr, out + r * NR);
  for (Index r = tall; r < rows; r += 4) one_tile<4>(K, a + r, a_k, b, init ? init + r * NR : nullptr, out + r * NR);
}

void store_turned(const float* from, Index D, Index n, float* to, Index stride) {
  Index i = 0;
  for (; i + 4 <= n; i += 4) {
    Index d = 0;
    for (; d + 4 <= D; d += 4) transpose4(from + d * NR + i, NR, to + i * stride + d, stride);
    for (; d < D; d++)
      for (Index x = 0; x < 4; x++) to[(i + x) * stride + d] = from[d * NR + i + x];
  }
  for (; i < n; i++)
    for (Index d = 0; d < D; d++) to[i * stride + d] = from[d * NR + i];
}

// ---- forward -------------------------------------------------------------------------------------------------------------------

// Room of a thread: the keys of one head, turned, as D rows of ST floats (an odd number of cache lines), its values as SP rows of DP floats,
// zero beyond D and S; then one block of NR queries: the turned queries [DP, NR], the probabilities [SP, NR], the turned output [DP, NR].
struct ForwardRoom {
  Index DP, SP, ST, keys, values, thread;
  ForwardRoom(const Attention& p) : DP(up(p.D, 4)), SP(up(p.S, 4)), ST(up(p.S, 32) + 16), keys(line(p.D * ST)), values(line(SP * DP)),
                                    thread(keys + values + line((2 * DP + SP) * NR)) {}
};

// Keys that the NR queries from i on see, at least in part.
static Index visible(const Attention& p, Index i) {
  const Index last = i + NR < p.T ? i + NR : p.T;
  return p.causal && last < p.S ? last : p.S;
}

// Scores [keys, NR] become probabilities times their sum; returns 1 / sum in `inverse` and writes lse for the first n queries.
static void softmax_over_keys(const Attention& p, Index i, Index keys, float* scores, vf (&inverse)[NV], float* lse) {
  const Index open = p.causal && i < keys ? i + 1 : keys;  // keys that every query of the block sees
  vf top[NV], sum[NV], lane[NV];
  for (int x = 0; x < NV; x++) {
    top[x] = vsplat(-INFINITY);
    sum[x] = vzero();
    lane[x] = vadd(vlanes(), vsplat((float)(x * VW)));
  }
  for (Index j = 0; j < keys; j++)
    UNROLL for (int x = 0; x < NV; x++) {
      vf s = vload(scores + j * NR + x * VW);
      if (j >= open) s = vselect(vge(lane[x], vsplat((float)(j - i))), s, vsplat(-INFINITY));
      top[x] = vmax(top[x], s);
    }
  for (Index j = 0; j < keys; j++) {
    vf e[NV];  // all before the first is stored: the exponential's constants are then read once
    UNROLL for (int x = 0; x < NV; x++) e[x] = vexp_nonpositive(vsub(vload(scores + j * NR + x * VW), top[x]));
    if (j >= open)
      UNROLL for (int x = 0; x < NV; x++) e[x] = vselect(vge(lane[x], vsplat((float)(j - i))), e[x], vzero());
    UNROLL for (int x = 0; x < NV; x++) {
      sum[x] = vadd(sum[x], e[x]);
      vstore(scores + j * NR + x * VW, e[x]);
    }
  }
  const Index n = p.T - i < NR ? p.T - i : (Index)NR;
  for (int x = 0; x < NV; x++) {
    inverse[x] = keys ? vdiv(vsplat(1.0f), sum[x]) : vzero();
    const int w = n <= x * VW ? 0 : n - x * VW < VW ? (int)(n - x * VW) : (int)VW;
    vstore_tail(lse + x * VW, vadd(top[x], vlog(sum[x])), w);
  }
}

static void query_block(const Attention& p, const ForwardRoom& room, Index b, Index h, Index i, const float* k, const float* v, float* own) {
  float *q = own, *scores = q + room.DP * NR, *out = scores + room.SP * NR;
  const Index n = p.T - i < NR ? p.T - i : (Index)NR, keys = visible(p, i);
  pack_turned<NR>(p.q.at(b, i, h), p.q.t, (int)n, p.D, q);
  for (Index d = 0; d < p.D * NR; d += VW) vstore(q + d, vmul(vload(q + d), vsplat(p.scale)));
  tiles(up(keys, 4), p.D, k, room.ST, q, nullptr, scores);
  vf inverse[NV];
  softmax_over_keys(p, i, keys, scores, inverse, p.lse + (b * p.H + h) * p.T + i);
  // Values in chunks that the first-level cache keeps while all of D passes over them.
  const Index chunk = cached_rows(room.DP);
  for (Index j = 0; j == 0 || j < keys; j += chunk)
    tiles(room.DP, keys - j < chunk ? keys - j : chunk, v + j * room.DP, room.DP, scores + j * NR, j ? out : nullptr, out);
  for (Index d = 0; d < p.D; d++)
    UNROLL for (int x = 0; x < NV; x++) vstore(out + d * NR + x * VW, vmul(vload(out + d * NR + x * VW), inverse[x]));
  store_turned(out, p.D, n, p.out.at(b, i, h), p.out.t);
}

static void run_attention(const Slot* s, Team& team) {
  const Attention p = read_attention(s);
  const ForwardRoom room(p);
  float *k = (float*)team.scratch + team.t * room.thread, *v = k + room.keys, *own = v + room.values;
  // A block's cost is the number of keys it sees; thread t takes the blocks that begin in its part of the total. It brings the keys and values
  // of a head into its own room when it comes to it: so they are in the nearest caches, and a head that two threads share is brought twice.
  int64_t per_head = 0;
  for (Index i = 0; i < p.T; i += NR) per_head += visible(p, i) + 8;
  const int64_t total = per_head * p.B * p.H, from = total * team.t / team.T, to = total * (team.t + 1) / team.T;
  Index ready = -1;
  for (Index z = 0; z < p.B * p.H; z++) {
    int64_t cost = per_head * z;
    if (cost + per_head <= from || cost >= to) continue;
    const Index b = z / p.H, h = z % p.H, g = h * p.G / p.H;
    for (Index i = 0; i < p.T; i += NR) {
      if (cost >= from && cost < to) {
        if (ready != b * p.G + g) {
          turn_rows(p.k.at(b, 0, g), p.k.t, p.S, p.D, k, room.ST);
          copy_rows(p.v.at(b, 0, g), p.v.t, p.S, p.D, v, room.SP, room.DP);
          ready = b * p.G + g;
        }
        query_block(p, room, b, h, i, k, v, own);
      }
      cost += visible(p, i) + 8;
    }
  }
}

static double work_attention(const Slot* s) {
  const Attention p = read_attention(s);
  return (double)p.B * p.H * p.T * p.S * (p.causal ? 0.5 : 1) * (p.D / 12.0 + 1);
}

static size_t scratch_attention(const Slot* s) {
  const Attention p = read_attention(s);
  return MAX_THREADS * ForwardRoom(p).thread * sizeof(float);
}

ENTRY(attention, work_attention, scratch_attention);
