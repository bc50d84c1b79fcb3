#include "client/report/figure_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/report/synthetic.h"

namespace inferon::report {
namespace {

using ::testing::HasSubstr;

ReportArray& ArrayOf(ReportData& data, const std::string& name) {
  return *std::find_if(data.arrays.begin(), data.arrays.end(),
                       [&](const ReportArray& array) { return array.name == name; });
}

void Remove(ReportData& data, const std::string& name) {
  std::erase_if(data.arrays, [&](const ReportArray& array) { return array.name == name; });
}

std::string ErrorOf(const ReportData& data) {
  const Result<FigureData> read = ReadFigureData(data);
  EXPECT_FALSE(read);
  if (read) return {};
  EXPECT_EQ(read.error().code, ErrorCode::kInvalidArgument);
  return read.error().message;
}

TEST(FigureDataTest, ReadsWhatWasWritten) {
  const ReportData data = MakeSyntheticReport();
  const Result<FigureData> read = ReadFigureData(data);
  ASSERT_TRUE(read) << read.error().Text();
  EXPECT_EQ(read->uniform_counts.size(), 4000u);
  EXPECT_EQ(read->target_codes, (std::vector<double>{320, 610, 540, 410, 220, 300, 480}));
  EXPECT_FLOAT_EQ(read->target_features[4], 0.21f);
  EXPECT_EQ(read->posterior_codes[kSummary].rows, 300u);
  EXPECT_EQ(read->sbc_ranks[kFeatures]->rows, 600u);
}

TEST(FigureDataTest, EveryRequiredArrayIsNamedWhenItIsMissing) {
  const ReportData whole = MakeSyntheticReport({.draws = 20, .calibration = false});
  for (const ReportArray& array : whole.arrays) {
    ReportData data = whole;
    Remove(data, array.name);
    EXPECT_THAT(ErrorOf(data), HasSubstr(array.name));
  }
}

TEST(FigureDataTest, OptionalArraysMayBeMissing) {
  const ReportData data = MakeSyntheticReport({.draws = 20, .calibration = false});
  const Result<FigureData> read = ReadFigureData(data);
  ASSERT_TRUE(read);
  EXPECT_FALSE(read->losses[kFeatures]);
  EXPECT_TRUE(read->levels[kSummary].empty());
}

TEST(FigureDataTest, WrongTypeShapeOrLengthIsRefused) {
  const ReportData whole = MakeSyntheticReport({.draws = 20});
  ReportData data = whole;
  ArrayOf(data, "target.codes").dtype = "u4";
  EXPECT_THAT(ErrorOf(data), HasSubstr("target.codes has type \"u4\", not \"u2\""));
  data = whole;
  ArrayOf(data, "target.trace").shape = {1399};
  EXPECT_THAT(ErrorOf(data), HasSubstr("target.trace has extent 1399 on axis 0, not 1400"));
  data = whole;
  ArrayOf(data, "ppc.summary.features").shape = {20 * 12};
  EXPECT_THAT(ErrorOf(data), HasSubstr("ppc.summary.features has 1 axes, not 2"));
  data = whole;
  ArrayOf(data, "posterior.features.codes").data.pop_back();
  EXPECT_THAT(ErrorOf(data), HasSubstr("posterior.features.codes has 279 bytes"));
  data = whole;
  ArrayOf(data, "band.features").shape = {~std::uint64_t{0} / 8, 3};
  EXPECT_THAT(ErrorOf(data), HasSubstr("band.features is shorter than its shape"));
  data = whole;
  ArrayOf(data, "uniform.spike_count").shape = {0};
  ArrayOf(data, "uniform.spike_count").data.clear();
  EXPECT_THAT(ErrorOf(data), HasSubstr("uniform.spike_count"));
}

TEST(FigureDataTest, NumbersAndLabelsMustFit) {
  ReportData data = MakeSyntheticReport({.draws = 20});
  data.parameter_labels.pop_back();
  EXPECT_THAT(ErrorOf(data), HasSubstr("one label for each parameter"));
  data = MakeSyntheticReport({.draws = 20});
  data.numbers.push_back(data.numbers.front());
  EXPECT_THAT(ErrorOf(data), HasSubstr("twice"));
}

}  // namespace
}  // namespace inferon::report
