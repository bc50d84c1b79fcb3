// Modes of trained flows: by the gradient no worse than by a long differential evolution from twice
// as many draws, over many observations.
#include <gmock/gmock.h>

#include <cmath>
#include <numeric>

#include "common/priors/partition.h"
#include "server/trainer/queries/evolution.h"
#include "server/trainer/queries/mode_search.h"
#include "tests/estimators/toys.h"

namespace inferon::trainer {
namespace {

using estimators::DensityFamily;

constexpr std::size_t kDimension = 4;
constexpr std::size_t kObservations = 40;
// Nats: either search may end at another of the many tops that a spline's knots make.
constexpr double kTolerance = 0.1;

// Two sums, a product and a bent difference under noise: curved ridges.
estimators::Toy MakeCurvedToy(std::size_t rows) {
  return estimators::MakeToy(
      rows, kDimension, kDimension, 3, [](const float* t, PhiloxSequence& random, float* out) {
        const auto noise = [&] { return 0.1f * static_cast<float>(estimators::Normal(random)); };
        out[0] = t[0] + t[1] + noise();
        out[1] = t[1] * t[2] + noise();
        out[2] = (t[2] - t[3]) * (t[2] - t[3]) + noise();
        out[3] = t[3] + 0.5f * t[0] + noise();
      });
}

struct Kind {
  const char* name;
  DensityFamily family;
  std::uint32_t members;
};

class FlowModesTest : public testing::TestWithParam<Kind> {
 protected:
  std::unique_ptr<estimators::DensityEstimator> Train() const {
    estimators::FlowOptions options;
    options.family = GetParam().family;
    options.members = GetParam().members;
    options.dimension = options.input_columns = kDimension;
    options.transforms = 5;
    options.hidden = 32;
    options.bins = 8;
    estimators::TrainingOptions training;
    training.max_epochs = 8;
    training.ema_decay = 0.95;
    training.seed = 5;
    auto estimator = TrainDensityEstimator(options, toy_.Pairs(), training, nullptr);
    EXPECT_TRUE(estimator) << estimator.error().Text();
    return std::move(*estimator);
  }
  const estimators::Toy toy_ = MakeCurvedToy(4000);
};

TEST_P(FlowModesTest, GradientIsTheDerivativeOfTheLogDensity) {
  const auto estimator = Train();
  constexpr float kStep = 3e-4f;
  std::vector<double> errors;
  for (std::size_t k = 0; k < 5; ++k) {
    auto draws = estimator->Sample(toy_.X(k), 40, 1, 0, nullptr);
    for (float& u : draws) u = std::clamp(u, 0.01f, 0.99f);
    const auto slopes = estimator->LogDensitySlopes(toy_.X(k), {draws.data(), 40, kDimension});
    ASSERT_TRUE(slopes);
    const auto density = estimator->LogDensity(toy_.X(k), {draws.data(), 40, kDimension});
    for (std::size_t i = 0; i < 40; ++i) EXPECT_NEAR(slopes->log_density[i], density[i], 1e-4);
    for (std::size_t j = 0; j < kDimension; ++j) {
      auto above = draws, below = draws;
      for (std::size_t i = 0; i < 40; ++i) {
        above[i * kDimension + j] += kStep;
        below[i * kDimension + j] -= kStep;
      }
      const auto up = estimator->LogDensity(toy_.X(k), {above.data(), 40, kDimension});
      const auto down = estimator->LogDensity(toy_.X(k), {below.data(), 40, kDimension});
      for (std::size_t i = 0; i < 40; ++i) {
        const double expected = (up[i] - down[i]) / (2 * kStep);
        errors.push_back(std::abs(slopes->gradient[i * kDimension + j] - expected) /
                         (1 + std::abs(expected)));
      }
    }
  }
  std::ranges::sort(errors);
  EXPECT_LT(errors[errors.size() / 2], 0.01);
  EXPECT_LT(errors[errors.size() * 8 / 10], 0.1) << "the rest crosses a spline's knots";
}

TEST_P(FlowModesTest, NoObservationsModeIsWorseThanByEvolution) {
  const auto estimator = Train();
  std::vector<std::string> names(kDimension);
  for (std::size_t j = 0; j < kDimension; ++j) names[j] = "p" + std::to_string(j);
  std::vector<std::size_t> free(kDimension);
  std::iota(free.begin(), free.end(), 0);
  double gained = 0;
  for (std::size_t k = 0; k < kObservations; ++k) {
    const auto x = toy_.X(k);
    const SpacePosterior posterior{*estimator,
                                   {x.begin(), x.end()},
                                   ThetaSpace::Fit(IntegerPrior(names, 0, 1022), {}),
                                   /*own_units=*/false};
    const auto climbed = SearchMode(posterior, kModeDraws, 1, {});
    ASSERT_TRUE(climbed) << climbed.error().Text();
    const SpaceDraws draws = DrawInSpace(posterior, 2000, 1, 0);
    const auto evolved = Evolve(posterior, BestOf(posterior, draws.rows, free, 64), free, 1, {});
    EXPECT_GE(climbed->log_density, evolved->log_density[0] - kTolerance) << "observation " << k;
    gained += (climbed->log_density - evolved->log_density[0]) / kObservations;
  }
  RecordProperty("mean_gain_nats", std::to_string(gained));
  EXPECT_GT(gained, -0.005);
}

INSTANTIATE_TEST_SUITE_P(Flows, FlowModesTest,
                         testing::Values(Kind{"Spline", DensityFamily::kSplineFlow, 1},
                                         Kind{"Affine", DensityFamily::kAffineFlow, 1},
                                         Kind{"Ensemble", DensityFamily::kSplineFlow, 3}),
                         [](const auto& param) { return param.param.name; });

}  // namespace
}  // namespace inferon::trainer
