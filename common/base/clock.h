// Time and waiting, injected: nothing else in the project reads a clock or sleeps.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>

namespace inferon {

using SteadyTime = std::chrono::steady_clock::time_point;
using WallTime = std::chrono::system_clock::time_point;

// Clock of a process. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  // For intervals, deadlines and leases.
  virtual SteadyTime Now() const = 0;
  // For people and for time stamps on disk.
  virtual WallTime WallNow() const = 0;
  // Waits until the duration has passed or a stop is requested; false when stopped.
  virtual bool SleepFor(std::chrono::nanoseconds duration, std::stop_token stop) = 0;
};

// The computer's clocks. Lives as long as the process.
Clock& SystemClock();

// A clock that moves only when told. SleepFor advances it at once. Thread-safe.
class FakeClock : public Clock {
 public:
  SteadyTime Now() const override;
  WallTime WallNow() const override;
  bool SleepFor(std::chrono::nanoseconds duration, std::stop_token stop) override;
  void Advance(std::chrono::nanoseconds duration);

 private:
  mutable std::mutex mu_;
  std::chrono::nanoseconds elapsed_{0};  // Guarded by mu_.
};

}  // namespace inferon
