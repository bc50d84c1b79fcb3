#include "common/features/trace.h"

#include <algorithm>
#include <cmath>

#include "common/features/bessel.h"

namespace inferon {
namespace {

// Sampling intervals that differ by less are one: of an interval, and of a unit of time (ms).
constexpr double kRelativeJitter = 1e-5;
constexpr double kAbsoluteJitter = 1e-5;
// A corner this close below half the sampling rate counts as not below it.
constexpr double kCornerMargin = 1e-6;

bool IsEquidistant(std::span<const double> time) {
  const double step = time[1] - time[0];
  const double tolerance = kAbsoluteJitter + kRelativeJitter * step;
  for (std::size_t k = 1; k < time.size(); ++k) {
    if (std::abs(time[k] - time[k - 1] - step) > tolerance) return false;
  }
  return true;
}

}  // namespace

std::size_t IndexAt(std::span<const double> time, double at) {
  const auto after = std::lower_bound(time.begin(), time.end(), at);
  if (after == time.begin()) return 0;
  if (after == time.end()) return time.size() - 1;
  const auto k = static_cast<std::size_t>(after - time.begin());
  return at - time[k - 1] <= time[k] - at ? k - 1 : k;
}

std::vector<double> Slopes(const TraceView& trace, double corner) {
  std::vector<double> slopes;
  if (trace.size() < 2) return slopes;
  std::vector<double> filtered;
  std::span<const double> v = trace.v;
  const double mean_step =
      (trace.time.back() - trace.time.front()) / static_cast<double>(trace.size() - 1);
  const double share = 2 * corner * mean_step;
  if (share > 0 && share < 1 - kCornerMargin && IsEquidistant(trace.time)) {
    filtered = LowPass(trace.v, share);
    v = filtered;
  }
  slopes.reserve(trace.size() - 1);
  for (std::size_t k = 0; k + 1 < trace.size(); ++k) {
    slopes.push_back((v[k + 1] - v[k]) / (trace.time[k + 1] - trace.time[k]));
  }
  return slopes;
}

}  // namespace inferon
