#include "client/cli/cluster/control.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "client/cli/cluster/child_process.h"
#include "client/cli/cluster/supervisor.h"
#include "client/library/cluster_file.h"
#include "client/library/health.h"
#include "common/base/files.h"

namespace inferon::cli {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kPoll{100};
constexpr milliseconds kHealthTimeout{2'000};

std::chrono::nanoseconds Seconds(double seconds) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
      std::chrono::duration<double>(seconds));
}

// True where a program listens on this loopback port.
bool PortInUse(const std::string& address) {
  const auto colon = address.rfind(':');
  if (address.starts_with("unix:") || colon == std::string::npos) return false;
  int port = 0;
  std::from_chars(address.data() + colon + 1, address.data() + address.size(), port);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const int yes = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  sockaddr_in place{};
  place.sin_family = AF_INET;
  place.sin_port = htons(static_cast<std::uint16_t>(port));
  place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool used = bind(fd, reinterpret_cast<sockaddr*>(&place), sizeof(place)) != 0;
  close(fd);
  return used;
}

Status CheckPorts(const ClusterFolder& folder) {
  const Result<client::ClusterFile> cluster = client::ReadClusterFile(folder.data());
  if (!cluster && cluster.error().code == ErrorCode::kNotFound) return {};
  if (!cluster) return tl::unexpected(cluster.error());
  for (const auto& [server, address] :
       {std::pair("scheduler", cluster->scheduler), std::pair("trainer", cluster->trainer)}) {
    if (address.empty() || !PortInUse(address)) continue;
    return Fail(
        ErrorCode::kFailedPrecondition,
        fmt::format("the {}'s port is in use: another program listens on {}", server, address),
        fmt::format("Stop that program, or remove {} to take new ports",
                    client::ClusterFilePath(folder.data()).string()));
  }
  return {};
}

Result<FileLock> LockControl(CommandContext& context, const ClusterFolder& folder,
                             SteadyTime deadline) {
  for (;;) {
    Result<FileLock> lock = FileLock::Acquire(folder.ControlLock());
    if (lock || context.clock.Now() >= deadline) return lock;
    if (!context.clock.SleepFor(kPoll, context.stop)) return lock;
  }
}

Result<pid_t> StartSupervisor(const CommandContext& context, const ClusterFolder& folder,
                              const UpOptions& options) {
  const Result<std::filesystem::path> self =
      FindProgram(context.environment.program_folder, "inferon");
  if (!self) return tl::unexpected(self.error());
  Command command{
      .program = *self,
      .arguments = {"--data", std::filesystem::absolute(folder.data()).string(), "supervise",
                    "--workers", std::to_string(options.workers), "--log-level", options.log_level},
      .log = folder.Log("supervisor"),
      .own_session = true};
  if (options.without_trainer) command.arguments.push_back("--without-trainer");
  if (!options.device_config.empty()) {
    command.arguments.insert(command.arguments.end(), {"--device-config", options.device_config});
  }
  return Spawn(command);
}

// What a process that was given up says about itself.
Error Explain(const ClusterFolder& folder, const std::string& process, const std::string& what) {
  const std::string line = LastLogLine(folder, process);
  return {ErrorCode::kInternal,
          fmt::format("the {} {}{}", process, what, line.empty() ? "" : ": " + line),
          fmt::format("Look at {}", folder.Log(process).string()),
          {}};
}

// True when everything is healthy; an error when that will not come.
Result<bool> Ready(const CommandContext& context, const ClusterFolder& folder,
                   const UpOptions& options) {
  const std::vector<ProcessHealth> all = Look(context, folder);
  const auto expected =
      static_cast<std::size_t>(1 + options.workers + (options.without_trainer ? 0 : 1) +
                               (options.device_config.empty() ? 0 : 1));
  bool healthy = all.size() == expected;
  for (const ProcessHealth& one : all) {
    if (one.process.state == "gave up") {
      return tl::unexpected(
          Explain(folder, one.process.name, "does not start (" + one.process.last_ending + ")"));
    }
    healthy = healthy && one.healthy;
  }
  return healthy;
}

std::string Unready(const std::vector<ProcessHealth>& all) {
  std::vector<std::string> names;
  for (const ProcessHealth& one : all) {
    if (!one.healthy) names.push_back(one.process.name);
  }
  return names.empty() ? "the scheduler" : fmt::format("{}", fmt::join(names, ", "));
}

Status WaitUntilReady(CommandContext& context, const ClusterFolder& folder,
                      const UpOptions& options, pid_t supervisor) {
  const SteadyTime deadline = context.clock.Now() + Seconds(options.timeout_seconds);
  for (;;) {
    if (const auto ending = Reap(supervisor)) {
      return tl::unexpected(Explain(folder, "supervisor", "ended (" + ending->text + ")"));
    }
    const Result<bool> ready = Ready(context, folder, options);
    if (!ready) return tl::unexpected(ready.error());
    if (*ready) return {};
    if (context.clock.Now() >= deadline) {
      return Fail(ErrorCode::kDeadlineExceeded,
                  fmt::format("not healthy after {:.0f} s: {}", options.timeout_seconds,
                              Unready(Look(context, folder))),
                  fmt::format("It goes on trying; look at 'inferon status' and {}",
                              (folder.data() / "log").string()));
    }
    if (!context.clock.SleepFor(kPoll, context.stop)) {
      return Fail(ErrorCode::kCancelled, "interrupted; the servers go on starting",
                  "Look at them with 'inferon status', stop them with 'inferon down'");
    }
  }
}

