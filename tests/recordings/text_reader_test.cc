#include "common/recordings/text_reader.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "common/base/files.h"

namespace inferon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kHeader = "time_ms,voltage_mV,current_pA\n";

void ExpectRefused(const std::string& text, const std::string& naming,
                   const ReadOptions& options = {}) {
  const Result<Recording> recording = ParseRecording(text, options);
  ASSERT_FALSE(recording) << text.substr(0, 200);
  EXPECT_EQ(recording.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(recording.error().message, HasSubstr(naming));
  EXPECT_FALSE(recording.error().advice.empty());
}

TEST(TextReaderTest, ReadsWithAndWithoutCurrent) {
  const Recording three =
      ParseRecording(std::string(kHeader) + "0,-70,nan\r\n0.5,-69.5,1e2\n").value();
  EXPECT_THAT(three.time_ms, ElementsAre(0, 0.5));
  EXPECT_TRUE(std::isnan(three.current_pa[0]));
  EXPECT_EQ(three.current_pa[1], 100);
  EXPECT_TRUE(ParseRecording("time_ms,voltage_mV\n0,-70\n1,-70").value().current_pa.empty());
}

TEST(TextReaderTest, ConvertsUnitsOfTheHeader) {
  const Recording recording =
      ParseRecording("# time (s)\tVm [V]\tcurrent/nA\n0 -0.07 0.1\n1e-3 -0.06 0.2\n").value();
  EXPECT_THAT(recording.time_ms, ElementsAre(0, 1));
  EXPECT_THAT(recording.voltage_mv, ElementsAre(-70, -60));
  EXPECT_THAT(recording.current_pa, ElementsAre(100, 200));
}

TEST(TextReaderTest, NumbersWithoutHeaderNeedDeclaredColumns) {
  const std::string text = "0 5 -70\n0.001 6 -69\n";
  const Result<Recording> refused = ParseRecording(text);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("3 columns"));
  EXPECT_THAT(refused.error().advice, HasSubstr("--columns time_ms,voltage_mV"));
  const ReadOptions options[] = {{.columns = "time_s,current_pA,voltage_mV"},
                                 {.columns = "time,current,voltage", .units = "s,pA,mV"}};
  for (const ReadOptions& declared : options) {
    const Recording recording = ParseRecording(text, declared).value();
    EXPECT_THAT(recording.time_ms, ElementsAre(0, 1));
    EXPECT_THAT(recording.voltage_mv, ElementsAre(-70, -69));
    EXPECT_THAT(recording.current_pa, ElementsAre(5, 6));
  }
  const ReadOptions skipping{.columns = "time_s,skip,voltage_mV"};
  EXPECT_TRUE(ParseRecording(text, skipping).value().current_pa.empty());
}

TEST(TextReaderTest, DeclaredColumnsReplaceAHeader) {
  const Recording recording =
      ParseRecording("t,v\n0,-70\n1,-69\n", {.columns = "time_ms,voltage_mV"}).value();
  EXPECT_THAT(recording.voltage_mv, ElementsAre(-70, -69));
}

TEST(TextReaderTest, UnitsAreNeverGuessed) {
  ExpectRefused("time,voltage\n0,1\n1,1\n", "row 1");
  ExpectRefused("time_ms,voltage\n0,1\n1,1\n", "no unit");
  ExpectRefused("time_ms,voltage_furlong\n0,1\n1,1\n", "no unit of the column");
  EXPECT_TRUE(ParseRecording("time,voltage\n0,1\n1,1\n", {.units = "ms,mV"}));
}

TEST(TextReaderTest, RefusesMalformedRowsByNumber) {
  ExpectRefused("", "row 1");
  ExpectRefused(std::string(kHeader) + "0,-70,0\n", "fewer than 2");
  ExpectRefused(std::string(kHeader) + "0,-70,0\n1,-70\n", "row 3 of");
  ExpectRefused(std::string(kHeader) + "0,-70,0\n1,-70,0,5\n", "row 3 of");
  ExpectRefused(std::string(kHeader) + "0,-70,0\n\n2,-70,0\n", "row 3 of");
  ExpectRefused(std::string(kHeader) + "0,-70,0\n1,x,0\n", "row 3 of");
  ExpectRefused(std::string(kHeader) + "0,-70,0\n1,-7 0,0\n", "row 3 of");
  ExpectRefused(std::string(kHeader) + "0,nan,0\n1,-70,0\n", "row 2 of");
  ExpectRefused(std::string(kHeader) + "0,-70,0\n1,-70,inf\n", "row 3 of");
  ExpectRefused(std::string(kHeader) + "0,-70,0\n1,-70,0\n1,-70,0\n", "row 4 of");
  ExpectRefused(std::string(kHeader) + "0,-70,0\n1,-70,0\n0.5,-70,0\n", "not after the row before");
}

TEST(TextReaderTest, CommentsMayStandBeforeTheHeaderOrNameTheColumns) {
  const std::string rows = "0,-70,0\n1,-69,5\n";
  for (const char* head : {"# cell 17, mouse\n\n# rig 3\ntime_ms,voltage_mV,current_pA\n",
                           "# cell 17, mouse\n# time_ms,voltage_mV,current_pA\n",
                           "% time_ms,voltage_mV,current_pA\n"}) {
    const Recording recording = ParseRecording(head + rows).value();
    EXPECT_THAT(recording.voltage_mv, ElementsAre(-70, -69)) << head;
  }
  EXPECT_TRUE(ParseRecording("# cell\n" + rows, {.columns = "time_ms,voltage_mV,current_pA"}));
  ExpectRefused("# time_ms,voltage\n" + rows, "'# time_ms,voltage', is no header either");
  ExpectRefused("# cell\n" + std::string(kHeader) + "0,-70,0\n# note\n1,-70,0\n", "row 4 of");
  ExpectRefused("# cell\n" + std::string(kHeader) + "0,-70,0\n1,-70,0\n2,-70,0\n9,-70,0\n",
                "row 6 of");
  ExpectRefused("# cell\n", "no header");
}

