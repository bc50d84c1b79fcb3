#include "client/report/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <regex>
#include <set>

#include "client/report/format.h"
#include "common/base/files.h"
#include "common/figures/svg.h"
#include "tests/report/synthetic.h"

namespace inferon::report {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string Contents(const std::filesystem::path& path) {
  Result<std::string> content = ReadFile(path);
  EXPECT_TRUE(content) << path;
  return content ? *content : std::string();
}

// Checks that every element is closed in the order of opening; returns what is wrong, or "".
std::string CheckWellFormed(const std::string& text) {
  static const std::set<std::string> kVoid = {"meta", "br", "!DOCTYPE"};
  std::vector<std::string> open;
  for (std::size_t at = text.find('<'); at != std::string::npos; at = text.find('<', at + 1)) {
    const std::size_t end = text.find('>', at);
    if (end == std::string::npos) return "a tag is never closed";
    const std::string tag = text.substr(at + 1, end - at - 1);
    if (tag.find('<') != std::string::npos) return "a bare < before " + tag;
    const std::string name =
        tag.substr(tag[0] == '/' ? 1 : 0, tag.find_first_of(" /", 1) - (tag[0] == '/' ? 1 : 0));
    if (tag[0] == '/') {
      if (open.empty() || open.back() != name) return "unexpected </" + name + ">";
      open.pop_back();
    } else if (tag.back() != '/' && !kVoid.contains(name)) {
      open.push_back(name);
    }
  }
  return open.empty() ? "" : "<" + open.back() + "> stays open";
}

struct PngSize {
  std::uint32_t width, height;
};

PngSize SizeOfPng(const std::string& bytes) {
  EXPECT_EQ(bytes.substr(0, 8), "\x89PNG\r\n\x1a\n");
  const auto word = [&](std::size_t at) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      value = value << 8 | static_cast<unsigned char>(bytes.at(at + i));
    }
    return value;
  };
  return {word(16), word(20)};
}

bool OnPath(const std::string& program) {
  std::string path = std::getenv("PATH") ? std::getenv("PATH") : "";
  std::replace(path.begin(), path.end(), ':', '\n');
  std::istringstream folders(path);
  for (std::string folder; std::getline(folders, folder);) {
    if (access((folder + "/" + program).c_str(), X_OK) == 0) return true;
  }
  return false;
}

class ReportTest : public ::testing::Test {
 protected:
  // Most tests look at the page and the SVGs only: no converter, no time.
  Result<ReportFiles> Write(const ReportData& data) {
    return WriteReport(data, folder_.path() / "report", {.png_converter = "no-such-program"});
  }
  TemporaryFolder folder_;
};

TEST_F(ReportTest, WritesAPageAndAllFigures) {
  const Result<ReportFiles> files = Write(MakeSyntheticReport());
  ASSERT_TRUE(files) << files.error().Text();
  EXPECT_EQ(CheckWellFormed(
                std::regex_replace(Contents(files->page), std::regex("<style>[^<]*</style>"), "")),
            "");
  std::set<std::string> names;
  for (const auto& figure : files->figures) {
    names.insert(figure.filename());
    EXPECT_EQ(CheckWellFormed(Contents(figure)), "") << figure;
    EXPECT_THAT(Contents(figure), Not(HasSubstr("nan")));
    EXPECT_THAT(Contents(figure), Not(HasSubstr("\"inf")));
  }
  EXPECT_EQ(names, (std::set<std::string>{"figure-1a.svg", "figure-1b.svg", "figure-2a.svg",
                                          "figure-2b.svg", "figure-3.svg", "figure-4.svg",
                                          "figure-training.svg", "figure-sbc.svg",
                                          "figure-ranks.svg", "figure-coverage.svg"}));
}

TEST_F(ReportTest, ThePageLoadsNothing) {
  const Result<ReportFiles> files = Write(MakeSyntheticReport());
  ASSERT_TRUE(files);
  const std::string page = Contents(files->page);
  for (const char* load :
       {"http:", "https:", "src=", "<script", "<link", "@import", "url(http", "<img", "<iframe"}) {
    EXPECT_EQ(page.find(load), std::string::npos) << load;
  }
}

TEST_F(ReportTest, EveryNumberStandsOnThePageWithItsProvenance) {
  ReportData data = MakeSyntheticReport();
  for (std::size_t i = 0; i < data.numbers.size(); ++i) {
    data.numbers[i].provenance = "provenance <" + std::to_string(i) + ">";
  }
  const Result<ReportFiles> files = Write(data);
  ASSERT_TRUE(files);
  const std::string page = Contents(files->page);
  for (std::size_t i = 0; i < data.numbers.size(); ++i) {
    const ReportNumber& number = data.numbers[i];
    EXPECT_THAT(page, HasSubstr("<code>" + number.key + "</code>"));
    EXPECT_THAT(page, HasSubstr("provenance &lt;" + std::to_string(i) + "&gt;"));
    if (!number.key.starts_with("theta_inside_")) {  // Shown as yes and no.
      EXPECT_THAT(page, HasSubstr(FormatValue(number.value, number.unit)));
    }
    EXPECT_THAT(page, HasSubstr(EscapeXml(number.paper)));
  }
  EXPECT_THAT(page, HasSubstr("synthetic &amp; &lt;hermetic&gt;")) << "settings are escaped";
}

