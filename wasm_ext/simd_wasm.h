// The vectors of simd.h in WebAssembly SIMD: 4 lanes, or 8 as a pair of 4 in the build paired-mt
// (PAIRED).
#pragma once
#include <wasm_simd128.h>

typedef v128_t f32x4;  // a vector of WebAssembly: four float32 (or int32)
#if PAIRED
// Eight lanes as a pair of four. An engine that joins pairs of 128-bit operations into 256-bit ones
// (V8's revectorization) starts at two adjacent stores and needs the same operations on both. It
// prefers the upper store first, the one that can fail.
enum { VW = 8 };
struct vf { f32x4 lo, hi; };
#define LANES1(f, a) (vf{f(a.lo), f(a.hi)})
#define LANES2(f, a, b) (vf{f(a.lo, b.lo), f(a.hi, b.hi)})
#define LANES3(f, a, b, c) (vf{f(a.lo, b.lo, c.lo), f(a.hi, b.hi, c.hi)})
#define DUPLICATE(x)      \
  ({                      \
    const f32x4 x_ = (x); \
    vf{x_, x_};           \
  })
#else
enum { VW = 4 };
typedef f32x4 vf;
#define LANES1(f, a) f(a)
#define LANES2(f, a, b) f(a, b)
#define LANES3(f, a, b, c) f(a, b, c)
#define DUPLICATE(x) (x)
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
  asm("" : "+r"(to));  // else the compiler interleaves the stores of several pairs; it swaps these two
  wasm_v128_store(to, v.lo);
  wasm_v128_store(to + 16, v.hi);
#else
  wasm_v128_store(p, v);
#endif
}
INLINE vf vsplat(float x) { return DUPLICATE(wasm_f32x4_splat(x)); }
INLINE vf vbroadcast(const float* p) { return DUPLICATE(wasm_v128_load32_splat(p)); }
INLINE vf vzero() { return DUPLICATE(wasm_f32x4_const_splat(0)); }
INLINE vf vadd(vf a, vf b) { return LANES2(wasm_f32x4_add, a, b); }
INLINE vf vsub(vf a, vf b) { return LANES2(wasm_f32x4_sub, a, b); }
INLINE vf vmul(vf a, vf b) { return LANES2(wasm_f32x4_mul, a, b); }
INLINE vf vdiv(vf a, vf b) { return LANES2(wasm_f32x4_div, a, b); }
INLINE vf vmin(vf a, vf b) { return LANES2(wasm_f32x4_pmin, b, a); }  // a < b ? a : b, so b where either is NaN
INLINE vf vmax(vf a, vf b) { return LANES2(wasm_f32x4_pmax, b, a); }  // a > b ? a : b, so b where either is NaN
INLINE vf vsqrt(vf a) { return LANES1(wasm_f32x4_sqrt, a); }
INLINE vf vabs(vf a) { return LANES1(wasm_f32x4_abs, a); }
INLINE vf vneg(vf a) { return LANES1(wasm_f32x4_neg, a); }
INLINE vf vround(vf a) { return LANES1(wasm_f32x4_nearest, a); }  // half to even
#if defined(__wasm_relaxed_simd__)
INLINE vf vfma(vf a, vf b, vf c) { return LANES3(wasm_f32x4_relaxed_madd, a, b, c); }    // a * b + c
INLINE vf vfnma(vf a, vf b, vf c) { return LANES3(wasm_f32x4_relaxed_nmadd, a, b, c); }  // c - a * b
INLINE vi vtoint(vf a) { return LANES1(wasm_i32x4_relaxed_trunc_f32x4, a); }  // toward zero; the values must fit int32
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
INLINE vf vselect(vm m, vf yes, vf no) { return LANES3(wasm_i32x4_relaxed_laneselect, yes, no, m); }
#else
INLINE vf vselect(vm m, vf yes, vf no) { return LANES3(wasm_v128_bitselect, yes, no, m); }
#endif
INLINE vm mask_or(vm a, vm b) { return LANES2(wasm_v128_or, a, b); }
INLINE bool any(vm m) {
#if PAIRED
  return wasm_v128_any_true(wasm_v128_or(m.lo, m.hi));
#else
  return wasm_v128_any_true(m);
#endif
}

