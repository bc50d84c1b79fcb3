#include "client/report/format.h"

#include <gtest/gtest.h>

#include <cmath>

namespace inferon::report {
namespace {

TEST(FormatTest, SharesArePercentWithThreeDigits) {
  EXPECT_EQ(FormatValue(0.0204, "share"), "2.04 %");
  EXPECT_EQ(FormatValue(0.4132, "share"), "41.3 %");
  EXPECT_EQ(FormatValue(0, "share"), "0.00 %");
}

TEST(FormatTest, CountsAreGroupedFromTenThousandOn) {
  EXPECT_EQ(FormatCount(9999), "9999");
  EXPECT_EQ(FormatCount(50000), "50\u202f000");
  EXPECT_EQ(FormatCount(1234567), "1\u202f234\u202f567");
}

TEST(FormatTest, ValuesKeepFourDigitsAndTheirUnit) {
  EXPECT_EQ(FormatValue(8.7412, "nats"), "8.741 nats");
  EXPECT_EQ(FormatValue(-12.346, "nats"), "\u221212.35 nats");
  EXPECT_EQ(FormatValue(0.08, ""), "0.080");
  EXPECT_EQ(FormatValue(412.4, "us"), "412.4 µs");
  EXPECT_EQ(FormatValue(0.000012, ""), "1.20e-05");
}

TEST(FormatTest, MinusZeroIsZero) { EXPECT_EQ(FormatValue(-0.0001e-9, "share"), "0.00 %"); }

TEST(FormatTest, SecondsBecomeMinutesAndHours) {
  EXPECT_EQ(FormatValue(12.34, "seconds"), "12.3 s");
  EXPECT_EQ(FormatValue(684.2, "seconds"), "11 min 24 s");
  EXPECT_EQ(FormatValue(7380, "seconds"), "2 h 03 min");
}

TEST(FormatTest, MissingValuesAreADash) {
  EXPECT_EQ(FormatValue(NAN, "share"), "-");
  EXPECT_EQ(FormatNumber({.key = "k"}), "-");
}

TEST(FormatTest, IntervalsMayBeOneSided) {
  ReportNumber number{.key = "k", .value = 0.03, .unit = "share"};
  EXPECT_EQ(FormatInterval(number), "");
  number.high = 0.046;
  EXPECT_EQ(FormatInterval(number), "at most 4.60 %");
  number.low = 0.02;
  EXPECT_EQ(FormatNumber(number), "3.00 % (2.00 % to 4.60 %)");
}

}  // namespace
}  // namespace inferon::report
