#include "common/features/bessel.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "common/base/check.h"

namespace inferon {
namespace {

constexpr int kOrder = 4;
// Samples that filtfilt adds at each end: three times the number of coefficients.
constexpr std::size_t kPad = 3 * (kOrder + 1);

using Polynomial = std::array<double, kOrder + 1>;  // Coefficient i belongs to z^-i.

struct Coefficients {
  Polynomial b{}, a{};
};

// (1 - z^-1)^k (1 + z^-1)^(kOrder - k)
Polynomial BilinearTerm(int k) {
  Polynomial product{1};
  for (int factor = 0; factor < kOrder; ++factor) {
    const double sign = factor < k ? -1 : 1;
    for (int i = kOrder; i > 0; --i) product[i] += sign * product[i - 1];
  }
  return product;
}

// The denominator is the reverse Bessel polynomial s^4 + 10 s^3 + 45 s^2 + 105 s + 105 with s
// scaled so that its constant term is 1 (its phase then meets a Butterworth filter's asymptote).
Coefficients Design(double corner) {
  constexpr std::array<double, kOrder + 1> kBessel{105, 105, 45, 10, 1};  // Of s^0 .. s^4.
  const double scale = std::pow(kBessel[0], 1.0 / kOrder);
  const double k = 1 / std::tan(std::numbers::pi * corner / 2);
  Coefficients filter;
  for (int power = 0; power <= kOrder; ++power) {
    const double c = kBessel[power] * std::pow(scale, power) / kBessel[0] * std::pow(k, power);
    const Polynomial term = BilinearTerm(power);
    for (int i = 0; i <= kOrder; ++i) filter.a[i] += c * term[i];
  }
  filter.b = BilinearTerm(0);
  const double a0 = filter.a[0];
  for (double& b : filter.b) b /= a0;
  for (double& a : filter.a) a /= a0;
  return filter;
}

// Filters in place, starting in the steady state of the first sample.
void Run(const Coefficients& filter, std::vector<double>& x) {
  std::array<double, kOrder + 1> z{};  // Transposed direct form II; z[kOrder] stays 0.
  for (int i = kOrder - 1; i >= 0; --i) {
    z[i] = (filter.b[i + 1] - filter.a[i + 1]) * x[0] + z[i + 1];
  }
  for (double& sample : x) {
    const double y = filter.b[0] * sample + z[0];
    for (int i = 0; i < kOrder; ++i) {
      z[i] = filter.b[i + 1] * sample - filter.a[i + 1] * y + z[i + 1];
    }
    sample = y;
  }
}

}  // namespace

std::vector<double> LowPass(std::span<const double> samples, double corner) {
  INFERON_CHECK(corner > 0 && corner < 1);
  const std::size_t n = samples.size();
  if (n <= kPad) return {samples.begin(), samples.end()};
  std::vector<double> x;
  x.reserve(n + 2 * kPad);
  for (std::size_t i = kPad; i > 0; --i) x.push_back(2 * samples[0] - samples[i]);
  x.insert(x.end(), samples.begin(), samples.end());
  for (std::size_t i = 1; i <= kPad; ++i) x.push_back(2 * samples[n - 1] - samples[n - 1 - i]);
  const Coefficients filter = Design(corner);
  Run(filter, x);
  std::reverse(x.begin(), x.end());
  Run(filter, x);
  std::reverse(x.begin(), x.end());
  return {x.begin() + kPad, x.begin() + kPad + static_cast<std::ptrdiff_t>(n)};
}

}  // namespace inferon
