// inferon status: processes, queue, workers, studies.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "client/cli/cluster/control.h"
#include "client/cli/command_context.h"
#include "client/cli/table.h"

namespace inferon::cli {

Table ProcessTable(const std::vector<ProcessHealth>& processes, const Clock& clock);
nlohmann::json ProcessesJson(const std::vector<ProcessHealth>& processes);

// kOk where the servers answer, else kUnreachable.
int ShowStatus(CommandContext& context);

}  // namespace inferon::cli
