#include "tests/cli/command_runner.h"

#include <sstream>

#include "client/cli/app.h"

namespace inferon::cli {

CommandResult CommandRunner::Run(std::vector<std::string> arguments) {
  const Environment environment{.clock = clock_,
                                .stop = stop.get_token(),
                                .terminal = false,
                                .width = 80,
                                .default_data = folder_.path() / "data",
                                .program_folder = folder_.path() / "bin"};
  std::ostringstream out;
  std::ostringstream err;
  const int exit_code = RunCommandLine(arguments, environment, out, err);
  return {exit_code, out.str(), err.str()};
}

std::string CommandRunner::Write(const std::string& name, const std::string& content) const {
  WriteFileAtomically(folder_.path() / name, content);
  return (folder_.path() / name).string();
}

}  // namespace inferon::cli
