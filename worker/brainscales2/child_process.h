// One child process in a process group of its own, with a socket to the worker.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "worker/brainscales2/channel.h"

namespace inferon::worker {

inline constexpr std::string_view kDescriptorVariable = "INFERON_BSS2_FD";
inline constexpr std::string_view kZeroMockVariable = "HXCOMM_ENABLE_ZERO_MOCK";
inline constexpr std::string_view kSimulationVariable = "FLANGE_SIMULATION_RCF_PORT";

struct Launch {
  std::vector<std::string> argv;         // argv[0] is looked for on the worker's PATH.
  std::vector<std::string> environment;  // "NAME=value"; the child has no other.
};

// Path of a program, looked for on this process's PATH where its name has no slash.
// kFailedPrecondition where it is not there or not executable.
Result<std::string> FindExecutable(const std::string& program);

// What of `current` ("NAME=value") the allow-list lets through: names, or beginnings of names with
// a '*' at the end. The zero mock's switch wins over every real connection, so it never passes; it
// is set where the mode is "zeromock". The simulation's port passes where the mode is "simulation".
std::vector<std::string> ChildEnvironment(std::span<const std::string> allowed,
                                          std::span<const std::string> current,
                                          std::string_view mode);
// This process's environment as such a list.
std::vector<std::string> CurrentEnvironment();

// A running child. Its standard output and error are the worker's standard error. Not thread-safe.
class ChildProcess {
 public:
  // kFailedPrecondition where the program cannot be executed.
  static Result<std::unique_ptr<ChildProcess>> Start(const Launch& launch, Clock& clock);
  // Stops it at once.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  Channel& channel() { return *channel_; }
  pid_t pid() const { return pid_; }
  bool Running();
  // Waits for its own end; false where it still runs after that time.
  bool WaitForEnd(std::chrono::nanoseconds time);
  // SIGTERM to the group, the grace, SIGKILL to the group; waits for its end. A second call does
  // nothing. Says how it ended.
  std::string Stop(std::chrono::nanoseconds grace);

 private:
  ChildProcess(pid_t pid, int fd, Clock& clock);

  const pid_t pid_;
  Clock& clock_;
  std::unique_ptr<Channel> channel_;
  bool reaped_ = false;
  std::string ending_;
};

}  // namespace inferon::worker
