// Sampling of the next token from logits [B, V]: temperature, top-k, top-p (Holtzman et al. 2020).
// Threads divide the rows.
//
// The logits themselves decide the order of tokens (a division by the temperature keeps it): so
// ties are exact. Probabilities are float32 exponentials, summed in float64. Top-k is a selection,
// and top-p pops tokens off a heap until their probability suffices: nothing is sorted, and a
// vocabulary of 50,000 costs about as much as its exponentials.
#include <algorithm>
#include "loops.h"
#include "math.h"
#include "philox.h"

namespace {

// The first index of the largest logit; the first NaN where there is one, as in PyTorch.
int32_t argmax(const float* logits, int64_t V) {
  vf top = vsplat(-INFINITY);
  vm nan = vlt(vzero(), vzero());
  each_vector(0, V, [&](int64_t i, int m) {
    vf x = m < VW ? vselect(vhead(m), vload_tail(logits + i, m), vsplat(-INFINITY)) : vload(logits + i);
    nan = mask_or(nan, vne(x, x));
    top = vmax(x, top);
  });
  float max = vhmax(top);
  bool is_nan = any(nan);
  int64_t i = 0;
  while (i < V - 1 && !(is_nan ? logits[i] != logits[i] : logits[i] == max)) i++;
  return (int32_t)i;
}

struct Row {
  const float* logits;
  int64_t V;
  float* weights;  // [V] exp((logit - max) / temperature), 0 for a token that is not kept
  float* work;     // [V]
  int32_t* heap;   // [V]

  // The k-th largest logit, k < V.
  float kth_largest(int64_t k) const {
    memcpy(work, logits, V * sizeof(float));
    std::nth_element(work, work + (k - 1), work + V, [](float a, float b) { return a > b; });
    return work[k - 1];
  }

  // Keeps the smallest set of most probable tokens whose weight reaches top_p of `total`, ties by
  // the lower index.
  void keep_nucleus(float top_p, double total) const {
    int64_t n = 0;
    for (int64_t i = 0; i < V; i++)
      if (weights[i] > 0) heap[n++] = (int32_t)i;
    auto less_probable = [this](int32_t a, int32_t b) {
      return logits[a] < logits[b] || (logits[a] == logits[b] && a > b);
    };
    std::make_heap(heap, heap + n, less_probable);
    memcpy(work, weights, V * sizeof(float));
    memset(weights, 0, V * sizeof(float));
    double cumulative = 0, threshold = (double)top_p * total;
    while (n > 0) {
      int32_t best = heap[0];
      std::pop_heap(heap, heap + n--, less_probable);
      weights[best] = work[best];
      cumulative += work[best];
      if (cumulative >= threshold) break;
    }
  }

  int32_t draw(float u, float temperature, int64_t top_k, float top_p) const {
    int32_t best = argmax(logits, V);
    float max = logits[best];
    if (!(max - max == 0)) return best;  // NaN or an infinity: there is no distribution
    float least = top_k > 0 && top_k < V ? kth_largest(top_k) : -INFINITY;
    vf floor = vsplat(least), top = vsplat(max), t = vsplat(temperature);
    double total = sum_vectors(V, [&](int64_t i, int m) {
      vf x = vload_tail(logits + i, m), e = vexp_nonpositive(vdiv(vsub(x, top), t));
      e = head_or_zero(vselect(vge(x, floor), e, vzero()), m);
      vstore_tail(weights + i, e, m);
      return e;
    });
    if (top_p > 0 && top_p < 1) keep_nucleus(top_p, total);
    double sum = 0;
    for (int64_t i = 0; i < V; i++) sum += weights[i];
    double target = (double)u * sum, below = 0;
    int64_t last = best;
    for (int64_t i = 0; i < V; i++) {
      if (!(weights[i] > 0)) continue;
      below += weights[i];
      last = i;
      if (below > target) break;
    }
    return (int32_t)last;
  }
};

}  // namespace

static void run_sample(const Slot* a, Team& team) {
  int64_t V = a[SAMPLE_V].i;
  const float* settings = buffer<const float>(a, SAMPLE_settings);
  int32_t* out = buffer<int32_t>(a, SAMPLE_out);
  Philox stream(buffer<const int32_t>(a, SAMPLE_rng), a[SAMPLE_offset].i);
  Share s = share(a[SAMPLE_B].i, team);
  for (int64_t b = s.begin; b < s.end; b++) {
    const float* logits = buffer<const float>(a, SAMPLE_logits) + b * V;
    if (settings[0] == 0) {
      out[b] = argmax(logits, V);
      continue;
    }
    float* scratch = (float*)team.scratch + team.rank * 3 * V;
    uint32_t words[4];
    stream.block(b, words);
    float k = settings[1];
    Row row{logits, V, scratch, scratch + V, (int32_t*)(scratch + 2 * V)};
    out[b] = row.draw(uniform(words[0]), settings[0], k > 0 && k < (float)V ? (int64_t)k : 0, settings[2]);
  }
}

ENTRY(sample, [](const Slot* a) { return 200 + (double)a[SAMPLE_B].i * (double)a[SAMPLE_V].i * 8; },
      [](const Slot* a) { return (size_t)(MAX_THREADS * a[SAMPLE_V].i * 3) * sizeof(float); });
