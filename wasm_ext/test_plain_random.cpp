// The plain kernels of test_plain.h that draw random numbers, and the optimizers.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <vector>
#include "test_plain.h"

namespace {

typedef int64_t I;
float* F(const Slot* a, int slot) { return buffer<float>(a, slot); }
int32_t* N(const Slot* a, int slot) { return buffer<int32_t>(a, slot); }

// Word i of the stream: Philox 4x32-10 as in the paper's listing, counter words 2 and 3 zero.
uint32_t word(const int32_t* rng, I offset, I i) {
  uint64_t counter = ((uint64_t)(uint32_t)rng[3] << 32 | (uint32_t)rng[2]) + (uint64_t)offset + (uint64_t)(i / 4);
  uint32_t c[4] = {(uint32_t)counter, (uint32_t)(counter >> 32), 0, 0}, k[2] = {(uint32_t)rng[0], (uint32_t)rng[1]};
  for (int round = 0; round < 10; round++) {
    uint64_t p0 = (uint64_t)c[0] * 0xD2511F53u, p1 = (uint64_t)c[2] * 0xCD9E8D57u;
    uint32_t next[4] = {(uint32_t)(p1 >> 32) ^ c[1] ^ k[0], (uint32_t)p1, (uint32_t)(p0 >> 32) ^ c[3] ^ k[1],
                        (uint32_t)p0};
    memcpy(c, next, sizeof c);
    k[0] += 0x9E3779B9u, k[1] += 0xBB67AE85u;
  }
  return c[i % 4];
}
double uniform(uint32_t w) { return (w >> 8) * std::pow(2.0, -24); }
I below(uint32_t w, I limit) { return (I)((uint64_t)w * (uint64_t)limit >> 32); }

void random_uniform(const Slot* a) {
  double low = a[RANDOM_UNIFORM_low].f, high = a[RANDOM_UNIFORM_high].f;
  for (I i = 0; i < a[RANDOM_UNIFORM_n].i; i++) F(a, RANDOM_UNIFORM_out)
  [i] = (float)(low + (high - low) * uniform(word(N(a, RANDOM_UNIFORM_rng), a[RANDOM_UNIFORM_offset].i, i)));
}
void random_normal(const Slot* a) {
  const int32_t* rng = N(a, RANDOM_NORMAL_rng);
  for (I i = 0; i < a[RANDOM_NORMAL_n].i; i++) {
    double u1 = 1 - uniform(word(rng, a[RANDOM_NORMAL_offset].i, i / 2 * 2)),
           u2 = uniform(word(rng, a[RANDOM_NORMAL_offset].i, i / 2 * 2 + 1));
    double r = std::sqrt(-2 * std::log(u1)), angle = 2 * M_PI * u2;
    F(a, RANDOM_NORMAL_out)
    [i] = (float)(a[RANDOM_NORMAL_mean].f + a[RANDOM_NORMAL_std].f * r * (i % 2 ? std::sin(angle) : std::cos(angle)));
  }
}
void random_int(const Slot* a) {
  I low = a[RANDOM_INT_low].i;
  for (I i = 0; i < a[RANDOM_INT_n].i; i++) N(a, RANDOM_INT_out)
  [i] = (int32_t)(low + below(word(N(a, RANDOM_INT_rng), a[RANDOM_INT_offset].i, i), a[RANDOM_INT_high].i - low));
}
void dropout(const Slot* a) {
  double p = a[DROPOUT_p].f;
  for (I i = 0; i < a[DROPOUT_n].i; i++) {
    bool dropped = uniform(word(N(a, DROPOUT_rng), a[DROPOUT_offset].i, i)) < p;
    F(a, DROPOUT_out)[i] = dropped ? 0 : (float)(F(a, DROPOUT_x)[i] / (1 - p));
  }
}
void batch_windows(const Slot* a) {
  I T = a[BATCH_WINDOWS_T].i, low = a[BATCH_WINDOWS_low].i;
  for (I b = 0; b < a[BATCH_WINDOWS_B].i; b++) {
    I start =
        low + below(word(N(a, BATCH_WINDOWS_rng), a[BATCH_WINDOWS_offset].i, b), a[BATCH_WINDOWS_high].i - low - T);
    N(a, BATCH_WINDOWS_starts)[b] = (int32_t)start;
    for (I t = 0; t < T; t++) {
      N(a, BATCH_WINDOWS_x)[b * T + t] = N(a, BATCH_WINDOWS_tokens)[start + t];
      N(a, BATCH_WINDOWS_y)[b * T + t] = N(a, BATCH_WINDOWS_tokens)[start + t + 1];
    }
  }
}

bool skipped(const float* norm) { return norm && !std::isfinite(*norm); }
void adamw(const Slot* a) {
  if (skipped(F(a, ADAMW_norm))) return;
  const float* h = F(a, ADAMW_hyper);
  float *p = F(a, ADAMW_p), *m = F(a, ADAMW_m), *v = F(a, ADAMW_v), *g = F(a, ADAMW_g);
  I i = 0;
  for (I group = 0; group < a[ADAMW_groups].i; group++, h += 8) {
    int32_t end;
    memcpy(&end, h, 4);
    for (; i < end; i++) {
      double m1 = m[i] + (1 - (double)h[2]) * ((double)g[i] - m[i]),
             v1 = (double)h[3] * v[i] + (1 - (double)h[3]) * g[i] * g[i];
      p[i] = (float)(p[i] * (1 - (double)h[1] * h[5]) - (double)h[1] / h[6] * m1 / (std::sqrt(v1) / h[7] + h[4]));
      m[i] = (float)m1, v[i] = (float)v1;
    }
  }
}
void sgd(const Slot* a) {
  if (skipped(F(a, SGD_norm))) return;
  const float* h = F(a, SGD_hyper);
  float *p = F(a, SGD_p), *buf = F(a, SGD_buf), *g = F(a, SGD_g);
  I i = 0;
  for (I group = 0; group < a[SGD_groups].i; group++, h += 8) {
    int32_t end;
    memcpy(&end, h, 4);
    for (; i < end; i++) {
      double d = g[i] + (double)h[4] * p[i];
      if (buf) {
        double b = h[6] != 0 ? d : (double)h[2] * buf[i] + (1 - (double)h[3]) * d;
        buf[i] = (float)b;
        d = h[5] != 0 ? d + (double)h[2] * b : b;
      }
      p[i] = (float)(p[i] - (double)h[1] * d);
    }
  }
}

void sample(const Slot* a) {
  I V = a[SAMPLE_V].i;
  const float* settings = F(a, SAMPLE_settings);
  for (I b = 0; b < a[SAMPLE_B].i; b++) {
    const float* logits = F(a, SAMPLE_logits) + b * V;
    std::vector<I> order(V);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](I i, I j) { return logits[i] > logits[j]; });
    std::vector<double> weight(V);
    I k = (I)settings[1];
    double total = 0, reached = 0;
    for (I i = 0; i < V; i++) {
      if (k <= 0 || k >= V || logits[i] >= logits[order[k - 1]])
        weight[i] = std::exp(((double)logits[i] - logits[order[0]]) / settings[0]);
      total += weight[i];
    }
    if (settings[2] > 0 && settings[2] < 1)
      for (I i : order) {
        double w = weight[i];
        if (reached >= settings[2] * total) weight[i] = 0;
        reached += w;
      }
    double sum = std::accumulate(weight.begin(), weight.end(), 0.0), at = 0;
    double target = uniform(word(N(a, SAMPLE_rng), a[SAMPLE_offset].i, 4 * b)) * sum;
    I chosen = 0;
    while (chosen < V - 1 && (at += weight[chosen]) <= target) chosen++;
    N(a, SAMPLE_out)[b] = (int32_t)(settings[0] == 0 ? order[0] : chosen);
  }
}

}  // namespace

#define PLAIN_OF(name, NAME) \
  case KERNEL_##NAME: return name;
Plain* plain_random_kernel(int64_t id) {
  switch (id) {
    PLAIN_OF(random_uniform, RANDOM_UNIFORM)
    PLAIN_OF(random_normal, RANDOM_NORMAL)
    PLAIN_OF(random_int, RANDOM_INT)
    PLAIN_OF(dropout, DROPOUT)
    PLAIN_OF(batch_windows, BATCH_WINDOWS)
    PLAIN_OF(adamw, ADAMW)
    PLAIN_OF(sgd, SGD)
    PLAIN_OF(sample, SAMPLE)
    default: return nullptr;
  }
}
