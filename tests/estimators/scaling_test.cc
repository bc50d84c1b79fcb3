#include "server/trainer/estimators/scaling.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "server/trainer/estimators/draws.h"
#include "server/trainer/estimators/outlier.h"

namespace inferon::estimators {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

TEST(FeatureScalingTest, MissingValueIsZeroWithAnIndicator) {
  const std::vector<float> rows{1, 10, 2, kNan, 3, 30};
  const FeatureScaling scaling = FeatureScaling::Fit({rows.data(), 3, 2});
  ASSERT_EQ(scaling.outputs(), 4u);
  std::array<float, 4> out{};
  const std::array<float, 2> in{2, kNan};
  scaling.Apply(in.data(), out.data());
  EXPECT_EQ(out, (std::array<float, 4>{0, 0, 0, 1}));
}

TEST(FeatureScalingTest, OneOutlierDoesNotMoveTheScale) {
  std::vector<float> rows(1001);
  FillUniform(StreamKey(1, "rows"), 0, 0, rows);
  rows[0] = 1e30f;
  const FeatureScaling scaling = FeatureScaling::Fit({rows.data(), 1001, 1});
  std::array<float, 2> out{};
  const float in = 0.75f;
  scaling.ApplyLinear(&in, out.data());
  EXPECT_NEAR(out[0], 0.25 / (0.5 / 1.349), 0.1);
}

TEST(FeatureScalingTest, ConstantAndEmptyColumnsStayFinite) {
  const std::vector<float> rows{5, kNan, 5, kNan, 5, kNan};
  const FeatureScaling scaling = FeatureScaling::Fit({rows.data(), 3, 2});
  std::array<float, 4> out{};
  const std::array<float, 2> in{6, std::numeric_limits<float>::infinity()};
  scaling.Apply(in.data(), out.data());
  for (const float v : out) EXPECT_TRUE(std::isfinite(v));
  EXPECT_EQ(out[3], 1);
}

TEST(FeatureScalingTest, LoadedEqualsSaved) {
  std::vector<float> rows(60);
  FillUniform(StreamKey(2, "rows"), 0, 0, rows);
  const FeatureScaling scaling = FeatureScaling::Fit({rows.data(), 20, 3});
  TensorFile file;
  scaling.Save(&file);
  const auto loaded = FeatureScaling::Load(file, 3);
  ASSERT_TRUE(loaded);
  std::array<float, 6> a{}, b{};
  scaling.Apply(rows.data(), a.data());
  loaded->Apply(rows.data(), b.data());
  EXPECT_EQ(a, b);
  EXPECT_EQ(FeatureScaling::Load(file, 4).error().code, ErrorCode::kDataLoss);
}

TEST(TraceScalingTest, StandardisesAndKeepsANanOut) {
  const std::vector<float> rows{1, 3, 1, 3};
  const TraceScaling scaling = TraceScaling::Fit({rows.data(), 2, 2});
  std::array<float, 3> out{};
  const std::array<float, 3> in{1, 3, kNan};
  scaling.Apply(in.data(), 3, out.data());
  EXPECT_EQ(out, (std::array<float, 3>{-1, 1, 0}));
}

class OutlierTest : public testing::Test {
 protected:
  OutlierTest() : rows_(3000) {
    FillUniform(StreamKey(5, "rows"), 0, 0, rows_);
    for (std::size_t i = 0; i < 1000; ++i) {
      rows_[3 * i + 1] += 5 * rows_[3 * i];  // Correlated.
      rows_[3 * i + 2] = 0;                  // Never varies.
    }
    model_ = OutlierModel::Fit({rows_.data(), 1000, 3});
  }
  std::vector<float> rows_;
  OutlierModel model_;
};

TEST_F(OutlierTest, TrainingRowsScoreUniformly) {
  double sum = 0;
  int above = 0;
  for (std::size_t i = 0; i < 1000; ++i) {
    const double score = model_.Score(std::span<const float>(rows_).subspan(3 * i, 3));
    sum += score;
    above += score > 0.9;
  }
  EXPECT_NEAR(sum / 1000, 0.5, 0.01);
  EXPECT_NEAR(above, 100, 5);
}

TEST_F(OutlierTest, FarRowsScoreOne) {
  for (const std::vector<float>& row : {std::vector<float>{50, 250, 0},
                                        {0.5f, 3, 1},
                                        {0.9f, 0.5f, 0},
                                        {kNan, 3, 0},
                                        {std::numeric_limits<float>::infinity(), 3, 0}}) {
    EXPECT_EQ(model_.Score(row), 1) << row[0] << " " << row[1] << " " << row[2];
  }
}

// Two clusters: halfway between them is the mean, and far from every row.
TEST(OutlierModelTest, ARowBetweenTwoClustersIsAnOutlier) {
  std::vector<float> rows(2 * 2000);
  FillUniform(StreamKey(6, "rows"), 0, 0, rows);
  for (std::size_t i = 0; i < 1000; ++i) rows[4 * i] += 10;
  const OutlierModel model = OutlierModel::Fit({rows.data(), 2000, 2});
  const std::array<float, 2> between{5.5f, 0.5f};
  const std::array<float, 2> inside{10.5f, 0.5f};
  EXPECT_EQ(model.Score(between), 1);
  EXPECT_LT(model.Score(inside), 0.9);
}

TEST_F(OutlierTest, LoadedScoresTheSame) {
  TensorFile file;
  model_.Save(&file);
  const auto loaded = OutlierModel::Load(file, 3);
  ASSERT_TRUE(loaded);
  const std::array<float, 3> row{0.2f, 2, 0};
  EXPECT_EQ(loaded->Score(row), model_.Score(row));
  EXPECT_EQ(OutlierModel::Load(file, 2).error().code, ErrorCode::kDataLoss);
}

TEST(OutlierModelTest, OneRowIsEnough) {
  const std::array<float, 2> row{1, 2};
  const OutlierModel model = OutlierModel::Fit({row.data(), 1, 2});
  EXPECT_LE(model.Score(row), 1);
  const std::array<float, 2> far{3, 2};
  EXPECT_EQ(model.Score(far), 1);
}

}  // namespace
}  // namespace inferon::estimators