TEST_F(ReportTest, CaptionsSetSubscripts) {
  const Result<ReportFiles> files = Write(MakeSyntheticReport({.draws = 40}));
  ASSERT_TRUE(files);
  EXPECT_THAT(Contents(files->page), HasSubstr("Correlation of V<sub>T</sub> and Δ<sub>T</sub>:"));
}

TEST_F(ReportTest, CalibrationStandsInWordsForEachModelAndRun) {
  const Result<ReportFiles> files = Write(MakeSyntheticReport());
  ASSERT_TRUE(files);
  const std::string page = Contents(files->page);
  EXPECT_THAT(page, HasSubstr("<td>calibrated: none of 17 tests rejects at 1 %</td>"));
  EXPECT_THAT(page, HasSubstr("<td>not calibrated: the posteriors are too narrow</td>"));
  EXPECT_THAT(page, HasSubstr("<td>summary network, another run</td>"));
}

TEST_F(ReportTest, FiguresOfMissingOptionalArraysAreLeftOut) {
  const Result<ReportFiles> files = Write(MakeSyntheticReport({.calibration = false}));
  ASSERT_TRUE(files);
  EXPECT_EQ(files->figures.size(), 6u);
}

TEST_F(ReportTest, AMissingRequiredArrayIsNamedAndNothingIsWritten) {
  ReportData data = MakeSyntheticReport();
  std::erase_if(data.arrays, [](const ReportArray& a) { return a.name == "map.summary.trace"; });
  const Result<ReportFiles> files = Write(data);
  ASSERT_FALSE(files);
  EXPECT_THAT(files.error().message, HasSubstr("map.summary.trace"));
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "report"));
}

TEST_F(ReportTest, AFeatureMissingInAllRunsIsADash) {
  ReportData data = MakeSyntheticReport();
  for (ReportArray& array : data.arrays) {
    if (array.name != "target.features") continue;
    const float missing = NAN;
    array.data.replace(5 * sizeof(float), sizeof(float), reinterpret_cast<const char*>(&missing),
                       sizeof(float));
  }
  const Result<ReportFiles> files = Write(data);
  ASSERT_TRUE(files);
  EXPECT_THAT(Contents(folder_.path() / "report/figures/figure-3.svg"), HasSubstr(">-</text>"));
  EXPECT_THAT(Contents(files->page),
              HasSubstr("adaptation index</td><td class=\"n\">-</td><td class=\"n\">-</td>"));
}

TEST_F(ReportTest, OtherParametersNeedNoOtherCode) {
  ReportData data = MakeSyntheticReport();
  data.parameters = {"p0", "p1", "p2", "p3", "p4", "p5", "p6"};
  data.parameter_labels = data.parameters;
  EXPECT_TRUE(Write(data));
}

TEST_F(ReportTest, SilentNeuronsAndEqualDrawsAreDrawn) {
  ReportData data = MakeSyntheticReport({.draws = 50});
  for (ReportArray& array : data.arrays) {
    const bool counts = array.name.ends_with("spike_count");
    const bool codes = array.name.starts_with("posterior.") && array.name.ends_with(".codes");
    if (counts || codes || array.name.ends_with("trace")) {
      std::fill(array.data.begin(), array.data.end(), '\0');
    }
  }
  const Result<ReportFiles> files = Write(data);
  ASSERT_TRUE(files);
  for (const auto& figure : files->figures) EXPECT_THAT(Contents(figure), Not(HasSubstr("nan")));
}

TEST_F(ReportTest, WithoutConverterThereIsAWarningAndNoPng) {
  const Result<ReportFiles> files = Write(MakeSyntheticReport());
  ASSERT_TRUE(files);
  ASSERT_EQ(files->warnings.size(), 1u);
  EXPECT_THAT(files->warnings[0], HasSubstr("librsvg2-bin"));
}

TEST_F(ReportTest, PngsHaveTwiceTheSizeOfTheirFigures) {
  if (!OnPath("rsvg-convert")) GTEST_SKIP() << "rsvg-convert (librsvg2-bin) is not installed";
  const Result<ReportFiles> files =
      WriteReport(MakeSyntheticReport({.draws = 60}), folder_.path() / "report");
  ASSERT_TRUE(files);
  EXPECT_TRUE(files->warnings.empty());
  ASSERT_EQ(files->figures.size(), 20u);
  const PngSize size = SizeOfPng(Contents(folder_.path() / "report/figures/figure-1b.png"));
  EXPECT_EQ(size.width, 1800u);
  EXPECT_EQ(size.height, 860u);
}

TEST_F(ReportTest, AFolderThatCannotBeMadeIsRefused) {
  WriteFileAtomically(folder_.path() / "report", "a file");
  const Result<ReportFiles> files = Write(MakeSyntheticReport({.draws = 20}));
  ASSERT_FALSE(files);
  EXPECT_EQ(files.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_THAT(files.error().message, HasSubstr("report"));
}

TEST_F(ReportTest, SameDataSameBytes) {
  const ReportData data = MakeSyntheticReport();
  ASSERT_TRUE(Write(data));
  const std::string first = Contents(folder_.path() / "report/index.html");
  ASSERT_TRUE(Write(data));
  EXPECT_EQ(Contents(folder_.path() / "report/index.html"), first);
}

}  // namespace
}  // namespace inferon::report
