#include "server/trainer/studies/draws.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "server/trainer/studies/threshold.h"

namespace inferon::trainer {
namespace {

// Accepts where the first coordinate is above a border.
class BorderClassifier : public estimators::Classifier {
 public:
  std::size_t dimension() const override { return 5; }
  std::vector<float> Score(estimators::MatrixView theta) const override {
    std::vector<float> scores;
    for (std::size_t i = 0; i < theta.rows; ++i) scores.push_back(theta.Row(i)[0]);
    return scores;
  }
  std::string Save(const std::filesystem::path&) const override { return "{}"; }
};

TEST(DrawsTest, UniformSetDependsOnItsPlaceOnly) {
  const ParameterSets all = UniformSets(1, "uniform", 7, 0, 100);
  const ParameterSets part = UniformSets(1, "uniform", 7, 40, 10);
  for (std::size_t i = 0; i < 10; ++i) EXPECT_TRUE(std::ranges::equal(part[i], all[40 + i]));
  EXPECT_NE(all.codes, UniformSets(2, "uniform", 7, 0, 100).codes);
  EXPECT_NE(all.codes, UniformSets(1, "audit", 7, 0, 100).codes);
}

TEST(DrawsTest, UniformSetsCoverAllCodesEvenly) {
  const ParameterSets sets = UniformSets(3, "uniform", 9, 0, 20'000);
  std::vector<int> counts(kCodeCount, 0);
  for (const std::uint16_t code : sets.codes) {
    ASSERT_LE(code, kMaxCode);
    ++counts[code];
  }
  EXPECT_GT(*std::ranges::min_element(counts), 100);  // 176 expected, standard deviation 13.
  EXPECT_LT(*std::ranges::max_element(counts), 260);
}

TEST(DrawsTest, ConstrainedSetsAreTheAcceptedOnesInOrder) {
  const BorderClassifier classifier;
  const Support support(classifier, 0.75f);
  const auto draws = ConstrainedSets(support, 1, "constrained", 5, 300, 1e-4, {}, nullptr);
  ASSERT_TRUE(draws);
  std::vector<std::uint16_t> expected;
  for (std::uint64_t i = 0; i < draws->candidates; ++i) {
    const ParameterSets one = UniformSets(1, "constrained", 5, i, 1);
    if ((one.codes[0] + 0.5f) / 1023 >= 0.75f) {
      expected.insert(expected.end(), one.codes.begin(), one.codes.end());
    }
  }
  EXPECT_EQ(draws->sets.codes, expected);
  EXPECT_NEAR(300.0 / static_cast<double>(draws->candidates), 0.25, 0.03);
}

TEST(DrawsTest, MoreSetsBeginWithTheSameOnes) {
  const BorderClassifier classifier;
  const Support support(classifier, 0.5f);
  const auto few = ConstrainedSets(support, 1, "s", 5, 10, 1e-4, {}, nullptr);
  const auto many = ConstrainedSets(support, 1, "s", 5, 50'000, 1e-4, {}, nullptr);
  EXPECT_TRUE(std::equal(few->sets.codes.begin(), few->sets.codes.end(), many->sets.codes.begin()));
}

TEST(DrawsTest, GivesUpWhereHardlyAnythingIsAccepted) {
  const BorderClassifier classifier;
  const Support nothing(classifier, 2.0f);
  const auto draws = ConstrainedSets(nothing, 1, "s", 5, 10, 1e-4, {}, nullptr);
  ASSERT_FALSE(draws);
  EXPECT_EQ(draws.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_NE(draws.error().advice.find("uniform round"), std::string::npos);
}

TEST(DrawsTest, StopsWhenTold) {
  const BorderClassifier classifier;
  const Support support(classifier, 0.5f);
  std::stop_source stop;
  stop.request_stop();
  const auto draws = ConstrainedSets(support, 1, "s", 5, 10, 1e-4, stop.get_token(), nullptr);
  ASSERT_FALSE(draws);
  EXPECT_EQ(draws.error().code, ErrorCode::kCancelled);
}

TEST(SupportTest, CodesAndCellsAreInverse) {
  std::vector<std::uint16_t> codes;
  for (std::uint16_t code = 0; code <= kMaxCode; ++code) codes.push_back(code);
  EXPECT_EQ(CodesOf(CellCentres(codes)), codes);
  EXPECT_EQ(CodesOf(std::vector<float>{0.0f, 0.99999994f, 1.0f}),
            (std::vector<std::uint16_t>{0, kMaxCode, kMaxCode}));
}

TEST(ThresholdTest, IsTheLargestWhoseBoundHolds) {
  std::vector<float> scores;
  std::vector<std::uint8_t> relevant;
  for (int i = 0; i < 400; ++i) {
    scores.push_back(static_cast<float>(i) / 400);
    relevant.push_back(i % 2);  // 200 relevant ones.
  }
  const auto choice = ChooseThreshold(scores, relevant, 0.05);
  ASSERT_TRUE(choice);
  EXPECT_EQ(choice->relevant, 200u);
  EXPECT_EQ(choice->missed, 4u);  // DOMAIN: 200 positives allow four misses.
  EXPECT_FLOAT_EQ(choice->threshold, 9.0f / 400);
  EXPECT_LE(choice->bound, 0.05);
  const ThresholdAudit audit = AuditThreshold(scores, relevant, choice->threshold);
  EXPECT_EQ(audit.missed, 4u);
  EXPECT_EQ(audit.accepted, 391u);
  EXPECT_EQ(audit.accepted_relevant, 196u);
  EXPECT_DOUBLE_EQ(audit.FalseNegativeRate(), 0.02);
  EXPECT_DOUBLE_EQ(audit.Acceptance(), 391.0 / 400);
}

TEST(ThresholdTest, TiesNeverMissMoreThanAllowed) {
  const std::vector<float> scores(200, 0.5f);
  const std::vector<std::uint8_t> relevant(200, 1);
  const auto choice = ChooseThreshold(scores, relevant, 0.05);
  ASSERT_TRUE(choice);
  EXPECT_EQ(choice->missed, 0u);
  EXPECT_EQ(AuditThreshold(scores, relevant, choice->threshold).missed, 0u);
}

TEST(ThresholdTest, TooFewRelevantDrawsAreRefusedWithTheNumberNeeded) {
  const std::vector<float> scores(58, 0.5f);
  const std::vector<std::uint8_t> relevant(58, 1);
  const auto choice = ChooseThreshold(scores, relevant, 0.05);
  ASSERT_FALSE(choice);
  EXPECT_EQ(choice.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_NE(choice.error().advice.find("59"), std::string::npos);
  EXPECT_FALSE(ChooseThreshold({}, {}, 0.05));
  const std::vector<float> enough(59, 0.5f);
  EXPECT_TRUE(ChooseThreshold(enough, std::vector<std::uint8_t>(59, 1), 0.05));
}

}  // namespace
}  // namespace inferon::trainer
