#include "client/cli/cluster/supervisor.h"

#include <fmt/format.h>
#include <sched.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <set>
#include <sstream>
#include <utility>

#include "client/library/cluster_file.h"
#include "common/base/files.h"

namespace inferon::cli {
namespace {

constexpr char kAnyPort[] = "127.0.0.1:0";
constexpr std::size_t kMaxAddress = 256;

// One supervised process. Not thread-safe.
class Child {
 public:
  Child(const SupervisorOptions& options, const ClusterFolder& folder, Clock& clock,
        std::string name, std::function<Command()> command)
      : options_(options), folder_(folder), clock_(clock), command_(std::move(command)) {
    info_.name = std::move(name);
    info_.state = "waiting";
  }

  // Starts it when it is due and notices its end. True where something changed.
  bool Tick() {
    if (info_.pid != 0) {
      const std::optional<Ending> ending = Reap(info_.pid);
      if (ending) Ended(*ending);
      return ending.has_value();
    }
    if (info_.state == "gave up" || clock_.Now() < due_) return false;
    Start();
    return true;
  }

  void Signal(int number) {
    if (info_.pid != 0) kill(info_.pid, number);
  }

  // True once it has ended, after a Signal.
  bool Gone() {
    if (info_.pid != 0 && Reap(info_.pid)) {
      info_.pid = 0;
      info_.state = "stopped";
      RemovePid();
    }
    return info_.pid == 0;
  }

  const ProcessInfo& info() const { return info_; }

 private:
  void Start() {
    started_ = clock_.Now();
    const Result<pid_t> pid = Spawn(command_());
    if (!pid) {
      Ended({1, pid.error().Text()});
      return;
    }
    info_.pid = *pid;
    info_.state = "running";
    info_.started_at = std::chrono::system_clock::to_time_t(clock_.WallNow());
    WriteFileAtomically(folder_.Pid(info_.name), fmt::format("{}\n", *pid));
    spdlog::info("{} started, process {}", info_.name, *pid);
  }

  void Ended(const Ending& ending) {
    RemovePid();
    info_.pid = 0;
    info_.last_ending = ending.text;
    ++info_.restarts;
    crashes_ = CrashesInARow(options_.restart, crashes_, clock_.Now() - started_);
    const auto delay = RestartDelay(options_.restart, crashes_);
    if (!delay) {
      info_.state = "gave up";
      spdlog::error("{} ended ({}) {} times in a row soon after its start: gave up. Look at {}",
                    info_.name, ending.text, crashes_, folder_.Log(info_.name).string());
      return;
    }
    info_.state = "restarting";
    due_ = clock_.Now() + *delay;
    spdlog::warn("{} ended ({}); starting it again in {} ms", info_.name, ending.text,
                 delay->count());
  }

  void RemovePid() {
    std::error_code ignored;
    std::filesystem::remove(folder_.Pid(info_.name), ignored);
  }

  const SupervisorOptions& options_;
  const ClusterFolder& folder_;
  Clock& clock_;
  const std::function<Command()> command_;  // Asked at each start.
  ProcessInfo info_;
  SteadyTime started_;
  SteadyTime due_;  // Not started again before.
  int crashes_ = 0;
};

struct Programs {
  std::filesystem::path scheduler;
  std::filesystem::path worker;
  std::filesystem::path trainer;
};

Result<Programs> FindPrograms(const SupervisorOptions& options) {
  Programs programs;
  const auto find = [&](const char* name, std::filesystem::path& place) -> Status {
    Result<std::filesystem::path> found = FindProgram(options.programs, name);
    if (!found) return tl::unexpected(found.error());
    place = std::move(*found);
    return {};
  };
  Status ok = find("inferon-scheduler", programs.scheduler);
  if (ok) ok = find("inferon-worker", programs.worker);
  if (ok && options.trainer) ok = find("inferon-trainer", programs.trainer);
  if (!ok) return tl::unexpected(ok.error());
  return programs;
}

// Tries for a second: whoever asks whether a supervisor runs holds the lock for an instant.
Result<FileLock> LockFolder(const ClusterFolder& folder, Clock& clock, std::stop_token stop) {
  constexpr int kTries = 20;
  for (int i = 1;; ++i) {
    Result<FileLock> lock = FileLock::Acquire(folder.SupervisorLock());
    if (lock || i == kTries) return lock;
    if (!clock.SleepFor(std::chrono::milliseconds(50), stop)) return lock;
  }
}

// All of them. Lives in the main thread.
class Supervisor {
 public:
  Supervisor(const SupervisorOptions& options, Clock& clock, client::ClusterFile cluster)
      : options_(options), folder_(options.data), clock_(clock), cluster_(std::move(cluster)) {}

