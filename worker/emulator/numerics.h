// Elementary functions with one defined rounding: only IEEE additions, multiplications, divisions
// and square roots, so that every machine gives the same bits (a C library's exp and log differ
// between versions).
#pragma once

#include "common/base/philox.h"

namespace inferon::worker {

inline constexpr double kLog2E = 1.44269504088896338700;

// exp(x), relative error below 1e-14 for |x| <= 700; 0 below -700, exp(700) above.
double StableExp(double x);
// Natural logarithm of x > 0 (a normal number), absolute error below 1e-14 * max(1, |log x|).
double StableLog(double x);

// The functions of exponential integrators at -z, z >= 0: decay = exp(-z),
// phi1 = (1 - exp(-z)) / z -> 1, phi2 = (exp(-z) - 1 + z) / z^2 -> 1/2,
// phi3 = (1/2 - phi2) / z -> 1/6.
struct Phi {
  double decay;
  double phi1;
  double phi2;
  double phi3;
};
Phi PhiFunctions(double z);

// Quantile of the standard normal distribution at 0 < p < 1. Relative error below 1.2e-9.
// P. J. Acklam, "An algorithm for computing the inverse normal cumulative distribution function".
double InverseNormal(double p);

// A standard normal number: a pure function of key and counter.
double StandardNormal(PhiloxKey key, PhiloxBlock counter);

}  // namespace inferon::worker
