#include "server/trainer/statistics/predictive.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "server/trainer/statistics/summaries.h"

namespace inferon::statistics {

PredictiveCheck CheckPrediction(std::span<const double> predicted, double observed) {
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  const std::vector<double> sorted = Sorted(predicted);
  PredictiveCheck check{sorted.size(), kNone, {kNone, kNone}, kNone, 1};
  if (sorted.empty()) return check;
  check.median = Quantile(sorted, 0.5);
  check.central90 = {Quantile(sorted, 0.05), Quantile(sorted, 0.95)};
  if (std::isnan(observed)) return check;
  const auto n = static_cast<double>(sorted.size());
  const auto [from, to] = std::equal_range(sorted.begin(), sorted.end(), observed);
  const auto below = static_cast<double>(from - sorted.begin());
  const auto above = static_cast<double>(sorted.end() - to);
  const double equal = n - below - above;
  check.below = (below + 0.5 * equal) / n;
  check.p_value = std::min(1.0, 2 * (std::min(below, above) + equal + 1) / (n + 1));
  return check;
}

}  // namespace inferon::statistics
