// Corrupted posteriors are flagged, exact ones are not: integer codes with many ties, theta from a
// constrained prior, an exact posterior that is known.
#include "server/trainer/statistics/calibration_tests.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "common/base/philox.h"
#include "server/trainer/statistics/calibration.h"

namespace inferon::statistics {
namespace {

constexpr std::size_t kD = 3;
constexpr int kCodes = 63;  // Few, so that ties are common.
constexpr double kNoise = 0.08;
constexpr double kCorrelation = 0.8;  // Of the noise in the first two parameters.
constexpr std::size_t kPairs = 300;
constexpr std::size_t kDraws = 200;
const std::vector<std::string> kNames = {"g_l", "v_t", "b"};

using Point = std::array<double, kD>;

// How the posterior is wrong; the default is the exact one.
struct Corruption {
  double width = 1;
  double shift = 0;  // Of the last parameter, in deviations.
  double correlation = kCorrelation;
  bool ignores_x = false;
};

class Toy {
 public:
  explicit Toy(std::uint64_t seed) : random_(StreamKey(seed, "toy")) {}

  // Codes where the constrained prior lies: a corner of the box is cut off.
  static bool Inside(const Point& codes) {
    for (const double code : codes) {
      if (code < 0 || code >= kCodes) return false;
    }
    return codes[0] + codes[1] >= 0.6 * kCodes;
  }

  Point DrawPrior() {
    for (;;) {
      Point codes;
      for (double& code : codes) code = random_.Below(kCodes);
      if (Inside(codes)) return codes;
    }
  }

  // A place in the code's cell plus noise: the posterior of the code is the normal's mass in it.
  Point Observe(const Point& codes) {
    Point x = Noise(1, kCorrelation);
    for (std::size_t j = 0; j < kD; ++j) x[j] += (codes[j] + random_.Uniform()) / kCodes;
    return x;
  }

  // Some corruptions have no mass in the prior's support for a rare x: then a draw of the prior.
  Point DrawPosterior(const Point& x, const Corruption& how) {
    for (int attempt = 0; attempt < 10'000 && !how.ignores_x; ++attempt) {
      Point codes = Noise(how.width, how.correlation);
      for (std::size_t j = 0; j < kD; ++j) {
        const double shift = j + 1 == kD ? how.shift * kNoise : 0;
        codes[j] = std::floor(kCodes * (x[j] + codes[j] + shift));
      }
      if (Inside(codes)) return codes;
    }
    return DrawPrior();
  }

  static double LogDensity(const Point& codes, const Point& x, const Corruption& how) {
    if (how.ignores_x) return 0;
    Point z;
    for (std::size_t j = 0; j < kD; ++j) {
      const double shift = j + 1 == kD ? how.shift * kNoise : 0;
      z[j] = ((codes[j] + 0.5) / kCodes - x[j] - shift) / (kNoise * how.width);
    }
    const double r = how.correlation;
    return -0.5 * ((z[0] * z[0] - 2 * r * z[0] * z[1] + z[1] * z[1]) / (1 - r * r) + z[2] * z[2]);
  }

 private:
  double Normal() {
    return std::sqrt(-2 * std::log(1 - random_.Uniform())) *
           std::cos(2 * std::numbers::pi * random_.Uniform());
  }
  Point Noise(double width, double correlation) {
    const double a = Normal(), b = Normal(), c = Normal();
    const double scale = width * kNoise;
    return {scale * a, scale * (correlation * a + std::sqrt(1 - correlation * correlation) * b),
            scale * c};
  }

