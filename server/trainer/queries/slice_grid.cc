#include "server/trainer/queries/slice_grid.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "common/base/check.h"

namespace inferon::trainer {
namespace {

constexpr std::size_t kLineNodes = 385;  // Of one axis alone.
constexpr std::size_t kPlaneNodes = 97;  // Of each of two.
constexpr double kWholeShare = 0.25;     // Of them over the whole range.
constexpr double kLeastWeight = 1e-5;    // Of the largest: what counts as mass.
constexpr double kMargin = 0.25;         // Around it, of its width.
constexpr double kFar = 8;               // Deviations to either side of an unbounded column.

void AddEven(double low, double high, std::size_t nodes, GridAxis& axis) {
  for (std::size_t i = 0; i < nodes; ++i) {
    axis.push_back(low + (high - low) * static_cast<double>(i) / static_cast<double>(nodes - 1));
  }
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
  const double largest = *std::ranges::max_element(log_weights);
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (std::size_t i = 0; i < log_weights.size(); ++i) {
    if (!(log_weights[i] > largest + std::log(kLeastWeight))) continue;
    low = std::min(low, places[i * f + k]);
    high = std::max(high, places[i * f + k]);
  }
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
