// How long a client keeps trying while a server cannot be reached.
#pragma once

#include <chrono>
#include <optional>

namespace inferon::rpc {

struct RetryPolicy {
  std::chrono::milliseconds first_delay{100};
  std::chrono::milliseconds max_delay{2'000};  // The delay doubles up to here.
  // Time since the call began after which the error is returned. nullopt: tries until stopped.
  std::optional<std::chrono::milliseconds> give_up_after = std::chrono::milliseconds(10'000);
  // The same for a stream that has delivered something: its server was there and may come back.
  std::chrono::milliseconds resume_within{60'000};
};

// For servers that wait for each other: a killed server comes back some time.
inline RetryPolicy RetryUntilStopped() { return {.give_up_after = std::nullopt}; }
// For questions whose answer is there at once or not at all.
inline RetryPolicy NoRetry() {
  return {.give_up_after = std::chrono::milliseconds(0),
          .resume_within = std::chrono::milliseconds(0)};
}

}  // namespace inferon::rpc
