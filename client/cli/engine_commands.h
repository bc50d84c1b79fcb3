// The commands about data sets and their models (common/inference/commands) on a trainer.
#pragma once

#include "client/cli/command_context.h"
#include "common/inference/commands/commands.h"

namespace inferon::cli {

// Runs a command on the trainer; returns the exit code.
int RunOnTrainer(CommandContext& context, const commands::Command& command);

// For the Add… functions of the commands.
commands::OnSelected OnTrainer(CommandContext& context);

}  // namespace inferon::cli
