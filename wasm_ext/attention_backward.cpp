// attention_backward: dq, dk, dv from dout. Recomputes the probabilities from the saved log-sum-exp
// (Dao et al. 2022).
//
// A unit is one query head and one chunk of its queries; units are independent. A unit walks the
// keys in blocks of KEY_BLOCK, each in panels of NR (a lane a key). For a panel and a run of
// queries, tile by tile: P = exp(q k^T - lse) and dS = P * (dout v^T - delta); then dv^T += dout^T
// P and dk^T += q^T dS, whose sums over the queries stay in one [D, NR] block each. dS is kept,
// transposed, for the complete block of keys, and dq += dS k runs once a block. Several units may
// add to the same dk and dv (query heads that share a key head, or chunks): each then writes its
// own part, and a second phase adds the parts in order.
#include <cmath>
#include "attention.h"

enum { KEY_BLOCK = 64, TARGET_UNITS = 64, CHUNK_MIN = 64 };

struct Backward : Attention {
  Heads dout, dq, dk, dv;
  // Chunks of a query head: enough units for many threads where there are few heads. A function of
  // the sizes alone.
  Index chunks;
  bool parts;        // units write partial dk and dv
  Index DP, SP, TP;  // D and S padded to panels, the longest chunk padded to tiles
  // scratch, in floats
  Index part, thread;

  Index bound(Index chunk) const {  // first query of a chunk; under the causal mask later queries see more keys
    double x = (double)chunk / (double)chunks;
    Index i = round_up((Index)((causal ? std::sqrt(x) : x) * (double)T), 4);
    return chunk == chunks || i > T ? T : i;
  }
};

static Backward read_attention_backward(const Slot* a) {
  Backward p = {};
  const int base = ATTENTION_BACKWARD_B;
  p.B = a[base].i, p.H = a[base + 1].i, p.G = a[base + 2].i, p.T = a[base + 3].i, p.S = a[base + 4].i,
  p.D = a[base + 5].i;
  p.causal = a[ATTENTION_BACKWARD_causal].i != 0;
  p.scale = (float)a[ATTENTION_BACKWARD_scale].f;
  p.q = heads(a, ATTENTION_BACKWARD_q, ATTENTION_BACKWARD_q_b);
  p.k = heads(a, ATTENTION_BACKWARD_k, ATTENTION_BACKWARD_k_b);
  p.v = heads(a, ATTENTION_BACKWARD_v, ATTENTION_BACKWARD_v_b);
  p.out = heads(a, ATTENTION_BACKWARD_out, ATTENTION_BACKWARD_o_b);
  p.dout = heads(a, ATTENTION_BACKWARD_dout, ATTENTION_BACKWARD_do_b);
  p.dq = heads(a, ATTENTION_BACKWARD_dq, ATTENTION_BACKWARD_dq_b);
  p.dk = heads(a, ATTENTION_BACKWARD_dk, ATTENTION_BACKWARD_dk_b);
  p.dv = heads(a, ATTENTION_BACKWARD_dv, ATTENTION_BACKWARD_dv_b);
  p.lse = buffer<float>(a, ATTENTION_BACKWARD_lse);
  if (p.B <= 0 || p.H <= 0) return p;
  p.chunks = (TARGET_UNITS + p.B * p.H - 1) / (p.B * p.H);
  if (p.chunks > p.T / CHUNK_MIN) p.chunks = p.T / CHUNK_MIN;
  if (p.chunks < 1) p.chunks = 1;
  p.parts = p.chunks > 1 || p.H != p.G;
  p.DP = round_up(p.D, NR);
  p.SP = round_up(p.S, NR);
  for (Index c = 0; c < p.chunks; c++) {
    const Index rows = round_up(p.bound(c + 1) - p.bound(c), 4);
    if (rows > p.TP) p.TP = rows;
  }
  p.part = p.parts ? padded(p.S * p.D) : 0;
  p.thread = padded(3 * p.TP * p.DP) + padded(3 * p.SP * p.DP) + padded(2 * p.TP) + padded(p.TP * KEY_BLOCK) +
             padded(2 * round_up(cached_rows(p.DP), 4) * NR) + padded(2 * p.DP * NR);
  return p;
}

// A thread's scratch, filled for one unit: queries i0 .. i0 + n - 1 of head (b, h).
struct Unit {
  float *q, *dout, *dq;     // [TP, DP]; q is already scaled
  float *k, *kt, *vt;       // k [SP, DP]; kt, vt: panels [D, NR]
  float *lse, *delta;       // [TP]
  float* ds_transposed;     // [TP / 4, KEY_BLOCK, 4]
  float *probability, *ds;  // [a run of queries, NR]
  float *dvt, *dkt;         // [DP, NR]
  Index b, h, i0, n, rows;  // rows: n padded to tiles

