#include "client/cli/job_explain.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "client/cli/exit_codes.h"
#include "client/cli/format.h"

namespace inferon::cli {
namespace {

nlohmann::json TimeJson(const std::optional<WallTime>& time) {
  return time ? nlohmann::json(FormatTimeUtc(*time)) : nlohmann::json(nullptr);
}

nlohmann::json ToJson(const rpc::Explanation& explanation) {
  nlohmann::json reasons = nlohmann::json::array();
  for (const rpc::WaitReason& reason : explanation.reasons) {
    reasons.push_back(
        {{"code", reason.code}, {"problem", reason.problem}, {"advice", reason.advice}});
  }
  return {{"name", explanation.job.name},
          {"state", rpc::JobStateName(explanation.job.state)},
          {"reasons", reasons},
          {"workers", explanation.workers},
          {"experiments_ahead", explanation.experiments_ahead},
          {"expected_start_time", TimeJson(explanation.expected_start)},
          {"earliest_start_time", TimeJson(explanation.earliest_start)},
          {"latest_start_time", TimeJson(explanation.latest_start)}};
}

}  // namespace

int ExplainJob(CommandContext& context, const std::string& name) {
  const auto scheduler = context.Operator();
  if (!scheduler) return context.console.FailedCall(scheduler.error());
  const auto explanation = (*scheduler)->ExplainJob(name, context.stop);
  if (!explanation) return context.console.FailedCall(explanation.error());
  Table table{{{"CODE"}, {"WHY"}, {"WHAT WOULD FREE IT"}}, {}};
  for (const rpc::WaitReason& reason : explanation->reasons) {
    table.rows.push_back({reason.code, reason.problem, reason.advice});
  }
  Console& console = context.console;
  console.Print(
      fmt::format("{} is {}.", explanation->job.name, rpc::JobStateName(explanation->job.state)));
  console.Print(table);
  if (explanation->expected_start) {
    console.Print(fmt::format(
        "Expected start of its next shard: {} (between {} and {}), {} "
        "experiments go first.",
        FormatTime(*explanation->expected_start), FormatTime(*explanation->earliest_start),
        FormatTime(*explanation->latest_start), FormatCount(explanation->experiments_ahead)));
  }
  console.PrintJson(ToJson(*explanation));
  return kOk;
}

}  // namespace inferon::cli
