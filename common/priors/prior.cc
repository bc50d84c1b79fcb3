#include "common/priors/prior.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace inferon {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

double LogNormal(double z, double sd) {
  return -0.5 * z * z - std::log(sd) - 0.5 * std::log(2 * std::numbers::pi);
}

double StandardNormal(PhiloxSequence& random) {
  const double radius = std::sqrt(-2 * std::log(1 - random.Uniform()));
  return radius * std::cos(2 * std::numbers::pi * random.Uniform());
}

}  // namespace

std::vector<std::string> Prior::Names() const {
  std::vector<std::string> names;
  for (const ParameterPrior& parameter : parameters) names.push_back(parameter.name);
  return names;
}

std::string_view PriorKindName(PriorKind kind) {
  switch (kind) {
    case PriorKind::kUniform:
      return "uniform";
    case PriorKind::kLogUniform:
      return "loguniform";
    case PriorKind::kNormal:
      return "normal";
    case PriorKind::kLogNormal:
      return "lognormal";
    case PriorKind::kInteger:
      return "integer";
    case PriorKind::kReal:
      return "real";
    case PriorKind::kPositive:
      return "positive";
  }
  return "";
}

bool IsKnown(PriorKind kind) { return kind != PriorKind::kReal && kind != PriorKind::kPositive; }

bool InSupport(const ParameterPrior& parameter, double value) {
  if (!std::isfinite(value)) return false;
  switch (parameter.kind) {
    case PriorKind::kUniform:
    case PriorKind::kLogUniform:
      return value >= parameter.first && value <= parameter.second;
    case PriorKind::kInteger:
      return value >= parameter.first && value <= parameter.second && value == std::floor(value);
    case PriorKind::kLogNormal:
    case PriorKind::kPositive:
      return value > 0;
    case PriorKind::kNormal:
    case PriorKind::kReal:
      return true;
  }
  return false;
}

std::string DescribeSupport(const ParameterPrior& parameter) {
  switch (parameter.kind) {
    case PriorKind::kUniform:
    case PriorKind::kLogUniform:
      return fmt::format("[{}, {}]", parameter.first, parameter.second);
    case PriorKind::kInteger:
      return fmt::format("{}, {}, ..., {}", parameter.first, parameter.first + 1, parameter.second);
    case PriorKind::kLogNormal:
    case PriorKind::kPositive:
      return "numbers above 0";
    case PriorKind::kNormal:
    case PriorKind::kReal:
      return "all numbers";
  }
  return "";
}

double LogDensity(const ParameterPrior& parameter, double value) {
  if (!InSupport(parameter, value)) return -kInfinity;
  const double a = parameter.first, b = parameter.second;
  switch (parameter.kind) {
    case PriorKind::kUniform:
      return -std::log(b - a);
    case PriorKind::kLogUniform:
      return -std::log(value) - std::log(std::log(b / a));
    case PriorKind::kNormal:
      return LogNormal((value - a) / b, b);
    case PriorKind::kLogNormal:
      return LogNormal((std::log(value) - a) / b, b) - std::log(value);
    case PriorKind::kInteger:
      return -std::log(b - a + 1);
    case PriorKind::kReal:
    case PriorKind::kPositive:
      return 0;
  }
  return -kInfinity;
}

double LogDensity(const Prior& prior, std::span<const double> theta) {
  double sum = 0;
  for (std::size_t j = 0; j < theta.size(); ++j) sum += LogDensity(prior.parameters[j], theta[j]);
  return sum;
}

Result<double> DrawFrom(const ParameterPrior& parameter, PhiloxSequence& random) {
  const double a = parameter.first, b = parameter.second;
  switch (parameter.kind) {
    case PriorKind::kUniform:
      return a + (b - a) * random.Uniform();
    case PriorKind::kLogUniform:
      return std::clamp(a * std::exp(std::log(b / a) * random.Uniform()), a, b);
    case PriorKind::kNormal:
      return a + b * StandardNormal(random);
    case PriorKind::kLogNormal:
      return std::exp(a + b * StandardNormal(random));
    case PriorKind::kInteger:
      return a + std::floor((b - a + 1) * random.Uniform());
    case PriorKind::kReal:
    case PriorKind::kPositive:
      break;
  }
  return Fail(ErrorCode::kFailedPrecondition,
              fmt::format("the prior of {} is known by its draws only", parameter.name),
              "Give it a prior with a density to draw from it");
}

}  // namespace inferon
