#include "worker/emulator/numerics.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <initializer_list>

namespace inferon::worker {
namespace {

constexpr double kLn2High = 6.93147180369123816490e-01;  // 32 bits: n * kLn2High is exact.
constexpr double kLn2Low = 1.90821492927058770002e-10;

double Polynomial(double x, std::initializer_list<double> highest_first) {
  double sum = 0;
  for (const double c : highest_first) sum = sum * x + c;
  return sum;
}

}  // namespace

double StableExp(double x) {
  if (x < -700) return 0;
  x = std::min(x, 700.0);
  const double n = std::floor(x * kLog2E + 0.5);
  const double r = (x - n * kLn2High) - n * kLn2Low;  // |r| <= 0.35
  double term = 1, sum = 1;
  for (int k = 1; k <= 14; ++k) {
    term *= r / k;
    sum += term;
  }
  const auto exponent = static_cast<std::uint64_t>(static_cast<std::int64_t>(n) + 1023);
  return sum * std::bit_cast<double>(exponent << 52);
}

double StableLog(double x) {
  const auto bits = std::bit_cast<std::uint64_t>(x);
  double exponent = static_cast<double>(static_cast<std::int64_t>(bits >> 52)) - 1023;
  double m = std::bit_cast<double>((bits & 0x000FFFFFFFFFFFFFu) | 0x3FF0000000000000u);
  if (m > 1.4142135623730951) m *= 0.5, exponent += 1;
  const double s = (m - 1) / (m + 1), s2 = s * s;  // |s| <= 0.172
  double power = s, sum = 0;
  for (int k = 1; k <= 21; k += 2) {
    sum += power / k;
    power *= s2;
  }
  return exponent * kLn2High + (exponent * kLn2Low + 2 * sum);
}

Phi PhiFunctions(double z) {
  if (z < 0.5) {  // The quotients cancel: sum their series.
    double phi3 = 0, term = 1.0 / 6;
    for (int k = 4; k <= 19; ++k) {
      phi3 += term;
      term *= -z / k;
    }
    const double phi2 = 0.5 - z * phi3, phi1 = 1 - z * phi2;
    return {1 - z * phi1, phi1, phi2, phi3};
  }
  const double decay = StableExp(-z);
  const double phi2 = (decay - 1 + z) / (z * z);
  return {decay, (1 - decay) / z, phi2, (0.5 - phi2) / z};
}

double InverseNormal(double p) {
  constexpr double kTail = 0.02425;
  if (p > 1 - kTail) return -InverseNormal(1 - p);
  if (p < kTail) {
    const double q = std::sqrt(-2 * StableLog(p));
    return Polynomial(q, {-7.784894002430293e-03, -3.223964580411365e-01, -2.400758277161838e+00,
                          -2.549732539343734e+00, 4.374664141464968e+00, 2.938163982698783e+00}) /
           Polynomial(q, {7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996e+00,
                          3.754408661907416e+00, 1.0});
  }
  const double q = p - 0.5, r = q * q;
  return q *
         Polynomial(r, {-3.969683028665376e+01, 2.209460984245205e+02, -2.759285104469687e+02,
                        1.383577518672690e+02, -3.066479806614716e+01, 2.506628277459239e+00}) /
         Polynomial(r, {-5.447609879822406e+01, 1.615858368580409e+02, -1.556989798598866e+02,
                        6.680131188771972e+01, -1.328068155288572e+01, 1.0});
}

double StandardNormal(PhiloxKey key, PhiloxBlock counter) {
  const PhiloxBlock words = Philox(key, counter);
  return InverseNormal(std::max(UniformDouble(words[0], words[1]), 0x1.0p-54));  // Never 0.
}

}  // namespace inferon::worker
