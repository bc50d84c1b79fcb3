#include "server/trainer/engine/theta_posterior.h"

#include <algorithm>
#include <limits>

namespace inferon::trainer {
namespace {

constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();

}  // namespace

ThetaDraws DrawTheta(const estimators::DensityEstimator& estimator, const ThetaSpace& space,
                     std::span<const float> x, std::size_t count, std::uint64_t seed,
                     std::uint64_t first) {
  const std::size_t d = space.dimension();
  const bool cells = !space.Cells().empty();
  ThetaDraws draws;
  const std::vector<float> u =
      estimator.Sample(x, count, seed, first, cells ? nullptr : &draws.log_density);
  draws.theta = space.FromSpace(u);
  if (cells) {  // The density of a whole number is that of its cell's centre.
    draws.log_density = LogDensityOfTheta(estimator, space, x, draws.theta);
    return draws;
  }
  for (std::size_t i = 0; i < count; ++i) {
    draws.log_density[i] += space.LogDerivative(std::span(draws.theta).subspan(i * d, d));
  }
  return draws;
}

std::vector<double> LogDensityOfTheta(const estimators::DensityEstimator& estimator,
                                      const ThetaSpace& space, std::span<const float> x,
                                      std::span<const double> theta) {
  const std::size_t d = space.dimension();
  // Rows outside are evaluated at the nearest point of the space and then refused.
  std::vector<double> inside(theta.begin(), theta.end());
  std::vector<std::uint8_t> keep(theta.size() / d);
  for (std::size_t i = 0; i < keep.size(); ++i) {
    keep[i] = space.InSupport(theta.subspan(i * d, d));
    if (keep[i] != 0) continue;
    const std::vector<double> middle = space.FromSpace(std::vector<float>(d, 0.5f));
    std::copy(middle.begin(), middle.end(), inside.begin() + static_cast<std::ptrdiff_t>(i * d));
  }
  const std::vector<float> u = space.Centres(inside);
  std::vector<double> density = estimator.LogDensity(x, {u.data(), keep.size(), d});
  for (std::size_t i = 0; i < keep.size(); ++i) {
    density[i] =
        keep[i] != 0 ? density[i] + space.LogDerivative(theta.subspan(i * d, d)) : kMinusInfinity;
  }
  return density;
}

}  // namespace inferon::trainer
