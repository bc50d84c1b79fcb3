#include "client/cli/time_options.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <ctime>

namespace inferon::cli {
namespace {

constexpr double kLongestSpan = 1e9;  // Seconds.

auto NoTime(const std::string& text) {
  return InvalidArgument(fmt::format("'{}' is not a time", text),
                         "Use 2026-01-31T14:05, the same with Z for UTC, now, or +2h");
}

double UnitSeconds(char unit) {
  switch (unit) {
    case 's':
      return 1;
    case 'm':
      return 60;
    case 'h':
      return 3600;
    case 'd':
      return 86'400;
    default:
      return 0;
  }
}

}  // namespace

Result<double> ParseSpan(const std::string& text) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, value, std::chars_format::fixed);
  const double unit = at == end ? 1 : at + 1 == end ? UnitSeconds(*at) : 0;
  const double seconds = value * unit;
  if (error != std::errc() || unit == 0 || !(seconds >= 0 && seconds <= kLongestSpan)) {
    return InvalidArgument(fmt::format("'{}' is not a span of time", text),
                           "Use a number with s, m, h or d, such as 90s, 15m, 2h, 30d");
  }
  return seconds;
}

Result<WallTime> ParseTime(const std::string& text, WallTime now) {
  if (text == "now") return now;
  if (!text.empty() && text[0] == '+') {
    const Result<double> span = ParseSpan(text.substr(1));
    if (!span) return tl::unexpected(span.error());
    return now +
           std::chrono::duration_cast<WallTime::duration>(std::chrono::duration<double>(*span));
  }
  const bool utc = !text.empty() && text.back() == 'Z';
  const std::string local = utc ? text.substr(0, text.size() - 1) : text;
  for (const char* format : {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M"}) {
    std::tm parts{};
    parts.tm_isdst = -1;
    const char* rest = strptime(local.c_str(), format, &parts);
    if (rest == nullptr || *rest != '\0') continue;
    const std::time_t seconds = utc ? timegm(&parts) : mktime(&parts);
    return WallTime(std::chrono::seconds(seconds));
  }
  return NoTime(text);
}

}  // namespace inferon::cli
