// Starting, stopping and looking at a local cluster.
#pragma once

#include <string>
#include <vector>

#include "client/cli/cluster/cluster_folder.h"
#include "client/cli/command_context.h"
#include "common/base/result.h"

namespace inferon::cli {

struct UpOptions {
  int workers = 2;
  bool workers_given = false;
  bool without_trainer = false;
  double timeout_seconds = 120;
  std::string log_level = "info";
  std::string device_config;  // Of a worker for a chip, beside the emulators'; empty: none.
};

// A process with what its health check says.
struct ProcessHealth {
  ProcessInfo process;
  std::string address;  // Empty for workers.
  bool healthy = false;
  std::string health;  // "healthy", or what is wrong.
};

// All processes that the supervisor knows, each asked for its health.
std::vector<ProcessHealth> Look(const CommandContext& context, const ClusterFolder& folder);

// Starts the supervisor and waits until everything is healthy. kAlreadyExists where it runs.
Status StartCluster(CommandContext& context, const ClusterFolder& folder, const UpOptions& options);
// Stops it and waits for its end; the names of what was stopped, empty where nothing ran.
Result<std::vector<std::string>> StopCluster(CommandContext& context, const ClusterFolder& folder,
                                             double timeout_seconds);

}  // namespace inferon::cli
