// Element types beside float32 and int32: which they are, and how one becomes another.
//
// The fast kernels know float32 and int32. This is the plain rest: float64 and int64 have kernels
// of their own (wide.cpp); the narrow types are stored as they are, computed as float32 or int32,
// so that of them only copies exist (movement.cpp).
#pragma once
#include <cstring>
#include <type_traits>
#include "runtime.h"
#include "simd.h"

constexpr int64_t ITEM_BYTES[DTYPE_COUNT] = {4, 4, 1, 8, 8, 2, 1, 2, 2};  // by code of DTYPE

// IEEE 754 binary16 and bfloat16, as their bits. Rounding is to the nearest, ties to even.
struct float16 { uint16_t bits; };
struct bfloat16 { uint16_t bits; };

INLINE uint32_t bits_of(float v) {
  uint32_t b;
  memcpy(&b, &v, 4);
  return b;
}
INLINE float from_bits(uint32_t b) {
  float v;
  memcpy(&v, &b, 4);
  return v;
}

INLINE float to_float(float16 h) {
  uint32_t sign = (uint32_t)(h.bits & 0x8000) << 16, exponent = h.bits >> 10 & 31, mantissa = h.bits & 1023;
  if (exponent == 31) return from_bits(sign | 0x7f800000 | mantissa << 13);
  if (exponent) return from_bits(sign | (exponent + 112) << 23 | mantissa << 13);
  float v = (float)mantissa * 5.9604644775390625e-08f;  // subnormal: steps of 2^-24
  return sign ? -v : v;
}
INLINE float to_float(bfloat16 h) { return from_bits((uint32_t)h.bits << 16); }

INLINE float16 to_float16(float v) {
  uint32_t b = bits_of(v), sign = b >> 16 & 0x8000, magnitude = b & 0x7fffffff;
  if (magnitude > 0x7f800000) return {(uint16_t)(sign | 0x7e00)};   // NaN
  if (magnitude >= 0x477ff000) return {(uint16_t)(sign | 0x7c00)};  // from 65520 on: infinity
  if (magnitude >= 0x38800000) {                                    // from 2^-14 on: normal
    uint32_t rounded = magnitude + 0xfff + (magnitude >> 13 & 1);
    return {(uint16_t)(sign | (rounded - 0x38000000) >> 13)};
  }
  // Subnormal: the sum with 0.5 has its last bit at 2^-24, and the processor rounds.
  float shifted = from_bits(magnitude) + 0.5f;
  return {(uint16_t)(sign | (bits_of(shifted) - 0x3f000000))};
}
INLINE bfloat16 to_bfloat16(float v) {
  uint32_t b = bits_of(v);
  if ((b & 0x7fffffff) > 0x7f800000) return {(uint16_t)(b >> 16 | 0x40)};  // NaN
  return {(uint16_t)((b + 0x7fff + (b >> 16 & 1)) >> 16)};
}

template <class T> constexpr bool IS_HALF = std::is_same<T, float16>::value || std::is_same<T, bfloat16>::value;
template <class T> constexpr bool IS_FLOAT = std::is_floating_point<T>::value || IS_HALF<T>;

// A float toward zero. What an int32 or int8 does not hold saturates and NaN is 0, as in
// WebAssembly's trunc_sat; of the other integers the low bits of an int64 are kept.
template <class To> INLINE To from_double(double v) {
  if constexpr (std::is_same<To, float16>::value) return to_float16((float)v);
  else if constexpr (std::is_same<To, bfloat16>::value) return to_bfloat16((float)v);
  else if constexpr (std::is_floating_point<To>::value) return (To)v;
  else if constexpr (std::is_same<To, int32_t>::value || std::is_same<To, int8_t>::value) {
    double low = std::is_same<To, int8_t>::value ? -128.0 : -2147483648.0, high = -1.0 - low;
    return v != v ? (To)0 : (To)(v < low ? low : v > high ? high : v);
  } else {
    int64_t whole = v >= 9223372036854775807.0 ? INT64_MAX : v > -9223372036854775808.0 ? (int64_t)v : INT64_MIN;
    return (To)(v != v ? 0 : whole);
  }
}

// Between integers the low bits are kept, as in PyTorch.
template <class To, class From> INLINE To convert(From v) {
  if constexpr (std::is_same<To, From>::value) return v;
  else if constexpr (IS_HALF<From>) return convert<To, float>(to_float(v));
  else if constexpr (std::is_same<To, float16>::value) return to_float16((float)v);
  else if constexpr (std::is_same<To, bfloat16>::value) return to_bfloat16((float)v);
  else if constexpr (std::is_floating_point<From>::value && !std::is_floating_point<To>::value)
    return from_double<To>((double)v);
  else return (To)v;
}

// f(a null pointer of the element type) for a code of DTYPE; false where there is none.
template <class F> INLINE bool with_type(int64_t dtype, F f) {
  switch (dtype) {
    case DTYPE_FLOAT32: f((float*)nullptr); return true;
    case DTYPE_INT32: f((int32_t*)nullptr); return true;
    case DTYPE_INT8: f((int8_t*)nullptr); return true;
    case DTYPE_FLOAT64: f((double*)nullptr); return true;
    case DTYPE_INT64: f((int64_t*)nullptr); return true;
    case DTYPE_INT16: f((int16_t*)nullptr); return true;
    case DTYPE_UINT8: f((uint8_t*)nullptr); return true;
    case DTYPE_FLOAT16: f((float16*)nullptr); return true;
    case DTYPE_BFLOAT16: f((bfloat16*)nullptr); return true;
    default: return false;
  }
}

// Of float64 and int64 (wide.cpp).
void wide_binary(const Slot* a, Team& team);
void wide_binary_scalar(const Slot* a, Team& team);
void wide_reduce(const Slot* a, Team& team);

INLINE bool is_wide(int64_t dtype) { return dtype != DTYPE_FLOAT32 && dtype != DTYPE_INT32; }
