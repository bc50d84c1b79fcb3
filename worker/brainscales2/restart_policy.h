// When a child that failed is started again, and when its device is bad.
#pragma once

#include <chrono>

namespace inferon::worker {

struct RestartLimits {
  int max_failures = 3;  // In a row.
  std::chrono::milliseconds first_delay{1'000};
  std::chrono::milliseconds max_delay{60'000};
};

// Counts failures in a row; a success begins anew, but a bad device stays bad.
class RestartPolicy {
 public:
  explicit RestartPolicy(const RestartLimits& limits) : limits_(limits) {}

  void Succeeded() {
    if (!bad()) failures_ = 0;
  }
  void Failed() { ++failures_; }
  bool bad() const { return failures_ >= limits_.max_failures; }
  int failures() const { return failures_; }
  // Pause before the next start: none before the first failure, then doubling.
  std::chrono::milliseconds Delay() const {
    if (failures_ == 0) return std::chrono::milliseconds(0);
    std::chrono::milliseconds delay = limits_.first_delay;
    for (int i = 1; i < failures_ && delay < limits_.max_delay; ++i) delay *= 2;
    return delay < limits_.max_delay ? delay : limits_.max_delay;
  }

 private:
  const RestartLimits limits_;
  int failures_ = 0;
};

}  // namespace inferon::worker
