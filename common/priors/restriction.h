// Posterior queries about some of the parameters: conditional and marginal ones.
#pragma once

#include <string>
#include <vector>

namespace inferon {

// A parameter that a query holds fixed, in its own units; a DAC code or an integer is whole.
struct Condition {
  std::string parameter;
  double value = 0;
};

// The query is about p(parameters | conditions, x); all other parameters are integrated out.
struct Restriction {
  std::vector<Condition> conditions = {};
  std::vector<std::string> parameters = {};  // Empty: all that are not fixed.
  bool empty() const { return conditions.empty() && parameters.empty(); }
};

// How an answer to a restricted query came about.
struct RestrictionReport {
  std::vector<std::string> parameters = {};  // Columns of draws and parameter sets.
  std::string method = {};                   // For people: the method and what of it is exact.
  // Log density of the conditions given x, nats in the unit of the answer's densities, with its
  // standard error (on a grid: the difference from a grid of half as many nodes).
  double log_condition_density = 0;
  double standard_error = 0;
  double effective_share = 1;  // Effective sample size of the candidates over their number.
  double acceptance = 1;       // Share of the candidates that became draws.
  double distortion = 0;       // Total variation between the draws and the posterior, estimated.
};

}  // namespace inferon
