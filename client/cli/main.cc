// inferon: the command line.
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "client/cli/app.h"
#include "common/base/log.h"
#include "common/base/trace.h"
#include "common/rpc/stop_signals.h"

namespace {

std::filesystem::path DefaultData() {
  if (const char* data = std::getenv("INFERON_DATA"); data != nullptr && *data != '\0') return data;
  const char* home = std::getenv("HOME");
  return std::filesystem::path(home == nullptr ? "." : home) / ".local/share/inferon";
}

std::filesystem::path ProgramFolder() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? std::filesystem::path() : self.parent_path();
}

// Printable ASCII of the login name.
std::string UserName() {
  const char* user = std::getenv("USER");
  std::string name;
  for (const char c : std::string(user == nullptr ? "" : user)) {
    if (c > ' ' && c < 127) name += c;
  }
  return name;
}

int TerminalWidth() {
  winsize size{};
  const bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40;
  return known ? size.ws_col : 80;
}

}  // namespace

int main(int argc, char** argv) {
  const inferon::rpc::StopSignals signals;
  inferon::SetUpLogging("inferon", "error");  // Never on stdout, which is for results.
  const inferon::cli::Environment environment{.clock = inferon::SystemClock(),
                                              .stop = signals.token(),
                                              .terminal = isatty(STDERR_FILENO) == 1,
                                              .width = TerminalWidth(),
                                              .default_data = DefaultData(),
                                              .program_folder = ProgramFolder(),
                                              .user = UserName()};
  // All calls of a command are one request: that of the caller's environment, or a new one.
  const char* parent = std::getenv("TRACEPARENT");
  const inferon::TraceScope trace(
      inferon::ParseTraceParent(parent == nullptr ? "" : parent).value_or(inferon::MakeTrace()));
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  return inferon::cli::RunCommandLine(arguments, environment, std::cout, std::cerr);
}
