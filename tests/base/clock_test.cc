#include "common/base/clock.h"

#include <gtest/gtest.h>

#include <thread>

namespace inferon {
namespace {

using namespace std::chrono_literals;

TEST(FakeClockTest, MovesOnlyWhenTold) {
  FakeClock clock;
  const SteadyTime start = clock.Now();
  const WallTime wall = clock.WallNow();
  EXPECT_EQ(clock.Now(), start);
  clock.Advance(3s);
  EXPECT_EQ(clock.Now() - start, 3s);
  EXPECT_EQ(clock.WallNow() - wall, 3s);
}

TEST(FakeClockTest, SleepAdvancesAndReportsAStop) {
  FakeClock clock;
  const SteadyTime start = clock.Now();
  std::stop_source source;
  EXPECT_TRUE(clock.SleepFor(2s, source.get_token()));
  source.request_stop();
  EXPECT_FALSE(clock.SleepFor(1s, source.get_token()));
  EXPECT_EQ(clock.Now() - start, 3s);
}

TEST(SystemClockTest, AStopEndsAWaitAtOnce) {
  std::stop_source source;
  std::jthread stopper([&] { source.request_stop(); });
  EXPECT_FALSE(SystemClock().SleepFor(1h, source.get_token()));
}

}  // namespace
}  // namespace inferon
