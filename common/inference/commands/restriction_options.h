// --condition and --parameters of posterior queries, and what the answers say about them.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "common/priors/partition.h"

namespace CLI {
class App;
}

namespace inferon::commands {

struct RestrictionOptions {
  std::vector<std::string> conditions;  // NAME=VALUE
  std::vector<std::string> parameters;
  bool empty() const { return conditions.empty() && parameters.empty(); }
};

// `marginal`: with --parameters.
void AddRestrictionOptions(CLI::App& command, RestrictionOptions& options, bool marginal);

// kInvalidArgument where a condition is not NAME=NUMBER, and the errors of Divide.
Result<Restriction> ReadRestriction(const RestrictionOptions& options, const Prior& prior);

// The prior of the columns that an answer has.
Prior PriorOfAnswer(const Prior& prior, const Restriction& restriction);

// One line for people, and an object for programs.
std::string DescribeReport(const RestrictionReport& report);
nlohmann::json ReportJson(const Restriction& restriction, const RestrictionReport& report);

}  // namespace inferon::commands