TEST(TextReaderTest, LimitOfCommentsIsExact) {
  std::string comments;
  for (std::size_t k = 0; k < kMaxCommentLines; ++k) comments += "#\n";
  const std::string table = std::string(kHeader) + "0,-70,0\n1,-70,0\n";
  EXPECT_TRUE(ParseRecording(comments + table));
  ExpectRefused(comments + "#\n" + table, "one comment too many");
}

TEST(TextReaderTest, DecimalCommasAreReadOnRequestOnly) {
  const std::string text = "time_ms;voltage_mV\n0,5;-70,25\n1;-69\n";
  ExpectRefused(text, "no number: '0,5'");
  EXPECT_THAT(ParseRecording(text).error().advice, HasSubstr("--decimal-comma"));
  const ReadOptions options{.decimal_comma = true};
  const Recording recording = ParseRecording(text, options).value();
  EXPECT_THAT(recording.time_ms, ElementsAre(0.5, 1));
  EXPECT_THAT(recording.voltage_mv, ElementsAre(-70.25, -69));
  const ReadOptions blanks{.columns = "time_ms,voltage_mV", .decimal_comma = true};
  EXPECT_THAT(ParseRecording("0,5\t-70,25\n1\t-69\n", blanks).value().voltage_mv,
              ElementsAre(-70.25, -69));
  ExpectRefused("time_ms;voltage_mV\n0;-1.070,25\n1;-69\n", "no number", options);
  ExpectRefused("time_ms,voltage_mV\n0,5,-70,25\n", "2 columns but 4");
}

TEST(TextReaderTest, FilesOfOtherSystemsAndProgramsAreRead) {
  for (const char* text :
       {"time_ms,voltage_mV\r0,-70\r1,-69\r", "time_ms,voltage_mV\r\n0,-70\r\n1,-69",
        "\xEF\xBB\xBFtime_ms,voltage_mV\n0,-70\n1,-69\n",
        "\xEF\xBB\xBF# time_ms,voltage_mV\n0,-70\n1,-69\n",
        "\"time_ms\",\"voltage_mV\"\n0,-70\n1,-69\n",
        "time_ms,voltage_mV\n0,-70\n1,-69\n\n \n\n"}) {
    const Result<Recording> recording = ParseRecording(text);
    ASSERT_TRUE(recording) << text << ": " << recording.error().message;
    EXPECT_THAT(recording->voltage_mv, ElementsAre(-70, -69)) << text;
  }
}

std::string WithGap() {
  std::string text = "time_ms,voltage_mV\n";
  for (const int t : {0, 1, 2, 3, 6, 7, 8}) text += fmt::format("{},{}\n", t, 10 * t);
  return text;
}

TEST(TextReaderTest, GapsAreRefusedByRowOrResampledOnRequest) {
  ExpectRefused(WithGap(), "row 6 of");
  EXPECT_THAT(ParseRecording(WithGap()).error().advice, HasSubstr("--resample"));
  const Recording even = ParseRecording(WithGap(), {.resample = true}).value();
  EXPECT_THAT(even.time_ms, ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8));
  EXPECT_THAT(even.voltage_mv, ElementsAre(0, 10, 20, 30, 40, 50, 60, 70, 80));
  EXPECT_THAT(even.notes, ElementsAre(HasSubstr("resampled")));
}

TEST(TextReaderTest, TimesRoundedInTheTableAreRegular) {
  std::string text = "time_ms,voltage_mV\n";
  for (int k = 0; k < 50; ++k) text += fmt::format("{:.2f},-70\n", k / 30.0);
  const Recording recording = ParseRecording(text).value();
  EXPECT_NEAR(recording.time_ms[1], 1 / 30.0, 1e-4);
  EXPECT_THAT(recording.notes, ElementsAre(HasSubstr("rounded")));
}

TEST(TextReaderTest, LimitOfSamplesIsExact) {
  const std::string three = std::string(kHeader) + "0,-70,0\n1,-70,0\n2,-70,0\n";
  EXPECT_TRUE(ParseRecording(three, {.max_samples = 3}));
  ExpectRefused(three, "at most 2 samples", {.max_samples = 2});
  // A gap may be long: resampling must not fill memory.
  const std::string far = "time_ms,voltage_mV\n0,0\n1,0\n2,0\n1e12,0\n";
  ExpectRefused(far, "more than 1000", {.max_samples = 1000, .resample = true});
}

TEST(TextReaderTest, LinesAreBounded) {
  EXPECT_TRUE(ParseRecording('#' + std::string(kMaxLineBytes - 1, 'x') + "\n" + kHeader +
                             "0,-70,0\n1,-70,0\n"));
  const std::string line(kMaxLineBytes + 1, '1');
  ExpectRefused(line, "longer than");
  ExpectRefused(std::string(kHeader) + "0,-70,0\n" + line, "row 3 of");
}

TEST(TextReaderTest, MissingFileIsNotFound) {
  EXPECT_EQ(LoadTable("/nonexistent.csv").error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace inferon
