#include "server/trainer/estimators/neighbours.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>

namespace inferon::estimators {
namespace {

constexpr std::size_t kMostAnchors = 2000;
constexpr std::size_t kNeighbour = 5;
constexpr double kCut = 8;
constexpr double kNormalRange = 1.349;  // Interquartile range of a standard normal variable.

double At(std::vector<float>& values, double share) {
  const auto index = static_cast<std::size_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(index),
                   values.end());
  return values[index];
}

}  // namespace

NeighbourDistance NeighbourDistance::Fit(MatrixView rows) {
  NeighbourDistance model;
  std::vector<float> column(rows.rows);
  for (std::size_t j = 0; j < rows.columns; ++j) {
    for (std::size_t i = 0; i < rows.rows; ++i) column[i] = rows.Row(i)[j];
    model.centre_.push_back(At(column, 0.5));
    const double range = (At(column, 0.75) - At(column, 0.25)) / kNormalRange;
    model.scale_.push_back(range > 0 ? range : 1);
  }
  const std::size_t count = std::min(kMostAnchors, rows.rows);
  model.anchors_.resize(count * rows.columns);
  for (std::size_t i = 0; i < count; ++i) {
    model.Scale(rows.Row(i * rows.rows / count), model.anchors_.data() + i * rows.columns);
  }
  return model;
}

Result<NeighbourDistance> NeighbourDistance::Load(const TensorFile& file, std::size_t columns) {
  const auto k = static_cast<std::int64_t>(columns);
  auto centre = file.Doubles("neighbours.centre", k);
  if (!centre) return tl::unexpected(centre.error());
  auto scale = file.Doubles("neighbours.scale", k);
  if (!scale) return tl::unexpected(scale.error());
  const auto count = file.Words("neighbours.count", 1);
  if (!count) return tl::unexpected(count.error());
  auto anchors = file.Floats("neighbours.anchors", {(*count)[0], k});
  if (!anchors) return tl::unexpected(anchors.error());
  NeighbourDistance model;
  model.centre_ = std::move(*centre);
  model.scale_ = std::move(*scale);
  model.anchors_ = std::move(*anchors);
  return model;
}

void NeighbourDistance::Save(TensorFile* file) const {
  const auto k = static_cast<std::int64_t>(centre_.size());
  const auto count = static_cast<std::uint32_t>(anchors_.size() / centre_.size());
  file->Put("neighbours.centre", std::span<const double>(centre_));
  file->Put("neighbours.scale", std::span<const double>(scale_));
  file->Put("neighbours.count", std::span<const std::uint32_t>(&count, 1));
  file->Put("neighbours.anchors", {count, k}, std::span<const float>(anchors_));
}

void NeighbourDistance::Scale(std::span<const float> row, float* out) const {
  for (std::size_t j = 0; j < row.size(); ++j) {
    out[j] = static_cast<float>(std::clamp((row[j] - centre_[j]) / scale_[j], -kCut, kCut));
  }
}

double NeighbourDistance::Distance(std::span<const float> row) const {
  const std::size_t k = centre_.size();
  std::vector<float> scaled(k);
  Scale(row, scaled.data());
  std::array<float, kNeighbour> nearest;  // Squares, ascending.
  nearest.fill(std::numeric_limits<float>::infinity());
  for (std::size_t at = 0; at < anchors_.size(); at += k) {
    float squares = 0;
    for (std::size_t j = 0; j < k; ++j) {
      const float difference = scaled[j] - anchors_[at + j];
      squares += difference * difference;
    }
    if (squares >= nearest.back()) continue;
    nearest.back() = squares;
    std::sort(nearest.begin(), nearest.end());
  }
  const std::size_t last = std::min(kNeighbour, anchors_.size() / k) - 1;
  return std::sqrt(static_cast<double>(nearest[last]));
}

}  // namespace inferon::estimators
