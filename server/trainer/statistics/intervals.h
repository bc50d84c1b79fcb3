// Confidence intervals of shares, exact after Clopper and Pearson (Biometrika 26, 1934).
#pragma once

#include <cstdint>

namespace inferon::statistics {

struct Interval {
  double low = 0;
  double high = 0;
};

// Regularised incomplete beta function I_x(a, b); a, b > 0, x in [0, 1]. Continued fraction by
// Lentz's method (Numerical Recipes, 6.4); relative error about 1e-13.
double IncompleteBeta(double a, double b, double x);

// x with I_x(a, b) = p, p in [0, 1].
double BetaQuantile(double p, double a, double b);

// Two-sided interval of a share of which `hits` of `count` trials were seen. Without trials [0, 1].
Interval ClopperPearson(std::uint64_t hits, std::uint64_t count, double confidence = 0.95);

// One-sided upper bound of the same.
double ClopperPearsonUpper(std::uint64_t hits, std::uint64_t count, double confidence = 0.95);

// Two-sided 95 % interval of the ratio of two shares, first over second, on the log scale (Katz et
// al., Biometrics 34, 1978). [0, infinity) where one of them has no hit.
Interval ShareRatio(std::uint64_t first_hits, std::uint64_t first_count, std::uint64_t second_hits,
                    std::uint64_t second_count);

}  // namespace inferon::statistics
