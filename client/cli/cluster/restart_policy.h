// When a crashed process is started again: a pure function of its history.
#pragma once

#include <chrono>
#include <optional>

namespace inferon::cli {

struct RestartPolicy {
  std::chrono::milliseconds first_delay{200};
  std::chrono::milliseconds max_delay{10'000};  // The delay doubles up to here.
  std::chrono::seconds stable_after{30};        // A run this long starts the count again.
  int most_quick_crashes = 8;                   // In a row; then it is given up.
};

// Crashes in a row after one more, which came after the process had run for `uptime`.
int CrashesInARow(const RestartPolicy& policy, int before, std::chrono::nanoseconds uptime);

// Delay before the next start; nullopt: given up.
std::optional<std::chrono::milliseconds> RestartDelay(const RestartPolicy& policy,
                                                      int crashes_in_a_row);

}  // namespace inferon::cli
