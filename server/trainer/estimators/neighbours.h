// Distance of an input from the nearest training rows, for data of many clusters and heavy tails,
// where a row can be far from every other one and still near the mean.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "common/base/result.h"
#include "server/trainer/estimators/estimators.h"
#include "server/trainer/estimators/safetensors.h"

namespace inferon::estimators {

class NeighbourDistance {
 public:
  // Keeps up to 2000 evenly spaced rows; columns are scaled by median and interquartile range and
  // cut at 8 such units. Rows are finite, at least one.
  static NeighbourDistance Fit(MatrixView rows);
  static Result<NeighbourDistance> Load(const TensorFile& file, std::size_t columns);
  void Save(TensorFile* file) const;
  // Euclidean distance, in scaled units, to the fifth-nearest kept row (or to the farthest of
  // fewer).
  double Distance(std::span<const float> row) const;

 private:
  void Scale(std::span<const float> row, float* out) const;

  std::vector<double> centre_;  // [k], medians.
  std::vector<double> scale_;   // [k], > 0.
  std::vector<float> anchors_;  // Scaled rows, [n, k].
};

}  // namespace inferon::estimators
