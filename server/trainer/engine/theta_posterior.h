// Draws and densities of q(theta | x) in the parameters' own units.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "server/trainer/engine/theta_space.h"

namespace inferon::trainer {

struct ThetaDraws {
  std::vector<double> theta;        // [size(), dimension]; inside the prior's support.
  std::vector<double> log_density;  // Nats, over the parameters' own units.
  std::size_t size() const { return log_density.size(); }
};

// Draws first, first + 1, ... of the sequence that (x, seed) names.
ThetaDraws DrawTheta(const estimators::DensityEstimator& estimator, const ThetaSpace& space,
                     std::span<const float> x, std::size_t count, std::uint64_t seed,
                     std::uint64_t first);

// Log density of each row of theta ([n, dimension]); -inf outside the prior's support.
std::vector<double> LogDensityOfTheta(const estimators::DensityEstimator& estimator,
                                      const ThetaSpace& space, std::span<const float> x,
                                      std::span<const double> theta);

}  // namespace inferon::trainer
