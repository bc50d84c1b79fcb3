// Random arrays whose every element is a function of its key and place: the estimators' only source
// of randomness. LibTorch's global generator is never used.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/philox.h"

namespace inferon::estimators {

// Uniform in [0, 1) for elements first, first + 1, ... of the array that (key, part) names.
void FillUniform(PhiloxKey key, std::uint64_t part, std::uint64_t first, std::span<float> out);

// Quantile of the standard normal distribution, p in (0, 1): relative error below 1e-15 (Wichura,
// algorithm AS 241, Applied Statistics 37, 1988).
double NormalQuantile(double p);

// A random order of 0..n-1 for (key, part).
std::vector<std::uint32_t> Permutation(PhiloxKey key, std::uint64_t part, std::uint32_t n);

}  // namespace inferon::estimators
