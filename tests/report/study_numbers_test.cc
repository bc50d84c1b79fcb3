#include "client/cli/study_numbers.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "tests/report/synthetic.h"

namespace inferon::cli {
namespace {

using report::ReportNumber;

std::vector<ReportNumber> One(const std::string& key, double value) {
  return {{.key = key, .value = value}};
}

TEST(StudyNumbersTest, DemandsAreJudgedAtTheirEdges) {
  EXPECT_EQ(Judge(One("uniform_share", 0.015), "uniform_share"), Verdict::kMet);
  EXPECT_EQ(Judge(One("uniform_share", 0.0251), "uniform_share"), Verdict::kMissed);
  EXPECT_EQ(Judge(One("constrained_share", 0.38), "constrained_share"), Verdict::kMet);
  EXPECT_EQ(Judge(One("constrained_share", 0.379), "constrained_share"), Verdict::kMissed);
  EXPECT_EQ(Judge(One("share_ratio", 18.9), "share_ratio"), Verdict::kMissed);
  EXPECT_EQ(Judge(One("false_negative_rate", 0.05), "false_negative_rate"), Verdict::kMet);
  EXPECT_EQ(Judge(One("theta_inside_99_summary", 0), "theta_inside_99_summary"), Verdict::kMissed);
}

TEST(StudyNumbersTest, DensitiesAreJudgedAgainstThePrior) {
  std::vector<ReportNumber> numbers = {{.key = "log_density_prior", .value = 3},
                                       {.key = "log_density_features", .value = 5.9},
                                       {.key = "log_density_summary", .value = 6}};
  EXPECT_EQ(Judge(numbers, "log_density_features"), Verdict::kMissed);
  EXPECT_EQ(Judge(numbers, "log_density_summary"), Verdict::kMet);
}

TEST(StudyNumbersTest, TheDifferenceNeedsTwoStandardErrors) {
  std::vector<ReportNumber> numbers = {
      {.key = "log_density_difference", .value = 0.19, .low = 0.0, .high = 0.4}};
  EXPECT_EQ(Judge(numbers, "log_density_difference"), Verdict::kMissed);
  numbers[0].value = 0.21;
  EXPECT_EQ(Judge(numbers, "log_density_difference"), Verdict::kMet);
}

TEST(StudyNumbersTest, AMissingNumberIsUnknownNotMet) {
  EXPECT_EQ(Judge({}, "constrained_share"), Verdict::kUnknown);
  EXPECT_EQ(Judge(One("uniform_share", NAN), "uniform_share"), Verdict::kUnknown);
  EXPECT_EQ(Judge(One("seconds", 5), "seconds"), Verdict::kNotDemanded);
  const nlohmann::json json = NumbersJson("a", {}, "");
  EXPECT_TRUE(json["theta_inside_99_features"].is_null());
  EXPECT_TRUE(json["report"].is_null());
}

TEST(StudyNumbersTest, EveryDemandHasARowEvenWithoutItsNumber) {
  EXPECT_EQ(NumbersTable({}).rows.size(), 9u);
  EXPECT_EQ(NumbersTable(report::MakeSyntheticReport({.draws = 20}).numbers).rows.size(), 12u);
}

}  // namespace
}  // namespace inferon::cli
