// The kernel's vector types as one AVX-512 register.
#pragma once

#define INFERON_SIMD_NAMESPACE avx512

#include <immintrin.h>

#include "worker/emulator/kernel.h"

namespace inferon::worker::avx512 {
namespace {

struct F {
  __m512 x;
};
struct U {
  __m512i x;
};
struct M {
  __mmask16 x;
};

inline F Load(const LaneFloats& from) { return {_mm512_load_ps(from.lane)}; }
inline U Load(const LaneWords& from) { return {_mm512_load_si512(from.lane)}; }
inline void Store(LaneFloats& to, F v) { _mm512_store_ps(to.lane, v.x); }
inline F Floats(float value) { return {_mm512_set1_ps(value)}; }
inline U Words(std::uint32_t value) { return {_mm512_set1_epi32(static_cast<int>(value))}; }

inline F operator+(F a, F b) { return {_mm512_add_ps(a.x, b.x)}; }
inline F operator-(F a, F b) { return {_mm512_sub_ps(a.x, b.x)}; }
inline F operator*(F a, F b) { return {_mm512_mul_ps(a.x, b.x)}; }
inline F operator/(F a, F b) { return {_mm512_div_ps(a.x, b.x)}; }
inline F Fma(F a, F b, F c) { return {_mm512_fmadd_ps(a.x, b.x, c.x)}; }
inline F Min(F a, F b) { return {_mm512_min_ps(a.x, b.x)}; }
inline F Max(F a, F b) { return {_mm512_max_ps(a.x, b.x)}; }

inline U operator^(U a, U b) { return {_mm512_xor_si512(a.x, b.x)}; }
inline U operator&(U a, U b) { return {_mm512_and_si512(a.x, b.x)}; }
inline U operator+(U a, U b) { return {_mm512_add_epi32(a.x, b.x)}; }
inline U operator>>(U a, unsigned n) { return {_mm512_srli_epi32(a.x, n)}; }
inline U operator<<(U a, unsigned n) { return {_mm512_slli_epi32(a.x, n)}; }
inline void Multiply(U a, std::uint32_t b, U& high, U& low) {
  const __m512i factor = _mm512_set1_epi64(b);
  const __m512i even = _mm512_mul_epu32(a.x, factor);
  const __m512i odd = _mm512_mul_epu32(_mm512_srli_epi64(a.x, 32), factor);
  high.x = _mm512_mask_blend_epi32(0xAAAA, _mm512_srli_epi64(even, 32), odd);
  low.x = _mm512_mask_blend_epi32(0xAAAA, even, _mm512_slli_epi64(odd, 32));
}
inline F ToFloats(U a) { return {_mm512_cvtepi32_ps(a.x)}; }
inline U AsWords(F a) { return {_mm512_castps_si512(a.x)}; }
inline F AsFloats(U a) { return {_mm512_castsi512_ps(a.x)}; }

inline M operator>(F a, F b) { return {_mm512_cmp_ps_mask(a.x, b.x, _CMP_GT_OQ)}; }
inline M operator>=(F a, F b) { return {_mm512_cmp_ps_mask(a.x, b.x, _CMP_GE_OQ)}; }
inline M operator&(M a, M b) { return {static_cast<__mmask16>(a.x & b.x)}; }
inline F Select(M m, F a, F b) { return {_mm512_mask_blend_ps(m.x, b.x, a.x)}; }
inline std::uint32_t Bits(M m) { return m.x; }
inline bool Any(M m) { return m.x != 0; }

}  // namespace
}  // namespace inferon::worker::avx512
