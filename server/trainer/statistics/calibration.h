// Is a posterior calibrated? Simulation-based calibration (Talts et al., arXiv 1804.06788) and the
// expected coverage of highest-density regions (Hermans et al., arXiv 2110.06581).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/philox.h"

namespace inferon::statistics {

// Rank of `truth` among `draws` (0..draws.size()): the number of draws below it, ties broken at
// random so that the rank is uniform where truth and draws have one distribution.
std::uint32_t RankOf(std::uint16_t truth, std::span<const std::uint16_t> draws,
                     PhiloxSequence& random);

// The same for numbers.
std::uint32_t RankOf(double truth, std::span<const double> draws, PhiloxSequence& random);

// P-values of several tests, adjusted so that the smallest is below a level with at most that
// probability where all hypotheses hold (Holm, Scandinavian Journal of Statistics 6, 1979).
std::vector<double> HolmAdjust(std::span<const double> p_values);

// Ranks 0..draws as points of the unit interval, (rank + U) / (draws + 1), which are exactly
// uniform under calibration.
std::vector<double> RanksToUnit(std::span<const std::uint32_t> ranks, std::uint32_t draws,
                                PhiloxSequence& random);

// P-value of the Kolmogorov-Smirnov test that the values are uniform on [0, 1]; asymptotic with
// Stephens' small-sample correction (JRSS B 32, 1970). 1 without values.
double KolmogorovSmirnovUniform(std::span<const double> values);

// Share of posterior draws with a higher density than the truth: the least credible level whose
// highest-density region holds the truth. Ties count one half. Draws is not empty.
double HighestDensityLevel(double truth_density, std::span<const double> draw_densities);

// Share of the levels that are at most `credibility`: the observed coverage.
double Coverage(std::span<const double> levels, double credibility);

}  // namespace inferon::statistics
