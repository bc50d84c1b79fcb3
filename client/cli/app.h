// The command line as a function, so that tests call it as a user would.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "client/cli/command_context.h"

namespace inferon::cli {

// Parses the arguments (without the program's name), runs the command, returns the exit code.
int RunCommandLine(const std::vector<std::string>& arguments, const Environment& environment,
                   std::ostream& out, std::ostream& err);

}  // namespace inferon::cli
