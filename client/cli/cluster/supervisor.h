// Keeps the processes of a local cluster running.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "client/cli/cluster/child_process.h"
#include "client/cli/cluster/cluster_folder.h"
#include "client/cli/cluster/restart_policy.h"
#include "common/base/clock.h"
#include "common/base/result.h"

namespace inferon::cli {

struct SupervisorOptions {
  std::filesystem::path data;
  std::filesystem::path programs;  // Folder of inferon-scheduler, -worker and -trainer, else PATH.
  int workers = 2;
  bool trainer = true;
  std::string device_config;  // Of a worker for a chip; empty: none.
  std::string log_level = "info";
  RestartPolicy restart;
  std::chrono::milliseconds tick{50};
  std::chrono::seconds stop_grace{10};  // Between SIGTERM and SIGKILL.
};

// Runs until a stop is requested, then stops trainer and workers, then the scheduler. Refused
// where another supervisor holds the folder or a program is missing. Runs in the calling thread,
// which must be the process's main thread.
Status Supervise(const SupervisorOptions& options, Clock& clock, std::stop_token stop);

// The program beside this one, else on the PATH.
Result<std::filesystem::path> FindProgram(const std::filesystem::path& folder,
                                          const std::string& name);

// Threads of each of n workers that share this machine's processors.
int ThreadsPerWorker(int workers);

}  // namespace inferon::cli
