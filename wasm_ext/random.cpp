// Random numbers, dropout and random training windows, all from Philox streams (philox.h).
#include "loops.h"
#include "philox.h"

namespace {

constexpr int64_t GROUP = 4 * VW;  // words of one call of Philox::blocks

// f(i, words, n) for each group in this thread's share of n: the n <= GROUP words of elements i ..
// i + n - 1.
template <class F> void each_group(int64_t n, const Philox& stream, const Team& team, F f) {
  Share s = share(n, team, 64);
  for (int64_t i = s.begin; i < s.end; i += GROUP) {
    int32_t words[GROUP];
    stream.blocks(i / 4, words);
    f(i, words, s.end - i < GROUP ? s.end - i : GROUP);
  }
}

// word scaled to 0 .. limit - 1 (Lemire's multiply-shift).
int64_t below(uint32_t word, int64_t limit) { return (int64_t)((uint64_t)word * (uint64_t)limit >> 32); }

}  // namespace

static void run_random_uniform(const Slot* a, Team& team) {
  float* out = buffer<float>(a, RANDOM_UNIFORM_out);
  vf low = vsplat((float)a[RANDOM_UNIFORM_low].f),
     width = vsplat((float)(a[RANDOM_UNIFORM_high].f - a[RANDOM_UNIFORM_low].f));
  Philox stream(buffer<const int32_t>(a, RANDOM_UNIFORM_rng), a[RANDOM_UNIFORM_offset].i);
  each_group(a[RANDOM_UNIFORM_n].i, stream, team, [&](int64_t first, const int32_t* words, int64_t n) {
    each_vector(0, n, [&](int64_t i, int m) {
      vstore_tail(out + first + i, vadd(low, vmul(width, uniform(viload(words + i)))), m);
    });
  });
}

static void run_random_normal(const Slot* a, Team& team) {
  float* out = buffer<float>(a, RANDOM_NORMAL_out);
  double mean = a[RANDOM_NORMAL_mean].f, std = a[RANDOM_NORMAL_std].f;
  Philox stream(buffer<const int32_t>(a, RANDOM_NORMAL_rng), a[RANDOM_NORMAL_offset].i);
  each_group(a[RANDOM_NORMAL_n].i, stream, team, [&](int64_t first, const int32_t* words, int64_t n) {
    for (int64_t i = 0; i < n; i += 2) {  // Box-Muller
      double u1 = 1 - (double)uniform((uint32_t)words[i]),
             angle = 2 * 3.14159265358979323846 * (double)uniform((uint32_t)words[i + 1]);
      double r = std * sqrt(-2 * log(u1));
      out[first + i] = (float)(mean + r * cos(angle));
      if (i + 1 < n) out[first + i + 1] = (float)(mean + r * sin(angle));
    }
  });
}

static void run_random_int(const Slot* a, Team& team) {
  int32_t* out = buffer<int32_t>(a, RANDOM_INT_out);
  int64_t low = a[RANDOM_INT_low].i, limit = a[RANDOM_INT_high].i - low;
  Philox stream(buffer<const int32_t>(a, RANDOM_INT_rng), a[RANDOM_INT_offset].i);
  each_group(a[RANDOM_INT_n].i, stream, team, [&](int64_t first, const int32_t* words, int64_t n) {
    for (int64_t i = 0; i < n; i++) out[first + i] = (int32_t)(low + below((uint32_t)words[i], limit));
  });
}

static void run_dropout(const Slot* a, Team& team) {
  float* out = buffer<float>(a, DROPOUT_out);
  const float* x = buffer<const float>(a, DROPOUT_x);
  vf p = vsplat((float)a[DROPOUT_p].f), scale = vsplat((float)(1 / (1 - a[DROPOUT_p].f)));
  Philox stream(buffer<const int32_t>(a, DROPOUT_rng), a[DROPOUT_offset].i);
  each_group(a[DROPOUT_n].i, stream, team, [&](int64_t first, const int32_t* words, int64_t n) {
    each_vector(0, n, [&](int64_t i, int m) {
      vf kept = vmul(vload_tail(x + first + i, m), scale);
      vstore_tail(out + first + i, vselect(vlt(uniform(viload(words + i)), p), vzero(), kept), m);
    });
  });
}

static void run_batch_windows(const Slot* a, Team& team) {
  int64_t T = a[BATCH_WINDOWS_T].i, low = a[BATCH_WINDOWS_low].i, positions = a[BATCH_WINDOWS_high].i - low - T;
  if (positions <= 0) return team.fail(STATUS_BAD_INDEX);
  const int32_t* tokens = buffer<const int32_t>(a, BATCH_WINDOWS_tokens);
  Philox stream(buffer<const int32_t>(a, BATCH_WINDOWS_rng), a[BATCH_WINDOWS_offset].i);
  Share s = share(a[BATCH_WINDOWS_B].i, team);
  for (int64_t b = s.begin; b < s.end; b++) {
    uint32_t words[4];
    stream.block(b / 4, words);
    int64_t start = low + below(words[b % 4], positions);
    buffer<int32_t>(a, BATCH_WINDOWS_starts)[b] = (int32_t)start;
    memcpy(buffer<int32_t>(a, BATCH_WINDOWS_x) + b * T, tokens + start, T * sizeof(int32_t));
    memcpy(buffer<int32_t>(a, BATCH_WINDOWS_y) + b * T, tokens + start + 1, T * sizeof(int32_t));
  }
}

ENTRY(random_uniform, [](const Slot* a) { return 50 + a[RANDOM_UNIFORM_n].i * 3.0; }, nullptr);
ENTRY(random_normal, [](const Slot* a) { return 50 + a[RANDOM_NORMAL_n].i * 22.0; }, nullptr);
ENTRY(random_int, [](const Slot* a) { return 50 + a[RANDOM_INT_n].i * 3.5; }, nullptr);
ENTRY(dropout, [](const Slot* a) { return 50 + a[DROPOUT_n].i * 3.2; }, nullptr);
ENTRY(batch_windows,
      [](const Slot* a) { return 50 + (double)a[BATCH_WINDOWS_B].i * (40 + a[BATCH_WINDOWS_T].i * 0.3); }, nullptr);
