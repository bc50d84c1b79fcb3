// Jobs as people and programs see them; shared by the job commands.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "client/cli/command_context.h"
#include "common/rpc/scheduler_client.h"

namespace inferon::cli {

nlohmann::json JobJson(const rpc::JobInfo& job);

// "demo" in project "default" and "projects/default/jobs/demo" both mean that job.
std::string JobName(const std::string& given, const std::string& project);

// Shows the job's progress until it has ended, then its result; the exit code is that of the job's
// end (kOk or kEndedBadly).
int WatchToEnd(CommandContext& context, rpc::SchedulerClient& scheduler, const std::string& name);

// Shows one job.
void PrintJob(Console& console, const rpc::JobInfo& job);

}  // namespace inferon::cli
