#include "client/cli/cluster/restart_policy.h"

#include <gtest/gtest.h>

namespace inferon::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(RestartPolicyTest, DelayDoublesAndEndsInGivingUp) {
  const RestartPolicy policy{.first_delay = milliseconds(200),
                             .max_delay = milliseconds(1'000),
                             .stable_after = seconds(30),
                             .most_quick_crashes = 6};
  EXPECT_EQ(RestartDelay(policy, 1), milliseconds(200));
  EXPECT_EQ(RestartDelay(policy, 2), milliseconds(400));
  EXPECT_EQ(RestartDelay(policy, 3), milliseconds(800));
  EXPECT_EQ(RestartDelay(policy, 4), milliseconds(1'000));
  EXPECT_EQ(RestartDelay(policy, 5), milliseconds(1'000));
  EXPECT_EQ(RestartDelay(policy, 6), std::nullopt);
}

TEST(RestartPolicyTest, LongRunStartsTheCountAgain) {
  const RestartPolicy policy;
  EXPECT_EQ(CrashesInARow(policy, 5, seconds(1)), 6);
  EXPECT_EQ(CrashesInARow(policy, 5, policy.stable_after), 1);
}

}  // namespace
}  // namespace inferon::cli
