// The operations of simd.h that need an intrinsic of AVX2 or FMA; simd_native.h has the types and
// includes this file.
#pragma once
#include <immintrin.h>

INLINE vf vmin(vf a, vf b) { return _mm256_min_ps(a, b); }
INLINE vf vmax(vf a, vf b) { return _mm256_max_ps(a, b); }
INLINE vf vsqrt(vf a) { return _mm256_sqrt_ps(a); }
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
// Stores the transpose of four vectors: p[4 * l + i] = lane l of vector i.
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
INLINE vf vload_int8(const int8_t* p) {
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i*)p)));
}
INLINE vi vidot(vi x, const int8_t* w) {
  return (vi)_mm256_madd_epi16((__m256i)x, _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i*)w)));
}
// DW int32, in the range of int16. Packing works on each 128-bit half: then the quarters are put in
// order.
INLINE void vistore_int16(int16_t* p, vi a, vi b) {
  vistore((int32_t*)p, (vi)_mm256_permute4x64_epi64(_mm256_packs_epi32((__m256i)a, (__m256i)b), 0xd8));
}
