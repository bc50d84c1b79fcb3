#include "server/trainer/statistics/calibration.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "common/base/check.h"

namespace inferon::statistics {
namespace {

// P(K > lambda) of Kolmogorov's distribution. Its two series meet near 1.18, where both need few
// terms.
double KolmogorovTail(double lambda) {
  if (lambda <= 0) return 1;
  if (lambda < 1.18) {
    const double y = std::exp(-1.2337005501361697 / (lambda * lambda));  // pi^2 / 8
    return 1 - 2.5066282746310002 / lambda * (y + std::pow(y, 9) + std::pow(y, 25));
  }
  double sum = 0;
  for (int k = 1; k <= 20; ++k) {
    const double term = std::exp(-2.0 * k * k * lambda * lambda);
    sum += k % 2 == 1 ? term : -term;
  }
  return std::clamp(2 * sum, 0.0, 1.0);
}

template <typename T>
std::uint32_t RankAmong(T truth, std::span<const T> draws, PhiloxSequence& random) {
  std::uint32_t below = 0;
  std::uint32_t equal = 0;
  for (const T draw : draws) {
    below += draw < truth;
    equal += draw == truth;
  }
  return below + random.Below(equal + 1);
}

}  // namespace

std::uint32_t RankOf(std::uint16_t truth, std::span<const std::uint16_t> draws,
                     PhiloxSequence& random) {
  return RankAmong(truth, draws, random);
}

std::uint32_t RankOf(double truth, std::span<const double> draws, PhiloxSequence& random) {
  return RankAmong(truth, draws, random);
}

std::vector<double> HolmAdjust(std::span<const double> p_values) {
  std::vector<std::size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return p_values[a] < p_values[b]; });
  std::vector<double> adjusted(p_values.size());
  double largest = 0;
  for (std::size_t k = 0; k < order.size(); ++k) {
    const auto left = static_cast<double>(order.size() - k);
    largest = std::max(largest, std::min(1.0, left * p_values[order[k]]));
    adjusted[order[k]] = largest;
  }
  return adjusted;
}

std::vector<double> RanksToUnit(std::span<const std::uint32_t> ranks, std::uint32_t draws,
                                PhiloxSequence& random) {
  std::vector<double> unit;
  unit.reserve(ranks.size());
  for (const std::uint32_t rank : ranks) {
    unit.push_back((rank + random.Uniform()) / (draws + 1.0));
  }
  return unit;
}

double KolmogorovSmirnovUniform(std::span<const double> values) {
  if (values.empty()) return 1;
  std::vector<double> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  const auto n = static_cast<double>(sorted.size());
  double distance = 0;
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    const auto rank = static_cast<double>(i);
    distance = std::max({distance, sorted[i] - rank / n, (rank + 1) / n - sorted[i]});
  }
  const double root = std::sqrt(n);
  return KolmogorovTail((root + 0.12 + 0.11 / root) * distance);
}

double HighestDensityLevel(double truth_density, std::span<const double> draw_densities) {
  INFERON_CHECK(!draw_densities.empty());
  double above = 0;
  for (const double density : draw_densities) {
    if (density > truth_density) above += 1;
    if (density == truth_density) above += 0.5;
  }
  return above / static_cast<double>(draw_densities.size());
}

double Coverage(std::span<const double> levels, double credibility) {
  if (levels.empty()) return 0;
  const auto inside = std::count_if(levels.begin(), levels.end(),
                                    [&](double level) { return level <= credibility; });
  return static_cast<double>(inside) / static_cast<double>(levels.size());
}

}  // namespace inferon::statistics
