// Tests of accuracy with random points (TARP; Lemos, Coogan, Hezaveh, Perreault-Levasseur, ICML
// 2023): the share of posterior draws that lie nearer to a reference point than the truth is
// uniform where the posterior is exact, whatever the reference, as long as it does not know the
// truth. With references that depend on x, all references together decide whether it is exact.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/philox.h"
#include "server/trainer/statistics/theta_guess.h"

namespace inferon::statistics {

// A reference for one observation: the guess of theta from x, moved at random by about as much as
// it errs.
std::vector<double> TarpReference(const ThetaGuess& guess, std::span<const float> x,
                                  PhiloxSequence& random);

// Number of draws ([n, d]) nearer to the reference than the truth, in units of `scale` ([d], all >
// 0), ties broken at random: uniform in 0..n where the posterior is exact.
std::uint32_t TarpRank(std::span<const double> truth, std::span<const double> draws,
                       std::span<const double> reference, std::span<const double> scale,
                       PhiloxSequence& random);

// Area to the curve: the integral of (coverage - credibility) over credibilities from 1/2 to 1,
// where coverage is the share of levels up to the credibility. Below 0: too narrow or biased; above
// 0: too wide; between -3/8 and 1/8.
double AreaToCurve(std::span<const double> levels);

}  // namespace inferon::statistics
