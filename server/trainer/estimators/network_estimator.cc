#include "server/trainer/estimators/network_estimator.h"

#include <algorithm>

#include "common/base/check.h"
#include "server/trainer/estimators/backend.h"

namespace inferon::estimators {
namespace {

std::unique_ptr<DensityNetwork> Frozen(std::unique_ptr<DensityNetwork> network) {
  network->store().Freeze();
  return network;
}

}  // namespace

NetworkEstimator::NetworkEstimator(std::unique_ptr<DensityNetwork> network)
    : network_(Frozen(std::move(network))) {}

double NetworkEstimator::OutlierScore(std::span<const float> x) const {
  INFERON_CHECK(x.size() == input_columns());
  const ComputeScope scope(1);
  const c10::InferenceMode inference;
  return network_->outliers().Score(network_->OutlierRows(x.data(), 1));
}

std::vector<float> NetworkEstimator::Contexts(std::span<const DensityQuestion> questions) const {
  const ComputeScope scope(1);
  const c10::InferenceMode inference;
  std::vector<float> contexts;
  for (const DensityQuestion& question : questions) {
    INFERON_CHECK(question.x.size() == input_columns());
    const at::Tensor own = network_->Context(network_->Scale(question.x.data(), 1)).contiguous();
    contexts.insert(contexts.end(), Data(own), Data(own) + own.numel());
  }
  return contexts;
}

std::vector<float> NetworkEstimator::Context(std::span<const float> x) const {
  const DensityQuestion question{x, {}, nullptr};
  return Contexts({&question, 1});
}

std::vector<float> NetworkEstimator::PairContexts(const RowSource& x) const {
  INFERON_CHECK(x.columns == input_columns());
  const ComputeScope scope(1);
  const c10::InferenceMode inference;
  std::vector<float> raw(kTile * x.columns), contexts;
  std::vector<std::uint32_t> rows(kTile);
  for (std::size_t at = 0; at < x.rows; at += kTile) {
    // Whole tiles, the last one filled up, so that a BLAS takes the same kernels for all.
    const std::size_t n = std::min(kTile, x.rows - at);
    for (std::size_t i = 0; i < kTile; ++i) {
      rows[i] = static_cast<std::uint32_t>(at + std::min(i, n - 1));
    }
    x.fill(rows, raw.data());
    const at::Tensor own = network_->Context(network_->Scale(raw.data(), kTile)).contiguous();
    contexts.insert(contexts.end(), Data(own),
                    Data(own) + n * static_cast<std::size_t>(own.size(1)));
  }
  return contexts;
}

}  // namespace inferon::estimators
