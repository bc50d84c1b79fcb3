#include "server/trainer/statistics/tarp.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "common/base/check.h"

namespace inferon::statistics {
namespace {

double Normal(PhiloxSequence& random) {
  const double radius = std::sqrt(-2 * std::log(1 - random.Uniform()));
  return radius * std::cos(2 * std::numbers::pi * random.Uniform());
}

double SquaredDistance(std::span<const double> a, std::span<const double> b,
                       std::span<const double> scale) {
  double squares = 0;
  for (std::size_t j = 0; j < a.size(); ++j) {
    const double difference = (a[j] - b[j]) / scale[j];
    squares += difference * difference;
  }
  return squares;
}

}  // namespace

std::vector<double> TarpReference(const ThetaGuess& guess, std::span<const float> x,
                                  PhiloxSequence& random) {
  std::vector<double> reference = guess(x);
  for (std::size_t j = 0; j < reference.size(); ++j) {
    reference[j] += guess.residual()[j] * Normal(random);
  }
  return reference;
}

std::uint32_t TarpRank(std::span<const double> truth, std::span<const double> draws,
                       std::span<const double> reference, std::span<const double> scale,
                       PhiloxSequence& random) {
  const std::size_t d = truth.size();
  INFERON_CHECK(!draws.empty() && draws.size() % d == 0);
  const double bound = SquaredDistance(truth, reference, scale);
  std::uint32_t nearer = 0, equal = 0;
  for (std::size_t i = 0; i < draws.size(); i += d) {
    const double distance = SquaredDistance(draws.subspan(i, d), reference, scale);
    nearer += distance < bound;
    equal += distance == bound;
  }
  return nearer + random.Below(equal + 1);
}

double AreaToCurve(std::span<const double> levels) {
  if (levels.empty()) return 0;
  double area = 0;
  for (const double level : levels) area += 1 - std::clamp(level, 0.5, 1.0);
  return area / static_cast<double>(levels.size()) - 0.375;
}

}  // namespace inferon::statistics
