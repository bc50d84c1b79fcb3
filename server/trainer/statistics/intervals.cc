#include "server/trainer/statistics/intervals.h"

#include <cmath>
#include <limits>

#include "common/base/check.h"

namespace inferon::statistics {
namespace {

constexpr int kMaxTerms = 100'000;
constexpr double kTiny = 1e-300;

// std::lgamma writes a global variable.
double LogGamma(double x) {
  int sign = 0;
  return ::lgamma_r(x, &sign);
}

double BetaFraction(double a, double b, double x) {
  const auto away_from_zero = [](double v) { return std::abs(v) < kTiny ? kTiny : v; };
  double c = 1;
  double d = 1 / away_from_zero(1 - (a + b) * x / (a + 1));
  double fraction = d;
  for (int m = 1; m <= kMaxTerms; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / away_from_zero(1 + even * d);
    c = away_from_zero(1 + even / c);
    fraction *= d * c;
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / away_from_zero(1 + odd * d);
    c = away_from_zero(1 + odd / c);
    fraction *= d * c;
    if (std::abs(d * c - 1) < 1e-15) break;
  }
  return fraction;
}

}  // namespace

double IncompleteBeta(double a, double b, double x) {
  INFERON_CHECK(a > 0 && b > 0);
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const double front =
      std::exp(LogGamma(a + b) - LogGamma(a) - LogGamma(b) + a * std::log(x) + b * std::log1p(-x));
  if (x < (a + 1) / (a + b + 2)) return front * BetaFraction(a, b, x) / a;
  return 1 - front * BetaFraction(b, a, 1 - x) / b;
}

double BetaQuantile(double p, double a, double b) {
  double low = 0;
  double high = 1;
  for (int i = 0; i < 100 && high - low > 1e-16; ++i) {
    const double middle = 0.5 * (low + high);
    (IncompleteBeta(a, b, middle) < p ? low : high) = middle;
  }
  return 0.5 * (low + high);
}

Interval ClopperPearson(std::uint64_t hits, std::uint64_t count, double confidence) {
  INFERON_CHECK(hits <= count);
  if (count == 0) return {0, 1};
  const double tail = 0.5 * (1 - confidence);
  const auto k = static_cast<double>(hits);
  const auto n = static_cast<double>(count);
  return {hits == 0 ? 0 : BetaQuantile(tail, k, n - k + 1),
          hits == count ? 1 : BetaQuantile(1 - tail, k + 1, n - k)};
}

double ClopperPearsonUpper(std::uint64_t hits, std::uint64_t count, double confidence) {
  INFERON_CHECK(hits <= count);
  if (hits == count) return 1;
  const auto k = static_cast<double>(hits);
  return BetaQuantile(confidence, k + 1, static_cast<double>(count) - k);
}

Interval ShareRatio(std::uint64_t first_hits, std::uint64_t first_count, std::uint64_t second_hits,
                    std::uint64_t second_count) {
  if (first_hits == 0 || second_hits == 0) return {0, std::numeric_limits<double>::infinity()};
  const double a = 1.0 / static_cast<double>(first_hits) - 1.0 / static_cast<double>(first_count);
  const double b = 1.0 / static_cast<double>(second_hits) - 1.0 / static_cast<double>(second_count);
  const double ratio = static_cast<double>(first_hits) / static_cast<double>(first_count) /
                       (static_cast<double>(second_hits) / static_cast<double>(second_count));
  const double factor = std::exp(1.959963984540054 * std::sqrt(a + b));
  return {ratio / factor, ratio * factor};
}

}  // namespace inferon::statistics
