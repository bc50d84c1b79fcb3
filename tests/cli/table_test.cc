#include "client/cli/table.h"

#include <gtest/gtest.h>

namespace inferon::cli {
namespace {

TEST(TableTest, ColumnsAlignByDisplayWidthNotByBytes) {
  const Table table{{{"NAME"}, {"VALUE", true}}, {{"Δ_T", "1"}, {"plain", "1000"}, {"日本", "22"}}};
  EXPECT_EQ(RenderTable(table),
            "NAME   VALUE\n"
            "Δ_T        1\n"
            "plain   1000\n"
            "日本      22\n");
}

TEST(TableTest, LinesHaveNoTrailingSpaces) {
  EXPECT_EQ(RenderTable({{{"A"}, {"LONG"}}, {{"1", ""}, {"2", "x"}}}), "A  LONG\n1\n2  x\n");
}

TEST(TableTest, WithoutRowsOnlyTheHeader) { EXPECT_EQ(RenderTable({{{"A"}}, {}}), "A\n"); }

TEST(TableTest, WidthCountsCells) {
  EXPECT_EQ(DisplayWidth(""), 0);
  EXPECT_EQ(DisplayWidth("abc"), 3);
  EXPECT_EQ(DisplayWidth("µs"), 2);
  EXPECT_EQ(DisplayWidth("e\xCC\x81"), 1);  // e and a combining accent.
  EXPECT_EQ(DisplayWidth("語"), 2);
  EXPECT_EQ(DisplayWidth("\xFF"), 1);  // Malformed.
}

}  // namespace
}  // namespace inferon::cli