  PhiloxSequence random_;
};

std::vector<float> Floats(const Point& x) { return {x.begin(), x.end()}; }

ThetaGuess FitGuess(std::uint64_t seed) {
  Toy toy(seed + 1'000'000);
  std::vector<double> theta;
  std::vector<float> x;
  for (int i = 0; i < 500; ++i) {
    const Point codes = toy.DrawPrior();
    theta.insert(theta.end(), codes.begin(), codes.end());
    for (const double v : toy.Observe(codes)) x.push_back(static_cast<float>(v));
  }
  return ThetaGuess::Fit(theta, kD, x, kD);
}

CalibrationResult Check(const Corruption& how, std::uint64_t seed) {
  CalibrationTests tests(FitGuess(seed), seed);
  Toy toy(seed);
  for (std::size_t i = 0; i < kPairs; ++i) {
    const Point truth = toy.DrawPrior();
    const Point x = toy.Observe(truth);
    std::vector<double> draws, densities;
    for (std::size_t k = 0; k < kDraws; ++k) {
      const Point draw = toy.DrawPosterior(x, how);
      draws.insert(draws.end(), draw.begin(), draw.end());
      densities.push_back(Toy::LogDensity(draw, x, how));
    }
    const std::vector<float> seen = Floats(x);
    tests.Add(i, {truth, seen, draws, Toy::LogDensity(truth, x, how), densities});
  }
  return tests.Finish();
}

double PValue(const CalibrationResult& result, const std::string& name) {
  for (const NamedTest& test : result.tests) {
    if (test.name == name) return test.adjusted;
  }
  ADD_FAILURE() << "no test " << name;
  return 1;
}

TEST(CorruptedPosteriorTest, TooNarrowIsFlagged) {
  const CalibrationResult result = Check({.width = 0.75}, 1);
  EXPECT_LT(PValue(result, "coverage"), 0.01);
  EXPECT_LT(Coverage(result.levels, 0.9), 0.85);
  EXPECT_FALSE(result.calibrated());
  EXPECT_NE(result.Verdict(kNames).find("too narrow"), std::string::npos);
}

TEST(CorruptedPosteriorTest, TooWideIsFlagged) {
  const CalibrationResult result = Check({.width = 1.4}, 1);
  EXPECT_LT(PValue(result, "coverage"), 0.01);
  EXPECT_FALSE(result.calibrated());
  EXPECT_NE(result.Verdict(kNames).find("too wide"), std::string::npos);
}

TEST(CorruptedPosteriorTest, ShiftedIsFlaggedInItsParameter) {
  const CalibrationResult result = Check({.shift = 0.4}, 1);
  EXPECT_LT(PValue(result, "ranks 3"), 0.01);
  EXPECT_GT(result.parameters[2].mean_z, 0.2);
  EXPECT_NE(result.Verdict(kNames).find("wrong in b"), std::string::npos);
}

TEST(CorruptedPosteriorTest, RemovedCorrelationIsFlaggedThoughEveryMarginalIsRight) {
  const CalibrationResult result = Check({.correlation = 0}, 1);
  EXPECT_LT(PValue(result, "classifier"), 0.01);
  for (const char* name : {"ranks 3", "band 3"}) EXPECT_GT(PValue(result, name), 0.01);
}

TEST(CorruptedPosteriorTest, PriorIsFlaggedThoughRanksAndRegionsAreRight) {
  const CalibrationResult result = Check({.ignores_x = true}, 1);
  EXPECT_LT(PValue(result, "tarp"), 0.01);
  EXPECT_LT(PValue(result, "classifier"), 0.01);
  for (const char* name : {"ranks 1", "ranks 2", "ranks 3", "coverage"}) {
    EXPECT_GT(PValue(result, name), 0.01) << name;
  }
  for (const ParameterTests& parameter : result.parameters) {
    EXPECT_NEAR(parameter.contraction, 0, 0.1);
  }
}

TEST(CorruptedPosteriorTest, EachIsFlaggedWhateverTheSeed) {
  for (std::uint64_t seed = 2; seed < 7; ++seed) {
    for (const Corruption& how :
         {Corruption{.width = 0.75}, Corruption{.width = 1.4}, Corruption{.shift = 0.4},
          Corruption{.correlation = 0}, Corruption{.ignores_x = true}}) {
      EXPECT_FALSE(Check(how, seed).calibrated())
          << seed << ": width " << how.width << ", shift " << how.shift << ", correlation "
          << how.correlation;
    }
  }
}

// Each repeat by itself is flagged with a probability of at most 1 % (9 of 1000 were): a hundred
// together are judged by Holm over parameters, tests and repeats.
TEST(ExactPosteriorTest, NoneOfAHundredIsFlagged) {
  std::vector<double> p_values;
  int alone = 0;
  for (std::uint64_t seed = 100; seed < 200; ++seed) {
    const CalibrationResult result = Check({}, seed);
    for (const NamedTest& test : result.tests) p_values.push_back(test.p_value);
    alone += !result.calibrated();
    EXPECT_LT(std::abs(result.atc), 0.1) << seed;
  }
  const std::vector<double> adjusted = HolmAdjust(p_values);
  EXPECT_GT(*std::ranges::min_element(adjusted), kCalibrationLevel);
  EXPECT_LE(alone, 4) << "at most one is expected";
}

TEST(ExactPosteriorTest, RecoveryAndContractionAreThoseOfTheModel) {
  const CalibrationResult result = Check({}, 1);
  // Noise 0.08 against a prior of deviation 0.29 in the free parameter.
  EXPECT_NEAR(result.parameters[2].contraction, 1 - 0.0064 / (1.0 / 12), 0.03);
  EXPECT_GT(result.parameters[2].recovery, 0.93);
  EXPECT_NEAR(result.parameters[2].mean_z, 0, 0.15);
  EXPECT_NE(result.Verdict(kNames).find("none of 9 tests"), std::string::npos);
}

TEST(CalibrationTestsTest, APairCountsTheSameWhateverStandsBesideIt) {
  Toy toy(3);
  CalibrationTests alone(FitGuess(3), 3), both(FitGuess(3), 3);
  const Point truth = toy.DrawPrior(), x = toy.Observe(truth);
  const std::vector<double> draws(30, 5), densities(10, 0);
  const std::vector<float> seen = Floats(x);
  both.Add(7, {truth, seen, draws, 0, densities});
  both.Add(8, {truth, seen, draws, 0, densities});
  alone.Add(8, {truth, seen, draws, 0, densities});
  const CalibrationResult a = alone.Finish(), b = both.Finish();
  EXPECT_EQ(a.ranks[0], b.ranks[3]);
  EXPECT_EQ(a.tarp_levels[0], b.tarp_levels[1]);
}

}  // namespace
}  // namespace inferon::statistics
