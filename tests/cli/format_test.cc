#include "client/cli/format.h"

#include <gtest/gtest.h>

namespace inferon::cli {
namespace {

TEST(FormatTest, CountsAreGroupedFromTenThousandOn) {
  EXPECT_EQ(FormatCount(0), "0");
  EXPECT_EQ(FormatCount(9999), "9999");
  EXPECT_EQ(FormatCount(10000), "10 000");
  EXPECT_EQ(FormatCount(123456), "123 456");
  EXPECT_EQ(FormatCount(1234567), "1 234 567");
  EXPECT_EQ(FormatCount(123456789), "123 456 789");
}

TEST(FormatTest, DurationsTakeTheUnitThatFits) {
  EXPECT_EQ(FormatDuration(0), "0.0 s");
  EXPECT_EQ(FormatDuration(9.94), "9.9 s");
  EXPECT_EQ(FormatDuration(9.96), "10 s");
  EXPECT_EQ(FormatDuration(59.4), "59 s");
  EXPECT_EQ(FormatDuration(59.6), "1 min 00 s");
  EXPECT_EQ(FormatDuration(185), "3 min 05 s");
  EXPECT_EQ(FormatDuration(7620), "2 h 07 min");
}

TEST(FormatTest, JsonTimesAreUtc) {
  EXPECT_EQ(FormatTimeUtc(WallTime(std::chrono::seconds(1'700'000'000))), "2023-11-14T22:13:20Z");
}

}  // namespace
}  // namespace inferon::cli
