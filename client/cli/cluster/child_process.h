// Child processes with their output in a log file.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"

namespace inferon::cli {

struct Command {
  std::filesystem::path program;
  std::vector<std::string> arguments;  // Without the program.
  std::filesystem::path log;           // Standard output and error are appended here.
  bool dies_with_parent = false;       // Killed when the calling thread's process ends in any way.
  bool own_session = false;            // Detached from the terminal.
};

// How a process ended.
struct Ending {
  int exit_code = 0;  // 128 + number after a signal.
  std::string text;   // "exit code 4", "signal 9 (Killed)".
};

// Starts the program with signals unblocked and standard input from /dev/null. Call it from the
// main thread: the kernel takes the end of the calling thread for the parent's end. An error where
// the program cannot be executed.
Result<pid_t> Spawn(const Command& command);

// The end of a child; nullopt while it runs.
std::optional<Ending> Reap(pid_t pid);

}  // namespace inferon::cli
