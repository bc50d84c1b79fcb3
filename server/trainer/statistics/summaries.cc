#include "server/trainer/statistics/summaries.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "common/base/check.h"

namespace inferon::statistics {
namespace {

constexpr double kZ95 = 1.959963984540054;

}  // namespace

Interval MeanWithError::Interval95() const { return {mean - kZ95 * error, mean + kZ95 * error}; }

double StandardDeviation(std::span<const double> values) {
  if (values.size() < 2) return 0;
  double mean = 0;
  for (const double v : values) mean += v;
  mean /= static_cast<double>(values.size());
  double squares = 0;
  for (const double v : values) squares += (v - mean) * (v - mean);
  return std::sqrt(squares / static_cast<double>(values.size() - 1));
}

MeanWithError Mean(std::span<const double> values) {
  if (values.empty()) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    return {nan, nan};
  }
  double sum = 0;
  for (const double v : values) sum += v;
  const auto n = static_cast<double>(values.size());
  return {sum / n, StandardDeviation(values) / std::sqrt(n)};
}

MeanWithError PairedDifference(std::span<const double> first, std::span<const double> second) {
  INFERON_CHECK(first.size() == second.size());
  std::vector<double> differences(first.size());
  for (std::size_t i = 0; i < first.size(); ++i) differences[i] = first[i] - second[i];
  return Mean(differences);
}

double Quantile(std::span<const double> sorted, double p) {
  INFERON_CHECK(!sorted.empty());
  const double place = p * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

std::vector<double> Sorted(std::span<const double> values) {
  std::vector<double> sorted;
  sorted.reserve(values.size());
  for (const double v : values) {
    if (!std::isnan(v)) sorted.push_back(v);
  }
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

Interval MedianInterval(std::span<const double> sorted) {
  INFERON_CHECK(!sorted.empty());
  const auto n = static_cast<double>(sorted.size());
  const double half_width = 0.5 * kZ95 * std::sqrt(n);
  const auto at = [&](double rank) {
    return sorted[static_cast<std::size_t>(std::clamp(rank, 0.0, n - 1))];
  };
  return {at(std::floor(0.5 * n - half_width)), at(std::ceil(0.5 * n + half_width) - 1)};
}

}  // namespace inferon::statistics
