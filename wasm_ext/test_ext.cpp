// Checks of the extension through its C interface, for the plain build and the sanitizers.
//
// Matmul and the attention family at odd shapes against plain loops in float64; bit-identical
// results for 1 to 4 threads; fused epilogues against the separate kernels; how the walker treats
// bad encodings and failing launches. Prints one line per group; exits with 1 at the first group
// that fails.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <vector>
#include "runtime.h"

typedef std::vector<float> Floats;
static int failures = 0;

#define EXPECT(condition, ...)           \
  do {                                   \
    if (!(condition)) {                  \
      printf("FAILED %s: ", #condition); \
      printf(__VA_ARGS__);               \
      printf("\n");                      \
      if (++failures > 20) exit(1);      \
    }                                    \
  } while (0)

static uint32_t seed = 1;
static float uniform() {
  seed = seed * 1664525u + 1013904223u;
  return (float)(int32_t)(seed >> 8) / 8388608.0f - 1.0f;
}
static Floats random_floats(int64_t n) {
  Floats x(n > 0 ? n : 1);
  for (float& v : x) v = uniform();
  return x;
}

struct Launch {
  std::vector<Slot> slots;
  explicit Launch(int id) : slots(KERNEL_SLOTS[id]) {
    slots[0].i = id;
    slots[1].i = KERNEL_SLOTS[id];
    for (size_t i = 2; i < slots.size(); i++) slots[i].i = 0;
  }
  Launch& at(int slot, const void* p) {
    slots[slot].i = (int64_t)(uintptr_t)p;
    return *this;
  }
  Launch& i(int slot, int64_t v) {
    slots[slot].i = v;
    return *this;
  }
  Launch& f(int slot, double v) {
    slots[slot].f = v;
    return *this;
  }
};

static int run(const std::vector<Launch>& launches) {
  std::vector<Slot> all;
  for (const Launch& l : launches) all.insert(all.end(), l.slots.begin(), l.slots.end());
  return tg_run(all.data(), (int64_t)all.size());
}

static bool same(const Floats& a, const Floats& b) { return memcmp(a.data(), b.data(), a.size() * 4) == 0; }

// Runs `launch` with 1 to 4 threads on fresh copies of the outputs, which must be bit-identical.
// Leaves the result in the outputs.
static void threads_agree(const char* what, std::vector<Floats*> outputs, const std::function<int()>& launch) {
  std::vector<Floats> before, first;
  for (Floats* o : outputs) before.push_back(*o);
  for (int T = 1; T <= 4; T++) {
    tg_start(T);
    for (size_t o = 0; o < outputs.size(); o++) *outputs[o] = before[o];
    EXPECT(launch() == STATUS_OK, "%s", what);
    for (size_t o = 0; o < outputs.size(); o++) {
      if (T == 1) first.push_back(*outputs[o]);
      else EXPECT(same(*outputs[o], first[o]), "%s: output %zu differs between 1 and %d threads", what, o, T);
    }
  }
}

static void close(const char* what, const Floats& got, const std::vector<double>& want, double tolerance) {
  double worst = 0, scale = 0.3;  // inputs are of order 1: smaller results come from cancellation
  for (double w : want) scale = std::max(scale, std::fabs(w));
  size_t at = 0;
  for (size_t i = 0; i < want.size(); i++) {
    double e = std::fabs(got[i] - want[i]) / scale;
    if (!(e <= worst)) worst = e, at = i;
  }
  EXPECT(worst <= tolerance, "%s: element %zu is %g, not %g", what, at, got[at], want[at]);
}

// ---- matmul -------------------------------------------------------------------------------------

struct Shape { int64_t batch, M, N, K; };

static Launch matmul(const Shape& s, bool ta, bool tb, int64_t pad, const Floats& a, const Floats& b, Floats& out,
                     bool one_b = false) {
  const int64_t lda = (ta ? s.M : s.K) + pad, ldb = (tb ? s.K : s.N) + pad, ldc = s.N + pad;
  Launch l(KERNEL_MATMUL);
  l.at(MATMUL_out, out.data()).at(MATMUL_a, a.data()).at(MATMUL_b, b.data());
  l.i(MATMUL_batch, s.batch).i(MATMUL_M, s.M).i(MATMUL_N, s.N).i(MATMUL_K, s.K).i(MATMUL_ta, ta).i(MATMUL_tb, tb);
  l.i(MATMUL_lda, lda).i(MATMUL_ldb, ldb).i(MATMUL_ldc, ldc);
  l.i(MATMUL_sa, lda * (ta ? s.K : s.M)).i(MATMUL_sb, one_b ? 0 : ldb * (tb ? s.N : s.K)).i(MATMUL_sc, ldc * s.M);
  return l.f(MATMUL_alpha, 1).f(MATMUL_beta, 0);
}

static void check_matmul(const Shape& s, bool ta, bool tb, int64_t pad, bool one_b = false) {
  char what[120];
  snprintf(what, sizeof what, "matmul %dx %d %d %d ta %d tb %d pad %d one_b %d", (int)s.batch, (int)s.M, (int)s.N,
           (int)s.K, ta, tb, (int)pad, one_b);
  const int64_t lda = (ta ? s.M : s.K) + pad, ldb = (tb ? s.K : s.N) + pad, ldc = s.N + pad;
  const int64_t sa = lda * (ta ? s.K : s.M), sb = one_b ? 0 : ldb * (tb ? s.N : s.K), sc = ldc * s.M;
  Floats a = random_floats(s.batch * sa), b = random_floats((one_b ? 1 : s.batch) * ldb * (tb ? s.N : s.K)),
         out(s.batch * sc + 1, NAN);
  std::vector<double> want(out.size());
  threads_agree(what, {&out}, [&] { return run({matmul(s, ta, tb, pad, a, b, out, one_b)}); });
  for (int64_t z = 0; z < s.batch; z++)
    for (int64_t m = 0; m < s.M; m++)
      for (int64_t n = 0; n < ldc; n++) {
        const int64_t at = z * sc + m * ldc + n;
        if (n >= s.N) {
          EXPECT(std::isnan(out[at]), "%s: wrote beyond a row", what);
          out[at] = 0;
          continue;
        }
        for (int64_t k = 0; k < s.K; k++)
          want[at] +=
              (double)a[z * sa + (ta ? k * lda + m : m * lda + k)] * b[z * sb + (tb ? n * ldb + k : k * ldb + n)];
      }
  EXPECT(std::isnan(out.back()), "%s: wrote beyond the matrix", what);
  out.back() = 0;
  close(what, out, want, 1e-5);
}

static Launch binary(int op, Floats& out, const Floats& a, const Floats& b, int64_t rows, int64_t n, bool broadcast_b) {
  Launch l(KERNEL_BINARY);
  l.at(BINARY_out, out.data())
      .at(BINARY_a, a.data())
      .at(BINARY_b, b.data())
      .i(BINARY_op, op)
      .i(BINARY_dtype, DTYPE_FLOAT32);
  for (int d = 0; d < 4; d++) l.i(BINARY_n0 + d, 1);
  return l.i(BINARY_n4, rows)
      .i(BINARY_n5, n)
      .i(BINARY_a4, n)
      .i(BINARY_a5, 1)
      .i(BINARY_b4, broadcast_b ? 0 : n)
      .i(BINARY_b5, 1);
}
static Launch scalar(int op, Floats& out, const Floats& a, double value) {
  Launch l(KERNEL_BINARY_SCALAR);
  l.at(BINARY_SCALAR_out, out.data())
      .at(BINARY_SCALAR_a, a.data())
      .i(BINARY_SCALAR_op, op)
      .i(BINARY_SCALAR_dtype, DTYPE_FLOAT32);
  return l.i(BINARY_SCALAR_n, (int64_t)out.size()).f(BINARY_SCALAR_scalar, value);
}

// Every epilogue, with alpha and beta, has the bits of the separate kernels.
static void check_epilogues(const Shape& s) {
  const int64_t n = s.M * s.N;
  Floats a = random_floats(s.M * s.K), b = random_floats(s.N * s.K), bias = random_floats(s.N),
         residual = random_floats(n), old = random_floats(n);
  Floats sum(n), saved = random_floats(n);
  for (float& v : saved) v *= 3;
  tg_start(2);
  EXPECT(run({matmul(s, false, true, 0, a, b, sum)}) == 0, "plain");
  for (int epilogue = 0; epilogue < 32; epilogue++)  // EPILOGUE_GRADIENT is a hint without effect
    for (int scaling = 0; scaling < 4; scaling++) {
      if ((epilogue & EPILOGUE_GELU) && (epilogue & EPILOGUE_GELU_BACKWARD)) continue;
      const double alpha = scaling & 1 ? 0.37 : 1, beta = scaling & 2 ? 1 : 0;
      char what[120];
      snprintf(what, sizeof what, "epilogue %d alpha %g beta %g at %d %d %d", epilogue, alpha, beta, (int)s.M, (int)s.N,
               (int)s.K);
      Floats want = sum, pre = saved, want_pre = saved, out = beta != 0 ? old : Floats(n, NAN);
      if (scaling & 1) run({scalar(BINARY_MUL, want, want, alpha)});
      if (scaling & 2) run({binary(BINARY_ADD, want, old, want, s.M, s.N, false)});
      if (epilogue & EPILOGUE_BIAS) run({binary(BINARY_ADD, want, want, bias, s.M, s.N, true)});
      Launch unary(KERNEL_UNARY), backward(KERNEL_UNARY_BACKWARD);
      unary.at(UNARY_out, want.data()).at(UNARY_x, want.data()).i(UNARY_op, UNARY_GELU).i(UNARY_n, n);
      backward.at(UNARY_BACKWARD_dx, want.data())
          .at(UNARY_BACKWARD_dy, want.data())
          .at(UNARY_BACKWARD_saved, saved.data());
      backward.i(UNARY_BACKWARD_op, UNARY_GELU).i(UNARY_BACKWARD_n, n);
      if (epilogue & EPILOGUE_GELU) want_pre = want, run({unary});
      if (epilogue & EPILOGUE_GELU_BACKWARD) run({backward});
      if (epilogue & EPILOGUE_RESIDUAL)
        run({binary(BINARY_ADD, want, want, beta != 0 ? old : residual, s.M, s.N, false)});
      Launch fused = matmul(s, false, true, 0, a, b, out);
      fused.f(MATMUL_alpha, alpha)
          .f(MATMUL_beta, beta)
          .i(MATMUL_epilogue, epilogue)
          .at(MATMUL_bias, bias.data())
          .at(MATMUL_pre, pre.data());
      fused.at(MATMUL_residual, beta != 0 ? out.data() : residual.data());  // the residual may be out itself
      EXPECT(run({fused}) == 0, "%s", what);
      EXPECT(same(out, want), "%s: not the bits of the separate kernels", what);
      EXPECT(same(pre, want_pre), "%s: pre is wrong", what);
    }
}

// ---- attention ----------------------------------------------------------------------------------

struct Problem {
  int64_t B, H, G, T, S, D;
  bool causal;
};

static void check_attention(const Problem& p) {
  char what[120];
  snprintf(what, sizeof what, "attention B %d H %d G %d T %d S %d D %d causal %d", (int)p.B, (int)p.H, (int)p.G,
           (int)p.T, (int)p.S, (int)p.D, p.causal);
  const double scale = 1 / std::sqrt((double)p.D);
  // Token rows hold all heads and 3 spare floats; q, out and dout share one layout, k and v
  // another.
  const int64_t q_t = p.H * p.D + 3, k_t = p.G * p.D + 3, qn = p.B * p.T * q_t, kn = p.B * p.S * k_t;
  Floats q = random_floats(qn), k = random_floats(kn), v = random_floats(kn), dout = random_floats(qn);
  for (float& x : q) x *= 3;
  Floats out(qn + 1, 7), lse(p.B * p.H * p.T + 1, 7), dq(qn + 1, 7), dk(kn + 1, 7), dv(kn + 1, 7);
  std::vector<double> w_out(qn + 1, 7), w_lse(lse.size(), 7), w_dq(qn + 1, 7), w_dk(kn + 1, 7), w_dv(kn + 1, 7);
  auto clear = [&](std::vector<double>& x, int64_t rows, int64_t stride, int64_t n) {
    for (int64_t r = 0; r < rows; r++)
      for (int64_t d = 0; d < n; d++) x[r * stride + d] = 0;
  };
  clear(w_out, p.B * p.T, q_t, p.H * p.D), clear(w_dq, p.B * p.T, q_t, p.H * p.D);
  clear(w_dk, p.B * p.S, k_t, p.G * p.D), clear(w_dv, p.B * p.S, k_t, p.G * p.D);
  for (int64_t b = 0; b < p.B; b++)
    for (int64_t h = 0; h < p.H; h++)
      for (int64_t i = 0; i < p.T; i++) {
        const int64_t g = h * p.G / p.H, keys = p.causal && i + 1 < p.S ? i + 1 : p.S,
                      qi = (b * p.T + i) * q_t + h * p.D;
        std::vector<double> w(keys), dp(keys);
        double top = -INFINITY, sum = 0, delta = 0;
        auto row = [&](int64_t j) { return (b * p.S + j) * k_t + g * p.D; };
        for (int64_t j = 0; j < keys; j++) {
          for (int64_t d = 0; d < p.D; d++)
            w[j] += scale * q[qi + d] * k[row(j) + d], dp[j] += (double)dout[qi + d] * v[row(j) + d];
          top = std::max(top, w[j]);
        }
        for (double& x : w) sum += std::exp(x - top);
        w_lse[(b * p.H + h) * p.T + i] = top + std::log(sum);
        for (double& x : w) x = std::exp(x - top) / sum;
        for (int64_t j = 0; j < keys; j++) delta += w[j] * dp[j];
        for (int64_t j = 0; j < keys; j++)
          for (int64_t d = 0; d < p.D; d++) {
            const double ds = w[j] * (dp[j] - delta);
            w_out[qi + d] += w[j] * v[row(j) + d];
            w_dv[row(j) + d] += w[j] * dout[qi + d];
            w_dq[qi + d] += scale * ds * k[row(j) + d];
            w_dk[row(j) + d] += scale * ds * q[qi + d];
          }
      }
  auto sizes = [&](Launch& l, int B) {
    const int64_t values[] = {p.B,       p.H, p.G, p.T,       p.S, p.D, p.causal,  p.T * q_t, q_t, p.D,
                              p.S * k_t, k_t, p.D, p.S * k_t, k_t, p.D, p.T * q_t, q_t,       p.D};
    for (int x = 0; x < 19; x++) l.i(B + x, values[x]);
  };
  Launch forward(KERNEL_ATTENTION), backward(KERNEL_ATTENTION_BACKWARD);
  sizes(forward, ATTENTION_B);
  sizes(backward, ATTENTION_BACKWARD_B);
  const int64_t more[] = {p.T * q_t, q_t, p.D, p.T * q_t, q_t, p.D, p.S * k_t, k_t, p.D, p.S * k_t, k_t, p.D};
  for (int x = 0; x < 12; x++) backward.i(ATTENTION_BACKWARD_do_b + x, more[x]);
  threads_agree(what, {&out, &lse}, [&] {
    forward.at(ATTENTION_out, out.data())
        .at(ATTENTION_lse, lse.data())
        .at(ATTENTION_q, q.data())
        .at(ATTENTION_k, k.data());
    return run({forward.at(ATTENTION_v, v.data()).f(ATTENTION_scale, scale)});
  });
  threads_agree(what, {&dq, &dk, &dv}, [&] {
    backward.at(ATTENTION_BACKWARD_dq, dq.data())
        .at(ATTENTION_BACKWARD_dk, dk.data())
        .at(ATTENTION_BACKWARD_dv, dv.data());
    backward.at(ATTENTION_BACKWARD_dout, dout.data())
        .at(ATTENTION_BACKWARD_q, q.data())
        .at(ATTENTION_BACKWARD_k, k.data());
    backward.at(ATTENTION_BACKWARD_v, v.data())
        .at(ATTENTION_BACKWARD_out, out.data())
        .at(ATTENTION_BACKWARD_lse, lse.data());
    return run({backward.f(ATTENTION_BACKWARD_scale, scale)});
  });
  // The elements between and behind the heads stay as they are (7), in the expected values too.
  close(what, out, w_out, 2e-6), close(what, lse, w_lse, 1e-6);
  close(what, dq, w_dq, 5e-6), close(what, dk, w_dk, 5e-6), close(what, dv, w_dv, 5e-6);
}

static void check_decode(int64_t B, int64_t H, int64_t G, int64_t D, int64_t S, int32_t position) {
  char what[120];
  snprintf(what, sizeof what, "decode B %d H %d G %d D %d S %d position %d", (int)B, (int)H, (int)G, (int)D, (int)S,
           (int)position);
  Floats q = random_floats(B * (H * D + 2)), out(B * H * D + 1, 7), k_cache(B * G * S * D), v_cache = k_cache;
  std::vector<double> want(out.size(), 0);
  want.back() = 7;
  // Two appends fill the cache: all tokens but the last, then the last.
  Floats k = random_floats(B * S * G * D), v = random_floats(B * S * G * D);
  threads_agree(what, {&out, &k_cache, &v_cache}, [&] {
    int status = 0;
    for (int part = 0; part < 2; part++) {
      int32_t from = part ? position : 0;
      Launch l(KERNEL_KV_APPEND);
      l.at(KV_APPEND_k_cache, k_cache.data()).at(KV_APPEND_v_cache, v_cache.data()).at(KV_APPEND_position, &from);
      l.at(KV_APPEND_k, k.data() + from * G * D)
          .at(KV_APPEND_v, v.data() + from * G * D)
          .i(KV_APPEND_B, B)
          .i(KV_APPEND_G, G);
      l.i(KV_APPEND_T, part ? 1 : position)
          .i(KV_APPEND_D, D)
          .i(KV_APPEND_S, S)
          .i(KV_APPEND_k_b, S * G * D)
          .i(KV_APPEND_k_t, G * D);
      status |= run({l.i(KV_APPEND_v_b, S * G * D).i(KV_APPEND_v_t, G * D)});
    }
    Launch l(KERNEL_ATTENTION_DECODE);
    l.at(ATTENTION_DECODE_out, out.data())
        .at(ATTENTION_DECODE_q, q.data())
        .at(ATTENTION_DECODE_k_cache, k_cache.data());
    l.at(ATTENTION_DECODE_v_cache, v_cache.data())
        .at(ATTENTION_DECODE_position, &position)
        .i(ATTENTION_DECODE_B, B)
        .i(ATTENTION_DECODE_H, H);
    l.i(ATTENTION_DECODE_G, G).i(ATTENTION_DECODE_D, D).i(ATTENTION_DECODE_S, S).i(ATTENTION_DECODE_q_b, H * D + 2);
    return status | run({l.f(ATTENTION_DECODE_scale, 0.3)});
  });
  for (int64_t b = 0; b < B; b++)
    for (int64_t h = 0; h < H; h++) {
      std::vector<double> w(position + 1);
      double sum = 0;
      for (int64_t j = 0; j <= position; j++) {
        for (int64_t d = 0; d < D; d++)
          w[j] += 0.3 * q[b * (H * D + 2) + h * D + d] * k[(b * S + j) * G * D + h * G / H * D + d];
        sum += std::exp(w[j]);
      }
      for (int64_t j = 0; j <= position; j++)
        for (int64_t d = 0; d < D; d++)
          want[(b * H + h) * D + d] += std::exp(w[j]) / sum * v[(b * S + j) * G * D + h * G / H * D + d];
    }
  close(what, out, want, 2e-6);
}

// ---- the walker ---------------------------------------------------------------------------------

static Launch fill(Floats& x, double value) {
  Launch l(KERNEL_FILL);
  return l.at(FILL_out, x.data()).i(FILL_dtype, DTYPE_FLOAT32).i(FILL_n, (int64_t)x.size()).f(FILL_value, value);
}

static void check_walker() {
  Floats small(3), large(3000000);
  int32_t bad = 9;
  Floats cache(8), row(8);
  Launch failing(KERNEL_KV_APPEND);
  failing.at(KV_APPEND_k_cache, cache.data())
      .at(KV_APPEND_v_cache, cache.data())
      .at(KV_APPEND_k, row.data())
      .at(KV_APPEND_v, row.data());
  failing.at(KV_APPEND_position, &bad)
      .i(KV_APPEND_B, 1)
      .i(KV_APPEND_G, 1)
      .i(KV_APPEND_T, 1)
      .i(KV_APPEND_D, 4)
      .i(KV_APPEND_S, 2);
  for (int T = 1; T <= 4; T++) {
    EXPECT(tg_start(T) == T && tg_threads() == T, "start %d", T);
    // Serial and parallel launches in every order, a failure among them: the launches after it do
    // not run.
    for (int pattern = 0; pattern < 64; pattern++)
      for (int fail_at = 0; fail_at <= 6; fail_at++) {
        std::vector<Launch> launches;
        for (int l = 0; l < 6; l++) {
          if (l == fail_at) launches.push_back(failing);
          launches.push_back(fill(pattern >> l & 1 ? large : small, pattern * 8 + l));
        }
        if (pattern % 8 && T > 1 && fail_at < 6 && pattern != 42) continue;  // the large fills take time
        small.assign(3, -1), large[0] = large.back() = -1;
        const int status = run(launches);
        float want_small = -1, want_large = -1;
        for (int l = 0; l < fail_at && l < 6; l++) (pattern >> l & 1 ? want_large : want_small) = pattern * 8 + l;
        EXPECT(status == (fail_at < 6 ? STATUS_BAD_INDEX : STATUS_OK), "pattern %d fail %d: status %d", pattern,
               fail_at, status);
        EXPECT(tg_failed_at() == (fail_at < 6 ? fail_at : -1), "failed at %d, not %d", (int)tg_failed_at(), fail_at);
        EXPECT(small[0] == want_small && large[0] == want_large && large.back() == want_large,
               "pattern %d fail %d threads %d", pattern, fail_at, T);
      }
    for (int wrong = 0; wrong < 4; wrong++) {
      Launch l = fill(small, 5);
      if (wrong == 0) l.slots[0].i = KERNEL_COUNT;
      if (wrong == 1) l.slots[0].i = -1;
      if (wrong == 2) l.slots[1].i = 0;
      if (wrong == 3) l.slots.pop_back();
      small.assign(3, -1);
      EXPECT(run({fill(small, 4), l}) == STATUS_UNKNOWN_KERNEL && tg_failed_at() == 1, "wrong %d", wrong);
      EXPECT(small[0] == -1, "a bad encoding ran in part");
    }
    EXPECT(run({}) == STATUS_OK, "an empty Program");
  }
  const int64_t before = tg_in_use();
  void* p = tg_alloc(1000);
  EXPECT(p && (uintptr_t)p % 64 == 0 && tg_in_use() == before + 1000, "alloc");
  tg_free(p);
  tg_free(nullptr);
  EXPECT(tg_in_use() == before, "free");
}

static void group(const char* name) {
  printf("%s %s\n", failures ? "FAILED" : "ok", name);
  fflush(stdout);
  if (failures) exit(1);
}

int main() {
  printf("%s\n", tg_build());
  check_walker();
  group("walker");
  const int64_t sizes[] = {0, 1, 3, 4, 5, 17, 33, 65};
  for (int64_t M : sizes)
    for (int64_t N : sizes)
      for (int64_t K : sizes)
        for (int t = 0; t < 4; t++) check_matmul({1, M, N, K}, t & 1, t & 2, (M + N + K) % 3);
  for (int t = 0; t < 4; t++) {
    check_matmul({1, 131, 97, 900}, t & 1, t & 2, 1);
    check_matmul({1, 300, 40, 64}, t & 1, t & 2, 0);
    check_matmul({1, 7, 500, 64}, t & 1, t & 2, 0);
    check_matmul({9, 33, 20, 19}, t & 1, t & 2, 2);
    check_matmul({3, 50, 300, 260}, t & 1, t & 2, 0);
    check_matmul({5, 3, 130, 70}, t & 1, t & 2, 1);
    check_matmul({5, 130, 2, 70}, t & 1, t & 2, 1);
    check_matmul({6, 20, 30, 40}, t & 1, t & 2, 0, true);
    check_matmul({6, 20, 300, 300}, t & 1, t & 2, 1, true);
  }
  group("matmul");
  for (Shape s : {Shape{1, 1, 1, 1}, Shape{1, 3, 70, 33}, Shape{1, 29, 3, 33}, Shape{1, 29, 37, 0},
                  Shape{1, 29, 37, 65}, Shape{1, 70, 90, 1030}})
    check_epilogues(s);
  group("matmul epilogues");
  for (bool causal : {false, true}) {
    for (int64_t D : {1, 3, 16, 24, 33, 64, 256}) check_attention({2, 3, 3, 37, 37, D, causal});
    for (int64_t T : {1, 2, 8, 17, 65, 130, 300}) check_attention({1, 2, 2, T, T, 16, causal});
    check_attention({2, 6, 2, 70, 70, 20, causal});
    check_attention({1, 5, 2, 140, 140, 32, causal});
    check_attention({1, 2, 1, 20, 150, 12, causal});
    check_attention({1, 2, 1, 150, 20, 12, causal});
    check_attention({1, 1, 1, 0, 5, 8, causal});
    check_attention({3, 8, 8, 128, 128, 32, causal});
  }
  group("attention");
  for (int64_t D : {1, 5, 16, 33, 64, 100})
    for (int32_t position : {0, 1, 6, 31}) check_decode(2, 4, 2, D, 32, position);
  check_decode(8, 12, 4, 64, 300, 299);
  group("decode");
  return 0;
}
