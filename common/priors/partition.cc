#include "common/priors/partition.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

namespace inferon {
namespace {

Result<std::size_t> ColumnOf(const Prior& prior, const std::string& name) {
  const std::vector<std::string> names = prior.Names();
  const auto at = std::ranges::find(names, name);
  if (at != names.end()) return static_cast<std::size_t>(at - names.begin());
  return InvalidArgument(fmt::format("there is no parameter '{}'", name),
                         fmt::format("The model's parameters are {}", fmt::join(names, ", ")));
}

bool Contains(const std::vector<std::size_t>& columns, std::size_t column) {
  return std::ranges::find(columns, column) != columns.end();
}

Status CheckValue(const ParameterPrior& parameter, double value) {
  if (InSupport(parameter, value)) return {};
  return InvalidArgument(
      std::isfinite(value) ? fmt::format("the condition {} = {} lies outside the parameter's prior",
                                         parameter.name, value)
                           : fmt::format("the condition on {} is no finite number", parameter.name),
      fmt::format("Give one of {}{}{}", DescribeSupport(parameter),
                  parameter.unit.empty() ? "" : " ", parameter.unit));
}

Status AddConditions(const Prior& prior, const Restriction& restriction, Partition& partition) {
  for (const Condition& condition : restriction.conditions) {
    const auto column = ColumnOf(prior, condition.parameter);
    if (!column) return tl::unexpected(column.error());
    if (Contains(partition.fixed, *column)) {
      return InvalidArgument(fmt::format("parameter {} is fixed twice", condition.parameter),
                             "Give one condition for each parameter");
    }
    if (Status ok = CheckValue(prior.parameters[*column], condition.value); !ok) return ok;
    partition.fixed.push_back(*column);
    partition.values.push_back(condition.value);
  }
  if (partition.fixed.size() < prior.dimension()) return {};
  return InvalidArgument("all parameters are fixed, so that nothing is left to ask about",
                         "Leave at least one parameter free; for the log density of a whole set "
                         "ask without conditions");
}

Status AddParameters(const Prior& prior, const Restriction& restriction, Partition& partition) {
  for (const std::string& name : restriction.parameters) {
    const auto column = ColumnOf(prior, name);
    if (!column) return tl::unexpected(column.error());
    if (Contains(partition.kept, *column)) {
      return InvalidArgument(fmt::format("parameter {} is named twice", name),
                             "Name each parameter once");
    }
    if (Contains(partition.fixed, *column)) {
      return InvalidArgument(fmt::format("parameter {} is both fixed and asked about", name),
                             "Leave it out of the parameters, or take its condition away");
    }
    partition.kept.push_back(*column);
  }
  return {};
}

}  // namespace

Prior IntegerPrior(const std::vector<std::string>& names, double low, double high) {
  Prior prior;
  for (const std::string& name : names) {
    prior.parameters.push_back({name, "", PriorKind::kInteger, low, high});
  }
  return prior;
}

std::vector<std::size_t> Partition::Free() const {
  std::vector<std::size_t> all = kept;
  all.insert(all.end(), rest.begin(), rest.end());
  std::ranges::sort(all);
  return all;
}

Result<Partition> Divide(const Prior& prior, const Restriction& restriction) {
  Partition partition;
  if (Status ok = AddConditions(prior, restriction, partition); !ok) {
    return tl::unexpected(ok.error());
  }
  if (Status ok = AddParameters(prior, restriction, partition); !ok) {
    return tl::unexpected(ok.error());
  }
  for (std::size_t j = 0; j < prior.dimension(); ++j) {
    if (Contains(partition.fixed, j) || Contains(partition.kept, j)) continue;
    (restriction.parameters.empty() ? partition.kept : partition.rest).push_back(j);
  }
  return partition;
}

}  // namespace inferon
