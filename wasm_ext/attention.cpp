// attention: the fused forward.
//
// No T x T matrix exists (Dao et al. 2022). A block is NR queries, a vector lane each: its scores
// over all the keys that the queries see are one small matrix [keys, NR]. So the softmax needs no
// sum across lanes and no rescaling of partial results. All products are the register tile of
// microkernel.h.
#include "attention.h"

static Attention read_attention(const Slot* a) {
  Attention p = {};
  const int base = ATTENTION_B;
  p.B = a[base].i, p.H = a[base + 1].i, p.G = a[base + 2].i, p.T = a[base + 3].i, p.S = a[base + 4].i,
  p.D = a[base + 5].i;
  p.causal = a[ATTENTION_causal].i != 0;
  p.scale = (float)a[ATTENTION_scale].f;
  p.q = heads(a, ATTENTION_q, ATTENTION_q_b);
  p.k = heads(a, ATTENTION_k, ATTENTION_k_b);
  p.v = heads(a, ATTENTION_v, ATTENTION_v_b);
  p.out = heads(a, ATTENTION_out, ATTENTION_o_b);
  p.lse = buffer<float>(a, ATTENTION_lse);
  return p;
}

void copy_rows(const float* from, Index stride, Index n, Index D, float* to, Index rows, Index DP) {
  for (Index i = 0; i < rows; i++, to += DP) {
    if (i < n) memcpy(to, from + i * stride, D * sizeof(float));
    const Index from_column = i < n ? D : 0;
    if (from_column < DP) memset(to + from_column, 0, (DP - from_column) * sizeof(float));
  }
}

void transpose_rows(const float* from, Index stride, Index n, Index D, float* to, Index ld) {
  const Index block_end = n / 4 * 4;
  for (Index i = n; i < round_up(n, 4); i++)
    for (Index d = 0; d < D; d++) to[d * ld + i] = 0;
  for (Index i = 0; i < block_end; i += 4) {
    Index d = 0;
    for (; d + 4 <= D; d += 4) transpose4(to + d * ld + i, ld, from + i * stride + d, stride);
    for (; d < D; d++)
      for (Index x = 0; x < 4; x++) to[d * ld + i + x] = from[(i + x) * stride + d];
  }
  for (Index i = block_end; i < n; i++)
    for (Index d = 0; d < D; d++) to[d * ld + i] = from[i * stride + d];
}

template <int R>
static __attribute__((noinline)) void panel_tile(Index K, const float* a, Index a_k, const float* b, const float* init,
                                                 float* out) {
  micro_kernel<R, true>(out, NR, init, NR, a, a_k, 1, b, NR, K);
}

void panel_product(Index rows, Index K, const float* a, Index a_k, const float* b, const float* init, float* out) {
  const Index large_tiles_end = rows - rows_in_fours(rows);
  for (Index r = 0; r < large_tiles_end; r += MR)
    panel_tile<MR>(K, a + r, a_k, b, init ? init + r * NR : nullptr, out + r * NR);
  for (Index r = large_tiles_end; r < rows; r += 4)
    panel_tile<4>(K, a + r, a_k, b, init ? init + r * NR : nullptr, out + r * NR);
}

void store_transposed(const float* from, Index D, Index n, float* to, Index stride) {
  Index i = 0;
  for (; i + 4 <= n; i += 4) {
    Index d = 0;
    for (; d + 4 <= D; d += 4) transpose4(to + i * stride + d, stride, from + d * NR + i, NR);
    for (; d < D; d++)
      for (Index x = 0; x < 4; x++) to[(i + x) * stride + d] = from[d * NR + i + x];
  }
  for (; i < n; i++)
    for (Index d = 0; d < D; d++) to[i * stride + d] = from[d * NR + i];
}

// ---- forward ------------------------------------------------------------------------------------

// The scratch of a thread: the keys of one head, transposed, as D rows of ST floats (an odd number
// of cache lines), its values as SP rows of DP floats, zero beyond D and S; then for one block of
// NR queries: the transposed queries [DP, NR], the probabilities [SP, NR], the transposed output
// [DP, NR].
struct ForwardScratch {
  Index DP, SP, ST, keys, values, thread;
  ForwardScratch(const Attention& p)
      : DP(round_up(p.D, 4)), SP(round_up(p.S, 4)), ST(round_up(p.S, 32) + 16), keys(padded(p.D * ST)),
        values(padded(SP * DP)), thread(keys + values + padded((2 * DP + SP) * NR)) {}
};

// The number of keys that the NR queries from i on see, at least in part.
static Index visible(const Attention& p, Index i) {
  const Index last = i + NR < p.T ? i + NR : p.T;
  return p.causal && last < p.S ? last : p.S;
}

