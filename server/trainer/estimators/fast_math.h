// Arithmetic that gives the same bits on every machine: only IEEE additions, multiplications and
// divisions in a fixed order (the build switches contraction off), so that loops over it vectorise
// at any width without changing a result.
#pragma once

#include <bit>
#include <cstdint>

// Compiles a hot loop for several vector widths and picks one at run time. Left out under the
// sanitizers (their start-up runs after the pick) and where the compiler has no such attribute.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define INFERON_VECTOR_CLONES __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define INFERON_VECTOR_CLONES
#endif
#define INFERON_INLINE inline __attribute__((always_inline))

namespace inferon::estimators {

// e^x with a relative error below 2e-7; x is clamped to [-87, 88]. Cephes' polynomial after
// reduction to |r| <= ln 2 / 2.
INFERON_INLINE float FastExp(float x) {
  x = x < -87.0f ? -87.0f : x;
  x = x > 88.0f ? 88.0f : x;
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer.
  const float shifted = x * 1.44269504f + kRound;
  const float n = shifted - kRound;
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  const auto exponent = std::bit_cast<std::int32_t>(shifted) << 23;
  return std::bit_cast<float>(std::bit_cast<std::int32_t>(p) + exponent);
}

// 1 / (1 + e^-x).
INFERON_INLINE float FastSigmoid(float x) { return 1.0f / (1.0f + FastExp(-x)); }

}  // namespace inferon::estimators