void AskServer(const CommandContext& context, ProcessHealth& one) {
  if (one.address.empty()) {
    one.health = "no address yet";
    return;
  }
  const Status healthy =
      client::CheckHealth(one.process.name, one.address, kHealthTimeout, context.stop);
  one.healthy = healthy.has_value();
  one.health = healthy ? "healthy" : healthy.error().message;
}

void AskAboutWorker(const std::vector<rpc::WorkerInfo>& workers, ProcessHealth& one) {
  one.health = "not registered";
  for (const rpc::WorkerInfo& worker : workers) {
    if (worker.name != "workers/" + one.process.name) continue;
    one.healthy = worker.state != "offline";
    one.health = one.healthy ? "healthy" : "offline";
  }
}

}  // namespace

std::vector<ProcessHealth> Look(const CommandContext& context, const ClusterFolder& folder) {
  const client::ClusterFile cluster =
      client::ReadClusterFile(folder.data()).value_or(client::ClusterFile());
  std::vector<ProcessHealth> all;
  for (ProcessInfo& process : ReadProcesses(folder)) {
    all.push_back({.process = std::move(process), .address = "", .health = ""});
  }
  std::vector<rpc::WorkerInfo> workers;
  for (ProcessHealth& one : all) {
    if (one.process.name == "scheduler") one.address = cluster.scheduler;
    if (one.process.name == "trainer") one.address = cluster.trainer;
    if (one.process.state != "running") {
      one.health = one.process.state;
    } else if (one.process.name.starts_with("worker-")) {
      AskAboutWorker(workers, one);
    } else {
      AskServer(context, one);
    }
    if (one.process.name == "scheduler" && one.healthy) {  // It comes first in the list.
      const auto client = rpc::MakeSchedulerClient(
          {.address = one.address, .retry = rpc::NoRetry(), .timeout = kHealthTimeout});
      workers = client->ListWorkers(context.stop).value_or(std::vector<rpc::WorkerInfo>());
    }
  }
  return all;
}

Status StartCluster(CommandContext& context, const ClusterFolder& folder,
                    const UpOptions& options) {
  if (Status made = folder.Make(); !made) return made;
  const SteadyTime deadline = context.clock.Now() + Seconds(options.timeout_seconds);
  const Result<FileLock> lock = LockControl(context, folder, deadline);
  if (!lock) return tl::unexpected(lock.error());
  if (folder.Supervisor()) return Fail(ErrorCode::kAlreadyExists, "it runs already");
  if (Status free = CheckPorts(folder); !free) return free;
  for (const char* program : {"inferon-scheduler", "inferon-worker", "inferon-trainer"}) {
    if (options.without_trainer && std::string(program) == "inferon-trainer") continue;
    const auto found = FindProgram(context.environment.program_folder, program);
    if (!found) return tl::unexpected(found.error());
  }
  std::error_code ignored;
  std::filesystem::remove(folder.Processes(), ignored);
  const Result<pid_t> supervisor = StartSupervisor(context, folder, options);
  if (!supervisor) return tl::unexpected(supervisor.error());
  return WaitUntilReady(context, folder, options, *supervisor);
}

Result<std::vector<std::string>> StopCluster(CommandContext& context, const ClusterFolder& folder,
                                             double timeout_seconds) {
  std::vector<std::string> stopped;
  const std::optional<pid_t> supervisor = folder.Supervisor();
  if (!supervisor) return stopped;
  const SteadyTime deadline = context.clock.Now() + Seconds(timeout_seconds);
  for (const ProcessInfo& process : ReadProcesses(folder)) {
    if (process.pid != 0) stopped.push_back(process.name);
  }
  stopped.push_back("supervisor");
  bool told = false;
  while (const std::optional<pid_t> pid = folder.Supervisor()) {
    if (!told && *pid > 0) told = kill(*pid, SIGTERM) == 0;
    if (context.clock.Now() >= deadline) {
      return Fail(ErrorCode::kDeadlineExceeded,
                  fmt::format("the supervisor (process {}) has not stopped after {:.0f} s", *pid,
                              timeout_seconds),
                  fmt::format("Look at {}", folder.Log("supervisor").string()));
    }
    if (!context.clock.SleepFor(kPoll, context.stop)) {
      return Fail(ErrorCode::kCancelled, "interrupted; the servers go on stopping",
                  "Look at them with 'inferon status'");
    }
  }
  return stopped;
}

}  // namespace inferon::cli
