// The parts of the calibration tests, each against an exact solution or a second method.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>

#include "common/base/philox.h"
#include "server/trainer/statistics/calibration.h"
#include "server/trainer/statistics/cholesky.h"
#include "server/trainer/statistics/joint_band.h"
#include "server/trainer/statistics/pair_classifier.h"
#include "server/trainer/statistics/predictive.h"
#include "server/trainer/statistics/tarp.h"
#include "server/trainer/statistics/theta_guess.h"

namespace inferon::statistics {
namespace {

double Normal(PhiloxSequence& random) {
  return std::sqrt(-2 * std::log(1 - random.Uniform())) *
         std::cos(2 * std::numbers::pi * random.Uniform());
}

double NormalCdf(double z) { return 0.5 * std::erfc(-z / std::numbers::sqrt2); }

TEST(CholeskyTest, SolvesASystem) {
  const Cholesky factor({4, 0, 0, 2, 5, 0, 1, 3, 6}, 3, 0);
  std::vector<double> b = {4 * 1 + 2 * 2 + 1 * 3, 2 * 1 + 5 * 2 + 3 * 3, 1 * 1 + 3 * 2 + 6 * 3};
  factor.Solve(b);
  for (int i = 0; i < 3; ++i) EXPECT_NEAR(b[static_cast<std::size_t>(i)], i + 1, 1e-9);
}

TEST(ThetaGuessTest, FindsTheLineAndSaysWhatItLeaves) {
  PhiloxSequence random(StreamKey(1, "guess"));
  std::vector<double> theta;
  std::vector<float> x;
  for (int i = 0; i < 2000; ++i) {
    const double t = random.Uniform();
    theta.push_back(t);
    x.push_back(static_cast<float>(3 - 2 * t + 0.1 * Normal(random)));
    x.push_back(i % 10 == 0 ? std::numeric_limits<float>::quiet_NaN() : 1.0f);
  }
  const ThetaGuess guess = ThetaGuess::Fit(theta, 1, x, 2);
  const std::vector<float> row = {2.0f, 1.0f};
  EXPECT_NEAR(guess(row)[0], 0.5, 0.02);
  // The regression of t on x = 3 - 2 t + noise leaves nearly the noise over the slope.
  EXPECT_NEAR(guess.residual()[0], 0.05, 0.005);
  EXPECT_NEAR(guess.deviation()[0], std::sqrt(1.0 / 12), 0.01);
}

TEST(ThetaGuessTest, LongRowsAndConstantColumnsAreFine) {
  PhiloxSequence random(StreamKey(2, "guess"));
  std::vector<double> theta;
  std::vector<float> x;
  for (int i = 0; i < 300; ++i) {
    theta.push_back(random.Uniform());
    for (int k = 0; k < 200; ++k) {
      x.push_back(k < 100 ? 7.0f : static_cast<float>(theta.back() + Normal(random)));
    }
  }
  const ThetaGuess guess = ThetaGuess::Fit(theta, 1, x, 200);
  EXPECT_LT(guess.residual()[0], 0.6 * guess.deviation()[0]);
}

TEST(JointBandTest, UniformRanksLeaveTheBandAsOftenAsItSays) {
  const JointBand band(300, 50, 1);
  PhiloxSequence random(StreamKey(99, "fresh"));
  const auto points = band.Band(0.95);
  int outside = 0, rejected = 0;
  constexpr int kSets = 2000;
  for (int s = 0; s < kSets; ++s) {
    std::vector<std::uint32_t> ranks(300);
    for (auto& rank : ranks) rank = random.Below(51);
    rejected += band.LogGamma(ranks) < 0;
    bool inside = true;
    for (const auto& point : points) {
      double below = 0;
      for (const auto rank : ranks) below += rank < std::lround(point.place * 51);
      inside = inside && below / 300 >= point.low - 1e-9 && below / 300 <= point.high + 1e-9;
    }
    outside += !inside;
    EXPECT_EQ(inside, band.LogGamma(ranks) >= 0) << "the picture and the test are one";
  }
  EXPECT_NEAR(outside / double{kSets}, 0.05, 0.02);
  EXPECT_EQ(outside, rejected);
}

TEST(JointBandTest, GammaIsTheLeastBinomialTail) {
  // One bound only: draws = 1, ranks 0 or 1. Gamma is twice the smaller binomial tail at 1/2.
  const JointBand band(10, 1, 1);
  const auto ranks = [](std::size_t zeros) {
    std::vector<std::uint32_t> all(10, 1);
    std::fill_n(all.begin(), zeros, 0u);
    return all;
  };
  EXPECT_NEAR(band.Gamma(ranks(0)), 2.0 / 1024, 1e-12);
  EXPECT_NEAR(band.Gamma(ranks(9)), 2.0 * 11 / 1024, 1e-12);
  EXPECT_NEAR(band.Gamma(ranks(5)), 1, 1e-12);
  // P(gamma <= 22 / 1024): 0, 1, 9 or 10 zeros.
  EXPECT_NEAR(band.PValue(ranks(9)), 22.0 / 1024, 0.004);
}

TEST(JointBandTest, ASlightSlopeIsSeen) {
  const JointBand band(600, 200, 1);
  PhiloxSequence random(StreamKey(5, "slope"));
  std::vector<std::uint32_t> flat, slope;
  for (int i = 0; i < 600; ++i) {
    flat.push_back(random.Below(201));
    slope.push_back(static_cast<std::uint32_t>(201 * std::pow(random.Uniform(), 1.3)));
  }
  EXPECT_GT(band.PValue(flat), 0.05);
  EXPECT_LT(band.PValue(slope), 0.001);
}

TEST(TarpTest, RankCountsNearerDrawsInUnitsOfTheScale) {
  PhiloxSequence random(StreamKey(1, "tarp"));
  const std::vector<double> truth = {3, 0}, reference = {0, 0}, scale = {1, 10};
  const std::vector<double> draws = {1, 0, 4, 0, 0, 20, 0, 40};
  EXPECT_EQ(TarpRank(truth, draws, reference, scale, random), 2u);
}

TEST(TarpTest, AreaOfANarrowAndOfABiasedPosteriorIsTheIntegral) {
  PhiloxSequence random(StreamKey(3, "area"));
  for (const auto& [width, shift] :
       {std::pair(0.5, 0.0), std::pair(2.0, 0.0), std::pair(1.0, 1.0)}) {
    // From a reference far to the left, nearer means smaller: the level of a truth t ~ N(0, 1)
    // under the posterior N(shift, width) is Phi((t - shift) / width).
    std::vector<double> levels;
    for (int i = 0; i < 20'000; ++i) levels.push_back(NormalCdf((Normal(random) - shift) / width));
    double area = 0;
    constexpr int kSteps = 4000;
    for (int k = 0; k < kSteps; ++k) {
      const double a = 0.5 + 0.5 * (k + 0.5) / kSteps;
      double low = -10, high = 10;  // Quantile of the standard normal by bisection.
      for (int b = 0; b < 60; ++b) {
        (NormalCdf(0.5 * (low + high)) < a ? low : high) = 0.5 * (low + high);
      }
      area += (NormalCdf(shift + width * low) - a) * 0.5 / kSteps;
    }
    EXPECT_NEAR(AreaToCurve(levels), area, 0.004) << width << " " << shift;
  }
  EXPECT_DOUBLE_EQ(AreaToCurve(std::vector<double>{0.0}), 0.125);
  EXPECT_DOUBLE_EQ(AreaToCurve(std::vector<double>{1.0}), -0.375);
}

// Pairs whose posterior is a normal of two parameters with this correlation; what is told of it has
// another.
PairClassifier Classify(double told, double correlation, std::size_t pairs, std::uint64_t seed) {
  PairClassifier classifier(2, seed);
  PhiloxSequence random(StreamKey(seed, "classifier"));
  const auto draw = [&](double rho, std::vector<double>& to) {
    const double a = Normal(random), b = Normal(random);
    to.push_back(a);
    to.push_back(rho * a + std::sqrt(1 - rho * rho) * b);
  };
  for (std::size_t i = 0; i < pairs; ++i) {
    std::vector<double> truth, draws;
    draw(correlation, truth);
    for (int k = 0; k < 100; ++k) draw(told, draws);
    classifier.Add(truth, draws, std::vector<double>{Normal(random), Normal(random)});
  }
  return classifier;
}

TEST(PairClassifierTest, PValuesOfExactPosteriorsAreUniform) {
  std::vector<double> p_values;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    p_values.push_back(Classify(0.5, 0.5, 60, seed).PValue());
  }
  EXPECT_GT(KolmogorovSmirnovUniform(p_values), 0.01);
}

TEST(PairClassifierTest, LocalPValuesOfExactPosteriorsAreUniform) {
  std::vector<double> p_values;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    PhiloxSequence random(StreamKey(seed, "local"));
    std::vector<double> draws;
    for (int k = 0; k < 200; ++k) draws.push_back(Normal(random));
    p_values.push_back(
        Classify(0.5, 0.5, 60, seed).LocalPValue(draws, std::vector<double>{0.5, -1}));
  }
  EXPECT_GT(KolmogorovSmirnovUniform(p_values), 0.01);
}

TEST(PairClassifierTest, AWrongCorrelationIsSeenEverywhereAndAtOneObservation) {
  const PairClassifier classifier = Classify(0.0, 0.6, 300, 1);
  EXPECT_LT(classifier.PValue(), 0.001);
  PhiloxSequence random(StreamKey(1, "local"));
  std::vector<double> draws;
  for (int k = 0; k < 400; ++k) draws.push_back(Normal(random));
  EXPECT_LT(classifier.LocalPValue(draws, std::vector<double>{0, 0}), 0.001);
}

// The posterior is exact where x[0] is below zero and shifted elsewhere.
TEST(PairClassifierTest, TheLocalTestTellsGoodFromBadObservations) {
  PairClassifier classifier(1, 1);
  PhiloxSequence random(StreamKey(4, "local"));
  const auto draws_of = [&](int n) {
    std::vector<double> draws;
    for (int k = 0; k < n; ++k) draws.push_back(Normal(random));
    return draws;
  };
  for (int i = 0; i < 600; ++i) {
    const double x = Normal(random);
    const std::vector<double> truth = {Normal(random) + std::max(0.0, x)};
    classifier.Add(truth, draws_of(100), std::vector<double>{x});
  }
  EXPECT_LT(classifier.LocalPValue(draws_of(500), std::vector<double>{1.5}), 0.001);
  EXPECT_GT(classifier.LocalPValue(draws_of(500), std::vector<double>{-0.6}), 0.01);
}

TEST(PredictiveTest, SaysWhereTheObservedValueLies) {
  std::vector<double> predicted = {std::nan("")};
  for (int i = 1; i <= 99; ++i) predicted.push_back(i);
  const PredictiveCheck middle = CheckPrediction(predicted, 50);
  EXPECT_EQ(middle.runs, 99u);
  EXPECT_EQ(middle.median, 50);
  EXPECT_DOUBLE_EQ(middle.below, 0.5);
  EXPECT_EQ(middle.p_value, 1);
  EXPECT_DOUBLE_EQ(CheckPrediction(predicted, 1000).p_value, 2.0 / 100);
  EXPECT_DOUBLE_EQ(CheckPrediction(predicted, 1).p_value, 4.0 / 100);
  EXPECT_EQ(CheckPrediction({}, 3).p_value, 1);
  EXPECT_EQ(CheckPrediction(predicted, std::nan("")).p_value, 1);
}

}  // namespace
}  // namespace inferon::statistics
