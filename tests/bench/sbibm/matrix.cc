#include "tests/bench/sbibm/matrix.h"

#include <algorithm>
#include <cstring>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define SBIBM_CLONES __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define SBIBM_CLONES
#endif

namespace inferon::sbibm {
namespace {

// One lane block, as wide as the processor's registers together are.
using Lane [[gnu::vector_size(sizeof(float) * kLane)]] = float;

// R rows of one lane block.
template <std::size_t R>
inline __attribute__((always_inline)) void Block(std::size_t inner, std::size_t width,
                                                 const float* a, std::size_t stride, const float* b,
                                                 float* out) {
  Lane sum[R];
#pragma GCC unroll 8
  for (std::size_t r = 0; r < R; ++r) std::memcpy(&sum[r], out + r * width, sizeof(Lane));
  for (std::size_t k = 0; k < inner; ++k) {
    Lane row;
    std::memcpy(&row, b + k * width, sizeof row);
#pragma GCC unroll 8
    for (std::size_t r = 0; r < R; ++r) sum[r] += a[r * stride + k] * row;
  }
#pragma GCC unroll 8
  for (std::size_t r = 0; r < R; ++r) std::memcpy(out + r * width, &sum[r], sizeof(Lane));
}

}  // namespace

SBIBM_CLONES
void AddProduct(std::size_t rows, std::size_t inner, std::size_t width, const float* a,
                std::size_t stride, const float* b, float* out) {
  constexpr std::size_t kRows = 8;
  for (std::size_t j = 0; j < width; j += kLane) {
    std::size_t i = 0;
    for (; i + kRows <= rows; i += kRows) {
      Block<kRows>(inner, width, a + i * stride, stride, b + j, out + i * width + j);
    }
    for (; i < rows; ++i)
      Block<1>(inner, width, a + i * stride, stride, b + j, out + i * width + j);
  }
}

void Transpose(std::size_t rows, std::size_t columns, const float* in, float* out) {
  TransposeInto(rows, columns, columns, in, rows, out);
}

SBIBM_CLONES
void TransposeInto(std::size_t rows, std::size_t columns, std::size_t in_stride, const float* in,
                   std::size_t stride, float* out) {
  constexpr std::size_t kTile = 16;
  for (std::size_t i0 = 0; i0 < rows; i0 += kTile) {
    const std::size_t height = std::min(kTile, rows - i0);
    for (std::size_t j0 = 0; j0 < columns; j0 += kTile) {
      const std::size_t width = std::min(kTile, columns - j0);
      for (std::size_t j = j0; j < j0 + width; ++j) {
        for (std::size_t i = i0; i < i0 + height; ++i) out[j * stride + i] = in[i * in_stride + j];
      }
    }
  }
}

SBIBM_CLONES
float SumSquares(std::size_t n, const float* values) {
  Lane sum{};
  for (std::size_t i = 0; i < n; i += kLane) {
    Lane lane;
    std::memcpy(&lane, values + i, sizeof lane);
    sum += lane * lane;
  }
  float total = 0;
  for (std::size_t j = 0; j < kLane; ++j) total += sum[j];
  return total;
}

SBIBM_CLONES
void SumRows(std::size_t rows, std::size_t width, const float* in, float* out) {
  std::fill(out, out + width, 0.0f);
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < width; ++j) out[j] += in[i * width + j];
  }
}

SBIBM_CLONES
void Scale(std::size_t n, float factor, const float* in, float* out) {
  for (std::size_t i = 0; i < n; ++i) out[i] = factor * in[i];
}

SBIBM_CLONES
void Mask(std::size_t n, const float* of, float* values) {
  for (std::size_t i = 0; i < n; ++i) values[i] = of[i] > 0 ? values[i] : 0;
}

SBIBM_CLONES
void Rectify(std::size_t n, float* values) {
  for (std::size_t i = 0; i < n; ++i) values[i] = values[i] > 0 ? values[i] : 0;
}

SBIBM_CLONES
void AdamUpdate(std::size_t n, const float* gradient, AdamStep step, float* w, float* m, float* v) {
  for (std::size_t i = 0; i < n; ++i) {
    const float g = gradient[i];
    m[i] = step.beta1 * m[i] + (1 - step.beta1) * g;
    v[i] = step.beta2 * v[i] + (1 - step.beta2) * g * g;
    w[i] -= step.rate * m[i] / (__builtin_sqrtf(v[i]) + step.epsilon);
  }
}

}  // namespace inferon::sbibm
