#include "worker/brainscales2/restart_policy.h"

#include <gtest/gtest.h>

namespace inferon::worker {
namespace {

using namespace std::chrono_literals;

TEST(RestartPolicyTest, ThreeFailuresInARowAreBadForGood) {
  RestartPolicy policy({.max_failures = 3});
  policy.Failed();
  policy.Failed();
  EXPECT_FALSE(policy.bad());
  policy.Succeeded();
  policy.Failed();
  policy.Failed();
  EXPECT_FALSE(policy.bad());
  policy.Failed();
  EXPECT_TRUE(policy.bad());
  policy.Succeeded();
  EXPECT_TRUE(policy.bad());
}

TEST(RestartPolicyTest, DelaysDoubleUpToTheLimit) {
  RestartPolicy policy({.max_failures = 100, .first_delay = 1s, .max_delay = 5s});
  std::vector<std::chrono::milliseconds> delays;
  for (int i = 0; i < 5; ++i) {
    delays.push_back(policy.Delay());
    policy.Failed();
  }
  EXPECT_EQ(delays, (std::vector<std::chrono::milliseconds>{0s, 1s, 2s, 4s, 5s}));
}

}  // namespace
}  // namespace inferon::worker
