#include "common/inference/commands/restriction_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

namespace inferon::commands {
namespace {

Result<Condition> ReadCondition(const std::string& text) {
  const std::size_t sign = text.find('=');
  if (sign != std::string::npos && sign > 0 && sign + 1 < text.size()) {
    const std::string number = text.substr(sign + 1);
    char* end = nullptr;
    const double value = std::strtod(number.c_str(), &end);
    if (end == number.c_str() + number.size()) return Condition{text.substr(0, sign), value};
  }
  return InvalidArgument(fmt::format("the condition '{}' is not NAME=NUMBER", text),
                         "Write for example --condition rate=1.5");
}

}  // namespace

void AddRestrictionOptions(CLI::App& command, RestrictionOptions& options, bool marginal) {
  command
      .add_option("--condition", options.conditions,
                  "Hold a parameter fixed at a value (its own unit or code); may be repeated")
      ->type_name("NAME=VALUE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  if (!marginal) return;
  command
      .add_option("--parameters", options.parameters,
                  "Ask about these only, the others integrated out (all that are not fixed)")
      ->type_name("NAME,...")
      ->delimiter(',');
}

Result<Restriction> ReadRestriction(const RestrictionOptions& options, const Prior& prior) {
  Restriction restriction;
  for (const std::string& text : options.conditions) {
    auto condition = ReadCondition(text);
    if (!condition) return tl::unexpected(condition.error());
    restriction.conditions.push_back(std::move(*condition));
  }
  restriction.parameters = options.parameters;
  const auto partition = Divide(prior, restriction);
  if (!partition) return tl::unexpected(partition.error());
  return restriction;
}

Prior PriorOfAnswer(const Prior& prior, const Restriction& restriction) {
  const auto partition = Divide(prior, restriction);
  if (!partition) return prior;
  Prior answer;
  for (const std::size_t j : partition->kept) answer.parameters.push_back(prior.parameters[j]);
  return answer;
}

std::string DescribeReport(const RestrictionReport& report) {
  return fmt::format("Method: {} (effective share of candidates {:.2g})", report.method,
                     report.effective_share);
}

nlohmann::json ReportJson(const Restriction& restriction, const RestrictionReport& report) {
  nlohmann::json conditions = nlohmann::json::object();
  for (const Condition& condition : restriction.conditions) {
    conditions[condition.parameter] = condition.value;
  }
  return {{"conditions", conditions},
          {"parameters", report.parameters},
          {"method", report.method},
          {"log_condition_density", report.log_condition_density},
          {"standard_error", report.standard_error},
          {"effective_share", report.effective_share},
          {"acceptance", report.acceptance},
          {"distortion", report.distortion}};
}

}  // namespace inferon::commands