  Unit(const Backward& p, float* scratch, Index b, Index h, Index i0, Index n)
      : b(b), h(h), i0(i0), n(n), rows(round_up(n, 4)) {
    q = scratch, dout = q + p.TP * p.DP, dq = dout + p.TP * p.DP, scratch += padded(3 * p.TP * p.DP);
    k = scratch, kt = k + p.SP * p.DP, vt = kt + p.SP * p.DP, scratch += padded(3 * p.SP * p.DP);
    lse = scratch, delta = lse + p.TP, scratch += padded(2 * p.TP);
    ds_transposed = scratch, scratch += padded(p.TP * KEY_BLOCK);
    probability = scratch, ds = scratch + cached_rows(p.DP) * NR,
    scratch += padded(2 * round_up(cached_rows(p.DP), 4) * NR);
    dvt = scratch, dkt = scratch + p.DP * NR;
  }
};

static void load(const Backward& p, Unit& u, Index keys) {
  copy_rows(p.q.at(u.b, u.i0, u.h), p.q.t, u.n, p.D, u.q, u.rows, p.DP);
  for (Index x = 0; x < u.rows * p.DP; x += VW) vstore(u.q + x, vmul(vload(u.q + x), vsplat(p.scale)));
  copy_rows(p.dout.at(u.b, u.i0, u.h), p.dout.t, u.n, p.D, u.dout, u.rows, p.DP);
  const float* lse = p.lse + (u.b * p.H + u.h) * p.T + u.i0;
  for (Index i = 0; i < u.rows; i++) {
    vf dot = vzero();
    if (i < u.n) {
      const float* out = p.out.at(u.b, u.i0 + i, u.h);
      for (Index d = 0; d < p.D; d += VW)
        dot = vfma(vload(u.dout + i * p.DP + d), vload_tail(out + d, (int)(p.D - d < VW ? p.D - d : (Index)VW)), dot);
    }
    u.delta[i] = vsum(dot);
    u.lse[i] = i < u.n ? lse[i] : 0.0f;
  }
  const Index g = u.h * p.G / p.H;
  copy_rows(p.k.at(u.b, 0, g), p.k.t, keys, p.D, u.k, round_up(keys, NR), p.DP);
  for (Index j = 0; j < keys; j += NR) {
    const int n = keys - j < NR ? (int)(keys - j) : (int)NR;
    pack_transposed<NR>(p.k.at(u.b, j, g), p.k.t, n, p.D, u.kt + j * p.DP);
    pack_transposed<NR>(p.v.at(u.b, j, g), p.v.t, n, p.D, u.vt + j * p.DP);
  }
}

// P and dS of 4 queries from row i of the unit and the NR keys from j, as [4, NR]; dS also
// transposed, as [NR, 4].
static inline void scores(const Backward& p, const Unit& u, Index i, Index j, float* probability, float* ds,
                          float* ds_transposed) {
  micro_kernel<4>(probability, NR, nullptr, 0, u.q + i * p.DP, 1, p.DP, u.kt + j * p.DP, NR, p.D);
  micro_kernel<4>(ds, NR, nullptr, 0, u.dout + i * p.DP, 1, p.DP, u.vt + j * p.DP, NR, p.D);
  const bool edge = p.causal && j + NR - 1 > u.i0 + i;
  for (int r = 0; r < 4; r++) {
    const vf lse = vbroadcast(u.lse + i + r), delta = vbroadcast(u.delta + i + r);
    UNROLL_FOR (int x = 0; x < NV; x++) {
      float *at = probability + r * NR + x * VW, *ds_at = ds + r * NR + x * VW;
      vf e = vexp_nonpositive(vsub(vload(at), lse));
      if (edge) e = vselect(vle(vadd(vlanes(), vsplat((float)(j + x * VW - u.i0 - i - r))), vzero()), e, vzero());
      vstore(at, e);
      vstore(ds_at, vmul(e, vsub(vload(ds_at), delta)));
    }
  }
  for (int x = 0; x < NR; x += 4) transpose4(ds_transposed + x * 4, 4, ds + x, NR);
}

// Gradients of the NR keys from j on, of block `block`: dkt and dvt, complete for the unit's
// queries.
static void key_panel(const Backward& p, const Unit& u, Index block, Index j) {
  Index first = p.causal && j > u.i0 ? j - u.i0 : 0;  // earlier queries see none of these keys
  first = first / 4 * 4;
  if (first >= u.rows) memset(u.dvt, 0, 2 * p.DP * NR * sizeof(float));
  const Index run = cached_rows(p.DP);
  for (Index i = first; i < u.rows; i += run) {
    const Index n = u.rows - i < run ? u.rows - i : run;
    for (Index x = 0; x < n; x += 4)
      scores(p, u, i + x, j, u.probability + x * NR, u.ds + x * NR,
             u.ds_transposed + (i + x) * KEY_BLOCK + (j - block) * 4);
    for (Index d = 0; d < p.D; d += 4) {
      const float* dout = u.dout + i * p.DP + d;
      const float* dvt_init = i > first ? u.dvt + d * NR : nullptr;
      micro_kernel<4, true>(u.dvt + d * NR, NR, dvt_init, NR, dout, p.DP, 1, u.probability, NR, n);
      const float* q = u.q + i * p.DP + d;
      const float* dkt_init = i > first ? u.dkt + d * NR : nullptr;
      micro_kernel<4, true>(u.dkt + d * NR, NR, dkt_init, NR, q, p.DP, 1, u.ds, NR, n);
    }
  }
}

