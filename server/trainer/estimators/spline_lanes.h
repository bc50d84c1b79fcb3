// The arithmetic of spline.h for many rows side by side: one row a vector lane, so that a row's
// result depends neither on the rows beside it nor on the vector width.
//
// Arrays here are column by column ("parameter-major"): element (p, row) of an array is at
// [p * stride + row]. Splines, raw parameters and clamping are spline.h's, which is the oracle of
// these functions; the arithmetic is single precision.
#pragma once

#include <cstddef>

namespace inferon::estimators {

// One spline over `rows` rows. parameters holds 3 * bins + 1 columns. in, out and log_slope are one
// column each; the log derivative is added to log_slope. in may be out.
struct SplineColumns {
  std::size_t rows = 0;
  std::size_t bins = 0;    // 1..kMaxBins.
  std::size_t stride = 0;  // Between the columns of parameters.
  bool line = false;       // A line column; else a unit column.
};

void SplineForward(const SplineColumns& shape, const float* in, const float* parameters, float* out,
                   float* log_slope);

// log_slope gets the forward map's log derivative at out.
void SplineInverse(const SplineColumns& shape, const float* in, const float* parameters, float* out,
                   float* log_slope);

// Gradient of a scalar through SplineForward from its gradients by out and log_slope: grad_in one
// column, grad_parameters 3 * bins + 1 columns of the same stride. grad_in may be grad_out.
void SplineBackward(const SplineColumns& shape, const float* in, const float* parameters,
                    const float* grad_out, const float* grad_log_slope, float* grad_in,
                    float* grad_parameters);

}  // namespace inferon::estimators
