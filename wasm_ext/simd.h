// Vectors of float32: one vocabulary for WebAssembly SIMD (4 lanes, or 8 in pairs), AVX2 with FMA (8) and any other CPU (4).
//
// vf is a vector of VW floats, vi of VW int32, vm a mask (all ones or all zeros a lane, from a comparison). Sources are compiled
// with -ffp-contract=off and multiply-adds are written as vfma, so that the bits of a result are decided here: vfma is one
// rounding where the build has it (AVX2; relaxed SIMD on every CPU with FMA), a product and a sum elsewhere. Tails use the same
// vector operations through vload_tail/vstore_tail, never a scalar twin that would round otherwise; sfma is vfma of one lane.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

#ifndef PAIRED
#define PAIRED 0  // build.sh sets it for the build paired-mt
#endif

#define INLINE static inline __attribute__((always_inline))

#if defined(__wasm_simd128__)
#include <wasm_simd128.h>
typedef v128_t half4;  // what WebAssembly has: four lanes
#if PAIRED
// Eight lanes as two neighbours of four. An engine that pairs 128-bit operations to 256-bit ones (V8's revectorization) starts at two
// stores side by side and needs the same operations on both. It likes the upper store first, the one that can fail.
enum { VW = 8 };
struct vf { half4 lo, hi; };
#define LANES1(f, a) (vf{f(a.lo), f(a.hi)})
#define LANES2(f, a, b) (vf{f(a.lo, b.lo), f(a.hi, b.hi)})
#define LANES3(f, a, b, c) (vf{f(a.lo, b.lo, c.lo), f(a.hi, b.hi, c.hi)})
#define SAME(x) ({ const half4 x_ = (x); vf{x_, x_}; })
#else
enum { VW = 4 };
typedef half4 vf;
#define LANES1(f, a) f(a)
#define LANES2(f, a, b) f(a, b)
#define LANES3(f, a, b, c) f(a, b, c)
#define SAME(x) (x)
#endif
typedef vf vi;
typedef vf vm;
INLINE vf vload(const void* p) {
#if PAIRED
  return {wasm_v128_load(p), wasm_v128_load((const char*)p + 16)};
#else
  return wasm_v128_load(p);
#endif
}
INLINE void vstore(void* p, vf v) {
#if PAIRED
  char* to = (char*)p;
  asm("" : "+r"(to));  // or the compiler mixes the stores of several pairs; these two it turns round
  wasm_v128_store(to, v.lo);
  wasm_v128_store(to + 16, v.hi);
#else
  wasm_v128_store(p, v);
#endif
}
INLINE vf vsplat(float x) { return SAME(wasm_f32x4_splat(x)); }
INLINE vf vbroadcast(const float* p) { return SAME(wasm_v128_load32_splat(p)); }
INLINE vf vzero() { return SAME(wasm_f32x4_const_splat(0)); }
INLINE vf vadd(vf a, vf b) { return LANES2(wasm_f32x4_add, a, b); }
INLINE vf vsub(vf a, vf b) { return LANES2(wasm_f32x4_sub, a, b); }
INLINE vf vmul(vf a, vf b) { return LANES2(wasm_f32x4_mul, a, b); }
INLINE vf vdiv(vf a, vf b) { return LANES2(wasm_f32x4_div, a, b); }
INLINE vf vmin(vf a, vf b) { return LANES2(wasm_f32x4_pmin, b, a); }  // a < b ? a : b, so b where either is NaN
INLINE vf vmax(vf a, vf b) { return LANES2(wasm_f32x4_pmax, b, a); }  // a > b ? a : b, so b where either is NaN
INLINE vf vsqrt(vf a) { return LANES1(wasm_f32x4_sqrt, a); }
INLINE vf vabs(vf a) { return LANES1(wasm_f32x4_abs, a); }
INLINE vf vneg(vf a) { return LANES1(wasm_f32x4_neg, a); }
INLINE vf vfloor(vf a) { return LANES1(wasm_f32x4_floor, a); }
INLINE vf vtrunc(vf a) { return LANES1(wasm_f32x4_trunc, a); }
INLINE vf vround(vf a) { return LANES1(wasm_f32x4_nearest, a); }  // half to even
#if defined(__wasm_relaxed_simd__)
INLINE vf vfma(vf a, vf b, vf c) { return LANES3(wasm_f32x4_relaxed_madd, a, b, c); }    // a * b + c
INLINE vf vfnma(vf a, vf b, vf c) { return LANES3(wasm_f32x4_relaxed_nmadd, a, b, c); }  // c - a * b
INLINE vi vtoint(vf a) { return LANES1(wasm_i32x4_relaxed_trunc_f32x4, a); }  // toward zero; only for values that fit int32
#else
INLINE vf vfma(vf a, vf b, vf c) { return vadd(vmul(a, b), c); }
INLINE vf vfnma(vf a, vf b, vf c) { return vsub(c, vmul(a, b)); }
INLINE vi vtoint(vf a) { return LANES1(wasm_i32x4_trunc_sat_f32x4, a); }
#endif
INLINE vm vlt(vf a, vf b) { return LANES2(wasm_f32x4_lt, a, b); }
INLINE vm vle(vf a, vf b) { return LANES2(wasm_f32x4_le, a, b); }
INLINE vm vgt(vf a, vf b) { return LANES2(wasm_f32x4_gt, a, b); }
INLINE vm vge(vf a, vf b) { return LANES2(wasm_f32x4_ge, a, b); }
INLINE vm veq(vf a, vf b) { return LANES2(wasm_f32x4_eq, a, b); }
INLINE vm vne(vf a, vf b) { return LANES2(wasm_f32x4_ne, a, b); }  // vne(x, x): NaN
#if defined(__wasm_relaxed_simd__)
INLINE vf vselect(vm m, vf yes, vf no) { return LANES3(wasm_i32x4_relaxed_laneselect, yes, no, m); }  // one instruction in place of three
#else
INLINE vf vselect(vm m, vf yes, vf no) { return LANES3(wasm_v128_bitselect, yes, no, m); }
#endif
INLINE vm mask_and(vm a, vm b) { return LANES2(wasm_v128_and, a, b); }
INLINE vm mask_or(vm a, vm b) { return LANES2(wasm_v128_or, a, b); }
INLINE bool any(vm m) {
#if PAIRED
  return wasm_v128_any_true(wasm_v128_or(m.lo, m.hi));
#else
  return wasm_v128_any_true(m);
#endif
}

