#include "server/trainer/estimators/flow_estimator.h"

#include <algorithm>

#include "common/base/check.h"
#include "server/trainer/estimators/backend.h"
#include "server/trainer/estimators/draws.h"
#include "server/trainer/estimators/flow_lanes.h"

namespace inferon::estimators {
namespace {

class FlowEstimator : public StoredEstimator {
 public:
  explicit FlowEstimator(std::unique_ptr<DensityNetwork> network)
      : network_(Frozen(std::move(network))), flow_(network_->flow().View()) {}

  std::size_t dimension() const override { return network_->options().dimension; }
  std::size_t input_columns() const override { return network_->options().input_columns; }
  std::size_t weight_count() const override { return network_->weight_count(); }

  std::vector<float> Sample(std::span<const float> x, std::size_t count, std::uint64_t seed,
                            std::uint64_t first_draw,
                            std::vector<double>* log_density) const override {
    const std::vector<float> condition = Condition(x);
    const std::size_t d = dimension();
    std::vector<float> draws(count * d);
    FillUniform(StreamKey(seed, "posterior"), 0, first_draw * d, draws);
    std::vector<float> density(count);
    flow_.Draw(condition, count, draws.data(), density.data());
    if (log_density != nullptr) log_density->assign(density.begin(), density.end());
    return draws;
  }

  std::vector<double> LogDensity(std::span<const float> x, MatrixView theta) const override {
    INFERON_CHECK(theta.columns == dimension());
    std::vector<float> density(theta.rows);
    flow_.LogDensity(Condition(x), theta, density.data());
    return {density.begin(), density.end()};
  }

  std::vector<double> LogDensityPairs(const RowSource& x, MatrixView theta) const override {
    INFERON_CHECK(theta.columns == dimension() && x.columns == input_columns());
    INFERON_CHECK(x.rows == theta.rows);
    const ComputeScope scope(1);
    const c10::InferenceMode inference;
    std::vector<double> result(theta.rows);
    std::vector<std::uint32_t> rows(kTile);
    std::vector<float> raw(kTile * x.columns), density(kTile);
    for (std::size_t at = 0; at < theta.rows; at += kTile) {
      const std::size_t n = std::min(kTile, theta.rows - at);
      for (std::size_t i = 0; i < kTile; ++i) {
        rows[i] = static_cast<std::uint32_t>(at + std::min(i, n - 1));
      }
      x.fill(rows, raw.data());
      const at::Tensor context = network_->Context(network_->Scale(raw.data(), kTile)).contiguous();
      flow_.LogDensityPairs({Data(context), n, static_cast<std::size_t>(context.size(1))},
                            {theta.data + at * theta.columns, n, theta.columns}, density.data());
      std::copy_n(density.begin(), n, result.begin() + static_cast<std::ptrdiff_t>(at));
    }
    return result;
  }

  double OutlierScore(std::span<const float> x) const override {
    INFERON_CHECK(x.size() == input_columns());
    const ComputeScope scope(1);
    const c10::InferenceMode inference;
    return network_->outliers().Score(network_->OutlierRows(x.data(), 1));
  }

  std::string Architecture() const override { return network_->Architecture(); }
  void Put(TensorFile* file) const override { network_->Save(file); }

 private:
  static std::unique_ptr<DensityNetwork> Frozen(std::unique_ptr<DensityNetwork> network) {
    network->store().Freeze();
    return network;
  }

  std::vector<float> Condition(std::span<const float> x) const {
    INFERON_CHECK(x.size() == input_columns());
    const ComputeScope scope(1);
    const c10::InferenceMode inference;
    const at::Tensor context = network_->Context(network_->Scale(x.data(), 1)).contiguous();
    return flow_.Condition({Data(context), static_cast<std::size_t>(context.size(1))});
  }

  const std::unique_ptr<DensityNetwork> network_;
  const FlowLanes flow_;  // Looks at the network's weights.
};

}  // namespace

std::unique_ptr<StoredEstimator> MakeFlowEstimator(std::unique_ptr<DensityNetwork> network) {
  return std::make_unique<FlowEstimator>(std::move(network));
}

Result<std::unique_ptr<StoredEstimator>> LoadFlow(const std::string& architecture,
                                                  const TensorFile& file) {
  auto parsed = ArchitectureFromJson(architecture);
  if (!parsed) return tl::unexpected(parsed.error());
  const ComputeScope scope(1);
  auto network = std::make_unique<DensityNetwork>(std::move(*parsed), 0);
  if (auto status = network->Load(file); !status) return tl::unexpected(status.error());
  return MakeFlowEstimator(std::move(network));
}

}  // namespace inferon::estimators
