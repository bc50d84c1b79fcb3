// The few dense operations that the C2ST's network needs, at the processor's full vector width.
#pragma once

#include <cstddef>

namespace inferon::sbibm {

inline constexpr std::size_t kLane = 16;  // Floats; widths are multiples of it.

// out [rows, width] += a [rows, inner] (rows of a are `stride` apart) times b [inner, width].
void AddProduct(std::size_t rows, std::size_t inner, std::size_t width, const float* a,
                std::size_t stride, const float* b, float* out);
// out [columns, rows] = the transpose of in [rows, columns].
void Transpose(std::size_t rows, std::size_t columns, const float* in, float* out);
// As Transpose with rows of `out` apart by `stride` (at least `rows`); what is between stays.
void TransposeInto(std::size_t rows, std::size_t columns, std::size_t in_stride, const float* in,
                   std::size_t stride, float* out);
// Sum of squares; n is a multiple of kLane.
float SumSquares(std::size_t n, const float* values);
// out [width] = the sum of the rows of in [rows, width].
void SumRows(std::size_t rows, std::size_t width, const float* in, float* out);
// out = factor * in.
void Scale(std::size_t n, float factor, const float* in, float* out);
// values = 0 where `of` is not above 0.
void Mask(std::size_t n, const float* of, float* values);
// values = max(values, 0).
void Rectify(std::size_t n, float* values);

struct AdamStep {
  float rate, beta1, beta2, epsilon;
};
void AdamUpdate(std::size_t n, const float* gradient, AdamStep step, float* w, float* m, float* v);

}  // namespace inferon::sbibm
