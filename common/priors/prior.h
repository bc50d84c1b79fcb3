// Priors of a simulator's parameters, one per parameter and independent of each other, and their
// description in a JSON file:
//
//   {"parameters": [{"name": "g", "unit": "nS", "prior": "uniform", "low": 0, "high": 10}, ...]}
//
// prior        | keys        | parameter
// uniform      | low, high   | uniform on [low, high]
// loguniform   | low, high   | its logarithm is uniform; 0 < low < high
// normal       | mean, sd    | normal; sd is the standard deviation, > 0
// lognormal    | mu, sigma   | its natural logarithm is normal with this mean and deviation
// integer      | low, high   | whole numbers low..high, equally likely
// real         | (none)      | any number; the prior is known by its draws only
// positive     | (none)      | any positive number; the prior is known by its draws only
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/philox.h"
#include "common/base/result.h"

namespace inferon {

enum class PriorKind { kUniform, kLogUniform, kNormal, kLogNormal, kInteger, kReal, kPositive };

struct ParameterPrior {
  std::string name;  // [A-Za-z_][A-Za-z0-9_.-]{0,63}
  std::string unit;  // At most 32 bytes; may be empty.
  PriorKind kind = PriorKind::kReal;
  double first = 0;   // low, mean or mu.
  double second = 0;  // high, sd or sigma.
  friend bool operator==(const ParameterPrior&, const ParameterPrior&) = default;
};

// A prior over all parameters, in the order of the columns of theta.
struct Prior {
  std::vector<ParameterPrior> parameters;  // 1..kMaxParameters, names differ.

  std::size_t dimension() const { return parameters.size(); }
  std::vector<std::string> Names() const;
  friend bool operator==(const Prior&, const Prior&) = default;
};
inline constexpr std::size_t kMaxParameters = 64;
inline constexpr std::size_t kMaxPriorBytes = 64 * 1024;
inline constexpr double kMaxIntegers = 1 << 20;  // Values of an integer parameter.

std::string_view PriorKindName(PriorKind kind);

// Strict: unknown, missing and repeated keys are kInvalidArgument, as are numbers that are no
// prior; a message names the parameter.
Result<Prior> ParsePrior(std::string_view text);
// Text that ParsePrior reads as the same prior.
std::string PriorJson(const Prior& prior);

// Whether the density is known: false for real and positive.
bool IsKnown(PriorKind kind);
bool InSupport(const ParameterPrior& parameter, double value);
// Whole support, for people: "[0, 10]", "0, 1, ..., 9", "all numbers", "numbers above 0".
std::string DescribeSupport(const ParameterPrior& parameter);
// Log density (log probability for integers) in the parameter's own units; -inf outside of the
// support; 0 inside where the density is not known.
double LogDensity(const ParameterPrior& parameter, double value);
// Sum over the parameters of one theta.
double LogDensity(const Prior& prior, std::span<const double> theta);
// A draw; kFailedPrecondition for a prior that is known by its draws only.
Result<double> DrawFrom(const ParameterPrior& parameter, PhiloxSequence& random);

}  // namespace inferon
