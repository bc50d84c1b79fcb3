#include "client/cli/command_context.h"

#include <CLI/CLI.hpp>
#include <utility>

#include "client/cli/cluster/cluster_folder.h"
#include "client/library/cluster_file.h"

namespace inferon::cli {
namespace {

// A server that a supervisor keeps running comes back soon; where none does, a person gets the
// answer at once.
rpc::RetryPolicy CommandRetry(const std::string& option, const std::filesystem::path& data) {
  constexpr std::chrono::milliseconds kSupervised{15'000};
  constexpr std::chrono::milliseconds kAlone{500};
  const bool supervised = option.empty() && ClusterFolder(data).Supervisor();
  return {.give_up_after = supervised ? kSupervised : kAlone};
}

// The address of one server: the option, else the field of cluster.json.
Result<std::string> AddressOf(const std::string& option, const std::string& server,
                              const std::filesystem::path& data,
                              std::string client::ClusterFile::*field) {
  if (!option.empty()) return option;
  const Result<client::ClusterFile> cluster = client::ReadClusterFile(data);
  const std::string advice = "Start it with 'inferon up', or give --" + server + " ADDRESS";
  if (!cluster && cluster.error().code != ErrorCode::kNotFound) {
    return tl::unexpected(cluster.error());
  }
  if (!cluster || ((*cluster).*field).empty()) {
    return Fail(ErrorCode::kUnavailable,
                "no " + server + " is known in the data folder " + data.string(), advice);
  }
  return (*cluster).*field;
}

}  // namespace

CommandContext::CommandContext(const Environment& given, std::ostream& out, std::ostream& err)
    : environment(given),
      output{.terminal = given.terminal, .width = given.width},
      console(out, err, output),
      clock(given.clock),
      stop(given.stop) {}

std::filesystem::path CommandContext::DataFolder() const {
  return global.data.empty() ? environment.default_data : std::filesystem::path(global.data);
}

Result<std::string> CommandContext::SchedulerAddress() const {
  return AddressOf(global.scheduler, "scheduler", DataFolder(), &client::ClusterFile::scheduler);
}

Result<std::string> CommandContext::TrainerAddress() const {
  return AddressOf(global.trainer, "trainer", DataFolder(), &client::ClusterFile::trainer);
}

Result<rpc::ClientSecurity> CommandContext::SecurityOf(const std::string& option,
                                                       const std::string& address) const {
  if (option.empty()) return rpc::ClientSecurity();
  if (Status ok = rpc::CheckClientSecurity(global.security, address, clock.WallNow()); !ok) {
    return tl::unexpected(ok.error());
  }
  return global.security;
}

Result<rpc::SchedulerClientOptions> CommandContext::SchedulerOptions() const {
  const Result<std::string> address = SchedulerAddress();
  if (!address) return tl::unexpected(address.error());
  const auto security = SecurityOf(global.scheduler, *address);
  if (!security) return tl::unexpected(security.error());
  return rpc::SchedulerClientOptions{.address = *address,
                                     .retry = CommandRetry(global.scheduler, DataFolder()),
                                     .clock = &clock,
                                     .user = environment.user,
                                     .security = *security};
}

Result<std::unique_ptr<rpc::SchedulerClient>> CommandContext::Scheduler() const {
  const auto options = SchedulerOptions();
  if (!options) return tl::unexpected(options.error());
  return rpc::MakeSchedulerClient(*options);
}

Result<std::unique_ptr<rpc::OperatorClient>> CommandContext::Operator() const {
  const auto options = SchedulerOptions();
  if (!options) return tl::unexpected(options.error());
  return rpc::MakeOperatorClient(*options);
}

Result<client::TrainerClientOptions> CommandContext::TrainerOptions() const {
  Result<std::string> address = TrainerAddress();
  if (!address) return tl::unexpected(address.error());
  auto security = SecurityOf(global.trainer, *address);
  if (!security) return tl::unexpected(security.error());
  client::TrainerClientOptions options;
  options.security = std::move(*security);
  options.address = std::move(*address);
  options.retry = CommandRetry(global.trainer, DataFolder());
  options.clock = &clock;
  return options;
}

Result<std::unique_ptr<client::TrainerClient>> CommandContext::Trainer() const {
  const auto options = TrainerOptions();
  if (!options) return tl::unexpected(options.error());
  return client::MakeTrainerClient(*options);
}

void OnSelected(CLI::App& command, CommandContext& context, std::function<int()> run) {
  command.callback([&context, run = std::move(run)] { context.selected = run; });
}

}  // namespace inferon::cli
