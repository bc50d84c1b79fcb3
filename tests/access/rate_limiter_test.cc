#include "common/access/rate_limiter.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace inferon {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(RateLimiterTest, ABurstPassesAndTheNextCallWaits) {
  FakeClock clock;
  RateLimiter limiter(10, 20, clock);
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(limiter.Take("a")) << i;
  EXPECT_EQ(limiter.Take("a"), milliseconds(100));
  clock.Advance(milliseconds(100));
  EXPECT_FALSE(limiter.Take("a"));
  EXPECT_TRUE(limiter.Take("a"));
}

TEST(RateLimiterTest, ClientsDoNotWaitForEachOther) {
  FakeClock clock;
  RateLimiter limiter(1, 1, clock);
  EXPECT_FALSE(limiter.Take("a"));
  EXPECT_TRUE(limiter.Take("a"));
  EXPECT_FALSE(limiter.Take("b"));
}

TEST(RateLimiterTest, RestGathersNoMoreThanABurst) {
  FakeClock clock;
  RateLimiter limiter(10, 2, clock);
  EXPECT_FALSE(limiter.Take("a"));
  clock.Advance(seconds(1000));
  EXPECT_FALSE(limiter.Take("a"));
  EXPECT_FALSE(limiter.Take("a"));
  EXPECT_TRUE(limiter.Take("a"));
}

TEST(RateLimiterTest, ZeroIsNoLimit) {
  FakeClock clock;
  RateLimiter limiter(0, 1, clock);
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(limiter.Take("a"));
}

TEST(RateLimiterTest, ManyClientsMakeRoomForNewOnes) {
  FakeClock clock;
  RateLimiter limiter(1, 1, clock);
  for (std::size_t i = 0; i < RateLimiter::kMaxClients; ++i) limiter.Take(fmt::format("c{}", i));
  EXPECT_TRUE(limiter.Take("c0"));  // Still known.
  clock.Advance(seconds(2));
  EXPECT_FALSE(limiter.Take("new"));
  EXPECT_TRUE(limiter.Take("new"));
}

}  // namespace
}  // namespace inferon
