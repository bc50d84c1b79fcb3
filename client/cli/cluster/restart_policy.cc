#include "client/cli/cluster/restart_policy.h"

#include <algorithm>

namespace inferon::cli {

int CrashesInARow(const RestartPolicy& policy, int before, std::chrono::nanoseconds uptime) {
  return uptime >= policy.stable_after ? 1 : before + 1;
}

std::optional<std::chrono::milliseconds> RestartDelay(const RestartPolicy& policy,
                                                      int crashes_in_a_row) {
  if (crashes_in_a_row >= policy.most_quick_crashes) return std::nullopt;
  auto delay = policy.first_delay;
  for (int i = 1; i < crashes_in_a_row && delay < policy.max_delay; ++i) delay *= 2;
  return std::min(delay, policy.max_delay);
}

}  // namespace inferon::cli
