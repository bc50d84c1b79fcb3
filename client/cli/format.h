// Numbers and times for people.
#pragma once

#include <cstdint>
#include <string>

#include "common/base/clock.h"

namespace inferon::cli {

// "50 000": groups of three from 10 000 on.
std::string FormatCount(std::uint64_t count);
// "0.4 s", "12 s", "3 min 05 s", "2 h 07 min".
std::string FormatDuration(double seconds);
// "2026-01-31 14:05:09" in local time.
std::string FormatTime(WallTime time);
// "2026-01-31T13:05:09Z", for JSON.
std::string FormatTimeUtc(WallTime time);

}  // namespace inferon::cli
