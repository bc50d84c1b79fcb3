// The data folder of a local cluster: who runs, where, and where they write.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"

namespace inferon::cli {

// Paths inside a data folder.
class ClusterFolder {
 public:
  explicit ClusterFolder(std::filesystem::path data) : data_(std::move(data)) {}

  const std::filesystem::path& data() const { return data_; }
  std::filesystem::path Run() const { return data_ / "run"; }
  std::filesystem::path Log(const std::string& process) const {
    return data_ / "log" / (process + ".log");
  }
  std::filesystem::path Pid(const std::string& process) const { return Run() / (process + ".pid"); }
  std::filesystem::path Address(const std::string& server) const {
    return Run() / (server + ".address");
  }
  std::filesystem::path Data(const std::string& server) const { return data_ / server; }
  // Held by the supervisor for its whole life.
  std::filesystem::path SupervisorLock() const { return Run() / "supervisor.lock"; }
  // Held while a cluster is started or stopped.
  std::filesystem::path ControlLock() const { return Run() / "control.lock"; }
  std::filesystem::path Processes() const { return Run() / "processes.json"; }

  // Makes the folders; an error where that is not possible.
  Status Make() const;
  // The supervisor's process; nullopt while none runs.
  std::optional<pid_t> Supervisor() const;

 private:
  std::filesystem::path data_;
};

// One process as the supervisor sees it.
struct ProcessInfo {
  std::string name;             // "scheduler", "trainer", "worker-1"
  std::string state;            // "running", "restarting", "gave up", "waiting"
  pid_t pid = 0;                // 0 while it does not run.
  int restarts = 0;             // Since 'inferon up'.
  std::int64_t started_at = 0;  // Unix time in seconds; 0 before the first start.
  std::string last_ending;      // How it ended last; empty before.
};

void WriteProcesses(const ClusterFolder& folder, const std::vector<ProcessInfo>& processes);
// What the supervisor wrote last; empty where there is nothing to read.
std::vector<ProcessInfo> ReadProcesses(const ClusterFolder& folder);

// The last line of a process's log that is not empty; empty without one.
std::string LastLogLine(const ClusterFolder& folder, const std::string& process);

}  // namespace inferon::cli
