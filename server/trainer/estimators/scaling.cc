#include "server/trainer/estimators/scaling.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace inferon::estimators {
namespace {

// Symmetric quantiles, from robust to wide, and the distance of the standard normal's: the first
// pair that differs gives the spread of a column, however many of its values are equal.
struct Range {
  double low, distance;
};
constexpr std::array<Range, 4> kRanges = {{{0.25, 1.349}, {0.1, 2.563}, {0.02, 4.107}, {0, 6.5}}};
constexpr float kLargest = 1e6f;  // Bound of a standardised value.

// Element at the quantile of a vector that it reorders.
float Quantile(std::vector<float>* values, double q) {
  const auto at = static_cast<std::ptrdiff_t>(q * static_cast<double>(values->size() - 1) + 0.5);
  std::nth_element(values->begin(), values->begin() + at, values->end());
  return (*values)[static_cast<std::size_t>(at)];
}

// Median and spread of one column; a column without spread keeps its units.
std::array<float, 2> CentreAndSpread(std::vector<float> values) {
  if (values.empty()) return {0, 1};
  const float median = Quantile(&values, 0.5);
  const double floor = 1e-6 * std::max(1.0, std::abs(static_cast<double>(median)));
  for (const auto& [low, distance] : kRanges) {
    const double range = static_cast<double>(Quantile(&values, 1 - low)) - Quantile(&values, low);
    if (range / distance > floor) return {median, static_cast<float>(range / distance)};
  }
  return {median, 1};
}

}  // namespace

FeatureScaling FeatureScaling::Fit(MatrixView rows) {
  FeatureScaling scaling;
  for (std::size_t column = 0; column < rows.columns; ++column) {
    std::vector<float> values;
    for (std::size_t i = 0; i < rows.rows; ++i) {
      const float v = rows.Row(i)[column];
      if (std::isfinite(v)) values.push_back(v);
    }
    const auto [median, spread] = CentreAndSpread(std::move(values));
    scaling.median_.push_back(median);
    scaling.spread_.push_back(spread);
  }
  return scaling;
}

Result<FeatureScaling> FeatureScaling::Load(const TensorFile& file, std::size_t columns) {
  const auto n = static_cast<std::int64_t>(columns);
  FeatureScaling scaling;
  auto median = file.Floats("scaling.median", {n});
  if (!median) return tl::unexpected(median.error());
  auto spread = file.Floats("scaling.spread", {n});
  if (!spread) return tl::unexpected(spread.error());
  scaling.median_ = std::move(*median);
  scaling.spread_ = std::move(*spread);
  return scaling;
}

void FeatureScaling::Save(TensorFile* file) const {
  const auto n = static_cast<std::int64_t>(columns());
  file->Put("scaling.median", {n}, std::span<const float>(median_));
  file->Put("scaling.spread", {n}, std::span<const float>(spread_));
}

void FeatureScaling::Apply(const float* in, float* out) const {
  ApplyLinear(in, out);
  for (std::size_t i = 0; i < columns(); ++i) out[i] = std::asinh(out[i]);
}

void FeatureScaling::ApplyBoth(const float* in, float* out) const {
  ApplyLinear(in, out);
  for (std::size_t i = 0; i < columns(); ++i) {
    out[2 * columns() + i] = std::clamp(out[i], -kCut, kCut);
    out[i] = std::asinh(out[i]);
  }
}

void FeatureScaling::ApplyLinear(const float* in, float* out) const {
  for (std::size_t i = 0; i < columns(); ++i) {
    const bool missing = !std::isfinite(in[i]);
    out[i] = missing ? 0 : std::clamp((in[i] - median_[i]) / spread_[i], -kLargest, kLargest);
    out[columns() + i] = missing ? 1 : 0;
  }
}

TraceScaling TraceScaling::Fit(MatrixView rows) {
  double sum = 0, squares = 0, count = 0;
  for (std::size_t i = 0; i < rows.rows; ++i) {
    for (const float v : rows.Row(i)) sum += v;
  }
  count = std::max(1.0, static_cast<double>(rows.rows * rows.columns));
  const double mean = sum / count;
  for (std::size_t i = 0; i < rows.rows; ++i) {
    for (const float v : rows.Row(i)) squares += (v - mean) * (v - mean);
  }
  const double deviation = std::sqrt(squares / count);
  TraceScaling scaling;
  scaling.mean_ = static_cast<float>(mean);
  scaling.inverse_ = deviation > 0 ? static_cast<float>(1 / deviation) : 1.0f;
  return scaling;
}

Result<TraceScaling> TraceScaling::Load(const TensorFile& file) {
  auto values = file.Floats("scaling.trace", {2});
  if (!values) return tl::unexpected(values.error());
  TraceScaling scaling;
  scaling.mean_ = (*values)[0];
  scaling.inverse_ = (*values)[1];
  return scaling;
}

void TraceScaling::Save(TensorFile* file) const {
  const std::array<float, 2> values{mean_, inverse_};
  file->Put("scaling.trace", {2}, std::span<const float>(values));
}

void TraceScaling::Apply(const float* in, std::size_t points, float* out) const {
  for (std::size_t i = 0; i < points; ++i) {
    out[i] = std::isfinite(in[i]) ? (in[i] - mean_) * inverse_ : 0;
  }
}

}  // namespace inferon::estimators
