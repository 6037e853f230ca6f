// The vectors of simd.h in native code, as the compiler's vector types: 8 lanes with AVX2 and FMA,
// else 4.
//
// An operation without an operator in C++ is an intrinsic with 8 lanes (simd_avx2.h), and computed
// lane by lane with 4.
#pragma once
#if defined(__AVX2__) && defined(__FMA__)
#define WIDE 1
enum { VW = 8 };
#else
#define WIDE 0
enum { VW = 4 };
#endif
typedef float vf __attribute__((vector_size(VW * 4)));
typedef int32_t vi __attribute__((vector_size(VW * 4)));
typedef uint32_t vu __attribute__((vector_size(VW * 4)));
typedef vi vm;

INLINE vf vload(const float* p) {
  vf v;
  memcpy(&v, p, sizeof v);
  return v;
}
INLINE void vstore(float* p, vf v) { memcpy(p, &v, sizeof v); }
INLINE vf vsplat(float x) { return x - vf{}; }  // x - 0 keeps -0
INLINE vf vbroadcast(const float* p) { return vsplat(*p); }
INLINE vf vzero() { return vf{}; }
INLINE vf vadd(vf a, vf b) { return a + b; }
INLINE vf vsub(vf a, vf b) { return a - b; }
INLINE vf vmul(vf a, vf b) { return a * b; }
INLINE vf vdiv(vf a, vf b) { return a / b; }
INLINE vi vbits(vf a) { return (vi)a; }
INLINE vf vfrombits(vi a) { return (vf)a; }
INLINE vi visplat(int32_t x) { return x - vi{}; }
INLINE vi vibroadcast(const int32_t* p) { return visplat(*p); }
template <class T> INLINE const T* in_memory(const T* p) { return p; }  // simd_wasm.h has a use for it
INLINE vf vabs(vf a) { return (vf)((vi)a & visplat(0x7fffffff)); }
INLINE vf vneg(vf a) { return (vf)((vi)a ^ visplat((int32_t)0x80000000u)); }
INLINE vm vlt(vf a, vf b) { return a < b; }
INLINE vm vle(vf a, vf b) { return a <= b; }
INLINE vm vgt(vf a, vf b) { return a > b; }
INLINE vm vge(vf a, vf b) { return a >= b; }
INLINE vm veq(vf a, vf b) { return a == b; }
INLINE vm vne(vf a, vf b) { return a != b; }
INLINE vf vselect(vm m, vf yes, vf no) { return (vf)((m & (vi)yes) | (~m & (vi)no)); }
INLINE vm mask_or(vm a, vm b) { return a | b; }
INLINE vi viload(const int32_t* p) {
  vi v;
  memcpy(&v, p, sizeof v);
  return v;
}
INLINE void vistore(int32_t* p, vi v) { memcpy(p, &v, sizeof v); }
// Sums and shifts of int32 wrap, as in WebAssembly.
INLINE vi viadd(vi a, vi b) { return (vi)((vu)a + (vu)b); }
INLINE vi visub(vi a, vi b) { return (vi)((vu)a - (vu)b); }
INLINE vi vimul(vi a, vi b) { return (vi)((vu)a * (vu)b); }
INLINE vi viand(vi a, vi b) { return a & b; }
INLINE vi vixor(vi a, vi b) { return a ^ b; }
INLINE vi vishl(vi a, int n) { return (vi)((vu)a << (uint32_t)n); }
INLINE vi vishr(vi a, int n) { return a >> n; }
INLINE vi viushr(vi a, int n) { return (vi)((vu)a >> (uint32_t)n); }
INLINE vm vilt(vi a, vi b) { return a < b; }
INLINE vm vieq(vi a, vi b) { return a == b; }
INLINE vi vimin(vi a, vi b) {
  vm m = a < b;
  return (m & a) | (~m & b);
}
INLINE vi vimax(vi a, vi b) {
  vm m = a > b;
  return (m & a) | (~m & b);
}

#if WIDE
#include "simd_avx2.h"
#else
#define EACH_LANE(type, expression)                    \
  ({                                                   \
    type r_ = {};                                      \
    for (int l = 0; l < VW; l++) r_[l] = (expression); \
    r_;                                                \
  })
INLINE vf vmin(vf a, vf b) { return vselect(a < b, a, b); }
INLINE vf vmax(vf a, vf b) { return vselect(a > b, a, b); }
INLINE vf vsqrt(vf a) { return EACH_LANE(vf, sqrtf(a[l])); }
INLINE vf vround(vf a) { return EACH_LANE(vf, rintf(a[l])); }
INLINE vf vfma(vf a, vf b, vf c) { return a * b + c; }
INLINE vf vfnma(vf a, vf b, vf c) { return c - a * b; }
INLINE vi vtoint(vf a) { return EACH_LANE(vi, (int32_t)a[l]); }
INLINE vf vtofloat(vi a) { return EACH_LANE(vf, (float)a[l]); }
INLINE bool any(vm m) { return m[0] | m[1] | m[2] | m[3]; }
// The 64-bit products of uint32 lanes, as their low and high words.
INLINE void viumulwide(vi a, vi b, vi& low, vi& high) {
  for (int l = 0; l < VW; l++) {
    uint64_t product = (uint64_t)(uint32_t)a[l] * (uint32_t)b[l];
    low[l] = (int32_t)(uint32_t)product;
    high[l] = (int32_t)(uint32_t)(product >> 32);
  }
}
// Stores the transpose of four vectors: p[4 * l + i] = lane l of vector i.
INLINE void vistore_columns(int32_t* p, vi a, vi b, vi c, vi d) {
  int32_t words[4 * VW];
  for (int l = 0; l < VW; l++)
    words[4 * l] = a[l], words[4 * l + 1] = b[l], words[4 * l + 2] = c[l], words[4 * l + 3] = d[l];
  memcpy(p, words, sizeof words);
}
INLINE vf vload_int8(const int8_t* p) { return EACH_LANE(vf, (float)p[l]); }
INLINE vi vidot(vi x, const int8_t* w) {
  int16_t s[2 * VW];
  memcpy(s, &x, sizeof s);
  return EACH_LANE(vi, s[2 * l] * w[2 * l] + s[2 * l + 1] * w[2 * l + 1]);
}
INLINE void vistore_int16(int16_t* p, vi a, vi b) {
  for (int l = 0; l < VW; l++) p[l] = (int16_t)a[l], p[VW + l] = (int16_t)b[l];
}
#endif

// ---- across the lanes: the halves are combined until one lane is left, always in this order -----

INLINE float vfirst(vf a) { return a[0]; }
template <class F> INLINE float fold_lanes(vf a, F f) {
  float lanes[VW];
  vstore(lanes, a);
  for (int half = VW / 2; half; half /= 2)
    for (int i = 0; i < half; i++) lanes[i] = f(lanes[i], lanes[i + half]);
  return lanes[0];
}
INLINE float vsum(vf a) {
  return fold_lanes(a, [](float x, float y) { return x + y; });
}
INLINE float vhmax(vf a) {
  return fold_lanes(a, [](float x, float y) { return x > y ? x : y; });
}
INLINE float vhmin(vf a) {
  return fold_lanes(a, [](float x, float y) { return x < y ? x : y; });
}
