// How many calls a client may make: a bucket of tokens for each.
#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "common/base/clock.h"

namespace inferon {

// Thread-safe.
class RateLimiter {
 public:
  static constexpr std::size_t kMaxClients = 10'000;

  // Each client may make `burst` calls at once and `per_second` on the average. per_second 0: no
  // limit. The clock outlives the limiter.
  RateLimiter(double per_second, double burst, Clock& clock)
      : per_second_(per_second), burst_(burst), clock_(clock) {}

  // Counts a call of the client; the time to wait where it is one too many.
  std::optional<std::chrono::milliseconds> Take(const std::string& client);

 private:
  struct Bucket {
    double left = 0;
    SteadyTime time;
  };
  double LeftNow(const Bucket& bucket, SteadyTime now) const;
  void MakeRoom(SteadyTime now);

  const double per_second_;
  const double burst_;
  Clock& clock_;
  std::mutex mu_;
  std::map<std::string, Bucket> buckets_;  // Guarded by mu_; at most kMaxClients.
};

}  // namespace inferon