INLINE vi vbits(vf a) { return a; }       // the same bits as int32
INLINE vf vfrombits(vi a) { return a; }
INLINE vf vtofloat(vi a) { return LANES1(wasm_f32x4_convert_i32x4, a); }
INLINE vi viload(const int32_t* p) { return vload(p); }
INLINE void vistore(int32_t* p, vi v) { vstore(p, v); }
INLINE vi visplat(int32_t x) { return SAME(wasm_i32x4_splat(x)); }
INLINE vi vibroadcast(const int32_t* p) { return SAME(wasm_v128_load32_splat(p)); }
// p, but the compiler does not see what it points to. A vector constant in the code costs V8 several instructions at every use; a
// broadcast from memory is one (measured: exp 2.0 -> 0.9 ns an element).
template <class T> INLINE const T* in_memory(const T* p) {
  asm("" : "+r"(p));
  return p;
}
INLINE vi viadd(vi a, vi b) { return LANES2(wasm_i32x4_add, a, b); }
INLINE vi visub(vi a, vi b) { return LANES2(wasm_i32x4_sub, a, b); }
INLINE vi vimul(vi a, vi b) { return LANES2(wasm_i32x4_mul, a, b); }
INLINE vi vimin(vi a, vi b) { return LANES2(wasm_i32x4_min, a, b); }
INLINE vi vimax(vi a, vi b) { return LANES2(wasm_i32x4_max, a, b); }
INLINE vi viand(vi a, vi b) { return LANES2(wasm_v128_and, a, b); }
INLINE vi vior(vi a, vi b) { return LANES2(wasm_v128_or, a, b); }
INLINE vi vixor(vi a, vi b) { return LANES2(wasm_v128_xor, a, b); }
#define SHIFT(f, a, n) LANES1([n](half4 x) { return f(x, n); }, a)
INLINE vi vishl(vi a, int n) { return SHIFT(wasm_i32x4_shl, a, n); }
INLINE vi vishr(vi a, int n) { return SHIFT(wasm_i32x4_shr, a, n); }    // arithmetic
INLINE vi viushr(vi a, int n) { return SHIFT(wasm_u32x4_shr, a, n); }   // logical
#undef SHIFT
INLINE vm vilt(vi a, vi b) { return LANES2(wasm_i32x4_lt, a, b); }
INLINE vm vieq(vi a, vi b) { return LANES2(wasm_i32x4_eq, a, b); }
// The 64-bit products of uint32 lanes, as their low and high words.
INLINE void viumulwide(vi a, vi b, vi& low, vi& high) {
  vi even = LANES2(wasm_u64x2_extmul_low_u32x4, a, b), odd = LANES2(wasm_u64x2_extmul_high_u32x4, a, b);
#define EVEN_WORDS(x, y) wasm_i32x4_shuffle(x, y, 0, 2, 4, 6)
#define ODD_WORDS(x, y) wasm_i32x4_shuffle(x, y, 1, 3, 5, 7)
  low = LANES2(EVEN_WORDS, even, odd);
  high = LANES2(ODD_WORDS, even, odd);
#undef EVEN_WORDS
#undef ODD_WORDS
}
// Four vectors seen as VW columns of four words, stored column after column: p[4 * lane + i] = lane of the i-th.
INLINE void store_columns4(int32_t* p, half4 a, half4 b, half4 c, half4 d) {
  half4 ab = wasm_i32x4_shuffle(a, b, 0, 4, 1, 5), cd = wasm_i32x4_shuffle(c, d, 0, 4, 1, 5);
  half4 ab2 = wasm_i32x4_shuffle(a, b, 2, 6, 3, 7), cd2 = wasm_i32x4_shuffle(c, d, 2, 6, 3, 7);
  wasm_v128_store(p, wasm_i32x4_shuffle(ab, cd, 0, 1, 4, 5));
  wasm_v128_store(p + 4, wasm_i32x4_shuffle(ab, cd, 2, 3, 6, 7));
  wasm_v128_store(p + 8, wasm_i32x4_shuffle(ab2, cd2, 0, 1, 4, 5));
  wasm_v128_store(p + 12, wasm_i32x4_shuffle(ab2, cd2, 2, 3, 6, 7));
}
INLINE void vistore_columns(int32_t* p, vi a, vi b, vi c, vi d) {
#if PAIRED
  store_columns4(p, a.lo, b.lo, c.lo, d.lo);
  store_columns4(p + 16, a.hi, b.hi, c.hi, d.hi);
#else
  store_columns4(p, a, b, c, d);
#endif
}
INLINE vf vload_int8(const int8_t* p) {  // VW int8 as floats
#if PAIRED
  const half4 words = wasm_i16x8_load8x8(p);
  return vtofloat({wasm_i32x4_extend_low_i16x8(words), wasm_i32x4_extend_high_i16x8(words)});
#else
  return vtofloat(wasm_i32x4_extend_low_i16x8(wasm_i16x8_extend_low_i8x16(wasm_v128_load32_zero(p))));
#endif
}
// DW int16 against DW int8: VW sums of two products each.
INLINE vi vidot(vi x, const int8_t* w) {
#if PAIRED
  return {wasm_i32x4_dot_i16x8(x.lo, wasm_i16x8_load8x8(w)), wasm_i32x4_dot_i16x8(x.hi, wasm_i16x8_load8x8(w + 8))};
#else
  return wasm_i32x4_dot_i16x8(x, wasm_i16x8_load8x8(w));
#endif
}
INLINE void vistore_int16(int16_t* p, vi a, vi b) {  // DW of them
#if PAIRED
  vstore(p, vi{wasm_i16x8_narrow_i32x4(a.lo, a.hi), wasm_i16x8_narrow_i32x4(b.lo, b.hi)});
#else
  vstore(p, wasm_i16x8_narrow_i32x4(a, b));
#endif
}

