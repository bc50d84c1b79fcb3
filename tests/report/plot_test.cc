#include "common/figures/plot.h"

#include <gtest/gtest.h>

#include <cmath>

namespace inferon::report {
namespace {

std::vector<std::string> Labels(const std::vector<Tick>& ticks) {
  std::vector<std::string> labels;
  for (const Tick& tick : ticks) labels.push_back(tick.label);
  return labels;
}

TEST(PlotTest, RoundTicksCoverTheRange) {
  EXPECT_EQ(Labels(RoundTicks(0, 1400, 7)),
            (std::vector<std::string>{"0", "200", "400", "600", "800", "1000", "1200", "1400"}));
  EXPECT_EQ(Labels(RoundTicks(-0.1, 0.1, 4)),
            (std::vector<std::string>{"\u22120.10", "\u22120.05", "0", "0.05", "0.10"}));
}

TEST(PlotTest, DecadesUseSuperscriptsBelowOne) {
  EXPECT_EQ(Labels(DecadeTicks(0.01, 100)),
            (std::vector<std::string>{"10⁻²", "10⁻¹", "1", "10", "100"}));
}

TEST(PlotTest, LogarithmicAxisPlacesDecadesEvenly) {
  const Axis axis{1, 100, true};
  EXPECT_DOUBLE_EQ(axis.Place(10), 0.5);
  EXPECT_LT(axis.Place(0), 0) << "zero lies outside, finite";
  EXPECT_TRUE(std::isfinite(axis.Place(0)));
}

TEST(PlotTest, AxisAroundAConstantIsNotEmpty) {
  const std::vector<double> same = {5, 5}, none = {NAN};
  EXPECT_LT(AxisAround({same}, 0.1).low, 5);
  EXPECT_GT(AxisAround({same}, 0.1).high, 5);
  EXPECT_LT(AxisAround({none}, 0.1).low, AxisAround({none}, 0.1).high);
}

TEST(PlotTest, LongTextsGetASmallerFont) {
  EXPECT_EQ(FontThatFits("short", 11, 200), 11);
  EXPECT_LT(FontThatFits("mean time of slow trough (fraction of ISI)", 11, 200), 11);
}

TEST(PlotTest, MissingValuesBreakALine) {
  Svg svg("f", 100, 100, "t");
  const Panel panel{{0, 0, 100, 100}, {0, 4}, {0, 1}};
  const std::vector<double> x = {0, 1, 2, 3, 4}, y = {0, 1, NAN, 1, 0};
  DrawLine(svg, panel, x, y, {});
  const std::string text = svg.Document();
  EXPECT_NE(text.find("M0 100L25 0"), std::string::npos);
  EXPECT_NE(text.find("M75 0L100 100"), std::string::npos);
}

}  // namespace
}  // namespace inferon::report
