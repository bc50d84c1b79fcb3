// Are ranks uniform, judged over the whole of their distribution at once? The graphical test of
// Säilynoja, Bürkner and Vehtari (Statistics and Computing 32, 2022) with the statistic gamma that
// Modrák et al. (Bayesian Analysis, 2023) use for simulation-based calibration: twice the smaller
// binomial tail of the empirical distribution function, at its least probable point. What gamma is
// under uniform ranks is found by simulation.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace inferon::statistics {

class JointBand {
 public:
  // For `count` ranks, each 0..draws; count and draws at least 1. The simulation is a function of
  // the seed.
  JointBand(std::size_t count, std::uint32_t draws, std::uint64_t seed = 1);

  std::size_t count() const { return count_; }
  double Gamma(std::span<const std::uint32_t> ranks) const;
  // Share of uniform rank sets whose gamma is no larger, never below 1 / (simulations + 1).
  double PValue(std::span<const std::uint32_t> ranks) const;
  // Log of gamma over its 5 % quantile: below 0 the test rejects at 5 %.
  double LogGamma(std::span<const std::uint32_t> ranks) const;

  // The band that holds the whole empirical distribution function of uniform ranks with a
  // probability of `confidence`: low <= share of ranks below place * (draws + 1) <= high.
  struct Point {
    double place = 0;
    double low = 0;
    double high = 0;
  };
  std::vector<Point> Band(double confidence) const;

 private:
  double GammaOfCounts(std::span<const std::uint32_t> below) const;
  std::vector<std::uint32_t> CountsBelow(std::span<const std::uint32_t> ranks) const;
  double NullQuantile(double share) const;

  std::size_t count_;
  std::uint32_t draws_;
  std::vector<std::uint32_t> bounds_;  // Ranks below each of these are counted.
  std::vector<double> tails_;          // [bounds, count + 1] twice the smaller binomial tail.
  std::vector<double> null_;           // Gamma of the simulated rank sets, ascending.
};

}  // namespace inferon::statistics
