// Exit codes of inferon; docs/cli.md lists them for users.
#pragma once

#include "common/base/result.h"

namespace inferon::cli {

enum ExitCode : int {
  kOk = 0,
  kInternal = 1,      // A failure of the program or of the machine.
  kUsage = 2,         // Unknown option; missing or malformed argument or file.
  kUnreachable = 3,   // A server is not running or does not answer.
  kRefused = 4,       // A server refused: not found, precondition, limit.
  kEndedBadly = 5,    // The job or study ended failed or cancelled.
  kInterrupted = 130  // Ctrl-C or SIGTERM.
};

// Exit code of a failed call to a server.
int ExitCodeOfCall(const Error& error);
// Exit code of input that is missing or malformed on this side: kUsage, or kInternal for failures
// of the machine.
int ExitCodeOfInput(const Error& error);

}  // namespace inferon::cli