INLINE vi vbits(vf a) { return a; }  // the same bits as int32
INLINE vf vfrombits(vi a) { return a; }
INLINE vf vtofloat(vi a) { return LANES1(wasm_f32x4_convert_i32x4, a); }
INLINE vi viload(const int32_t* p) { return vload(p); }
INLINE void vistore(int32_t* p, vi v) { vstore(p, v); }
INLINE vi visplat(int32_t x) { return DUPLICATE(wasm_i32x4_splat(x)); }
INLINE vi vibroadcast(const int32_t* p) { return DUPLICATE(wasm_v128_load32_splat(p)); }
// p, without the compiler's knowledge of the data behind it. A vector constant in the code costs V8
// several instructions at every use, a broadcast from memory one (measured: exp 2.0 -> 0.9 ns an
// element).
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
INLINE vi vixor(vi a, vi b) { return LANES2(wasm_v128_xor, a, b); }
#define SHIFT(f, a, n) LANES1([n](f32x4 x) { return f(x, n); }, a)
INLINE vi vishl(vi a, int n) { return SHIFT(wasm_i32x4_shl, a, n); }
INLINE vi vishr(vi a, int n) { return SHIFT(wasm_i32x4_shr, a, n); }   // arithmetic
INLINE vi viushr(vi a, int n) { return SHIFT(wasm_u32x4_shr, a, n); }  // logical
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
// Stores the transpose of four vectors: p[4 * l + i] = lane l of vector i.
INLINE void store_columns4(int32_t* p, f32x4 a, f32x4 b, f32x4 c, f32x4 d) {
  f32x4 ab = wasm_i32x4_shuffle(a, b, 0, 4, 1, 5), cd = wasm_i32x4_shuffle(c, d, 0, 4, 1, 5);
  f32x4 ab2 = wasm_i32x4_shuffle(a, b, 2, 6, 3, 7), cd2 = wasm_i32x4_shuffle(c, d, 2, 6, 3, 7);
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
  const f32x4 words = wasm_i16x8_load8x8(p);
  return vtofloat({wasm_i32x4_extend_low_i16x8(words), wasm_i32x4_extend_high_i16x8(words)});
#else
  return vtofloat(wasm_i32x4_extend_low_i16x8(wasm_i16x8_extend_low_i8x16(wasm_v128_load32_zero(p))));
#endif
}
// The products of DW int16 and DW int8, as VW sums of two neighbours.
INLINE vi vidot(vi x, const int8_t* w) {
#if PAIRED
  return {wasm_i32x4_dot_i16x8(x.lo, wasm_i16x8_load8x8(w)), wasm_i32x4_dot_i16x8(x.hi, wasm_i16x8_load8x8(w + 8))};
#else
  return wasm_i32x4_dot_i16x8(x, wasm_i16x8_load8x8(w));
#endif
}
INLINE void vistore_int16(int16_t* p, vi a, vi b) {  // DW int32, in the range of int16
#if PAIRED
  vstore(p, vi{wasm_i16x8_narrow_i32x4(a.lo, a.hi), wasm_i16x8_narrow_i32x4(b.lo, b.hi)});
#else
  vstore(p, wasm_i16x8_narrow_i32x4(a, b));
#endif
}

// ---- across the lanes: the halves are combined until one lane is left, always in this order -----

#if PAIRED
// V8 pairs a sum that a loop accumulates only if it is stored: so its lanes go through memory.
INLINE vf through_memory(vf a) {
  float lanes[VW];
  vstore(lanes, a);  // hides its address: else the compiler uses a in place of the load
  return vload(lanes);
}
#define PAIR_FOLDED(f, a)            \
  ({                                 \
    const vf a_ = through_memory(a); \
    f(a_.lo, a_.hi);                 \
  })
INLINE float vfirst(vf a) { return wasm_f32x4_extract_lane(a.lo, 0); }
#else
#define PAIR_FOLDED(f, a) (a)
INLINE float vfirst(vf a) { return wasm_f32x4_extract_lane(a, 0); }
#endif
#define FOLD_LANES(f, a)                                                       \
  ({                                                                           \
    f32x4 x_ = PAIR_FOLDED(f, a);                                              \
    x_ = f(x_, wasm_i32x4_shuffle(x_, x_, 2, 3, 2, 3));                        \
    wasm_f32x4_extract_lane(f(x_, wasm_i32x4_shuffle(x_, x_, 1, 1, 1, 1)), 0); \
  })
INLINE float vsum(vf a) { return FOLD_LANES(wasm_f32x4_add, a); }
INLINE f32x4 larger(f32x4 a, f32x4 b) { return wasm_f32x4_pmax(b, a); }
INLINE f32x4 smaller(f32x4 a, f32x4 b) { return wasm_f32x4_pmin(b, a); }
INLINE float vhmax(vf a) { return FOLD_LANES(larger, a); }
INLINE float vhmin(vf a) { return FOLD_LANES(smaller, a); }
#undef FOLD_LANES