#else  // native: the compiler's vector types, with AVX2 intrinsics where plain C has no word for the operation
#if defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>
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
INLINE vf vload(const float* p) { vf v; memcpy(&v, p, sizeof v); return v; }
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
template <class T> INLINE const T* in_memory(const T* p) { return p; }  // see above: only WebAssembly has use for it
INLINE vf vabs(vf a) { return (vf)((vi)a & visplat(0x7fffffff)); }
INLINE vf vneg(vf a) { return (vf)((vi)a ^ visplat((int32_t)0x80000000u)); }
INLINE vm vlt(vf a, vf b) { return a < b; }
INLINE vm vle(vf a, vf b) { return a <= b; }
INLINE vm vgt(vf a, vf b) { return a > b; }
INLINE vm vge(vf a, vf b) { return a >= b; }
INLINE vm veq(vf a, vf b) { return a == b; }
INLINE vm vne(vf a, vf b) { return a != b; }
INLINE vf vselect(vm m, vf yes, vf no) { return (vf)((m & (vi)yes) | (~m & (vi)no)); }
INLINE vm mask_and(vm a, vm b) { return a & b; }
INLINE vm mask_or(vm a, vm b) { return a | b; }
INLINE vi viload(const int32_t* p) { vi v; memcpy(&v, p, sizeof v); return v; }
INLINE void vistore(int32_t* p, vi v) { memcpy(p, &v, sizeof v); }
// Sums and shifts of int32 wrap, as in WebAssembly.
INLINE vi viadd(vi a, vi b) { return (vi)((vu)a + (vu)b); }
INLINE vi visub(vi a, vi b) { return (vi)((vu)a - (vu)b); }
INLINE vi vimul(vi a, vi b) { return (vi)((vu)a * (vu)b); }
INLINE vi viand(vi a, vi b) { return a & b; }
INLINE vi vior(vi a, vi b) { return a | b; }
INLINE vi vixor(vi a, vi b) { return a ^ b; }
INLINE vi vishl(vi a, int n) { return (vi)((vu)a << (uint32_t)n); }
INLINE vi vishr(vi a, int n) { return a >> n; }
INLINE vi viushr(vi a, int n) { return (vi)((vu)a >> (uint32_t)n); }
INLINE vm vilt(vi a, vi b) { return a < b; }
INLINE vm vieq(vi a, vi b) { return a == b; }
INLINE vi vimin(vi a, vi b) { vm m = a < b; return (m & a) | (~m & b); }
INLINE vi vimax(vi a, vi b) { vm m = a > b; return (m & a) | (~m & b); }
#if WIDE
INLINE vf vmin(vf a, vf b) { return _mm256_min_ps(a, b); }
INLINE vf vmax(vf a, vf b) { return _mm256_max_ps(a, b); }
INLINE vf vsqrt(vf a) { return _mm256_sqrt_ps(a); }
INLINE vf vfloor(vf a) { return _mm256_floor_ps(a); }
INLINE vf vtrunc(vf a) { return _mm256_round_ps(a, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC); }
INLINE vf vround(vf a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
INLINE vf vfma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
INLINE vf vfnma(vf a, vf b, vf c) { return _mm256_fnmadd_ps(a, b, c); }
INLINE vi vtoint(vf a) { return (vi)_mm256_cvttps_epi32(a); }
INLINE vf vtofloat(vi a) { return _mm256_cvtepi32_ps((__m256i)a); }
INLINE bool any(vm m) { return _mm256_movemask_ps((vf)m) != 0; }
// The 64-bit products of uint32 lanes, as their low and high words.
INLINE void viumulwide(vi a, vi b, vi& low, vi& high) {
  __m256i even = _mm256_mul_epu32((__m256i)a, (__m256i)b);
  __m256i odd = _mm256_mul_epu32(_mm256_srli_epi64((__m256i)a, 32), _mm256_srli_epi64((__m256i)b, 32));
  low = (vi)_mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xaa);
  high = (vi)_mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa);
}
// Four vectors seen as VW columns of four words, stored column after column: p[4 * lane + i] = lane of the i-th.
INLINE void vistore_columns(int32_t* p, vi a, vi b, vi c, vi d) {
  __m256i ab = _mm256_unpacklo_epi32((__m256i)a, (__m256i)b), cd = _mm256_unpacklo_epi32((__m256i)c, (__m256i)d);
  __m256i ab2 = _mm256_unpackhi_epi32((__m256i)a, (__m256i)b), cd2 = _mm256_unpackhi_epi32((__m256i)c, (__m256i)d);
  __m256i c0 = _mm256_unpacklo_epi64(ab, cd), c1 = _mm256_unpackhi_epi64(ab, cd);  // columns 0 and 4, 1 and 5
  __m256i c2 = _mm256_unpacklo_epi64(ab2, cd2), c3 = _mm256_unpackhi_epi64(ab2, cd2);
  vistore(p, (vi)_mm256_permute2x128_si256(c0, c1, 0x20));
  vistore(p + 8, (vi)_mm256_permute2x128_si256(c2, c3, 0x20));
  vistore(p + 16, (vi)_mm256_permute2x128_si256(c0, c1, 0x31));
  vistore(p + 24, (vi)_mm256_permute2x128_si256(c2, c3, 0x31));
}
INLINE vf vload_int8(const int8_t* p) { return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i*)p))); }
INLINE vi vidot(vi x, const int8_t* w) {
  return (vi)_mm256_madd_epi16((__m256i)x, _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i*)w)));
}
INLINE void vistore_int16(int16_t* p, vi a, vi b) {  // packing works on halves: put their quarters in order
  vistore((int32_t*)p, (vi)_mm256_permute4x64_epi64(_mm256_packs_epi32((__m256i)a, (__m256i)b), 0xd8));
}
#else
#define EACH_LANE(type, expression) ({ type r_ = {}; for (int l = 0; l < VW; l++) r_[l] = (expression); r_; })
INLINE vf vmin(vf a, vf b) { return vselect(a < b, a, b); }
INLINE vf vmax(vf a, vf b) { return vselect(a > b, a, b); }
INLINE vf vsqrt(vf a) { return EACH_LANE(vf, sqrtf(a[l])); }
INLINE vf vfloor(vf a) { return EACH_LANE(vf, floorf(a[l])); }
INLINE vf vtrunc(vf a) { return EACH_LANE(vf, truncf(a[l])); }
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
// Four vectors seen as VW columns of four words, stored column after column: p[4 * lane + i] = lane of the i-th.
INLINE void vistore_columns(int32_t* p, vi a, vi b, vi c, vi d) {
  int32_t words[4 * VW];
  for (int l = 0; l < VW; l++) words[4 * l] = a[l], words[4 * l + 1] = b[l], words[4 * l + 2] = c[l], words[4 * l + 3] = d[l];
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
#endif

enum { DW = 2 * VW };  // int16 lanes of a vector

// ---- tails: the first n lanes, 0 <= n <= VW --------------------------------------------------------------------------------

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

// ---- across the lanes, in a fixed order: halves are folded together until one lane is left ---------------------------------

#if defined(__wasm_simd128__)
#if PAIRED
// A sum that is carried through a loop is paired only if it is stored: the lanes go through memory.
INLINE vf through_memory(vf a) {
  float lanes[VW];
  vstore(lanes, a);  // hides where it stores, so that the compiler does not take a for what is loaded
  return vload(lanes);
}
#define FOLDED(f, a) ({ const vf a_ = through_memory(a); f(a_.lo, a_.hi); })
INLINE float vfirst(vf a) { return wasm_f32x4_extract_lane(a.lo, 0); }
#else
#define FOLDED(f, a) (a)
INLINE float vfirst(vf a) { return wasm_f32x4_extract_lane(a, 0); }
#endif
#define FOLD_LANES(f)                                      \
  half4 x = FOLDED(f, a);                                  \
  x = f(x, wasm_i32x4_shuffle(x, x, 2, 3, 2, 3));          \
  return wasm_f32x4_extract_lane(f(x, wasm_i32x4_shuffle(x, x, 1, 1, 1, 1)), 0);
INLINE float vsum(vf a) { FOLD_LANES(wasm_f32x4_add) }
INLINE half4 larger(half4 a, half4 b) { return wasm_f32x4_pmax(b, a); }
INLINE half4 smaller(half4 a, half4 b) { return wasm_f32x4_pmin(b, a); }
INLINE float vhmax(vf a) { FOLD_LANES(larger) }
INLINE float vhmin(vf a) { FOLD_LANES(smaller) }
#undef FOLD_LANES
#else
INLINE float vfirst(vf a) { return a[0]; }
#define FOLD_LANES(pick)                                            \
  float lanes[VW];                                                  \
  vstore(lanes, a);                                                 \
  for (int half = VW / 2; half; half /= 2)                          \
    for (int i = 0; i < half; i++) {                                \
      float x = lanes[i], y = lanes[i + half];                      \
      lanes[i] = pick;                                              \
    }                                                               \
  return lanes[0];
INLINE float vsum(vf a) { FOLD_LANES(x + y) }
INLINE float vhmax(vf a) { FOLD_LANES(x > y ? x : y) }
INLINE float vhmin(vf a) { FOLD_LANES(x < y ? x : y) }
#undef FOLD_LANES
#endif
INLINE float sfma(float a, float b, float c) { return vfirst(vfma(vsplat(a), vsplat(b), vsplat(c))); }
