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

  void LogDensityOfMany(std::span<const DensityQuestion> questions) const override {
    const std::vector<float> contexts = Contexts(questions);
    const std::size_t columns = contexts.size() / std::max<std::size_t>(questions.size(), 1);
    std::vector<float> context, theta;
    for (std::size_t i = 0; i < questions.size(); ++i) {
      const MatrixView rows = questions[i].theta;
      INFERON_CHECK(rows.columns == dimension());
      theta.insert(theta.end(), rows.data, rows.data + rows.rows * rows.columns);
      for (std::size_t row = 0; row < rows.rows; ++row) {
        const float* own = contexts.data() + i * columns;
        context.insert(context.end(), own, own + columns);
      }
    }
    const std::size_t count = theta.size() / dimension();
    std::vector<float> density(count);
    flow_.LogDensityPairs({context.data(), count, columns}, {theta.data(), count, dimension()},
                          density.data());
    const float* from = density.data();
    for (const DensityQuestion& question : questions) {
      std::copy_n(from, question.theta.rows, question.log_density);
      from += question.theta.rows;
    }
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

  // Outputs of the input network for each question's x, one x at a time: a BLAS rounds a row's
  // products differently at another place of the matrix.
  std::vector<float> Contexts(std::span<const DensityQuestion> questions) const {
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

  std::vector<float> Condition(std::span<const float> x) const {
    const DensityQuestion question{x, {}, nullptr};
    return flow_.Condition(Contexts({&question, 1}));
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
