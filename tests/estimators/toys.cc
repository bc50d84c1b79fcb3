#include "tests/estimators/toys.h"

#include <cmath>
#include <numbers>
#include <numeric>

namespace inferon::estimators {

double Normal(PhiloxSequence& random) {
  const double radius = std::sqrt(-2 * std::log(1 - random.Uniform()));
  return radius * std::cos(2 * std::numbers::pi * random.Uniform());
}

Toy MakeGaussianToy(std::size_t rows, std::size_t dimension, std::uint64_t seed) {
  return MakeToy(rows, dimension, dimension, seed,
                 [=](const float* theta, PhiloxSequence& random, float* out) {
                   for (std::size_t d = 0; d < dimension; ++d) {
                     out[d] = theta[d] + 0.1f * static_cast<float>(Normal(random));
                   }
                 });
}

Toy MakeSineToy(std::size_t rows, std::size_t points, std::uint64_t seed) {
  return MakeToy(
      rows, 2, points, seed, [=](const float* theta, PhiloxSequence& random, float* out) {
        for (std::size_t i = 0; i < points; ++i) {
          const double phase = static_cast<double>(i) / static_cast<double>(points);
          const double wave = std::sin(2 * std::numbers::pi * (2 + 4 * theta[0]) * phase);
          out[i] = static_cast<float>(400 + 100 * (0.2 + theta[1]) * wave + 10 * Normal(random));
        }
      });
}

double Mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

}  // namespace inferon::estimators
