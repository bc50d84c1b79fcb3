// Contracts that every family of densities keeps, on small trainings.
#include <gmock/gmock.h>

#include <array>
#include <cmath>
#include <cstring>
#include <numbers>

#include "common/base/files.h"
#include "server/trainer/estimators/estimators.h"
#include "tests/estimators/toys.h"

namespace inferon::estimators {
namespace {

using enum DensityFamily;

FlowOptions Options(DensityFamily family, std::size_t dimension) {
  FlowOptions options;
  options.family = family;
  options.dimension = options.input_columns = dimension;
  options.transforms = IsField(family) ? 1 : 4;
  options.hidden = 16;
  return options;
}

TrainingOptions Training(std::uint32_t epochs) {
  TrainingOptions training;
  training.max_epochs = epochs;
  training.batch_size = 64;
  training.ema_decay = 0.95;
  training.seed = 11;
  return training;
}

class FamiliesTest : public testing::TestWithParam<DensityFamily> {
 protected:
  std::unique_ptr<DensityEstimator> Trained(std::uint32_t epochs, std::uint32_t members = 1) {
    FlowOptions options = Options(GetParam(), 2);
    options.members = members;
    auto estimator = TrainDensityEstimator(options, toy_.Pairs(), Training(epochs), nullptr);
    EXPECT_TRUE(estimator) << estimator.error().Text();
    return std::move(*estimator);
  }
  const Toy toy_ = MakeGaussianToy(1000, 2, 1);
};

TEST_P(FamiliesTest, DrawsStayInTheBoxHoweverGroupedAndLoadedGivesTheSameBits) {
  const auto estimator = Trained(3);
  std::vector<double> density, part_density;
  const auto whole = estimator->Sample(toy_.X(0), 300, 5, 0, &density);
  for (const float v : whole) EXPECT_TRUE(v >= 0 && v < 1);
  const auto part = estimator->Sample(toy_.X(0), 100, 5, 77, &part_density);
  EXPECT_EQ(std::memcmp(part.data(), whole.data() + 154, 200 * sizeof(float)), 0);
  EXPECT_TRUE(std::equal(part_density.begin(), part_density.end(), density.begin() + 77));
  EXPECT_EQ(estimator->Sample(toy_.X(0), 300, 5, 0, nullptr), whole);
  EXPECT_EQ(estimator->exact_density(), !IsField(GetParam()));

  const TemporaryFolder folder;
  const auto path = folder.path() / "weights.safetensors";
  const auto loaded = LoadDensityEstimator(estimator->Save(path), path);
  ASSERT_TRUE(loaded) << loaded.error().Text();
  EXPECT_EQ((*loaded)->Sample(toy_.X(0), 300, 5, 0, nullptr), whole);
  EXPECT_EQ((*loaded)->LogDensityPairs(toy_.Pairs().x, toy_.Theta()),
            estimator->LogDensityPairs(toy_.Pairs().x, toy_.Theta()));
}

TEST_P(FamiliesTest, DensityIsThatOfTheDrawsAndOfPairsAndIntegratesToOne) {
  const auto estimator = Trained(15);
  std::vector<double> density;
  const auto draws = estimator->Sample(toy_.X(1), 400, 9, 0, &density);
  const auto again = estimator->LogDensity(toy_.X(1), {draws.data(), 400, 2});
  double difference = 0;
  for (std::size_t i = 0; i < 400; ++i) difference += std::abs(again[i] - density[i]) / 400;
  EXPECT_LT(difference, estimator->exact_density() ? 1e-3 : 0.1);
  const auto pairs = estimator->LogDensityPairs(toy_.Pairs().x, toy_.Theta());
  for (std::size_t i = 0; i < 100; i += 13) {
    const auto one = estimator->LogDensity(toy_.X(i), {toy_.theta.data() + 2 * i, 1, 2});
    EXPECT_NEAR(pairs[i], one[0], 5e-3);
  }
  constexpr std::size_t kGrid = 60;
  std::vector<float> grid;
  for (std::size_t i = 0; i < kGrid * kGrid; ++i) {
    grid.push_back((static_cast<float>(i / kGrid) + 0.5f) / kGrid);
    grid.push_back((static_cast<float>(i % kGrid) + 0.5f) / kGrid);
  }
  double mass = 0;
  for (const double l : estimator->LogDensity(toy_.X(1), {grid.data(), kGrid * kGrid, 2})) {
    mass += std::exp(l) / (kGrid * kGrid);
  }
  EXPECT_NEAR(mass, 1, 0.05);
}

TEST_P(FamiliesTest, CutOffAndResumedEqualsUninterruptedToTheBit) {
  FlowOptions options = Options(GetParam(), 2);
  options.members = 2;
  const auto whole = Trained(3, 2);
  const TemporaryFolder folder;
  TrainingOptions training = Training(3);
  training.checkpoint = folder.path() / "checkpoint";
  std::stop_source stop;
  training.stop = stop.get_token();
  training.progress = [&](const TrainingProgress& p) {
    if (p.epoch == 4) stop.request_stop();  // In the second member.
  };
  ASSERT_FALSE(TrainDensityEstimator(options, toy_.Pairs(), training, nullptr));
  training.stop = {};
  training.progress = {};
  const auto resumed = TrainDensityEstimator(options, toy_.Pairs(), training, nullptr);
  ASSERT_TRUE(resumed) << resumed.error().Text();
  EXPECT_EQ((*resumed)->Sample(toy_.X(0), 300, 3, 0, nullptr),
            whole->Sample(toy_.X(0), 300, 3, 0, nullptr));
}

// One column in a box with an edge in the posterior's middle, one on the line: posterior means and
// spreads that are known.
TEST_P(FamiliesTest, LearnsAPosteriorAtAnEdgeOfTheBoxAndOneOnTheLine) {
  PhiloxSequence random(StreamKey(5, "edge"));
  std::vector<float> theta, x;
  for (std::size_t i = 0; i < 6000; ++i) {
    theta.push_back(static_cast<float>(random.Uniform()));
    theta.push_back(static_cast<float>(Normal(random)));
    x.push_back(theta[2 * i] + 0.1f * static_cast<float>(Normal(random)));
    x.push_back(theta[2 * i + 1] + static_cast<float>(Normal(random)));
  }
  FlowOptions options = Options(GetParam(), 2);
  options.axes = {Axis::kUnit, Axis::kLine};
  options.hidden = 32;
  options.transforms = IsField(GetParam()) ? 2 : 4;
  const PairData pairs{{}, SourceOf({x.data(), 6000, 2}), {theta.data(), 6000, 2}, {}};
  const auto estimator = TrainDensityEstimator(options, pairs, Training(30), nullptr);
  ASSERT_TRUE(estimator) << estimator.error().Text();
  const std::array<float, 2> at{0.0f, 1.0f};
  const auto draws = (*estimator)->Sample(at, 4000, 1, 0, nullptr);
  double edge = 0, mean = 0, square = 0;
  for (std::size_t i = 0; i < 4000; ++i) {
    edge += draws[2 * i] / 4000;
    mean += draws[2 * i + 1] / 4000;
    square += double{draws[2 * i + 1]} * draws[2 * i + 1] / 4000;
  }
  // Half a normal: 0.08. A density that had to vanish at the end would put it beyond 0.12.
  EXPECT_NEAR(edge, 0.1 * std::sqrt(2 / std::numbers::pi), 0.025);
  EXPECT_NEAR(mean, 0.5, 0.1);
  EXPECT_NEAR(std::sqrt(square - mean * mean), std::sqrt(0.5), 0.07);
}

INSTANTIATE_TEST_SUITE_P(All, FamiliesTest,
                         testing::Values(kSplineFlow, kAffineFlow, kFlowMatching, kDiffusion));

}  // namespace
}  // namespace inferon::estimators
