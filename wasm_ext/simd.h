// Vectors of float32 and int32: one vocabulary for every target, and the operations made of it.
//
// vf is a vector of VW floats, vi of VW int32, vm a mask (all ones or all zeros a lane, from a
// comparison). The targets: WebAssembly SIMD with 4 lanes, or with 8 as pairs (simd_wasm.h); AVX2
// with FMA, 8 lanes (simd_avx2.h); any other CPU, 4 lanes (simd_native.h).
//
// Sources are compiled with -ffp-contract=off and multiply-adds are written as vfma: so the bits of
// a result are decided here. vfma rounds once where the build has a fused instruction (AVX2;
// relaxed SIMD on every CPU with FMA), and is a product and a sum elsewhere. A tail uses the same
// vector operations through vload_tail and vstore_tail, never a scalar version that would round
// otherwise.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

#ifndef PAIRED
#define PAIRED 0  // build.sh sets it for the build paired-mt
#endif

#define INLINE static inline __attribute__((always_inline))

// Loops that the compiler unrolls completely (the count is known), and loops that it must not
// unroll.
#define UNROLL_FOR(...) _Pragma("GCC unroll 16") for (__VA_ARGS__)
#if defined(__clang__)
#define ROLLED_FOR(...) _Pragma("clang loop unroll(disable)") for (__VA_ARGS__)
#else
#define ROLLED_FOR(...) _Pragma("GCC unroll 1") for (__VA_ARGS__)
#endif

#if defined(__wasm_simd128__)
#include "simd_wasm.h"
#else
#include "simd_native.h"
#endif

enum { DW = 2 * VW };  // int16 lanes of a vector

// ---- tails: the first n lanes, 0 <= n <= VW -----------------------------------------------------

// Lanes from n on are 0 and their memory is not read.
INLINE vf vload_tail(const float* p, int n) {
  if (n >= VW) return vload(p);
  float lanes[VW] = {};
  for (int i = 0; i < n; i++) lanes[i] = p[i];
  return vload(lanes);
}
INLINE void vstore_tail(float* p, vf v, int n) {
  if (n >= VW) return vstore(p, v);
  float lanes[VW];
  vstore(lanes, v);
  for (int i = 0; i < n; i++) p[i] = lanes[i];
}
INLINE vi viload_tail(const int32_t* p, int n) {
  if (n >= VW) return viload(p);
  int32_t lanes[VW] = {};
  memcpy(lanes, p, n * 4);
  return viload(lanes);
}
INLINE void vistore_tail(int32_t* p, vi v, int n) {
  if (n >= VW) return vistore(p, v);
  int32_t lanes[VW];
  vistore(lanes, v);
  memcpy(p, lanes, n * 4);
}
INLINE vf vlanes() {  // 0, 1, 2, ...
  const float lanes[8] = {0, 1, 2, 3, 4, 5, 6, 7};
  return vload(lanes);
}
INLINE vm vhead(int n) { return vlt(vlanes(), vsplat((float)n)); }  // mask of the first n lanes
