// Counter-based random numbers, Philox 4x32-10 (Salmon et al. 2011): block j of a stream is a function of (seed, base + offset + j)
// alone, so threads and devices agree on every number. The streams and the use of the words are in the contract (kernels.py).
#pragma once
#include "simd.h"

struct Philox {
  uint32_t key[2];
  uint64_t base;  // counter of the launch's block 0

  // rng: int32[4], seed low, seed high, base low, base high.
  Philox(const int32_t* rng, int64_t offset)
      : key{(uint32_t)rng[0], (uint32_t)rng[1]}, base(((uint64_t)(uint32_t)rng[3] << 32 | (uint32_t)rng[2]) + (uint64_t)offset) {}

  // The four words of block j.
  void block(int64_t j, uint32_t out[4]) const {
    uint64_t counter = base + (uint64_t)j;
    uint32_t c0 = (uint32_t)counter, c1 = (uint32_t)(counter >> 32), c2 = 0, c3 = 0, k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
      uint64_t left = (uint64_t)0xD2511F53u * c0, right = (uint64_t)0xCD9E8D57u * c2;
      uint32_t next0 = (uint32_t)(right >> 32) ^ c1 ^ k0, next2 = (uint32_t)(left >> 32) ^ c3 ^ k1;
      c0 = next0, c1 = (uint32_t)right, c2 = next2, c3 = (uint32_t)left;
      k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
    }
    out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
  }

  // VW blocks from block j on: 4 * VW words in the order of the elements.
  void blocks(int64_t j, int32_t* words) const {
    int32_t low[VW], high[VW];
    for (int l = 0; l < VW; l++) {
      uint64_t counter = base + (uint64_t)(j + l);
      low[l] = (int32_t)(uint32_t)counter, high[l] = (int32_t)(uint32_t)(counter >> 32);
    }
    vi c0 = viload(low), c1 = viload(high), c2 = visplat(0), c3 = visplat(0);
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
      vi left_low, left_high, right_low, right_high;
      viumulwide(visplat((int32_t)0xD2511F53u), c0, left_low, left_high);
      viumulwide(visplat((int32_t)0xCD9E8D57u), c2, right_low, right_high);
      c0 = vixor(vixor(right_high, c1), visplat((int32_t)k0));
      c2 = vixor(vixor(left_high, c3), visplat((int32_t)k1));
      c1 = right_low, c3 = left_low;
      k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
    }
    vistore_columns(words, c0, c1, c2, c3);
  }
};

// Uniform in [0, 1): the upper 24 bits.
INLINE vf uniform(vi words) { return vmul(vtofloat(viushr(words, 8)), vsplat(0x1p-24f)); }
INLINE float uniform(uint32_t word) { return (float)(word >> 8) * 0x1p-24f; }
