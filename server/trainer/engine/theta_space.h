// All parameters of a prior and the estimators' space, row by row.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "common/priors/parameter_map.h"
#include "common/priors/prior.h"
#include "server/trainer/estimators/estimators.h"

namespace inferon::trainer {

// Immutable; const calls are thread-safe.
class ThetaSpace {
 public:
  // theta: [rows, dimension] in the parameters' own units and inside the prior's support; only
  // looked at for priors that are known by their draws.
  static ThetaSpace Fit(const Prior& prior, std::span<const double> theta);
  // From what MapsText gave; kDataLoss.
  static Result<ThetaSpace> Load(const Prior& prior, const std::string& maps);

  const Prior& prior() const { return prior_; }
  std::size_t dimension() const { return maps_.size(); }
  const ParameterMap& map(std::size_t column) const { return maps_[column]; }
  std::string MapsText() const { return MapsJson(maps_); }
  std::vector<estimators::Axis> Axes() const;
  std::vector<float> Cells() const;  // Empty where no parameter is an integer.

  // [rows, dimension] each way. Integers: the lower edge of their cell.
  std::vector<float> ToSpace(std::span<const double> theta) const;
  // As ToSpace with integers at the centre of their cell, where a density is evaluated.
  std::vector<float> Centres(std::span<const double> theta) const;
  std::vector<double> FromSpace(std::span<const float> u) const;
  bool InSupport(std::span<const double> row) const;
  // Added to a log density over the space it gives the one over the parameters' own units.
  double LogDerivative(std::span<const double> row) const;

 private:
  ThetaSpace(Prior prior, std::vector<ParameterMap> maps)
      : prior_(std::move(prior)), maps_(std::move(maps)) {}

  Prior prior_;
  std::vector<ParameterMap> maps_;
};

}  // namespace inferon::trainer