  void Run(std::stop_token stop, const Programs& programs) {
    AddServer("scheduler", programs.scheduler, cluster_.scheduler);
    bool others = false;
    do {
      bool changed = false;
      for (const auto& child : children_) changed |= child->Tick();
      if (Learn("scheduler", cluster_.scheduler) && !others) {
        AddWorkers(programs.worker);
        if (options_.trainer) AddServer("trainer", programs.trainer, cluster_.trainer);
        others = changed = true;
      }
      if (options_.trainer) Learn("trainer", cluster_.trainer);
      if (changed) Publish();
    } while (clock_.SleepFor(options_.tick, stop));
    StopAll();
  }

 private:
  void Add(const std::string& name, std::function<Command()> command) {
    children_.push_back(
        std::make_unique<Child>(options_, folder_, clock_, name, std::move(command)));
  }

  Command MakeCommand(const std::string& name, const std::filesystem::path& program,
                      std::vector<std::string> arguments) const {
    arguments.insert(arguments.end(), {"--log-level", options_.log_level});
    return {.program = program,
            .arguments = std::move(arguments),
            .log = folder_.Log(name),
            .dies_with_parent = true};
  }

  // The first start takes any free port; later ones take the same, so that clients find the server
  // where it was. `address` is a member.
  void AddServer(const std::string& name, const std::filesystem::path& program,
                 const std::string& address) {
    std::error_code ignored;  // An earlier run's file must not pass for the answer of this one.
    std::filesystem::remove(folder_.Address(name), ignored);
    Add(name, [this, name, program, &address] {
      std::vector<std::string> arguments{"--data",         folder_.Data(name).string(),
                                         "--listen",       address.empty() ? kAnyPort : address,
                                         "--address-file", folder_.Address(name).string()};
      if (name == "trainer") {
        arguments.insert(arguments.end(), {"--scheduler", cluster_.scheduler});
      }
      return MakeCommand(name, program, std::move(arguments));
    });
  }

  void AddWorkers(const std::filesystem::path& program) {
    for (int i = 1; i <= options_.workers; ++i) {
      const std::string name = fmt::format("worker-{}", i);
      Add(name, [this, name, program] {
        return MakeCommand(name, program,
                           {"--scheduler", cluster_.scheduler, "--name", name, "--threads",
                            std::to_string(ThreadsPerWorker(options_.workers))});
      });
    }
    if (options_.device_config.empty()) return;
    Add("worker-chip", [this, program] {
      return MakeCommand("worker-chip", program,
                         {"--scheduler", cluster_.scheduler, "--name", "worker-chip", "--substrate",
                          "brainscales2", "--device-config", options_.device_config});
    });
  }

  // Takes over the address that a server listens on. True once it has been ready.
  bool Learn(const std::string& server, std::string& address) {
    if (ready_.contains(server)) return true;
    Result<std::string> text = ReadFile(folder_.Address(server), kMaxAddress);
    if (!text) return false;
    text->erase(text->find_last_not_of(" \r\n") + 1);
    if (text->empty()) return false;
    ready_.insert(server);
    if (*text != address) {
      address = *text;
      client::WriteClusterFile(folder_.data(), cluster_);
    }
    spdlog::info("{} is ready at {}", server, address);
    return true;
  }

