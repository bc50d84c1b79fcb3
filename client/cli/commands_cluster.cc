// inferon up|down|status, and the supervisor that 'up' leaves behind.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "client/cli/cluster/control.h"
#include "client/cli/cluster/overview.h"
#include "client/cli/cluster/supervisor.h"
#include "client/cli/command_context.h"
#include "client/cli/commands.h"
#include "client/cli/exit_codes.h"
#include "client/library/cluster_file.h"
#include "common/base/log.h"

namespace inferon::cli {
namespace {

constexpr int kMostWorkers = 256;
constexpr double kDownTimeout = 60;

int Up(CommandContext& context, UpOptions options) {
  const ClusterFolder folder(context.DataFolder());
  const auto known = client::ReadClusterFile(folder.data());
  if (!options.workers_given && known) options.workers = known->workers;
  if (options.device_config.empty() && known) options.device_config = known->device_config;
  const Status started = StartCluster(context, folder, options);
  const bool already = !started && started.error().code == ErrorCode::kAlreadyExists;
  if (!started && !already) {
    // What goes wrong here is a matter of this machine, whatever the kind of the error.
    const bool interrupted = started.error().code == ErrorCode::kCancelled;
    return context.console.Failed(started.error(), interrupted ? kInterrupted : kInternal);
  }
  const std::vector<ProcessHealth> processes = Look(context, folder);
  context.console.Print(fmt::format("inferon {} in {}.", already ? "is already up" : "is up",
                                    folder.data().string()));
  context.console.Print(ProcessTable(processes, context.clock));
  if (already && options.workers_given && known && known->workers != options.workers) {
    context.console.Note(
        fmt::format("inferon: it goes on with {} workers. To have {}, run 'inferon down' first.",
                    known->workers, options.workers));
  }
  context.console.PrintJson({{"up", true},
                             {"already_up", already},
                             {"data", folder.data().string()},
                             {"processes", ProcessesJson(processes)}});
  return kOk;
}

int Down(CommandContext& context) {
  const ClusterFolder folder(context.DataFolder());
  const auto stopped = StopCluster(context, folder, kDownTimeout);
  if (!stopped) {
    const bool interrupted = stopped.error().code == ErrorCode::kCancelled;
    return context.console.Failed(stopped.error(), interrupted ? kInterrupted : kInternal);
  }
  if (stopped->empty()) {
    context.console.Print(fmt::format("Nothing runs in {}.", folder.data().string()));
  } else {
    context.console.Print(fmt::format("Stopped {}.", fmt::join(*stopped, ", ")));
  }
  context.console.PrintJson({{"stopped", *stopped}});
  return kOk;
}

int RunSupervisor(CommandContext& context, const UpOptions& options) {
  SetUpLogging("supervisor", options.log_level);
  const Status ended = Supervise({.data = context.DataFolder(),
                                  .programs = context.environment.program_folder,
                                  .workers = options.workers,
                                  .trainer = !options.without_trainer,
                                  .device_config = options.device_config,
                                  .log_level = options.log_level},
                                 context.clock, context.stop);
  return ended ? kOk : context.console.Failed(ended.error(), kInternal);
}

void AddClusterOptions(CLI::App& command, UpOptions& options) {
  command.add_option("--workers", options.workers, "Emulator workers that share the processors")
      ->check(CLI::Range(1, kMostWorkers));
  command
      .add_option("--device-config", options.device_config,
                  "Also start a worker for this BrainScaleS-2 chip")
      ->type_name("FILE");
  command.add_flag("--without-trainer", options.without_trainer,
                   "Run experiments only: no studies, no posteriors");
  command.add_option("--log-level", options.log_level, "debug, info, warn or error")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}));
}

}  // namespace

void AddClusterCommands(CLI::App& app, CommandContext& context) {
  auto options = std::make_shared<UpOptions>();
  CLI::App& up = *app.add_subcommand("up", "Start scheduler, workers and trainer on this machine");
  AddClusterOptions(up, *options);
  up.add_option("--timeout", options->timeout_seconds, "Seconds to wait until all are healthy")
      ->check(CLI::Range(1.0, 3600.0));
  OnSelected(up, context, [&context, &up, options] {
    options->workers_given = up.count("--workers") > 0;
    if (!options->device_config.empty()) {
      options->device_config = std::filesystem::absolute(options->device_config).string();
    }
    return Up(context, *options);
  });

  CLI::App& down = *app.add_subcommand("down", "Stop them");
  OnSelected(down, context, [&context] { return Down(context); });

  CLI::App& status = *app.add_subcommand("status", "What runs, and what is in the queue");
  OnSelected(status, context, [&context] { return ShowStatus(context); });

  CLI::App& supervise = *app.add_subcommand("supervise", "Run the processes of 'up'")->group("");
  auto inner = std::make_shared<UpOptions>();
  AddClusterOptions(supervise, *inner);
  OnSelected(supervise, context, [&context, inner] { return RunSupervisor(context, *inner); });
}

}  // namespace inferon::cli