// In place: scores [keys, NR] become probabilities times their sum. inverse = 1 / sum; lse is
// written for the queries that exist.
static void softmax_over_keys(float* scores, vf (&inverse)[NV], float* lse, const Attention& p, Index i, Index keys) {
  const Index open = p.causal && i < keys ? i + 1 : keys;  // the keys that every query of the block sees
  vf top[NV], sum[NV], lane[NV];
  for (int x = 0; x < NV; x++) {
    top[x] = vsplat(-INFINITY);
    sum[x] = vzero();
    lane[x] = vadd(vlanes(), vsplat((float)(x * VW)));
  }
  for (Index j = 0; j < keys; j++)
    UNROLL_FOR (int x = 0; x < NV; x++) {
      vf s = vload(scores + j * NR + x * VW);
      if (j >= open) s = vselect(vge(lane[x], vsplat((float)(j - i))), s, vsplat(-INFINITY));
      top[x] = vmax(top[x], s);
    }
  // Finite: e is 0, not NaN, where every score of a query is -inf. Such a query has the output 0
  // and the lse +inf, which makes its probabilities 0 in the backward: PyTorch's.
  for (int x = 0; x < NV; x++) top[x] = vmax(top[x], vsplat(-3.402823466e38f));
  for (Index j = 0; j < keys; j++) {
    vf e[NV];  // all before the first store: the constants of exp are then read once
    UNROLL_FOR (int x = 0; x < NV; x++) e[x] = vexp_nonpositive(vsub(vload(scores + j * NR + x * VW), top[x]));
    if (j >= open)
      UNROLL_FOR (int x = 0; x < NV; x++) e[x] = vselect(vge(lane[x], vsplat((float)(j - i))), e[x], vzero());
    UNROLL_FOR (int x = 0; x < NV; x++) {
      sum[x] = vadd(sum[x], e[x]);
      vstore(scores + j * NR + x * VW, e[x]);
    }
  }
  const Index n = p.T - i < NR ? p.T - i : (Index)NR;
  for (int x = 0; x < NV; x++) {
    const vm some = vne(sum[x], vzero());
    inverse[x] = vselect(some, vdiv(vsplat(1.0f), sum[x]), vzero());
    const int w = n <= x * VW ? 0 : n - x * VW < VW ? (int)(n - x * VW) : (int)VW;
    vstore_tail(lse + x * VW, vselect(some, vadd(top[x], vlog(sum[x])), vsplat(INFINITY)), w);
  }
}

static void query_block(const Attention& p, const ForwardScratch& scratch, Index b, Index h, Index i, const float* k,
                        const float* v, float* own) {
  float *q = own, *scores = q + scratch.DP * NR, *out = scores + scratch.SP * NR;
  const Index n = p.T - i < NR ? p.T - i : (Index)NR, keys = visible(p, i);
  pack_transposed<NR>(p.q.at(b, i, h), p.q.t, (int)n, p.D, q);
  for (Index d = 0; d < p.D * NR; d += VW) vstore(q + d, vmul(vload(q + d), vsplat(p.scale)));
  panel_product(round_up(keys, 4), p.D, k, scratch.ST, q, nullptr, scores);
  vf inverse[NV];
  softmax_over_keys(scores, inverse, p.lse + (b * p.H + h) * p.T + i, p, i, keys);
  // Values in chunks that stay in the first-level cache while all of D passes over them.
  const Index chunk = cached_rows(scratch.DP);
  for (Index j = 0; j == 0 || j < keys; j += chunk)
    panel_product(scratch.DP, keys - j < chunk ? keys - j : chunk, v + j * scratch.DP, scratch.DP, scores + j * NR,
                  j ? out : nullptr, out);
  for (Index d = 0; d < p.D; d++)
    UNROLL_FOR (int x = 0; x < NV; x++) vstore(out + d * NR + x * VW, vmul(vload(out + d * NR + x * VW), inverse[x]));
  store_transposed(out, p.D, n, p.out.at(b, i, h), p.out.t);
}

static void run_attention(const Slot* a, Team& team) {
  const Attention p = read_attention(a);
  const ForwardScratch scratch(p);
  float *k = (float*)team.scratch + team.rank * scratch.thread, *v = k + scratch.keys, *own = v + scratch.values;
  // The cost of a block is the number of keys it sees. Thread t takes the blocks that begin in its
  // part of the total. It copies the keys and values of a head to its own scratch when it reaches
  // that head: they are then in the nearest caches, and a head that two threads share is copied
  // twice.
  int64_t per_head = 0;
  for (Index i = 0; i < p.T; i += NR) per_head += visible(p, i) + 8;
  const int64_t total = per_head * p.B * p.H, from = total * team.rank / team.size,
                to = total * (team.rank + 1) / team.size;
  Index loaded = -1;
  for (Index z = 0; z < p.B * p.H; z++) {
    int64_t cost = per_head * z;
    if (cost + per_head <= from || cost >= to) continue;
    const Index b = z / p.H, h = z % p.H, g = h * p.G / p.H;
    for (Index i = 0; i < p.T; i += NR) {
      if (cost >= from && cost < to) {
        if (loaded != b * p.G + g) {
          transpose_rows(p.k.at(b, 0, g), p.k.t, p.S, p.D, k, scratch.ST);
          copy_rows(p.v.at(b, 0, g), p.v.t, p.S, p.D, v, scratch.SP, scratch.DP);
          loaded = b * p.G + g;
        }
        query_block(p, scratch, b, h, i, k, v, own);
      }
      cost += visible(p, i) + 8;
    }
  }
}

static double work_attention(const Slot* a) {
  const Attention p = read_attention(a);
  return (double)p.B * p.H * p.T * p.S * (p.causal ? 0.5 : 1) * (p.D / 12.0 + 1);
}

static size_t scratch_attention(const Slot* a) {
  const Attention p = read_attention(a);
  return MAX_THREADS * ForwardScratch(p).thread * sizeof(float);
}

ENTRY(attention, work_attention, scratch_attention);