static void unit(const Backward& p, Unit& u, Heads dk, Heads dv) {
  const Index last = u.i0 + u.n, keys = p.causal && last < p.S ? last : p.S;  // that a query of the unit sees
  load(p, u, keys);
  for (Index block = 0; block < p.S; block += KEY_BLOCK) {
    const Index end = p.S - block < KEY_BLOCK ? p.S : block + KEY_BLOCK;
    for (Index j = block; j < end; j += NR) {
      if (j < keys) key_panel(p, u, block, j);
      else memset(u.dvt, 0, 2 * p.DP * NR * sizeof(float));
      const Index n = p.S - j < NR ? p.S - j : (Index)NR;
      store_transposed(u.dvt, p.D, n, dv.at(0, j, 0), dv.t);
      store_transposed(u.dkt, p.D, n, dk.at(0, j, 0), dk.t);
    }
    for (Index i = 0; i < u.rows; i += 4) {
      Index seen = keys < end ? keys : end;  // of the block's keys, in whole panels where the mask cuts
      const Index panels_end = p.causal ? (u.i0 + i + 3) / NR * NR + NR : seen;
      if (panels_end < seen) seen = panels_end;
      if (seen <= block && block) continue;
      for (Index d = 0; d < p.DP; d += NR) {
        const Index depth = seen - block;
        const float *ds = u.ds_transposed + i * KEY_BLOCK, *k = u.k + block * p.DP + d;
        const float* init = block ? u.dq + i * p.DP + d : nullptr;
        micro_kernel<4, true>(u.dq + i * p.DP + d, p.DP, init, p.DP, ds, 4, 1, k, p.DP, depth);
      }
    }
  }
  for (Index i = 0; i < u.n; i++)
    for (Index d = 0; d < p.D; d += VW)
      vstore_tail(p.dq.at(u.b, u.i0 + i, u.h) + d, p.S ? vmul(vload(u.dq + i * p.DP + d), vsplat(p.scale)) : vzero(),
                  (int)(p.D - d < VW ? p.D - d : (Index)VW));
}

// dk, dv of one (b, g): its units' parts added in the order of heads and chunks.
static void add_parts(const Backward& p, const float* parts, const Heads& to, Index b, Index g, Index from, Index end) {
  for (Index j = from; j < end; j++)
    for (Index d = 0; d < p.D; d += VW) {
      const int w = p.D - d < VW ? (int)(p.D - d) : (int)VW;
      vf sum = vzero();
      for (Index h = 0; h < p.H; h++)
        if (h * p.G / p.H == g)
          for (Index c = 0; c < p.chunks; c++)
            sum = vadd(sum, vload_tail(parts + (((b * p.H + h) * p.chunks + c) * 2) * p.part + j * p.D + d, w));
      vstore_tail(to.at(b, j, g) + d, sum, w);
    }
}

static void run_attention_backward(const Slot* a, Team& team) {
  const Backward p = read_attention_backward(a);
  if (p.B <= 0 || p.H <= 0) return;
  const Index units = p.B * p.H * p.chunks;
  float *parts = (float*)team.scratch, *scratch = parts + units * 2 * p.part + team.rank * p.thread;
  const Share mine = share(units, team);
  for (Index z = (Index)mine.begin; z < mine.end; z++) {
    const Index c = z % p.chunks, head = z / p.chunks, b = head / p.H, h = head % p.H;
    Unit u(p, scratch, b, h, p.bound(c), p.bound(c + 1) - p.bound(c));
    if (p.parts) unit(p, u, {parts + z * 2 * p.part, 0, p.D, 0}, {parts + (z * 2 + 1) * p.part, 0, p.D, 0});
    else unit(p, u, {p.dk.at(b, 0, h), 0, p.dk.t, 0}, {p.dv.at(b, 0, h), 0, p.dv.t, 0});
  }
  if (!p.parts) return;
  team.barrier();
  const Share rows = share(p.B * p.G * p.S, team);
  for (Index r = (Index)rows.begin; r < rows.end;) {
    const Index z = r / p.S, j = r % p.S, end = rows.end - r < p.S - j ? j + (Index)(rows.end - r) : p.S;
    add_parts(p, parts, p.dk, z / p.G, z % p.G, j, end);
    add_parts(p, parts + p.part, p.dv, z / p.G, z % p.G, j, end);
    r += end - j;
  }
}

static double work_attention_backward(const Slot* a) {
  const Backward p = read_attention_backward(a);
  return (double)p.B * p.H * p.T * p.S * (p.causal ? 0.5 : 1) * (p.D / 5.0 + 2);
}

static size_t scratch_attention_backward(const Slot* a) {
  const Backward p = read_attention_backward(a);
  return (size_t)(p.B * p.H * p.chunks * 2 * p.part + MAX_THREADS * p.thread) * sizeof(float);
}

ENTRY(attention_backward, work_attention_backward, scratch_attention_backward);
