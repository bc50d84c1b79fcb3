// Logging of the servers: one line an event on stderr, "time level process: message".
#pragma once

#include <string>

namespace inferon {

// Sets up spdlog's default logger for a process; level is "debug", "info", "warn" or "error".
void SetUpLogging(const std::string& process, const std::string& level);

}  // namespace inferon
