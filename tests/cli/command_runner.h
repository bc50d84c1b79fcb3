// Runs the command line in this process, as a user would.
#pragma once

#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/files.h"

namespace inferon::cli {

struct CommandResult {
  int exit_code = 0;
  std::string out;
  std::string err;
};

// Commands run with a data folder of their own and a clock that never waits.
class CommandRunner {
 public:
  CommandResult Run(std::vector<std::string> arguments);

  const std::filesystem::path& folder() const { return folder_.path(); }
  // Writes a file into the folder; its path.
  std::string Write(const std::string& name, const std::string& content) const;
  std::stop_source stop;

 private:
  TemporaryFolder folder_;
  FakeClock clock_;
};

}  // namespace inferon::cli
