// What every estimator with a density network has in common.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "server/trainer/estimators/density_network.h"
#include "server/trainer/estimators/stored_estimator.h"

namespace inferon::estimators {

class NetworkEstimator : public StoredEstimator {
 public:
  // The network's weights are frozen from here on.
  explicit NetworkEstimator(std::unique_ptr<DensityNetwork> network);

  std::size_t dimension() const override { return network_->options().dimension; }
  std::size_t input_columns() const override { return network_->options().input_columns; }
  std::size_t weight_count() const override { return network_->weight_count(); }
  double OutlierScore(std::span<const float> x) const override;
  std::string Architecture() const override { return network_->Architecture(); }
  void Put(TensorFile* file) const override { network_->Save(file); }

 protected:
  const DensityNetwork& network() const { return *network_; }
  // Outputs of the input network for each question's x, one x at a time: a BLAS rounds a row's
  // products differently at another place of the matrix.
  std::vector<float> Contexts(std::span<const DensityQuestion> questions) const;
  std::vector<float> Context(std::span<const float> x) const;
  // Outputs of the input network for all rows of x, [rows, c].
  std::vector<float> PairContexts(const RowSource& x) const;

 private:
  const std::unique_ptr<DensityNetwork> network_;
};

}  // namespace inferon::estimators
