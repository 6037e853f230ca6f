// Counter-based random numbers, Philox 4x32-10 (Salmon et al. 2011).
//
// Block j of a stream is a function of (seed, base + offset + j) alone: so threads and devices
// agree on every number. The contract (kernels.py) defines the streams and the use of the words.
#pragma once
#include "simd.h"

struct Philox {
  static const int ROUNDS = 10;
  int32_t key[2][ROUNDS];  // of each round
  int32_t multiplier[2] = {(int32_t)0xD2511F53u, (int32_t)0xCD9E8D57u}, lane[8] = {0, 1, 2, 3, 4, 5, 6, 7};
  uint64_t base;  // counter of the launch's block 0

  // rng: int32[4], seed low, seed high, base low, base high.
  Philox(const int32_t* rng, int64_t offset)
      : base(((uint64_t)(uint32_t)rng[3] << 32 | (uint32_t)rng[2]) + (uint64_t)offset) {
    const uint32_t weyl[2] = {0x9E3779B9u, 0xBB67AE85u};
    for (uint32_t i = 0; i < 2; i++)
      for (uint32_t round = 0; round < ROUNDS; round++) key[i][round] = (int32_t)((uint32_t)rng[i] + round * weyl[i]);
  }

  // The four words of block j.
  void block(int64_t j, uint32_t out[4]) const {
    uint64_t counter = base + (uint64_t)j;
    uint32_t c0 = (uint32_t)counter, c1 = (uint32_t)(counter >> 32), c2 = 0, c3 = 0;
    for (int round = 0; round < ROUNDS; round++) {
      uint64_t left = (uint64_t)(uint32_t)multiplier[0] * c0, right = (uint64_t)(uint32_t)multiplier[1] * c2;
      c0 = (uint32_t)(right >> 32) ^ c1 ^ (uint32_t)key[0][round];
      c2 = (uint32_t)(left >> 32) ^ c3 ^ (uint32_t)key[1][round];
      c1 = (uint32_t)right, c3 = (uint32_t)left;
    }
    out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
  }

  // VW blocks from block j on: 4 * VW words in the order of the elements.
  void blocks(int64_t j, int32_t* words) const {
    const Philox& k = *in_memory(this);
    uint64_t first = base + (uint64_t)j;
    int32_t low[8], high[8];
    vi c0, c1, c2 = visplat(0), c3 = visplat(0);
    if ((uint32_t)first <= 0xffffffffu - VW) {
      c0 = viadd(visplat((int32_t)(uint32_t)first), viload(k.lane)), c1 = visplat((int32_t)(uint32_t)(first >> 32));
    } else {  // the low word of the counter overflows within these blocks
      for (int l = 0; l < VW; l++)
        low[l] = (int32_t)(uint32_t)(first + l), high[l] = (int32_t)(uint32_t)((first + l) >> 32);
      c0 = viload(low), c1 = viload(high);
    }
    for (int round = 0; round < ROUNDS; round++) {
      vi left_low, left_high, right_low, right_high;
      viumulwide(vibroadcast(k.multiplier), c0, left_low, left_high);
      viumulwide(vibroadcast(k.multiplier + 1), c2, right_low, right_high);
      c0 = vixor(vixor(right_high, c1), vibroadcast(k.key[0] + round));
      c2 = vixor(vixor(left_high, c3), vibroadcast(k.key[1] + round));
      c1 = right_low, c3 = left_low;
    }
    vistore_columns(words, c0, c1, c2, c3);
  }
};

// Uniform in [0, 1): the upper 24 bits.
INLINE vf uniform(vi words) { return vmul(vtofloat(viushr(words, 8)), vsplat(0x1p-24f)); }
INLINE float uniform(uint32_t word) { return (float)(word >> 8) * 0x1p-24f; }
