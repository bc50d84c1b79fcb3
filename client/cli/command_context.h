// What every command is given: where the servers are, how to speak, when to stop.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include "client/cli/console.h"
#include "client/library/trainer_client.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/rpc/client_security.h"
#include "common/rpc/operator_client.h"
#include "common/rpc/scheduler_client.h"

namespace CLI {
class App;
}

namespace inferon::cli {

// What the process gives to the commands; main fills it, tests choose it.
struct Environment {
  Clock& clock;
  std::stop_token stop;                  // Requested by SIGINT and SIGTERM.
  bool terminal = false;                 // stderr is a terminal.
  int width = 80;                        // Its columns.
  std::filesystem::path default_data;    // $INFERON_DATA, else ~/.local/share/inferon.
  std::filesystem::path program_folder;  // Where this executable lies.
  std::string user = {};                 // Name of who calls, for the servers' record.
};

// Options that every command takes.
struct GlobalOptions {
  std::string data;              // --data
  std::string scheduler;         // --scheduler
  std::string trainer;           // --trainer
  rpc::ClientSecurity security;  // --ca, --cert, --key, --token-file
};

// Lives as long as the command line's run.
struct CommandContext {
  CommandContext(const Environment& given, std::ostream& out, std::ostream& err);
  CommandContext(const CommandContext&) = delete;
  CommandContext& operator=(const CommandContext&) = delete;

  const Environment environment;
  OutputSettings output;
  GlobalOptions global;
  Console console;
  Clock& clock;
  const std::stop_token stop;
  std::function<int()> selected;  // What the parsed command line asks for; gives the exit code.

  // Data folder: --data or the default.
  std::filesystem::path DataFolder() const;
  // --scheduler or --trainer, else the address in the data folder's cluster.json; kUnavailable
  // with advice where there is none.
  Result<std::string> SchedulerAddress() const;
  Result<std::string> TrainerAddress() const;
  // Clients of these servers. A server that is down shows in the first call (kUnavailable).
  Result<std::unique_ptr<rpc::SchedulerClient>> Scheduler() const;
  Result<std::unique_ptr<rpc::OperatorClient>> Operator() const;
  Result<std::unique_ptr<client::TrainerClient>> Trainer() const;
  // For a server of this option and address. Local servers of the data folder need none; what is
  // missing for another one is an error.
  Result<rpc::ClientSecurity> SecurityOf(const std::string& option,
                                         const std::string& address) const;
  // How the servers are reached.
  Result<rpc::SchedulerClientOptions> SchedulerOptions() const;
  Result<client::TrainerClientOptions> TrainerOptions() const;
};

// Makes `run` what happens when this command is on the command line. Options that the command
// parses into must live as long as the app: capture them in `run` by shared_ptr.
void OnSelected(CLI::App& command, CommandContext& context, std::function<int()> run);

}  // namespace inferon::cli
