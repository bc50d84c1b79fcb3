#include "server/trainer/engine/theta_space.h"

#include <algorithm>

namespace inferon::trainer {

ThetaSpace ThetaSpace::Fit(const Prior& prior, std::span<const double> theta) {
  const std::size_t d = prior.dimension();
  std::vector<ParameterMap> maps;
  std::vector<double> column(theta.size() / d);
  for (std::size_t j = 0; j < d; ++j) {
    for (std::size_t i = 0; i < column.size(); ++i) column[i] = theta[i * d + j];
    maps.push_back(ParameterMap::Fit(prior.parameters[j], column));
  }
  return {prior, std::move(maps)};
}

Result<ThetaSpace> ThetaSpace::Load(const Prior& prior, const std::string& maps) {
  auto parsed = MapsFromJson(prior, maps);
  if (!parsed) return tl::unexpected(parsed.error());
  return ThetaSpace(prior, std::move(*parsed));
}

std::vector<estimators::Axis> ThetaSpace::Axes() const {
  std::vector<estimators::Axis> axes;
  for (const ParameterMap& map : maps_) {
    axes.push_back(map.bounded() ? estimators::Axis::kUnit : estimators::Axis::kLine);
  }
  return axes;
}

std::vector<float> ThetaSpace::Cells() const {
  std::vector<float> cells;
  for (const ParameterMap& map : maps_) cells.push_back(static_cast<float>(map.cell()));
  if (std::all_of(cells.begin(), cells.end(), [](float cell) { return cell == 0; })) return {};
  return cells;
}

std::vector<float> ThetaSpace::ToSpace(std::span<const double> theta) const {
  std::vector<float> u(theta.size());
  for (std::size_t i = 0; i < theta.size(); ++i) {
    u[i] = static_cast<float>(maps_[i % dimension()].ToSpace(theta[i]));
  }
  return u;
}

std::vector<float> ThetaSpace::Centres(std::span<const double> theta) const {
  std::vector<float> u(theta.size());
  for (std::size_t i = 0; i < theta.size(); ++i) {
    const ParameterMap& map = maps_[i % dimension()];
    u[i] = static_cast<float>(map.ToSpace(theta[i]) + map.cell() / 2);
  }
  return u;
}

std::vector<double> ThetaSpace::FromSpace(std::span<const float> u) const {
  std::vector<double> theta(u.size());
  for (std::size_t i = 0; i < u.size(); ++i) theta[i] = maps_[i % dimension()].FromSpace(u[i]);
  return theta;
}

bool ThetaSpace::InSupport(std::span<const double> row) const {
  for (std::size_t j = 0; j < row.size(); ++j) {
    if (!inferon::InSupport(prior_.parameters[j], row[j])) return false;
  }
  return true;
}

double ThetaSpace::LogDerivative(std::span<const double> row) const {
  double sum = 0;
  for (std::size_t j = 0; j < row.size(); ++j) sum += maps_[j].LogDerivative(row[j]);
  return sum;
}

}  // namespace inferon::trainer
