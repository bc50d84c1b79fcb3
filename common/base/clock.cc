#include "common/base/clock.h"

namespace inferon {
namespace {

class RealClock : public Clock {
 public:
  SteadyTime Now() const override { return std::chrono::steady_clock::now(); }
  WallTime WallNow() const override { return std::chrono::system_clock::now(); }
  bool SleepFor(std::chrono::nanoseconds duration, std::stop_token stop) override {
    std::mutex mu;
    std::condition_variable_any wake;
    std::unique_lock lock(mu);
    wake.wait_for(lock, stop, duration, [] { return false; });
    return !stop.stop_requested();
  }
};

constexpr std::chrono::seconds kFakeEpoch{1'700'000'000};

}  // namespace

Clock& SystemClock() {
  static RealClock clock;
  return clock;
}

SteadyTime FakeClock::Now() const {
  std::lock_guard lock(mu_);
  return SteadyTime(kFakeEpoch + elapsed_);
}

WallTime FakeClock::WallNow() const {
  std::lock_guard lock(mu_);
  return WallTime(kFakeEpoch + std::chrono::duration_cast<WallTime::duration>(elapsed_));
}

bool FakeClock::SleepFor(std::chrono::nanoseconds duration, std::stop_token stop) {
  Advance(duration);
  return !stop.stop_requested();
}

void FakeClock::Advance(std::chrono::nanoseconds duration) {
  std::lock_guard lock(mu_);
  elapsed_ += duration;
}

}  // namespace inferon
