// Times and spans as people write them on the command line.
#pragma once

#include <string>

#include "common/base/clock.h"
#include "common/base/result.h"

namespace inferon::cli {

// "2026-01-31T14:05", "2026-01-31T14:05:09" (local time), the same with "Z" (UTC), "now", or
// "+SPAN" from now. kInvalidArgument for anything else.
Result<WallTime> ParseTime(const std::string& text, WallTime now);

// Seconds of "90s", "15m", "2h", "30d" or a plain number of seconds, >= 0.
Result<double> ParseSpan(const std::string& text);

}  // namespace inferon::cli
