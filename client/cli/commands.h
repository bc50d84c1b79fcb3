// The groups of commands. Each function adds its subcommands to the app; a handler reports through
// context.console and returns the exit code (exit_codes.h).
#pragma once

namespace CLI {
class App;
}

namespace inferon::cli {

struct CommandContext;

void AddClusterCommands(CLI::App& app, CommandContext& context);    // up, down, status
void AddStudyCommands(CLI::App& app, CommandContext& context);      // study …
void AddModelCommands(CLI::App& app, CommandContext& context);      // model …
void AddPosteriorCommands(CLI::App& app, CommandContext& context);  // posterior …
void AddJobCommands(CLI::App& app, CommandContext& context);        // job …
void AddWorkerCommands(CLI::App& app, CommandContext& context);     // worker …
void AddRecordingCommands(CLI::App& app, CommandContext& context);  // recording …

}  // namespace inferon::cli
