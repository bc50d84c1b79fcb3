#include "common/priors/parameter_map.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "common/base/check.h"

namespace inferon {
namespace {

constexpr double kQuartileRange = 1.3489795003921634;  // Of the standard normal.

bool UsesLogarithm(PriorKind kind) {
  return kind == PriorKind::kLogUniform || kind == PriorKind::kLogNormal ||
         kind == PriorKind::kPositive;
}

double QuantileOf(std::vector<double>& values, double q) {
  const auto at = static_cast<std::ptrdiff_t>(q * static_cast<double>(values.size() - 1) + 0.5);
  std::nth_element(values.begin(), values.begin() + at, values.end());
  return values[static_cast<std::size_t>(at)];
}

double Deviation(std::span<const double> values, double centre) {
  double squares = 0;
  for (const double v : values) squares += (v - centre) * (v - centre);
  return std::sqrt(squares / static_cast<double>(values.size()));
}

}  // namespace

ParameterMap::ParameterMap(const ParameterPrior& prior, double location, double scale)
    : logarithm_(UsesLogarithm(prior.kind)),
      bounded_(prior.kind == PriorKind::kUniform || prior.kind == PriorKind::kLogUniform ||
               prior.kind == PriorKind::kInteger),
      cell_(prior.kind == PriorKind::kInteger ? 1 / (prior.second - prior.first + 1) : 0),
      location_(location),
      scale_(scale),
      low_(prior.first),
      high_(prior.second) {}

ParameterMap ParameterMap::Of(const ParameterPrior& prior) {
  INFERON_CHECK(IsKnown(prior.kind));
  const double a = prior.first, b = prior.second;
  switch (prior.kind) {
    case PriorKind::kUniform:
      return {prior, a, b - a};
    case PriorKind::kLogUniform:
      return {prior, std::log(a), std::log(b / a)};
    case PriorKind::kInteger:
      return {prior, a, b - a + 1};
    default:
      return {prior, a, b};
  }
}

ParameterMap ParameterMap::Fit(const ParameterPrior& prior, std::span<const double> draws) {
  if (IsKnown(prior.kind)) return Of(prior);
  std::vector<double> values(draws.begin(), draws.end());
  if (UsesLogarithm(prior.kind)) {
    for (double& v : values) v = std::log(v);
  }
  const double median = QuantileOf(values, 0.5);
  double spread = (QuantileOf(values, 0.75) - QuantileOf(values, 0.25)) / kQuartileRange;
  // Draws with heavy tails or many equal values: the deviation is the better unit.
  const double deviation = Deviation(values, median);
  if (!(spread > 1e-3 * deviation)) spread = deviation;
  if (!(spread > 0)) spread = 1;
  return {prior, median, spread};
}

double ParameterMap::ToSpace(double theta) const {
  const double u = ((logarithm_ ? std::log(theta) : theta) - location_) / scale_;
  return bounded_ ? std::clamp(u, 0.0, 1.0 - cell_) : u;
}

double ParameterMap::FromSpace(double u) const {
  if (cell_ > 0) return std::clamp(location_ + std::floor(u * scale_), low_, high_);
  const double g = location_ + scale_ * u;
  if (!logarithm_) return bounded_ ? std::clamp(g, low_, high_) : g;
  if (bounded_) return std::clamp(std::exp(g), low_, high_);
  return std::clamp(std::exp(g), std::numeric_limits<double>::min(),
                    std::numeric_limits<double>::max());
}

double ParameterMap::LogDerivative(double theta) const {
  return -std::log(scale_) - (logarithm_ ? std::log(theta) : 0.0);
}

std::string MapsJson(std::span<const ParameterMap> maps) {
  nlohmann::json list = nlohmann::json::array();
  for (const ParameterMap& map : maps) {
    list.push_back({{"location", map.location()}, {"scale", map.scale()}});
  }
  return list.dump();
}

Result<std::vector<ParameterMap>> MapsFromJson(const Prior& prior, std::string_view text) {
  const auto refuse = [] {
    return Fail(ErrorCode::kDataLoss, "the model's parameter maps are damaged",
                "Restore the model's folder from a copy or train the model again");
  };
  const nlohmann::json list = nlohmann::json::parse(text, nullptr, false);
  if (!list.is_array() || list.size() != prior.dimension()) return refuse();
  std::vector<ParameterMap> maps;
  for (std::size_t j = 0; j < list.size(); ++j) {
    const auto number = [&](const char* key) {
      const auto value = list[j].is_object() ? list[j].value(key, nlohmann::json()) : nullptr;
      return value.is_number() ? value.get<double>() : std::numeric_limits<double>::quiet_NaN();
    };
    const double location = number("location"), scale = number("scale");
    if (!std::isfinite(location) || !(scale > 0) || !std::isfinite(scale)) return refuse();
    maps.push_back(ParameterMap(prior.parameters[j], location, scale));
  }
  return maps;
}

}  // namespace inferon
