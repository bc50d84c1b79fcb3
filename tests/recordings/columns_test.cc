#include "common/recordings/columns.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace inferon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Result<Columns> Parse(std::vector<std::string_view> names, std::string_view units = "") {
  return ParseColumns(names, units);
}

TEST(ColumnsTest, UnitsScaleToMillisecondsMillivoltsAndPicoamperes) {
  EXPECT_EQ(UnitScale(Signal::kTime, "s"), 1e3);
  EXPECT_EQ(UnitScale(Signal::kTime, "us"), 1e-3);
  EXPECT_EQ(UnitScale(Signal::kVoltage, "Volts"), 1e3);
  EXPECT_EQ(UnitScale(Signal::kVoltage, "mV"), 1);
  EXPECT_EQ(UnitScale(Signal::kCurrent, "amperes"), 1e12);
  EXPECT_EQ(UnitScale(Signal::kCurrent, "nA"), 1e3);
  EXPECT_FALSE(UnitScale(Signal::kVoltage, "pA"));
  EXPECT_FALSE(UnitScale(Signal::kVoltage, ""));
}

TEST(ColumnsTest, NameAndUnitMayBeWrittenInSeveralWays) {
  for (const char* voltage : {"voltage_mV", "Voltage (mV)", "v [mV]", "vm/mv"}) {
    const Columns columns = Parse({"time_ms", voltage}).value();
    EXPECT_EQ(columns[1].signal, Signal::kVoltage);
    EXPECT_EQ(columns[1].scale, 1);
  }
}

TEST(ColumnsTest, EachSignalComesOnce) {
  EXPECT_THAT(Parse({"time_ms", "time_ms", "v_mV"}).error().message, HasSubstr("one column"));
  EXPECT_FALSE(Parse({"time_ms"}));
  EXPECT_FALSE(Parse({"time_ms", "v_mV", "i_pA", "i_pA"}));
  EXPECT_FALSE(Parse({}));
  EXPECT_TRUE(Parse({"skip", "time_ms", "skip", "v_mV"}));
}

TEST(ColumnsTest, GivenUnitsFillInForNamesWithoutAndMustFit) {
  EXPECT_EQ(Parse({"time", "voltage"}, "s,V").value()[0].scale, 1e3);
  EXPECT_FALSE(Parse({"time", "voltage"}, "ms"));
  EXPECT_FALSE(Parse({"time", "voltage"}, "mV,ms"));
  EXPECT_THAT(Parse({"time", "voltage"}, "ms,mV,pA").error().message, HasSubstr("3 units"));
}

TEST(ColumnsTest, FieldsAreSplitAtTheSeparatorOrBlanks) {
  EXPECT_THAT(SplitFields(" 1 ,2,", ','), ElementsAre("1", "2", ""));
  EXPECT_THAT(SplitFields("  1\t 2 ", ' '), ElementsAre("1", "2"));
  EXPECT_EQ(FindSeparator("a;b"), ';');
  EXPECT_EQ(FindSeparator("0,5;1"), ';');
  EXPECT_EQ(FindSeparator("0,5 1"), ',');
  EXPECT_EQ(FindSeparator("0,5 1", /*decimal_comma=*/true), ' ');
}

}  // namespace
}  // namespace inferon
