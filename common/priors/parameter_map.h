// Bijections between parameters in their own units and the estimators' space.
//
// uniform, integer    -> unit interval, linear; an integer is a cell of width 1 / number of values
// loguniform          -> unit interval, linear in the logarithm
// normal, real        -> line, standardised
// lognormal, positive -> line, logarithm standardised
// real and positive are standardised by the median and quartiles of the draws in the data.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/priors/prior.h"

namespace inferon {

// The map of one parameter: u = (g(theta) - location) / scale with g the identity or the natural
// logarithm. Immutable.
class ParameterMap {
 public:
  // For a prior whose density is known.
  static ParameterMap Of(const ParameterPrior& prior);
  // For any prior; draws are values of the parameter inside the support, at least one.
  static ParameterMap Fit(const ParameterPrior& prior, std::span<const double> draws);

  bool bounded() const { return bounded_; }  // On the unit interval.
  double cell() const { return cell_; }      // Width of an integer's cell, else 0.
  double location() const { return location_; }
  double scale() const { return scale_; }

  // Lower edge of the cell for an integer.
  double ToSpace(double theta) const;
  // Inside the support for every u of the space; a whole number for an integer.
  double FromSpace(double u) const;
  // log |du / dtheta|: add it to a log density over u to get one over theta.
  double LogDerivative(double theta) const;
  // Derivative of LogDerivative by u, the same everywhere.
  double LogDerivativeSlope() const { return logarithm_ ? -scale_ : 0; }

 private:
  friend Result<std::vector<ParameterMap>> MapsFromJson(const Prior& prior, std::string_view json);
  ParameterMap(const ParameterPrior& prior, double location, double scale);

  bool logarithm_;
  bool bounded_;
  double cell_;
  double location_;
  double scale_;
  double low_;  // Support, where it is bounded.
  double high_;
};

// Locations and scales as JSON, for model.json, and back; kDataLoss for a damaged text.
std::string MapsJson(std::span<const ParameterMap> maps);
Result<std::vector<ParameterMap>> MapsFromJson(const Prior& prior, std::string_view json);

}  // namespace inferon
