// The kernel's vector types as two AVX2 registers.
#pragma once

#define INFERON_SIMD_NAMESPACE avx2

#include <immintrin.h>

#include "worker/emulator/kernel.h"

namespace inferon::worker::avx2 {
namespace {

struct F {
  __m256 x, y;
};
struct U {
  __m256i x, y;
};
struct M {
  __m256 x, y;
};

inline F Load(const LaneFloats& from) {
  return {_mm256_load_ps(from.lane), _mm256_load_ps(from.lane + 8)};
}
inline U Load(const LaneWords& from) {
  const auto* at = reinterpret_cast<const __m256i*>(from.lane);
  return {_mm256_load_si256(at), _mm256_load_si256(at + 1)};
}
inline void Store(LaneFloats& to, F v) {
  _mm256_store_ps(to.lane, v.x);
  _mm256_store_ps(to.lane + 8, v.y);
}
inline F Floats(float value) { return {_mm256_set1_ps(value), _mm256_set1_ps(value)}; }
inline U Words(std::uint32_t value) {
  const __m256i all = _mm256_set1_epi32(static_cast<int>(value));
  return {all, all};
}

inline F operator+(F a, F b) { return {_mm256_add_ps(a.x, b.x), _mm256_add_ps(a.y, b.y)}; }
inline F operator-(F a, F b) { return {_mm256_sub_ps(a.x, b.x), _mm256_sub_ps(a.y, b.y)}; }
inline F operator*(F a, F b) { return {_mm256_mul_ps(a.x, b.x), _mm256_mul_ps(a.y, b.y)}; }
inline F operator/(F a, F b) { return {_mm256_div_ps(a.x, b.x), _mm256_div_ps(a.y, b.y)}; }
inline F Fma(F a, F b, F c) {
  return {_mm256_fmadd_ps(a.x, b.x, c.x), _mm256_fmadd_ps(a.y, b.y, c.y)};
}
inline F Min(F a, F b) { return {_mm256_min_ps(a.x, b.x), _mm256_min_ps(a.y, b.y)}; }
inline F Max(F a, F b) { return {_mm256_max_ps(a.x, b.x), _mm256_max_ps(a.y, b.y)}; }

inline U operator^(U a, U b) { return {_mm256_xor_si256(a.x, b.x), _mm256_xor_si256(a.y, b.y)}; }
inline U operator&(U a, U b) { return {_mm256_and_si256(a.x, b.x), _mm256_and_si256(a.y, b.y)}; }
inline U operator+(U a, U b) { return {_mm256_add_epi32(a.x, b.x), _mm256_add_epi32(a.y, b.y)}; }
inline U operator>>(U a, int n) { return {_mm256_srli_epi32(a.x, n), _mm256_srli_epi32(a.y, n)}; }
inline U operator<<(U a, int n) { return {_mm256_slli_epi32(a.x, n), _mm256_slli_epi32(a.y, n)}; }
inline void MultiplyHalf(__m256i a, __m256i factor, __m256i& high, __m256i& low) {
  const __m256i even = _mm256_mul_epu32(a, factor);
  const __m256i odd = _mm256_mul_epu32(_mm256_srli_epi64(a, 32), factor);
  high = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA);
  low = _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xAA);
}
inline void Multiply(U a, std::uint32_t b, U& high, U& low) {
  const __m256i factor = _mm256_set1_epi64x(b);
  MultiplyHalf(a.x, factor, high.x, low.x);
  MultiplyHalf(a.y, factor, high.y, low.y);
}
inline F ToFloats(U a) { return {_mm256_cvtepi32_ps(a.x), _mm256_cvtepi32_ps(a.y)}; }
inline U AsWords(F a) { return {_mm256_castps_si256(a.x), _mm256_castps_si256(a.y)}; }
inline F AsFloats(U a) { return {_mm256_castsi256_ps(a.x), _mm256_castsi256_ps(a.y)}; }

inline M operator>(F a, F b) {
  return {_mm256_cmp_ps(a.x, b.x, _CMP_GT_OQ), _mm256_cmp_ps(a.y, b.y, _CMP_GT_OQ)};
}
inline M operator>=(F a, F b) {
  return {_mm256_cmp_ps(a.x, b.x, _CMP_GE_OQ), _mm256_cmp_ps(a.y, b.y, _CMP_GE_OQ)};
}
inline M operator&(M a, M b) { return {_mm256_and_ps(a.x, b.x), _mm256_and_ps(a.y, b.y)}; }
inline F Select(M m, F a, F b) {
  return {_mm256_blendv_ps(b.x, a.x, m.x), _mm256_blendv_ps(b.y, a.y, m.y)};
}
inline std::uint32_t Bits(M m) {
  return static_cast<std::uint32_t>(_mm256_movemask_ps(m.x)) |
         static_cast<std::uint32_t>(_mm256_movemask_ps(m.y)) << 8;
}
inline bool Any(M m) { return Bits(m) != 0; }

}  // namespace
}  // namespace inferon::worker::avx2
