// inferon worker doctor|calibrate
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <memory>

#include "client/cli/cluster/supervisor.h"
#include "client/cli/command_context.h"
#include "client/cli/commands.h"
#include "client/cli/exit_codes.h"

namespace inferon::cli {
namespace {

struct DeviceOptions {
  std::string config = "device.toml";
  bool flag = false;
};

// The worker's program does the work: it knows the device. Its output and exit code are ours.
int RunWorkerProgram(CommandContext& context, std::vector<std::string> arguments) {
  const auto program = FindProgram(context.environment.program_folder, "inferon-worker");
  if (!program) return context.console.Failed(program.error(), kInternal);
  if (context.output.json) arguments.emplace_back("--json");
  arguments.insert(arguments.begin(), program->string());
  std::vector<char*> argv;
  for (std::string& word : arguments) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t pid = 0;
  if (const int error = posix_spawn(&pid, argv[0], nullptr, nullptr, argv.data(), environ)) {
    return context.console.Failed(
        {ErrorCode::kInternal,
         fmt::format("cannot start {}: {}", program->string(), std::strerror(error)),
         "Check the installation",
         {}},
        kInternal);
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : kInternal;
}

void AddDeviceCommand(CLI::App& workers, CommandContext& context, const std::string& verb,
                      const std::string& help, const std::string& flag,
                      const std::string& flag_help) {
  const auto options = std::make_shared<DeviceOptions>();
  CLI::App& command = *workers.add_subcommand(verb, help);
  command.add_option("--device-config", options->config, "Configuration of the chip's worker")
      ->type_name("FILE")
      ->capture_default_str();
  command.add_flag(flag, options->flag, flag_help);
  OnSelected(command, context, [&context, options, verb, flag] {
    std::vector<std::string> arguments{"--" + verb, "--device-config", options->config};
    if (options->flag) arguments.push_back(flag);
    return RunWorkerProgram(context, std::move(arguments));
  });
}

}  // namespace

void AddDeviceCommands(CLI::App& workers, CommandContext& context) {
  AddDeviceCommand(workers, context, "doctor", "Say what is missing on this host to drive a chip",
                   "--touch-chip", "Also connect to the chip and run the canary");
  AddDeviceCommand(workers, context, "calibrate",
                   "Make a new calibration and canary reference of a chip", "--exclusive",
                   "The chip is yours alone: no worker, no quiggeldy");
}

}  // namespace inferon::cli