  void Publish() const {
    std::vector<ProcessInfo> all;
    for (const auto& child : children_) all.push_back(child->info());
    WriteProcesses(folder_, all);
  }

  // The scheduler goes last: workers give their shards back to it.
  void StopAll() {
    spdlog::info("stopping");
    StopWhere([](const std::string& name) { return name != "scheduler"; });
    StopWhere([](const std::string& name) { return name == "scheduler"; });
    spdlog::info("stopped");
  }

  template <typename Predicate>
  void StopWhere(Predicate&& chosen) {
    std::vector<Child*> some;
    for (const auto& child : children_) {
      if (chosen(child->info().name)) some.push_back(child.get());
    }
    for (Child* child : some) child->Signal(SIGTERM);
    const SteadyTime end = clock_.Now() + options_.stop_grace;
    const auto gone = [](Child* child) { return child->Gone(); };
    while (!std::all_of(some.begin(), some.end(), gone)) {
      if (clock_.Now() >= end) {
        for (Child* child : some) {
          if (child->info().pid != 0) spdlog::warn("{} does not stop: killed", child->info().name);
          child->Signal(SIGKILL);
        }
      }
      clock_.SleepFor(options_.tick, {});
    }
  }

  const SupervisorOptions& options_;
  const ClusterFolder folder_;
  Clock& clock_;
  client::ClusterFile cluster_;
  std::set<std::string> ready_;
  std::vector<std::unique_ptr<Child>> children_;
};

}  // namespace

Status Supervise(const SupervisorOptions& options, Clock& clock, std::stop_token stop) {
  const ClusterFolder folder(options.data);
  if (Status made = folder.Make(); !made) return made;
  const Result<FileLock> lock = LockFolder(folder, clock, stop);
  if (!lock) {
    return Fail(ErrorCode::kFailedPrecondition,
                fmt::format("another supervisor runs in {}", options.data.string()),
                "Look at it with 'inferon status', stop it with 'inferon down'");
  }
  WriteFileAtomically(folder.Pid("supervisor"), fmt::format("{}\n", getpid()));
  const Result<Programs> programs = FindPrograms(options);
  if (!programs) return tl::unexpected(programs.error());
  Result<client::ClusterFile> cluster = client::ReadClusterFile(options.data);
  if (!cluster && cluster.error().code != ErrorCode::kNotFound) {
    return tl::unexpected(cluster.error());
  }
  client::ClusterFile known = cluster ? *cluster : client::ClusterFile();
  known.workers = options.workers;
  known.device_config = options.device_config;
  client::WriteClusterFile(options.data, known);
  WriteProcesses(folder, {});
  Supervisor(options, clock, known).Run(stop, *programs);
  std::error_code ignored;
  std::filesystem::remove(folder.Pid("supervisor"), ignored);
  std::filesystem::remove(folder.Processes(), ignored);
  return {};
}

Result<std::filesystem::path> FindProgram(const std::filesystem::path& folder,
                                          const std::string& name) {
  const auto executable = [](const std::filesystem::path& path) {
    return std::filesystem::is_regular_file(path) && access(path.c_str(), X_OK) == 0;
  };
  if (!folder.empty() && executable(folder / name)) return folder / name;
  const char* path = std::getenv("PATH");
  std::istringstream places(path == nullptr ? "" : path);
  for (std::string place; std::getline(places, place, ':');) {
    if (!place.empty() && executable(std::filesystem::path(place) / name)) {
      return std::filesystem::path(place) / name;
    }
  }
  return Fail(ErrorCode::kNotFound,
              fmt::format("there is no program {} in {} or on the PATH", name, folder.string()),
              "Build it, or install it beside inferon");
}

int ThreadsPerWorker(int workers) {
  cpu_set_t set;
  CPU_ZERO(&set);
  const int processors =
      sched_getaffinity(0, sizeof(set), &set) == 0 ? std::max(1, CPU_COUNT(&set)) : 1;
  return std::max(1, processors / std::max(1, workers));
}

}  // namespace inferon::cli
