// Runs the project's programs as real processes.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace inferon::testing {

struct CommandResult {
  int exit_code = -1;  // 128 + signal where a signal ended it.
  std::string output;  // Of stdout.
  std::string errors;  // Of stderr.
};

// A program of the build folder, for example "inferon".
std::filesystem::path Program(const std::string& name);

// Runs a command and waits for its end.
CommandResult Run(const std::vector<std::string>& command);

// `inferon` with --data and these arguments.
CommandResult Inferon(const std::filesystem::path& data, std::vector<std::string> arguments);

// Brings a local cluster down at the end of its life, whatever the test did.
class ClusterGuard {
 public:
  explicit ClusterGuard(std::filesystem::path data) : data_(std::move(data)) {}
  ~ClusterGuard() { Inferon(data_, {"down"}); }
  ClusterGuard(const ClusterGuard&) = delete;
  ClusterGuard& operator=(const ClusterGuard&) = delete;

 private:
  std::filesystem::path data_;
};

}  // namespace inferon::testing
