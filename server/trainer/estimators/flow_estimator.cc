#include "server/trainer/estimators/flow_estimator.h"

#include <algorithm>
#include <cmath>

#include "common/base/check.h"
#include "server/trainer/estimators/backend.h"
#include "server/trainer/estimators/draws.h"
#include "server/trainer/estimators/field_estimator.h"
#include "server/trainer/estimators/flow_lanes.h"
#include "server/trainer/estimators/network_estimator.h"

namespace inferon::estimators {
namespace {

class FlowEstimator : public NetworkEstimator {
 public:
  explicit FlowEstimator(std::unique_ptr<DensityNetwork> net)
      : NetworkEstimator(std::move(net)),
        flow_(network().flow().View()),
        ends_(network().options()) {}

  std::vector<float> Sample(std::span<const float> x, std::size_t count, std::uint64_t seed,
                            std::uint64_t first_draw,
                            std::vector<double>* log_density) const override {
    const std::vector<float> condition = Condition(x);
    const std::size_t d = dimension();
    std::vector<float> draws(count * d);
    FillUniform(StreamKey(seed, "posterior"), 0, first_draw * d, draws);
    std::vector<float> density(count);
    flow_.Draw(condition, count, draws.data(), density.data());
    ends_.ToUnit(draws, density);
    if (log_density != nullptr) log_density->assign(density.begin(), density.end());
    return draws;
  }

  std::vector<double> LogDensity(std::span<const float> x, MatrixView theta) const override {
    INFERON_CHECK(theta.columns == dimension());
    std::vector<float> density(theta.rows), slope(theta.rows), memory;
    theta = ends_.ToLine(theta, memory, slope);
    flow_.LogDensity(Condition(x), theta, density.data());
    Add(slope, density);
    return {density.begin(), density.end()};
  }

  std::optional<DensitySlopes> LogDensitySlopes(std::span<const float> x,
                                                MatrixView theta) const override {
    INFERON_CHECK(theta.columns == dimension());
    std::vector<float> density(theta.rows), slope(theta.rows), memory;
    theta = ends_.ToLine(theta, memory, slope);
    DensitySlopes slopes;
    slopes.gradient.resize(theta.rows * theta.columns);
    flow_.LogDensitySlopes(Condition(x), theta, density.data(), slopes.gradient.data());
    ends_.SlopesToUnit(theta, slopes.gradient);
    Add(slope, density);
    slopes.log_density.assign(density.begin(), density.end());
    return slopes;
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
    std::vector<float> density(count), slope(count), memory;
    const MatrixView on_line = ends_.ToLine({theta.data(), count, dimension()}, memory, slope);
    flow_.LogDensityPairs({context.data(), count, columns}, on_line, density.data());
    Add(slope, density);
    const float* from = density.data();
    for (const DensityQuestion& question : questions) {
      std::copy_n(from, question.theta.rows, question.log_density);
      from += question.theta.rows;
    }
  }

  std::vector<double> LogDensityPairs(const RowSource& x, MatrixView theta) const override {
    return ForPairs(x)(theta);
  }

  PairDensity ForPairs(const RowSource& x) const override {
    return [this, rows = x.rows, contexts = PairContexts(x)](MatrixView theta) {
      INFERON_CHECK(theta.columns == dimension() && theta.rows == rows);
      if (rows == 0) return std::vector<double>();
      std::vector<float> density(rows), slope(rows), memory;
      flow_.LogDensityPairs({contexts.data(), rows, contexts.size() / rows},
                            ends_.ToLine(theta, memory, slope), density.data());
      Add(slope, density);
      return std::vector<double>(density.begin(), density.end());
    };
  }

 private:
  static void Add(const std::vector<float>& slope, std::vector<float>& density) {
    for (std::size_t i = 0; i < density.size(); ++i) density[i] += slope[i];
  }
  std::vector<float> Condition(std::span<const float> x) const {
    return flow_.Condition(Context(x));
  }

  const FlowLanes flow_;  // Looks at the network's weights.
  const FlowEnds ends_;
};

}  // namespace

FlowEnds::FlowEnds(const FlowOptions& options) {
  if (options.family != DensityFamily::kAffineFlow) return;
  for (std::size_t j = 0; j < options.dimension; ++j) {
    unit_.push_back(options.axes.empty() || options.axes[j] == Axis::kUnit);
  }
}

void FlowEnds::ToLine(std::span<float> theta, std::span<float> log_slope) const {
  if (unit_.empty()) return;
  const std::size_t d = unit_.size();
  for (std::size_t i = 0; i < theta.size(); ++i) {
    if (unit_[i % d] == 0) continue;
    const double z = UnitToLine(theta[i]);
    theta[i] = static_cast<float>(z);
    log_slope[i / d] += static_cast<float>(LogUnitToLineSlope(z));
  }
}

MatrixView FlowEnds::ToLine(MatrixView theta, std::vector<float>& memory,
                            std::span<float> log_slope) const {
  if (unit_.empty()) return theta;
  memory.assign(theta.data, theta.data + theta.rows * theta.columns);
  ToLine(memory, log_slope);
  return {memory.data(), theta.rows, theta.columns};
}

void FlowEnds::SlopesToUnit(MatrixView z, std::span<float> gradient) const {
  if (unit_.empty()) return;
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    if (unit_[i % unit_.size()] == 0) continue;
    // d/du (log q(z) + log dz/du), and the derivative of the second by z is z.
    const double slope = std::exp(LogUnitToLineSlope(z.data[i]));
    gradient[i] = static_cast<float>((double{gradient[i]} + z.data[i]) * slope);
  }
}

void FlowEnds::ToUnit(std::span<float> theta, std::span<float> log_density) const {
  if (unit_.empty()) return;
  const std::size_t d = unit_.size();
  for (std::size_t i = 0; i < theta.size(); ++i) {
    if (unit_[i % d] == 0) continue;
    log_density[i / d] += static_cast<float>(LogUnitToLineSlope(theta[i]));
    theta[i] = LineToUnit(theta[i]);
  }
}

std::unique_ptr<StoredEstimator> MakeNetworkEstimator(std::unique_ptr<DensityNetwork> network) {
  if (IsField(network->options().family)) return MakeFieldEstimator(std::move(network));
  return std::make_unique<FlowEstimator>(std::move(network));
}

Result<std::unique_ptr<StoredEstimator>> LoadFlow(const std::string& architecture,
                                                  const TensorFile& file) {
  auto parsed = ArchitectureFromJson(architecture);
  if (!parsed) return tl::unexpected(parsed.error());
  const ComputeScope scope(1);
  auto network = std::make_unique<DensityNetwork>(std::move(*parsed), 0);
  if (auto status = network->Load(file); !status) return tl::unexpected(status.error());
  return MakeNetworkEstimator(std::move(network));
}

}  // namespace inferon::estimators
