// Can it learn? Trainings of some seconds against posteriors that are known otherwise.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>

#include "tests/estimators/toys.h"

namespace inferon::estimators {
namespace {

FlowOptions Flow(const Toy& toy) {
  FlowOptions options;
  options.dimension = toy.dimension;
  options.input_columns = toy.columns;
  return options;
}

TrainingOptions Training(std::uint32_t epochs) {
  TrainingOptions training;
  training.max_epochs = epochs;
  training.batch_size = 64;
  training.seed = 31;
  return training;
}

std::unique_ptr<DensityEstimator> MustTrain(const FlowOptions& options, const Toy& toy,
                                            const TrainingOptions& training) {
  auto estimator = TrainDensityEstimator(options, toy.Pairs(), training, nullptr);
  EXPECT_TRUE(estimator) << estimator.error().Text();
  return std::move(*estimator);
}

// log of the normal density truncated to [0, 1].
double LogTruncated(double theta, double centre, double sigma) {
  const auto cumulative = [&](double v) {
    return 0.5 * std::erfc(-(v - centre) / sigma / std::numbers::sqrt2);
  };
  const double z = (theta - centre) / sigma;
  return -0.5 * z * z - std::log(sigma * std::sqrt(2 * std::numbers::pi)) -
         std::log(cumulative(1) - cumulative(0));
}

// The posterior of a normal measurement under the uniform prior is a truncated normal, whose mass
// piles up at the faces of the box for a quarter of the measurements.
TEST(DensityLearningTest, TruncatedNormalPosteriorToAFewHundredthsOfANat) {
  const Toy toy = MakeGaussianToy(10'000, 3, 41), test = MakeGaussianToy(2000, 3, 42);
  const auto estimator = MustTrain(Flow(toy), toy, Training(15));
  const auto learned = estimator->LogDensityPairs(test.Pairs().x, test.Theta());
  std::vector<double> exact(test.rows(), 0);
  for (std::size_t i = 0; i < test.theta.size(); ++i) {
    exact[i / 3] += LogTruncated(test.theta[i], test.x[i], 0.1);
  }
  EXPECT_GT(Mean(learned), Mean(exact) - 0.08);
  EXPECT_LT(Mean(learned), Mean(exact) + 0.03);  // More would be no density.
}

// x = (|theta0 - 1/2|, theta0 + theta1) under noise: two correlated modes.
constexpr double kModesSigma = 0.05;
Toy MakeModesToy(std::size_t rows, std::uint64_t seed) {
  return MakeToy(rows, 2, 2, seed, [](const float* theta, PhiloxSequence& random, float* out) {
    out[0] = static_cast<float>(std::abs(theta[0] - 0.5) + kModesSigma * Normal(random));
    out[1] = static_cast<float>(theta[0] + theta[1] + kModesSigma * Normal(random));
  });
}

double LogModes(double theta0, double theta1, const float* x) {
  const double a = (x[0] - std::abs(theta0 - 0.5)) / kModesSigma;
  const double b = (x[1] - theta0 - theta1) / kModesSigma;
  return -0.5 * (a * a + b * b);
}

TEST(DensityLearningTest, TwoCorrelatedModesToATenthOfANat) {
  const Toy toy = MakeModesToy(10'000, 43), test = MakeModesToy(500, 44);
  const auto estimator = MustTrain(Flow(toy), toy, Training(25));
  const auto learned = estimator->LogDensityPairs(test.Pairs().x, test.Theta());
  std::vector<double> exact;
  constexpr int kGrid = 200;
  for (std::size_t i = 0; i < test.rows(); ++i) {
    double evidence = 0;
    for (int g = 0; g < kGrid * kGrid; ++g) {
      evidence += std::exp(LogModes((g / kGrid + 0.5) / kGrid, (g % kGrid + 0.5) / kGrid,
                                    test.X(i).data())) /
                  (kGrid * kGrid);
    }
    exact.push_back(LogModes(test.theta[2 * i], test.theta[2 * i + 1], test.X(i).data()) -
                    std::log(evidence));
  }
  EXPECT_GT(Mean(learned), Mean(exact) - 0.1);
  EXPECT_LT(Mean(learned), Mean(exact) + 0.05);
  // Both modes are drawn for an input between them.
  const std::array<float, 2> x{0.25f, 1.0f};
  const auto draws = estimator->Sample(x, 2000, 1, 0, nullptr);
  double low = 0;
  for (std::size_t i = 0; i < 2000; ++i) low += draws[2 * i] < 0.5f;
  EXPECT_NEAR(low / 2000, 0.5, 0.1);
}

// The second column is missing exactly when theta is below 0.3: that it is missing says so.
TEST(DensityLearningTest, MissingValueIsEvidence) {
  const Toy toy =
      MakeToy(4000, 1, 2, 45, [](const float* theta, PhiloxSequence& random, float* out) {
        out[0] = static_cast<float>(random.Uniform());
        out[1] = theta[0] < 0.3f ? std::numeric_limits<float>::quiet_NaN()
                                 : theta[0] + 0.05f * static_cast<float>(Normal(random));
      });
  const auto estimator = MustTrain(Flow(toy), toy, Training(15));
  const std::array<float, 2> missing{0.5f, std::numeric_limits<float>::quiet_NaN()};
  double low = 0;
  for (const float v : estimator->Sample(missing, 2000, 1, 0, nullptr)) low += v < 0.3f;
  EXPECT_GT(low / 2000, 0.97);
  const std::array<float, 2> present{0.5f, 0.7f};
  double mean = 0;
  for (const float v : estimator->Sample(present, 2000, 1, 0, nullptr)) mean += v / 2000;
  EXPECT_NEAR(mean, 0.7, 0.03);
}

// Frequency and amplitude of a sine: the summary network has to find both in 300 noisy points.
TEST(DensityLearningTest, SummaryNetworkReadsATimeSeries) {
  const Toy toy = MakeSineToy(3000, 300, 46), test = MakeSineToy(500, 300, 47);
  FlowOptions options = Flow(toy);
  options.input = InputNetwork::kSummary;
  TrainingOptions training = Training(12);
  training.batch_size = 32;
  const auto estimator = MustTrain(options, toy, training);
  // The Fisher information allows about 8.5 nats; a network that saw nothing has 0.
  EXPECT_GT(Mean(estimator->LogDensityPairs(test.Pairs().x, test.Theta())), 5);
}

}  // namespace
}  // namespace inferon::estimators
