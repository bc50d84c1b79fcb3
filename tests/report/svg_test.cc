#include "common/figures/svg.h"

#include <gtest/gtest.h>

namespace inferon::report {
namespace {

TEST(SvgTest, TextIsEscaped) {
  EXPECT_EQ(EscapeXml("a < b & \"c\" > d"), "a &lt; b &amp; &quot;c&quot; &gt; d");
  EXPECT_EQ(EscapeXml(std::string("a\x01"
                                  "b")),
            "a b");
}

TEST(SvgTest, MathLabelsHaveSubscripts) {
  EXPECT_EQ(MathHtml("Δ_T"), "<i>Δ</i><sub>T</sub>");
  EXPECT_EQ(MathHtml("b"), "<i>b</i>");
  EXPECT_EQ(MathHtml("V_T (code)"), "<i>V</i><sub>T</sub> (code)");
}

TEST(SvgTest, AFileHasItsOwnColoursAndAnInlineFigureThePages) {
  Svg svg("figure-x", 200, 100, "A title");
  svg.Line({0, 0}, {1.26, 2}, {});
  EXPECT_NE(svg.Document().find("<style>"), std::string::npos);
  EXPECT_NE(svg.Document().find("M0 0L1.3 2"), std::string::npos);
  EXPECT_EQ(svg.Inline().find("<style>"), std::string::npos);
  EXPECT_NE(svg.Inline().find("aria-label=\"A title\""), std::string::npos);
}

TEST(SvgTest, DarkColoursNeverReachPaper) {
  EXPECT_NE(PageCss().find("@media screen and (prefers-color-scheme:dark)"), std::string::npos);
}

}  // namespace
}  // namespace inferon::report
