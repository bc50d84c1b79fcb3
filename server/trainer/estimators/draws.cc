#include "server/trainer/estimators/draws.h"

#include <array>
#include <cmath>
#include <numeric>
#include <utility>

namespace inferon::estimators {
namespace {

PhiloxBlock Block(PhiloxKey key, std::uint64_t part, std::uint64_t index) {
  return Philox(key, {static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32),
                      static_cast<std::uint32_t>(part), static_cast<std::uint32_t>(part >> 32)});
}

// Coefficients of one rational function of AS 241, highest power first.
struct Rational {
  std::array<double, 8> numerator, denominator;
  double operator()(double r) const {
    double a = 0, b = 0;
    for (std::size_t i = 0; i < 8; ++i) {
      a = a * r + numerator[i];
      b = b * r + denominator[i];
    }
    return a / b;
  }
};
constexpr Rational kCentre = {
    {2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457,
     13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.387132872796366608},
    {5226.495278852854561, 28729.085735721942674, 39307.89580009271061, 21213.794301586595867,
     5394.1960214247511077, 687.1870074920579083, 42.313330701600911252, 1}};
constexpr Rational kMiddle = {
    {7.7454501427834140764e-4, 0.0227238449892691845833, 0.24178072517745061177,
     1.27045825245236838258, 3.64784832476320460504, 5.7694972214606914055, 4.6303378461565452959,
     1.42343711074968357734},
    {1.05075007164441684324e-9, 5.475938084995344946e-4, 0.0151986665636164571966,
     0.14810397642748007459, 0.68976733498510000455, 1.6763848301838038494, 2.05319162663775882187,
     1}};
constexpr Rational kTailOf = {
    {2.01033439929228813265e-7, 2.71155556874348757815e-5, 0.0012426609473880784386,
     0.026532189526576123093, 0.29656057182850489123, 1.7848265399172913358, 5.4637849111641143699,
     6.6579046435011037772},
    {2.04426310338993978564e-15, 1.4215117583164458887e-7, 1.8463183175100546818e-5,
     7.868691311456132591e-4, 0.0148753612908506148525, 0.13692988092273580531,
     0.59983220655588793769, 1}};

}  // namespace

double NormalQuantile(double p) {
  const double q = p - 0.5;
  if (std::abs(q) <= 0.425) return q * kCentre(0.180625 - q * q);
  const double r = std::sqrt(-std::log(q < 0 ? p : 1 - p));
  const double z = r <= 5 ? kMiddle(r - 1.6) : kTailOf(r - 5);
  return q < 0 ? -z : z;
}

void FillUniform(PhiloxKey key, std::uint64_t part, std::uint64_t first, std::span<float> out) {
  std::uint64_t index = first;
  for (std::size_t i = 0; i < out.size();) {
    const PhiloxBlock block = Block(key, part, index / 4);
    for (std::size_t word = index % 4; word < 4 && i < out.size(); ++word, ++i, ++index) {
      out[i] = UniformFloat(block[word]);
    }
  }
}

std::vector<std::uint32_t> Permutation(PhiloxKey key, std::uint64_t part, std::uint32_t n) {
  std::vector<std::uint32_t> order(n);
  std::iota(order.begin(), order.end(), 0u);
  for (std::uint32_t i = n; i > 1; --i) {
    const std::uint64_t word = Block(key, part, i / 4)[i % 4];
    std::swap(order[i - 1], order[static_cast<std::size_t>(word * i >> 32)]);
  }
  return order;
}

}  // namespace inferon::estimators
