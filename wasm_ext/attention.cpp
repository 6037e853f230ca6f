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
    memset(to + from_column, 0, (DP - from_column) * sizeof(float));
  }
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

// Keys and values as rows of DP floats, zero beyond D and S, head after head, for the whole team; then per thread one block of NR
// queries: the turned queries [DP, NR], the probabilities [SP, NR], the turned output [DP, NR].
struct ForwardRoom {
  Index DP, SP, head, thread;
  ForwardRoom(const Attention& p) : DP(up(p.D, 4)), SP(up(p.S, 4)), head(line(SP * DP)), thread(line((2 * DP + SP) * NR)) {}
  size_t bytes(const Attention& p) const { return (size_t)(2 * p.B * p.G * head + MAX_THREADS * thread) * sizeof(float); }
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
  for (Index j = 0; j < keys; j++)
    UNROLL for (int x = 0; x < NV; x++) {
      vf e = vexp_nonpositive(vsub(vload(scores + j * NR + x * VW), top[x]));
      if (j >= open) e = vselect(vge(lane[x], vsplat((float)(j - i))), e, vzero());
      sum[x] = vadd(sum[x], e);
      vstore(scores + j * NR + x * VW, e);
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
  for (Index j = 0; j < keys; j += 4) tile<4>(p.D, k + j * room.DP, 1, room.DP, q, NR, nullptr, 0, scores + j * NR, NR);
  vf inverse[NV];
  softmax_over_keys(p, i, keys, scores, inverse, p.lse + (b * p.H + h) * p.T + i);
  // Values in chunks that the first-level cache keeps while all of D passes over them.
  const Index chunk = cached_rows(room.DP);
  for (Index j = 0; j == 0 || j < keys; j += chunk)
    for (Index d = 0; d < room.DP; d += 4)
      tile<4>(keys - j < chunk ? keys - j : chunk, v + j * room.DP + d, room.DP, 1, scores + j * NR, NR, j ? out + d * NR : nullptr, NR,
              out + d * NR, NR);
  for (Index d = 0; d < p.D; d++)
    UNROLL for (int x = 0; x < NV; x++) vstore(out + d * NR + x * VW, vmul(vload(out + d * NR + x * VW), inverse[x]));
  store_turned(out, p.D, n, p.out.at(b, i, h), p.out.t);
}

static void run_attention(const Slot* s, Team& team) {
  const Attention p = read_attention(s);
  const ForwardRoom room(p);
  float *k = (float*)team.scratch, *v = k + p.B * p.G * room.head, *own = v + p.B * p.G * room.head + team.t * room.thread;
  const Share packed = share(p.B * p.G, team);
  for (Index z = (Index)packed.begin; z < packed.end; z++) {
    copy_rows(p.k.at(z / p.G, 0, z % p.G), p.k.t, p.S, p.D, k + z * room.head, room.SP, room.DP);
    copy_rows(p.v.at(z / p.G, 0, z % p.G), p.v.t, p.S, p.D, v + z * room.head, room.SP, room.DP);
  }
  team.barrier();
  // A block's cost is the number of keys it sees; thread t takes the blocks that begin in its part of the total.
  int64_t per_head = 0;
  for (Index i = 0; i < p.T; i += NR) per_head += visible(p, i) + 8;
  const int64_t total = per_head * p.B * p.H, from = total * team.t / team.T, to = total * (team.t + 1) / team.T;
  for (Index z = 0; z < p.B * p.H; z++) {
    int64_t cost = per_head * z;
    if (cost + per_head <= from || cost >= to) continue;
    const Index b = z / p.H, h = z % p.H, kv = b * p.G + h * p.G / p.H;
    for (Index i = 0; i < p.T; i += NR) {
      if (cost >= from && cost < to) query_block(p, room, b, h, i, k + kv * room.head, v + kv * room.head, own);
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
  return ForwardRoom(p).bytes(p);
}

ENTRY(attention, work_attention, scratch_attention);
