// Inference with one trained network.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "server/trainer/estimators/density_network.h"
#include "server/trainer/estimators/stored_estimator.h"
#include "server/trainer/estimators/unit_line.h"

namespace inferon::estimators {

// How theta enters and leaves a flow: an affine flow lives on the line, and its unit columns are
// mapped there (unit_line.h); for a spline flow nothing happens.
class FlowEnds {
 public:
  explicit FlowEnds(const FlowOptions& options);
  // Rows [n, d] to the line, in place; the log derivative of each is added to log_slope [n].
  void ToLine(std::span<float> theta, std::span<float> log_slope) const;
  // As above; the result is theta itself or in memory.
  MatrixView ToLine(MatrixView theta, std::vector<float>& memory, std::span<float> log_slope) const;
  // Gradients by rows z on the line become those of log q by the rows in theta's own columns, in
  // place.
  void SlopesToUnit(MatrixView z, std::span<float> gradient) const;
  // Draws back from the line, in place, with their log densities.
  void ToUnit(std::span<float> theta, std::span<float> log_density) const;

 private:
  std::vector<std::uint8_t> unit_;  // By column; empty: nothing happens.
};

// The network's weights are frozen from here on.
std::unique_ptr<StoredEstimator> MakeNetworkEstimator(std::unique_ptr<DensityNetwork> network);

}  // namespace inferon::estimators
