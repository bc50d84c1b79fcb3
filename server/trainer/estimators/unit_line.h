// Between the unit interval and the line: z is the standard normal quantile of u, so that a uniform
// number becomes a standard normal one and nothing that lies on the line can leave the interval.
#pragma once

#include <algorithm>
#include <cmath>
#include <numbers>

#include "server/trainer/estimators/draws.h"

namespace inferon::estimators {

// u closer to an end than single precision can tell is taken as far from it as it can.
inline double UnitToLine(double u) {
  constexpr double kNearest = 0x1.0p-25;
  return NormalQuantile(std::clamp(u, kNearest, 1 - kNearest));
}

// In [0, 1).
inline float LineToUnit(double z) {
  constexpr float kBelowOne = 0x1.fffffep-1f;
  const auto u = static_cast<float>(0.5 * std::erfc(-z / std::numbers::sqrt2));
  return std::clamp(u, 0.0f, kBelowOne);
}

// log dz/du at z.
inline double LogUnitToLineSlope(double z) {
  return 0.5 * z * z + 0.5 * std::log(2 * std::numbers::pi);
}

}  // namespace inferon::estimators
