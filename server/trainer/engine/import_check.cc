#include "server/trainer/engine/import_check.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace inferon::trainer {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr std::size_t kMostNames = 8;  // In a message.

std::string Some(std::vector<std::string> names) {
  if (names.size() <= kMostNames) return fmt::format("{}", fmt::join(names, ", "));
  const std::size_t more = names.size() - kMostNames;
  names.resize(kMostNames);
  return fmt::format("{} and {} more", fmt::join(names, ", "), more);
}

}  // namespace

ImportCheck::ImportCheck(const DataSetSpec& spec)
    : spec_(spec),
      theta_(spec.prior.dimension(), Range{kInfinity, -kInfinity}),
      x_(spec.columns, Range{kInfinity, -kInfinity}) {}

std::string ImportCheck::ColumnName(std::size_t c) const {
  return spec_.x_names.empty() ? std::to_string(c + 1) : spec_.x_names[c];
}

std::string ImportCheck::InvalidValue(const double* theta, const float* x) const {
  for (std::size_t j = 0; j < theta_.size(); ++j) {
    if (std::isfinite(theta[j])) continue;
    return fmt::format("theta, row {}, parameter {} is {}", seen_, spec_.prior.parameters[j].name,
                       theta[j]);
  }
  const bool missing = spec_.invalid == InvalidRows::kMissing;
  for (std::size_t c = 0; c < x_.size(); ++c) {
    if (std::isfinite(x[c]) || (missing && std::isnan(x[c]))) continue;
    return fmt::format("x, row {}, column {} is {}{}", seen_, ColumnName(c), x[c],
                       std::isinf(x[c]) ? " (or too large for float32)" : "");
  }
  return {};
}

Status ImportCheck::CheckSupport(const double* theta) const {
  for (std::size_t j = 0; j < theta_.size(); ++j) {
    const ParameterPrior& prior = spec_.prior.parameters[j];
    if (InSupport(prior, theta[j])) continue;
    return InvalidArgument(
        fmt::format("theta, row {}: {} = {} is not in the support of its {} prior, {}", seen_,
                    prior.name, theta[j], PriorKindName(prior.kind), DescribeSupport(prior)),
        "Give the prior that theta was drawn from, columns in its order");
  }
  return {};
}

void ImportCheck::Note(const double* theta, const float* x) {
  for (std::size_t j = 0; j < theta_.size(); ++j) {
    theta_[j].low = std::min(theta_[j].low, theta[j]);
    theta_[j].high = std::max(theta_[j].high, theta[j]);
  }
  for (std::size_t c = 0; c < x_.size(); ++c) {
    if (std::isnan(x[c])) {
      ++x_[c].missing;
      continue;
    }
    x_[c].low = std::min(x_[c].low, double{x[c]});
    x_[c].high = std::max(x_[c].high, double{x[c]});
  }
}

Status ImportCheck::Take(DataSetRows& rows) {
  const std::size_t d = theta_.size(), c = x_.size();
  const std::size_t n = rows.theta.size() / d;
  if (rows.theta.size() != n * d || rows.x.size() != n * c) {
    return InvalidArgument(fmt::format("a block has {} values of theta and {} of x, which are not "
                                       "the same number of rows of {} and {}",
                                       rows.theta.size(), rows.x.size(), d, c),
                           "Give theta and x with the same number of rows");
  }
  std::size_t to = 0;
  for (std::size_t i = 0; i < n; ++i) {
    ++seen_;
    const double* theta = rows.theta.data() + i * d;
    const float* x = rows.x.data() + i * c;
    if (const std::string invalid = InvalidValue(theta, x); !invalid.empty()) {
      if (spec_.invalid != InvalidRows::kDrop) {
        return InvalidArgument(invalid,
                               "Drop such rows with --invalid drop, or count NaN in x as "
                               "missing with --invalid missing");
      }
      ++dropped_;
      continue;
    }
    if (Status ok = CheckSupport(theta); !ok) return ok;
    Note(theta, x);
    std::copy_n(theta, d, rows.theta.data() + to * d);
    std::copy_n(x, c, rows.x.data() + to * c);
    ++to;
  }
  rows.theta.resize(to * d);
  rows.x.resize(to * c);
  kept_ += to;
  return {};
}

Status ImportCheck::Finish() const {
  if (kept_ == 0) {
    return InvalidArgument(
        dropped_ > 0 ? fmt::format("all {} rows hold values that are not finite", dropped_)
                     : "there are no rows",
        "Give at least one row of theta and x");
  }
  if (kept_ == 1) return {};
  for (std::size_t j = 0; j < theta_.size(); ++j) {
    if (theta_[j].Varies()) continue;
    return InvalidArgument(fmt::format("parameter {} has one value only in all {} rows",
                                       spec_.prior.parameters[j].name, kept_),
                           "Leave it out of theta and prior, or draw it from its prior");
  }
  if (std::none_of(x_.begin(), x_.end(), [](const Range& r) { return r.Varies(); })) {
    return InvalidArgument("x is the same in all rows", "Check the simulator's output");
  }
  return {};
}

std::vector<std::string> ImportCheck::Warnings() const {
  std::vector<std::string> constant, missing, warnings;
  for (std::size_t c = 0; c < x_.size(); ++c) {
    if (kept_ > 1 && !x_[c].Varies()) constant.push_back(ColumnName(c));
    if (x_[c].missing > 0) missing.push_back(ColumnName(c));
  }
  if (!constant.empty() && !spec_.traces) {
    warnings.push_back(fmt::format("x never varies in column{} {}: it says nothing about theta",
                                   constant.size() > 1 ? "s" : "", Some(constant)));
  }
  if (!missing.empty()) {
    warnings.push_back(fmt::format("values are missing in column{} {} of x",
                                   missing.size() > 1 ? "s" : "", Some(missing)));
  }
  if (dropped_ > 0) {
    warnings.push_back(
        fmt::format("{} of {} rows were dropped for values that are not finite", dropped_, seen_));
  }
  return warnings;
}

}  // namespace inferon::trainer
