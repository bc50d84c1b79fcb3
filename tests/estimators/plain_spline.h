// The splines of a coupling layer row by row, in double precision but for the bins: the oracle of
// spline_lanes.h.
#pragma once

#include <cstddef>

#include "server/trainer/estimators/spline.h"

namespace inferon::estimators {

// Arrays are row-major: in, out [rows, dimension], unit columns in [0, 1], parameters [rows,
// RowParameters()], log_slope [rows]. log_slope gets the sum of the log derivatives d out / d in of
// the moved columns. Arguments of unit columns outside [0, 1] are clamped first.
void CouplingForward(const CouplingShape& shape, std::size_t rows, const float* in,
                     const float* parameters, float* out, float* log_slope);

// The inverse map: in is what CouplingForward gave. log_slope is the forward map's, at out.
void CouplingInverse(const CouplingShape& shape, std::size_t rows, const float* in,
                     const float* parameters, float* out, float* log_slope);

// Gradient of a scalar through CouplingForward, from its gradients by out and log_slope.
void CouplingBackward(const CouplingShape& shape, std::size_t rows, const float* in,
                      const float* parameters, const float* grad_out, const float* grad_log_slope,
                      float* grad_in, float* grad_parameters);

}  // namespace inferon::estimators
