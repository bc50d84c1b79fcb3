#include "server/trainer/estimators/field_estimator.h"

#include <algorithm>

#include "common/base/check.h"
#include "server/trainer/estimators/draws.h"
#include "server/trainer/estimators/field_solver.h"
#include "server/trainer/estimators/network_estimator.h"

namespace inferon::estimators {
namespace {

class FieldEstimator : public NetworkEstimator {
 public:
  explicit FieldEstimator(std::unique_ptr<DensityNetwork> net)
      : NetworkEstimator(std::move(net)),
        field_(network().field().View()),
        path_(network().options().family, dimension(), network().options().axes) {}

  bool exact_density() const override { return false; }

  std::vector<float> Sample(std::span<const float> x, std::size_t count, std::uint64_t seed,
                            std::uint64_t first_draw,
                            std::vector<double>* log_density) const override {
    const std::size_t d = dimension();
    FieldSolver solver(field_, path_, kFieldSteps);
    solver.SetContext(Context(x));
    std::vector<float> draws(count * d);
    FillUniform(StreamKey(seed, "posterior"), 0, first_draw * d, draws);
    if (log_density != nullptr) log_density->resize(count);
    for (std::size_t at = 0; at < count; at += kFlowBlock) {
      solver.Draw(std::min(kFlowBlock, count - at), draws.data() + at * d,
                  log_density == nullptr ? nullptr : log_density->data() + at);
    }
    return draws;
  }

  std::vector<double> LogDensity(std::span<const float> x, MatrixView theta) const override {
    INFERON_CHECK(theta.columns == dimension());
    FieldSolver solver(field_, path_, kFieldSteps);
    solver.SetContext(Context(x));
    std::vector<double> density(theta.rows);
    for (std::size_t at = 0; at < theta.rows; at += kFlowBlock) {
      solver.LogDensity(Part(theta, at, std::min(kFlowBlock, theta.rows - at)),
                        density.data() + at);
    }
    return density;
  }

  std::vector<double> LogDensityPairs(const RowSource& x, MatrixView theta) const override {
    return ForPairs(x)(theta);
  }

  PairDensity ForPairs(const RowSource& x) const override {
    return [this, rows = x.rows, contexts = PairContexts(x)](MatrixView theta) {
      INFERON_CHECK(theta.columns == dimension() && theta.rows == rows);
      std::vector<double> density(rows);
      if (rows == 0) return density;
      const MatrixView context{contexts.data(), rows, contexts.size() / rows};
      FieldSolver solver(field_, path_, kFieldSteps);
      for (std::size_t at = 0; at < rows; at += kFlowBlock) {
        const std::size_t n = std::min(kFlowBlock, rows - at);
        solver.SetRowContexts(Part(context, at, n));
        solver.LogDensity(Part(theta, at, n), density.data() + at);
      }
      return density;
    };
  }

 private:
  const FieldView field_;  // Looks at the network's weights.
  const Path path_;
};

}  // namespace

std::unique_ptr<StoredEstimator> MakeFieldEstimator(std::unique_ptr<DensityNetwork> network) {
  return std::make_unique<FieldEstimator>(std::move(network));
}

}  // namespace inferon::estimators
