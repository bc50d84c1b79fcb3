// Logging of the servers: one line an event on stderr.
#pragma once

#include <string>

namespace inferon {

// kText: "time level process: message". kJson: one object a line with time, level, process, message
// and, where the thread works for a request, trace_id.
enum class LogFormat { kText, kJson };

// Sets up spdlog's default logger for a process; level is "debug", "info", "warn" or "error".
void SetUpLogging(const std::string& process, const std::string& level,
                  LogFormat format = LogFormat::kText);

// The line of an event in JSON, without its end; exposed for tests.
std::string JsonLogLine(const std::string& time, const std::string& level,
                        const std::string& process, const std::string& message,
                        const std::string& trace_id);

}  // namespace inferon
