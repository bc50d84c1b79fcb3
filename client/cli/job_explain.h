// inferon job explain
#pragma once

#include <string>

#include "client/cli/command_context.h"

namespace inferon::cli {

// Says why the job waits and when it is expected to start; gives the exit code.
int ExplainJob(CommandContext& context, const std::string& name);

}  // namespace inferon::cli
