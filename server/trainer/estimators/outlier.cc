#include "server/trainer/estimators/outlier.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace inferon::estimators {
namespace {

constexpr double kShrinkage = 0.05;  // Weight of the diagonal.
constexpr double kRidge = 1e-4;      // Of the mean variance; for columns that never vary.
constexpr std::size_t kQuantiles = 1001;
constexpr double kUnitShare = 0.99;  // Quantile that makes the two distances comparable.

// Lower Cholesky factor of a symmetric positive definite matrix, in place.
void Factorise(std::vector<double>* matrix, std::size_t k) {
  auto& a = *matrix;
  for (std::size_t j = 0; j < k; ++j) {
    for (std::size_t i = j; i < k; ++i) {
      double sum = a[i * k + j];
      for (std::size_t l = 0; l < j; ++l) sum -= a[i * k + l] * a[j * k + l];
      if (i == j) {
        a[i * k + j] = std::sqrt(std::max(sum, 1e-12));
      } else {
        a[i * k + j] = sum / a[j * k + j];
        a[j * k + i] = 0;
      }
    }
  }
}

std::vector<double> ShrunkCovariance(MatrixView rows, const std::vector<double>& mean) {
  const std::size_t k = rows.columns;
  std::vector<double> covariance(k * k, 0);
  std::vector<double> centred(k);
  for (std::size_t r = 0; r < rows.rows; ++r) {
    for (std::size_t i = 0; i < k; ++i) centred[i] = rows.Row(r)[i] - mean[i];
    for (std::size_t i = 0; i < k; ++i) {
      for (std::size_t j = 0; j <= i; ++j) covariance[i * k + j] += centred[i] * centred[j];
    }
  }
  double trace = 0;
  for (std::size_t i = 0; i < k; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      covariance[i * k + j] *= (i == j ? 1.0 : 1.0 - kShrinkage) / static_cast<double>(rows.rows);
      covariance[j * k + i] = covariance[i * k + j];
    }
    trace += covariance[i * k + i];
  }
  const double ridge = kRidge * trace / static_cast<double>(k) + 1e-9;
  for (std::size_t i = 0; i < k; ++i) covariance[i * k + i] += ridge;
  return covariance;
}

double UnitOf(std::vector<double> distances) {
  const auto at =
      static_cast<std::ptrdiff_t>(kUnitShare * static_cast<double>(distances.size() - 1));
  std::nth_element(distances.begin(), distances.begin() + at, distances.end());
  return std::max(distances[static_cast<std::size_t>(at)], 1e-9);
}

}  // namespace

OutlierModel OutlierModel::Fit(MatrixView rows) {
  OutlierModel model;
  model.mean_.assign(rows.columns, 0);
  for (std::size_t r = 0; r < rows.rows; ++r) {
    for (std::size_t i = 0; i < rows.columns; ++i) model.mean_[i] += rows.Row(r)[i];
  }
  for (double& m : model.mean_) m /= static_cast<double>(rows.rows);
  model.factor_ = ShrunkCovariance(rows, model.mean_);
  Factorise(&model.factor_, rows.columns);
  model.neighbours_ = NeighbourDistance::Fit(rows);
  std::vector<double> near(rows.rows);
  std::vector<double> central(rows.rows);
  for (std::size_t r = 0; r < rows.rows; ++r) {
    central[r] = model.Mahalanobis(rows.Row(r));
    near[r] = model.neighbours_.Distance(rows.Row(r));
  }
  model.units_ = {UnitOf(central), UnitOf(near)};
  std::vector<double> distances(rows.rows);
  for (std::size_t r = 0; r < rows.rows; ++r) {
    distances[r] = std::max(central[r] / model.units_[0], near[r] / model.units_[1]);
  }
  std::sort(distances.begin(), distances.end());
  for (std::size_t q = 0; q < kQuantiles; ++q) {
    model.quantiles_.push_back(distances[q * (rows.rows - 1) / (kQuantiles - 1)]);
  }
  return model;
}

Result<OutlierModel> OutlierModel::Load(const TensorFile& file, std::size_t columns) {
  const auto k = static_cast<std::int64_t>(columns);
  auto mean = file.Doubles("outlier.mean", k);
  if (!mean) return tl::unexpected(mean.error());
  auto factor = file.Doubles("outlier.factor", k * k);
  if (!factor) return tl::unexpected(factor.error());
  auto quantiles = file.Doubles("outlier.quantiles", kQuantiles);
  if (!quantiles) return tl::unexpected(quantiles.error());
  auto units = file.Doubles("outlier.units", 2);
  if (!units) return tl::unexpected(units.error());
  auto neighbours = NeighbourDistance::Load(file, columns);
  if (!neighbours) return tl::unexpected(neighbours.error());
  OutlierModel model;
  model.units_ = std::move(*units);
  model.neighbours_ = std::move(*neighbours);
  model.mean_ = std::move(*mean);
  model.factor_ = std::move(*factor);
  model.quantiles_ = std::move(*quantiles);
  return model;
}

void OutlierModel::Save(TensorFile* file) const {
  file->Put("outlier.mean", std::span<const double>(mean_));
  file->Put("outlier.factor", std::span<const double>(factor_));
  file->Put("outlier.units", std::span<const double>(units_));
  neighbours_.Save(file);
  file->Put("outlier.quantiles", std::span<const double>(quantiles_));
}

double OutlierModel::Distance(std::span<const float> row) const {
  const double central = Mahalanobis(row);
  if (!std::isfinite(central)) return central;
  return std::max(central / units_[0], neighbours_.Distance(row) / units_[1]);
}

double OutlierModel::Mahalanobis(std::span<const float> row) const {
  const std::size_t k = mean_.size();
  std::vector<double> solved(k);  // factor^-1 (row - mean), by forward substitution.
  double squares = 0;
  for (std::size_t i = 0; i < k; ++i) {
    double sum = row[i] - mean_[i];
    for (std::size_t j = 0; j < i; ++j) sum -= factor_[i * k + j] * solved[j];
    solved[i] = sum / factor_[i * k + i];
    squares += solved[i] * solved[i];
  }
  return std::sqrt(squares);
}

double OutlierModel::Score(std::span<const float> row) const {
  const double distance = Distance(row);
  if (!std::isfinite(distance) || distance > quantiles_.back()) return 1;
  const auto above = std::upper_bound(quantiles_.begin(), quantiles_.end(), distance);
  if (above == quantiles_.begin()) return 0;
  if (above == quantiles_.end()) return 1;
  const double low = *(above - 1);
  const double share = (distance - low) / (*above - low);
  return (static_cast<double>(above - quantiles_.begin() - 1) + share) /
         static_cast<double>(quantiles_.size() - 1);
}

}  // namespace inferon::estimators
