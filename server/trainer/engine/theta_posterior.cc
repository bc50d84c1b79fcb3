#include "server/trainer/engine/theta_posterior.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "common/base/philox.h"

namespace inferon::trainer {
namespace {

constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();
constexpr std::size_t kBlock = 4096;          // Draws in one call of the estimator.
constexpr std::size_t kPopulation = 256;      // Best draws that evolve together.
constexpr std::size_t kSmallPopulation = 64;  // Where a density takes long.
constexpr int kGenerations = 60;
constexpr double kLeastGain = 1e-4;  // Nats over kPatience generations; less ends the search.
constexpr int kPatience = 12;
constexpr double kCross = 0.9;   // Share of coordinates that a trial takes from the mutant.
constexpr double kFactor = 0.6;  // Of the difference of two members.

// Members of the population with their densities, best first.
struct Population {
  std::vector<double> theta;  // [size, d]
  std::vector<double> log_density;
  std::size_t size() const { return log_density.size(); }
};

Population Best(const ThetaDraws& draws, std::size_t d, std::size_t most) {
  std::vector<std::size_t> order(draws.size());
  std::iota(order.begin(), order.end(), 0);
  const std::size_t keep = std::min(most, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(keep), order.end(),
                    [&](std::size_t a, std::size_t b) {
                      return draws.log_density[a] != draws.log_density[b]
                                 ? draws.log_density[a] > draws.log_density[b]
                                 : a < b;
                    });
  Population best;
  for (std::size_t k = 0; k < keep; ++k) {
    const double* row = draws.theta.data() + order[k] * d;
    best.theta.insert(best.theta.end(), row, row + d);
    best.log_density.push_back(draws.log_density[order[k]]);
  }
  return best;
}

// One trial for each member: towards the best, plus the difference of two others, in the
// estimator's space.
std::vector<double> Trials(const Population& population, std::size_t best, const ThetaSpace& space,
                           PhiloxSequence& random) {
  const std::size_t d = space.dimension();
  const std::vector<float> u = space.Centres(population.theta);
  const std::vector<estimators::Axis> axes = space.Axes();
  const auto n = static_cast<std::uint32_t>(population.size());
  std::vector<float> trials(u.size());
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t a = random.Below(n), b = random.Below(n);
    const std::size_t sure = random.Below(static_cast<std::uint32_t>(d));
    for (std::size_t j = 0; j < d; ++j) {
      const double own = u[i * d + j];
      double v =
          own + kFactor * (u[best * d + j] - own) + kFactor * (double{u[a * d + j]} - u[b * d + j]);
      if (axes[j] == estimators::Axis::kUnit && (v < 0 || v > 1)) v = u[best * d + j];
      trials[i * d + j] =
          j == sure || random.Uniform() < kCross ? static_cast<float>(v) : static_cast<float>(own);
    }
  }
  return space.FromSpace(trials);
}

std::size_t BestOf(const Population& population) {
  return static_cast<std::size_t>(
      std::max_element(population.log_density.begin(), population.log_density.end()) -
      population.log_density.begin());
}

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

Result<ThetaMap> FindThetaMap(const estimators::DensityEstimator& estimator,
                              const ThetaSpace& space, std::span<const float> x, std::size_t draws,
                              std::uint64_t seed, std::stop_token stop) {
  const std::size_t d = space.dimension();
  Population population;
  const std::size_t most = estimator.exact_density() ? kPopulation : kSmallPopulation;
  for (std::size_t done = 0; done < draws; done += kBlock) {
    if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "the query was cancelled");
    ThetaDraws block = DrawTheta(estimator, space, x, std::min(kBlock, draws - done), seed, done);
    block.theta.insert(block.theta.end(), population.theta.begin(), population.theta.end());
    block.log_density.insert(block.log_density.end(), population.log_density.begin(),
                             population.log_density.end());
    population = Best(block, d, most);
  }
  PhiloxSequence random(StreamKey(seed, "map"));
  double before = population.log_density[0];
  for (int generation = 1; generation <= kGenerations && population.size() > 3; ++generation) {
    if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "the query was cancelled");
    const std::vector<double> trials = Trials(population, BestOf(population), space, random);
    const std::vector<double> density = LogDensityOfTheta(estimator, space, x, trials);
    for (std::size_t i = 0; i < population.size(); ++i) {
      if (!(density[i] > population.log_density[i])) continue;
      population.log_density[i] = density[i];
      std::copy_n(trials.begin() + static_cast<std::ptrdiff_t>(i * d), d,
                  population.theta.begin() + static_cast<std::ptrdiff_t>(i * d));
    }
    if (generation % kPatience != 0) continue;
    const double now = population.log_density[BestOf(population)];
    if (now - before < kLeastGain) break;
    before = now;
  }
  const std::size_t best = BestOf(population);
  const auto row = population.theta.begin() + static_cast<std::ptrdiff_t>(best * d);
  return ThetaMap{{row, row + static_cast<std::ptrdiff_t>(d)}, population.log_density[best]};
}

}  // namespace inferon::trainer
