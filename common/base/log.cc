#include "common/base/log.h"

#include <fmt/format.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

#include "common/base/trace.h"

namespace inferon {
namespace {

std::string Quoted(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      quoted += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

std::string ToText(spdlog::string_view_t view) { return {view.data(), view.size()}; }

// Formats on the thread that logs, so that its trace is the event's.
class JsonFormatter : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    spdlog::memory_buf_t time;
    time_.format(message, time);
    const std::string line =
        JsonLogLine({time.data(), time.size()},
                    ToText(spdlog::level::to_string_view(message.level)),
                    ToText(message.logger_name), ToText(message.payload), CurrentTrace().trace_id) +
        "\n";
    out.append(line.data(), line.data() + line.size());
  }
  std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<JsonFormatter>();
  }

 private:
  spdlog::pattern_formatter time_{"%Y-%m-%dT%H:%M:%S.%eZ", spdlog::pattern_time_type::utc, ""};
};

}  // namespace

std::string JsonLogLine(const std::string& time, const std::string& level,
                        const std::string& process, const std::string& message,
                        const std::string& trace_id) {
  std::string line = fmt::format(R"({{"time":{},"level":{},"process":{},"message":{})",
                                 Quoted(time), Quoted(level), Quoted(process), Quoted(message));
  if (!trace_id.empty()) line += fmt::format(R"(,"trace_id":{})", Quoted(trace_id));
  return line + "}";
}

void SetUpLogging(const std::string& process, const std::string& level, LogFormat format) {
  auto logger = spdlog::stderr_logger_mt(process);
  if (format == LogFormat::kJson) {
    logger->set_formatter(std::make_unique<JsonFormatter>());
  } else {
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e %l %n: %v");
  }
  logger->set_level(spdlog::level::from_str(level));
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(logger);
}

}  // namespace inferon
