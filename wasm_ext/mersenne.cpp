// Random numbers of PyTorch's CPU generator: mt19937 (Matsumoto and Nishimura 1998), and how its
// distributions are made of the words, in which order (ATen/native/cpu/DistributionTemplates.h,
// ATen/core/DistributionsHelper.h). Words come one after the other, so one thread draws; normal
// numbers are computed by all.
#include "loops.h"

namespace {

enum { WORDS = 624, SHIFT = 397, POSITION = WORDS, HAS_KEPT, KEPT };  // int32 slots of the state
constexpr int64_t BLOCK = 16;  // numbers of normal_fill; a smaller tensor is filled one by one
constexpr double STEP24 = 1.0 / (1 << 24), STEP53 = 1.0 / (1ll << 53), TURN = 2 * 3.14159265358979323846;

struct Stream {
  uint32_t* state;

  explicit Stream(void* memory) : state((uint32_t*)memory) {}

  void refill() {
    for (int i = 0; i < WORDS; i++) {
      uint32_t y = (state[i] & 0x80000000u) | (state[(i + 1) % WORDS] & 0x7fffffffu);
      state[i] = state[(i + SHIFT) % WORDS] ^ y >> 1 ^ (y & 1 ? 0x9908b0dfu : 0);
    }
    state[POSITION] = 0;
  }
  uint32_t word() {
    if (state[POSITION] >= WORDS) refill();
    uint32_t y = state[state[POSITION]++];
    y ^= y >> 11;
    y ^= y << 7 & 0x9d2c5680u;
    y ^= y << 15 & 0xefc60000u;
    return y ^ y >> 18;
  }
  uint64_t long_word() {
    uint64_t high = word();
    return high << 32 | word();
  }
  double narrow() { return (word() & 0xffffff) * STEP24; }  // 24 bits, in [0, 1)
  double wide() { return (double)(long_word() & ((1ull << 53) - 1)) * STEP53; }
  double uniform(float*) { return narrow(); }
  double uniform(double*) { return wide(); }
  double normal() {  // Box and Muller 1958; the second of the pair is kept
    double kept;
    memcpy(&kept, state + KEPT, sizeof kept);
    if (state[HAS_KEPT]) return state[HAS_KEPT] = 0, kept;
    double first = wide(), second = wide();
    double radius = sqrt(-2 * log1p(-second)), angle = TURN * first;
    kept = radius * sin(angle);
    memcpy(state + KEPT, &kept, sizeof kept);
    state[HAS_KEPT] = 1;
    return radius * cos(angle);
  }
};

template <class T> void to_normal(T* block, double mean, double std) {
  for (int j = 0; j < BLOCK / 2; j++) {
    double radius = sqrt(-2 * log(1 - (double)block[j])), angle = TURN * (double)block[j + BLOCK / 2];
    block[j] = (T)(radius * cos(angle) * std + mean);
    block[j + BLOCK / 2] = (T)(radius * sin(angle) * std + mean);
  }
}

template <class T> void normal(T* out, int64_t n, double mean, double std, Stream stream, Team& team) {
  if (n < BLOCK) {
    for (int64_t i = 0; team.rank == 0 && i < n; i++) out[i] = (T)(stream.normal() * std + mean);
    return;
  }
  T last[BLOCK];  // the last block is drawn anew where n is no multiple, over what the one before it wrote
  if (team.rank == 0) {
    for (int64_t i = 0; i < n; i++) out[i] = (T)stream.uniform(out);
    for (int64_t i = 0; n % BLOCK && i < BLOCK; i++) last[i] = (T)stream.uniform(out);
  }
  team.barrier();
  Share s = share(n / BLOCK, team, 4);
  for (int64_t block = s.begin; block < s.end; block++) to_normal(out + block * BLOCK, mean, std);
  team.barrier();
  if (team.rank == 0 && n % BLOCK) {
    to_normal(last, mean, std);
    memcpy(out + n - BLOCK, last, sizeof last);
  }
}

// One float more or less than PyTorch's fused multiply-add would be another number.
double placed(double u, double low, double high, float*) {
  return u * (double)((float)high - (float)low) + (double)(float)low;
}
double placed(double u, double low, double high, double*) { return fma(u, high - low, low); }

template <class T> void uniform(T* out, int64_t n, double low, double high, Stream stream) {
  for (int64_t i = 0; i < n; i++) {
    double u = stream.uniform(out);
    out[i] = (T)(low == 0 && high == 1 ? u : placed(u, low, high, out));
  }
}

template <class T> void integers(T* out, int64_t n, double low, double width, bool wide, Stream stream) {
  uint64_t values = width == 0 ? (1ull << 53) + 1 : (uint64_t)width;
  for (int64_t i = 0; i < n; i++) {
    uint64_t word = wide ? stream.long_word() : stream.word();
    out[i] = (T)((int64_t)(word % values) + (int64_t)low);
  }
}

template <class T> void bernoulli(T* out, int64_t n, double p, Stream stream) {
  for (int64_t i = 0; i < n; i++) out[i] = (T)(stream.wide() < p);
}

template <class T> void exponential(T* out, int64_t n, double rate, Stream stream) {
  for (int64_t i = 0; i < n; i++) out[i] = (T)(-log1p(-stream.wide()) / rate);
}

template <class T> void permutation(T* out, int64_t n, Stream stream) {  // Fisher and Yates
  for (int64_t i = 0; i < n; i++) out[i] = (T)i;
  for (int64_t i = 0; i + 1 < n; i++) {
    int64_t other = i + stream.word() % (uint32_t)(n - i);
    T kept = out[i];
    out[i] = out[other];
    out[other] = kept;
  }
}

template <class T> bool whole(const Slot* a, Stream stream) {  // what every type has
  T* out = buffer<T>(a, MERSENNE_out);
  int64_t n = a[MERSENNE_n].i;
  switch (a[MERSENNE_kind].i) {
    case DRAW_INTEGERS:
      integers(out, n, a[MERSENNE_a].f, a[MERSENNE_b].f, a[MERSENNE_b].f == 0 || a[MERSENNE_b].f >= 268435456.0,
               stream);
      return true;
    case DRAW_WORDS: integers(out, n, 0, a[MERSENNE_b].f, false, stream); return true;
    case DRAW_BERNOULLI: bernoulli(out, n, a[MERSENNE_a].f, stream); return true;
    case DRAW_PERMUTATION: permutation(out, n, stream); return true;
    default: return false;
  }
}

template <class T> bool real(const Slot* a, Stream stream, Team& team) {
  T* out = buffer<T>(a, MERSENNE_out);
  int64_t n = a[MERSENNE_n].i;
  double first = a[MERSENNE_a].f, second = a[MERSENNE_b].f;
  if (a[MERSENNE_kind].i == DRAW_NORMAL) return normal(out, n, first, second, stream, team), true;
  if (team.rank) return true;
  switch (a[MERSENNE_kind].i) {
    case DRAW_UNIFORM: uniform(out, n, first, second, stream); return true;
    case DRAW_EXPONENTIAL: exponential(out, n, first, stream); return true;
    default: return whole<T>(a, stream);
  }
}

}  // namespace

static void run_mersenne(const Slot* a, Team& team) {
  Stream stream(buffer<void>(a, MERSENNE_state));
  bool known = false;
  switch (a[MERSENNE_dtype].i) {
    case DTYPE_FLOAT32: known = real<float>(a, stream, team); break;
    case DTYPE_FLOAT64: known = real<double>(a, stream, team); break;
    case DTYPE_INT32: known = team.rank || whole<int32_t>(a, stream); break;
    case DTYPE_INT64: known = team.rank || whole<int64_t>(a, stream); break;
  }
  if (!known) team.fail(STATUS_BAD_INDEX);
}

ENTRY(mersenne, [](const Slot* a) { return 50 + a[MERSENNE_n].i * (a[MERSENNE_kind].i == DRAW_NORMAL ? 30.0 : 0.0); },
      nullptr);
