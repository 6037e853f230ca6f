// Random numbers of PyTorch's CPU generator: mt19937 (Matsumoto and Nishimura 1998), and how its
// distributions are made of the words, in which order (ATen/native/cpu/DistributionTemplates.h,
// ATen/core/DistributionsHelper.h). Words come one after the other, so one thread draws; normal
// numbers are computed by all.
#include "loops.h"

namespace {

enum { WORDS = 624, SHIFT = 397, POSITION = WORDS, HAS_KEPT, KEPT };  // int32 slots of the state
constexpr int64_t BLOCK = 16;  // numbers of normal_fill; a smaller tensor is filled one by one
constexpr double STEP24 = 1.0 / (1 << 24), STEP53 = 1.0 / (1ll << 53), TURN = 2 * 3.14159265358979323846;

constexpr int64_t CHUNK = 256;  // numbers whose words are taken at once

struct Stream {
  uint32_t* state;

  explicit Stream(void* memory) : state((uint32_t*)memory) {}

  static uint32_t mixed(uint32_t a, uint32_t b) {
    uint32_t y = (a & 0x80000000u) | (b & 0x7fffffffu);
    return y >> 1 ^ ((0u - (y & 1)) & 0x9908b0dfu);
  }
  // Three loops without a remainder: the compiler makes vectors of the first two.
  void refill() {
    for (int i = 0; i < WORDS - SHIFT; i++) state[i] = state[i + SHIFT] ^ mixed(state[i], state[i + 1]);
    for (int i = WORDS - SHIFT; i < WORDS - 1; i++) state[i] = state[i + SHIFT - WORDS] ^ mixed(state[i], state[i + 1]);
    state[WORDS - 1] = state[SHIFT - 1] ^ mixed(state[WORDS - 1], state[0]);
    state[POSITION] = 0;
  }
  // The next n words.
  void take(uint32_t* to, int64_t n) {
    while (n > 0) {
      if (state[POSITION] >= WORDS) refill();
      const uint32_t* from = state + state[POSITION];
      const int64_t left = WORDS - (int64_t)state[POSITION], m = n < left ? n : left;
      for (int64_t i = 0; i < m; i++) {
        uint32_t y = from[i];
        y ^= y >> 11;
        y ^= y << 7 & 0x9d2c5680u;
        y ^= y << 15 & 0xefc60000u;
        to[i] = y ^ y >> 18;
      }
      state[POSITION] += (uint32_t)m;
      to += m, n -= m;
    }
  }
  uint32_t word() {
    uint32_t w;
    take(&w, 1);
    return w;
  }
  double wide() {
    uint32_t w[2];
    take(w, 2);
    return wide_of(w);
  }
  static uint64_t long_of(const uint32_t* w) { return (uint64_t)w[0] << 32 | w[1]; }
  static uint64_t long53_of(const uint32_t* w) { return long_of(w) & ((1ull << 53) - 1); }
  static double wide_of(const uint32_t* w) { return (double)long53_of(w) * STEP53; }

  // f(i, words) for i < n, each with the next PER words.
  template <int PER, class F> void each(int64_t n, F f) {
    uint32_t words[CHUNK * PER];
    for (int64_t first = 0; first < n; first += CHUNK) {
      const int64_t m = n - first < CHUNK ? n - first : CHUNK;
      take(words, m * PER);
      for (int64_t i = 0; i < m; i++) f(first + i, words + i * PER);
    }
  }
  // Numbers in [0, 1): a float32 has 24 random bits, a float64 53.
  void uniform(float* out, int64_t n) {
    each<1>(n, [out](int64_t i, const uint32_t* w) { out[i] = (float)(int32_t)(w[0] & 0xffffff) * (float)STEP24; });
  }
  void uniform(double* out, int64_t n) {
    each<2>(n, [out](int64_t i, const uint32_t* w) { out[i] = wide_of(w); });
  }

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
    stream.uniform(out, n);
    if (n % BLOCK) stream.uniform(last, BLOCK);
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
  stream.uniform(out, n);
  if (low == 0 && high == 1) return;
  for (int64_t i = 0; i < n; i++) out[i] = (T)placed((double)out[i], low, high, out);
}

template <class T> void integers(T* out, int64_t n, double low, double width, bool wide, Stream stream) {
  const uint64_t values = width == 0 ? (1ull << 53) + 1 : (uint64_t)width;
  const int64_t first = (int64_t)low;
  if (wide) {
    stream.each<2>(n,
                   [=](int64_t i, const uint32_t* w) { out[i] = (T)((int64_t)(Stream::long_of(w) % values) + first); });
  } else {
    stream.each<1>(n, [=](int64_t i, const uint32_t* w) { out[i] = (T)((int64_t)(w[0] % values) + first); });
  }
}

// A number of 53 bits times 2^-53 is below p where the number is below p * 2^53, which is exact.
template <class T> void bernoulli(T* out, int64_t n, double p, Stream stream) {
  const int64_t end = (int64_t)ceil(p * (double)(1ll << 53));
  stream.each<2>(n, [=](int64_t i, const uint32_t* w) { out[i] = (T)((int64_t)Stream::long53_of(w) < end); });
}

template <class T> void exponential(T* out, int64_t n, double rate, Stream stream) {
  stream.each<2>(n, [=](int64_t i, const uint32_t* w) { out[i] = (T)(-log1p(-Stream::wide_of(w)) / rate); });
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
