// Writing a job's observations to files.
#pragma once

#include <string>

#include "client/cli/command_context.h"

namespace inferon::cli {

struct FetchOptions {
  std::string job;             // projects/{project}/jobs/{job}
  std::string folder;          // Empty: the job's id.
  std::string format = "npy";  // "npy" or "csv".
  bool follow = false;         // Wait for experiments that are not done yet.
};

// Files in the folder (docs/cli.md): traces, spikes, features, failures.
int FetchJob(CommandContext& context, const FetchOptions& options);

}  // namespace inferon::cli
