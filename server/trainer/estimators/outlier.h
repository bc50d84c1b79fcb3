// Distance of an input from the training rows: the larger of the Mahalanobis distance (shrunk
// covariance) and the distance to the nearest rows, each in units of its 99 % quantile over the
// training rows; expressed as the share of training rows whose distance is smaller.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "common/base/result.h"
#include "server/trainer/estimators/estimators.h"
#include "server/trainer/estimators/neighbours.h"
#include "server/trainer/estimators/safetensors.h"

namespace inferon::estimators {

class OutlierModel {
 public:
  // Rows of finite values, at least one.
  static OutlierModel Fit(MatrixView rows);
  static Result<OutlierModel> Load(const TensorFile& file, std::size_t columns);
  void Save(TensorFile* file) const;
  // In [0, 1]; 1 beyond every training row and for a row with a value that is not finite.
  double Score(std::span<const float> row) const;

 private:
  double Mahalanobis(std::span<const float> row) const;
  double Distance(std::span<const float> row) const;

  std::vector<double> mean_;
  std::vector<double> factor_;  // Lower Cholesky factor of the covariance, [k, k] row-major.
  NeighbourDistance neighbours_;
  std::vector<double> units_;      // Unit of the Mahalanobis and of the neighbour distance.
  std::vector<double> quantiles_;  // Distances of the training rows at equal steps of share.
};

}  // namespace inferon::estimators
