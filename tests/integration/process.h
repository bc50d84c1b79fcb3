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

// A program that goes on until the end of the object's life, which ends it with SIGTERM.
class Daemon {
 public:
  Daemon(std::vector<std::string> command, std::filesystem::path folder);
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  int pid() const { return pid_; }
  // Waits for its own end; its exit code.
  int Wait();
  // What it has said on stderr.
  std::string Log() const;

 private:
  const std::filesystem::path folder_;
  int pid_ = -1;
};

// Content of a file that a program writes once it is ready; empty after half a minute.
std::string Await(const std::filesystem::path& file);

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
