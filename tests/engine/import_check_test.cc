#include "server/trainer/engine/import_check.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace inferon::trainer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

DataSetSpec Spec(InvalidRows invalid = InvalidRows::kRefuse) {
  DataSetSpec spec;
  spec.id = "toy";
  spec.prior = *ParsePrior(R"({"parameters": [
    {"name": "g", "prior": "uniform", "low": 0, "high": 1}, {"name": "k", "prior": "real"}]})");
  spec.columns = 3;
  spec.invalid = invalid;
  return spec;
}

DataSetRows Rows() { return {{0.1, 5, 0.2, 6, 0.3, 7}, {1, 2, 3, 4, 2, 6, 7, 2, 9}}; }

std::string Refusal(const DataSetSpec& spec, DataSetRows rows) {
  ImportCheck check(spec);
  Status status = check.Take(rows);
  if (status) status = check.Finish();
  return status ? "accepted" : status.error().Text();
}

TEST(ImportCheckTest, GoodRowsPassAndConstantColumnsAreNamed) {
  const DataSetSpec spec = Spec();
  ImportCheck check(spec);
  DataSetRows rows = Rows();
  ASSERT_TRUE(check.Take(rows));
  ASSERT_TRUE(check.Finish());
  EXPECT_EQ(check.kept(), 3u);
  EXPECT_THAT(check.Warnings(), ElementsAre(HasSubstr("never varies in column 2")));
}

TEST(ImportCheckTest, RefusalsNameRowAndColumn) {
  DataSetRows rows = Rows();
  rows.theta[2] = 1.5;
  EXPECT_THAT(Refusal(Spec(), rows), HasSubstr("row 2: g = 1.5 is not in the support"));
  rows = Rows();
  rows.x[7] = kNan;
  EXPECT_THAT(Refusal(Spec(), rows), HasSubstr("x, row 3, column 2 is nan"));
  rows = Rows();
  rows.theta[5] = std::nan("");
  EXPECT_THAT(Refusal(Spec(), rows), HasSubstr("theta, row 3, parameter k is nan"));
  rows = Rows();
  rows.x.pop_back();
  EXPECT_THAT(Refusal(Spec(), rows), HasSubstr("not the same number of rows"));
  EXPECT_THAT(Refusal(Spec(), {}), HasSubstr("there are no rows"));
  rows = Rows();
  for (const std::size_t i : {1, 3, 5}) rows.theta[i] = 4;
  EXPECT_THAT(Refusal(Spec(), rows), HasSubstr("parameter k has one value only"));
  rows = Rows();
  std::fill(rows.x.begin(), rows.x.end(), 1.0f);
  EXPECT_THAT(Refusal(Spec(), rows), HasSubstr("x is the same in all rows"));
}

TEST(ImportCheckTest, InvalidRowsAreDroppedAndCountedOnRequest) {
  const DataSetSpec spec = Spec(InvalidRows::kDrop);
  ImportCheck check(spec);
  DataSetRows rows = Rows();
  rows.x[4] = std::numeric_limits<float>::infinity();
  ASSERT_TRUE(check.Take(rows));
  EXPECT_THAT(rows.theta, ElementsAre(0.1, 5, 0.3, 7));
  EXPECT_THAT(rows.x, ElementsAre(1, 2, 3, 7, 2, 9));
  EXPECT_EQ(check.dropped(), 1u);
  EXPECT_THAT(check.Warnings().back(), HasSubstr("1 of 3 rows were dropped"));
  // A theta that the prior excludes is a mistake, not an invalid value.
  rows = Rows();
  rows.theta[0] = -1;
  EXPECT_FALSE(check.Take(rows));
}

TEST(ImportCheckTest, MissingValuesAreKeptOnRequest) {
  DataSetRows rows = Rows();
  rows.x[0] = kNan;
  const DataSetSpec spec = Spec(InvalidRows::kMissing);
  ImportCheck check(spec);
  ASSERT_TRUE(check.Take(rows));
  EXPECT_THAT(rows.x, SizeIs(9));
  EXPECT_THAT(check.Warnings().back(), HasSubstr("values are missing in column 1"));
  rows.x[1] = std::numeric_limits<float>::infinity();
  EXPECT_FALSE(check.Take(rows));
}

}  // namespace
}  // namespace inferon::trainer
