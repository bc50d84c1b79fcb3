// All tests of calibration together, fed pair by pair: ranks of each parameter (simulation-based
// calibration) with a Kolmogorov-Smirnov test and the joint band, highest-density regions, TARP,
// and the classifier on pairs. Theta must come from the prior that the posterior belongs to (the
// constrained one, where there is one): anything else looks miscalibrated.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "common/base/philox.h"
#include "server/trainer/statistics/joint_band.h"
#include "server/trainer/statistics/pair_classifier.h"
#include "server/trainer/statistics/theta_guess.h"

namespace inferon::statistics {

inline constexpr double kCalibrationLevel = 0.01;  // Of all tests together.

// A pair (theta, x) and what the posterior says of it.
struct TestedPair {
  std::span<const double> truth;  // [d]
  std::span<const float> x;
  std::span<const double> draws;           // [n, d]; n is the same for all pairs, at least 3.
  double truth_density = 0;                // Log density of the truth.
  std::span<const double> draw_densities;  // [n]
};

struct ParameterTests {
  double ks_p_value = 1;    // Ranks uniform?
  double band_p_value = 1;  // The same by the joint band.
  double log_gamma = 0;     // Below 0: outside the 95 % band.
  double contraction = 0;   // 1 - mean posterior variance / variance of the truths.
  double recovery = 0;      // Correlation of posterior mean and truth.
  double mean_z = 0;        // Mean of (posterior mean - truth) / posterior deviation.
};

struct NamedTest {
  std::string name;  // "ranks 3", "band 3" (parameter, from 1), "coverage", "tarp", "classifier"
  double p_value = 1;
  double adjusted = 1;  // After Holm, over all tests.
};

struct CalibrationResult {
  std::size_t pairs = 0;
  std::uint32_t draws = 0;
  std::vector<ParameterTests> parameters;
  double coverage_p_value = 1;
  double tarp_p_value = 1;
  double atc = 0;  // Area to the TARP curve.
  double classifier_p_value = 1;
  std::vector<NamedTest> tests;
  double smallest_adjusted = 1;
  bool calibrated() const { return smallest_adjusted > kCalibrationLevel; }
  // In words: whether, and if not in which way, the posteriors are wrong.
  std::string Verdict(std::span<const std::string> parameter_names) const;

  std::vector<std::uint32_t> ranks;    // [pairs, d]
  std::vector<double> levels;          // [pairs] highest-density level of the truth.
  std::vector<double> tarp_levels;     // [pairs]
  std::vector<JointBand::Point> band;  // 95 %, for the distribution of ranks.
};

// Not thread-safe. What a pair adds depends on the seed and its number alone.
class CalibrationTests {
 public:
  // `guess` was fitted on pairs that are not tested here.
  CalibrationTests(ThetaGuess guess, std::uint64_t seed);

  void Add(std::uint64_t number, const TestedPair& pair);
  std::size_t pairs() const { return tarp_ranks_.size(); }
  // At least one pair.
  CalibrationResult Finish() const;
  // P-value of the classifier at one observation, with draws of its posterior ([n, d]).
  double LocalPValue(std::span<const float> x, std::span<const double> draws) const;

 private:
  std::vector<double> Knowledge(std::span<const float> x) const;
  void AddParameters(const TestedPair& pair, PhiloxSequence& random);
  void TestParameters(CalibrationResult& result, const JointBand& band,
                      PhiloxSequence& random) const;

  const ThetaGuess guess_;
  const std::uint64_t seed_;
  PairClassifier classifier_;
  std::uint32_t draws_ = 0;
  std::vector<std::uint32_t> ranks_;                // [pairs, d]
  std::vector<double> truths_, means_, variances_;  // [pairs, d]
  std::vector<std::uint32_t> density_ranks_, tarp_ranks_;
};

}  // namespace inferon::statistics
