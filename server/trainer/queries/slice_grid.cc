#include "server/trainer/queries/slice_grid.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "common/base/check.h"

namespace inferon::trainer {
namespace {

constexpr std::size_t kLineNodes = 385;  // Of one axis alone.
constexpr std::size_t kPlaneNodes = 97;  // Of each of two.
constexpr double kWholeShare = 0.25;     // Of them over the whole range.
constexpr double kTail = 0.01;           // Of the weight, at either end of where the others are.
constexpr double kMargin = 1;            // Around the rest, of its width.
constexpr double kFar = 8;               // Deviations to either side of an unbounded column.

void AddEven(double low, double high, std::size_t nodes, GridAxis& axis) {
  for (std::size_t i = 0; i < nodes; ++i) {
    axis.push_back(low + (high - low) * static_cast<double>(i) / static_cast<double>(nodes - 1));
  }
}

// From the kTail to the (1 - kTail) quantile of the weight in column k of places [n, f].
std::pair<double, double> WeightedRange(std::span<const double> places, std::size_t f,
                                        std::size_t k, std::span<const double> log_weights) {
  const double largest = *std::ranges::max_element(log_weights);
  std::vector<std::pair<double, double>> weighted;  // Place, weight.
  double total = 0;
  for (std::size_t i = 0; i < log_weights.size(); ++i) {
    weighted.emplace_back(places[i * f + k], std::exp(log_weights[i] - largest));
    total += weighted.back().second;
  }
  std::ranges::sort(weighted);
  double below = 0, low = weighted.front().first, high = weighted.back().first;
  for (const auto& [place, weight] : weighted) {
    if (below <= kTail * total) low = place;
    if (below <= (1 - kTail) * total) high = place;
    below += weight;
  }
  return {low, high};
}

// Of the trapezoid rule over every `step`-th node; 0 elsewhere.
std::vector<double> NodeWeights(const GridAxis& axis, std::size_t step) {
  std::vector<double> weights(axis.size(), 0);
  for (std::size_t i = 0; i + step < axis.size(); i += step) {
    const double half = (axis[i + step] - axis[i]) / 2;
    weights[i] += half;
    weights[i + step] += half;
  }
  return weights;
}

double LogSum(const std::vector<GridAxis>& axes, std::span<const double> values, std::size_t step) {
  const std::vector<double> first = NodeWeights(axes[0], step);
  const std::vector<double> second =
      axes.size() > 1 ? NodeWeights(axes[1], step) : std::vector<double>{1};
  const double largest = *std::ranges::max_element(values);
  if (!std::isfinite(largest)) return -std::numeric_limits<double>::infinity();
  double sum = 0;
  for (std::size_t i = 0; i < first.size(); ++i) {
    for (std::size_t j = 0; j < second.size(); ++j) {
      sum += first[i] * second[j] * std::exp(values[i * second.size() + j] - largest);
    }
  }
  return largest + std::log(sum);
}

}  // namespace

GridAxis AxisOf(const Frame& frame, const std::vector<std::size_t>& free, std::size_t k,
                std::span<const double> places, std::span<const double> log_weights) {
  const std::size_t f = free.size(), column = free[k];
  auto [low, high] = WeightedRange(places, f, k, log_weights);
  const double margin = kMargin * (high - low) + 1e-6;
  low -= margin;
  high += margin;
  double lowest = std::min(low, frame.PriorCentre(column) - kFar * frame.PriorWidth(column));
  double highest = std::max(high, frame.PriorCentre(column) + kFar * frame.PriorWidth(column));
  if (frame.IsBounded(column)) {
    lowest = frame.Lowest(column);
    highest = frame.Highest(column);
    low = std::clamp(low, lowest, highest);
    high = std::clamp(high, lowest, highest);
  }
  const std::size_t nodes = f == 1 ? kLineNodes : kPlaneNodes;
  const auto whole = static_cast<std::size_t>(kWholeShare * static_cast<double>(nodes));
  GridAxis axis;
  AddEven(lowest, highest, whole, axis);
  AddEven(low, high, nodes - whole, axis);
  std::ranges::sort(axis);
  return axis;
}

GridMass Integrate(const std::vector<GridAxis>& axes,
                   const std::function<std::vector<double>(std::span<const double>)>& log_target) {
  INFERON_CHECK(!axes.empty() && axes.size() <= kMostGridColumns);
  std::vector<double> places;
  for (const double first : axes[0]) {
    if (axes.size() == 1) {
      places.push_back(first);
      continue;
    }
    for (const double second : axes[1]) places.insert(places.end(), {first, second});
  }
  const std::vector<double> values = log_target(places);
  const double fine = LogSum(axes, values, 1), coarse = LogSum(axes, values, 2);
  return {fine, std::abs(fine - coarse), values.size()};
}

}  // namespace inferon::trainer
