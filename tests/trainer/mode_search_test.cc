#include "server/trainer/queries/mode_search.h"

#include <gmock/gmock.h>

#include <cmath>

#include "server/trainer/queries/evolution.h"
#include "tests/trainer/normal_mixture.h"

namespace inferon::trainer {
namespace {

using estimators::Axis;

NormalMixture Ridge(std::vector<double> mean) {
  const std::size_t d = mean.size();
  NormalPart part{1, std::move(mean), std::vector<double>(d * d)};
  for (std::size_t j = 0; j < d; ++j) {
    for (std::size_t k = 0; k < d; ++k) part.covariance[j * d + k] = j == k ? 0.04 : 0.038;
  }
  return {part};
}

Prior NormalPrior(std::size_t d) {
  Prior prior;
  for (std::size_t j = 0; j < d; ++j) {
    prior.parameters.push_back({"p" + std::to_string(j), "", PriorKind::kNormal, 0, 1});
  }
  return prior;
}

TEST(ModeSearchTest, ModeOfARidgeIsFoundByGradientAndWithout) {
  const std::vector<double> mean = {0.3, -0.2, 0.8, 0.1};
  const Prior prior = NormalPrior(4);
  for (const bool slopes : {true, false}) {
    const auto estimator =
        MakeNormalMixture(Ridge(mean), std::vector<Axis>(4, Axis::kLine), slopes);
    const SpacePosterior posterior{*estimator, {0}, ThetaSpace::Fit(prior, {})};
    const auto mode = SearchMode(posterior, 500, 1, {});
    ASSERT_TRUE(mode) << mode.error().Text();
    const double top = LogDensityOf(Ridge(mean), mean);
    EXPECT_NEAR(mode->log_density, top, slopes ? 1e-4 : 1e-2);
    for (std::size_t j = 0; j < 4; ++j) EXPECT_NEAR(mode->theta[j], mean[j], slopes ? 2e-3 : 0.03);
    EXPECT_EQ(SearchMode(posterior, 500, 1, {})->theta, mode->theta) << "the same again";
  }
}

// Without the evolution that follows it in a search.
TEST(ModeSearchTest, TheClimbAloneReachesTheTop) {
  Prior prior = NormalPrior(3);
  prior.parameters[2] = {"k", "", PriorKind::kLogNormal, 0, 0.5};
  const NormalMixture mixture = Ridge({0.3, -0.2, 0.8});
  const auto estimator = MakeNormalMixture(mixture, std::vector<Axis>(3, Axis::kLine), true);
  const SpacePosterior posterior{*estimator, {0}, ThetaSpace::Fit(prior, {})};
  const std::vector<std::size_t> free = {0, 1, 2};
  const SpaceDraws draws = DrawInSpace(posterior, 100, 3, 0);
  const auto climbed = Climb(posterior, BestOf(posterior, draws.rows, free, 8), free, {});
  ASSERT_TRUE(climbed && climbed->has_value());
  // The density over k has the slope -0.5 in its logarithm's units: the mode moves by -0.5 times
  // its covariances.
  const double shifts[] = {-0.5 * 0.038, -0.5 * 0.038, -0.5 * 0.04};
  for (std::size_t j = 0; j < 3; ++j) {
    EXPECT_NEAR((*climbed)->rows[j], mixture[0].mean[j] + shifts[j], 1e-3);
  }
}

// The density over a logarithmic parameter's own unit has another mode than the one in the space.
TEST(ModeSearchTest, ModeIsTheOneInTheParametersOwnUnits) {
  Prior prior;
  prior.parameters = {{"k", "", PriorKind::kLogNormal, 1, 0.5}};
  const NormalMixture mixture = {{1, {0.4}, {0.25}}};
  const auto estimator = MakeNormalMixture(mixture, {Axis::kLine}, true);
  const SpacePosterior posterior{*estimator, {0}, ThetaSpace::Fit(prior, {})};
  const auto mode = SearchMode(posterior, 300, 1, {});
  ASSERT_TRUE(mode);
  // log theta ~ N(1 + 0.5 * 0.4, 0.25^2): the mode of a lognormal is exp(mu - sigma^2).
  EXPECT_NEAR(mode->theta[0], std::exp(1.2 - 0.0625), 2e-3);
}

TEST(ModeSearchTest, ModeAtTheEndOfTheBoxIsReached) {
  Prior prior;
  prior.parameters = {{"a", "", PriorKind::kUniform, 0, 10}, {"b", "", PriorKind::kUniform, 0, 1}};
  // With a deviation above sqrt(2) the density over u rises towards both ends.
  const NormalMixture mixture = {{1, {3, 0}, {9, 0, 0, 0.25}}};
  const auto estimator = MakeNormalMixture(mixture, {Axis::kUnit, Axis::kUnit}, true);
  const SpacePosterior posterior{*estimator, {0}, ThetaSpace::Fit(prior, {})};
  const auto mode = SearchMode(posterior, 500, 1, {});
  ASSERT_TRUE(mode);
  EXPECT_GT(mode->theta[0], 9.99);
  EXPECT_NEAR(mode->theta[1], 0.5, 0.05);
}

TEST(ModeSearchTest, FixedColumnsStayAndTheOthersReachTheirConditionalMode) {
  const NormalMixture mixture = Ridge({0, 0, 0});
  const auto estimator = MakeNormalMixture(mixture, std::vector<Axis>(3, Axis::kLine), true);
  const SpacePosterior posterior{*estimator, {0}, ThetaSpace::Fit(NormalPrior(3), {})};
  const std::vector<float> starts = {0.2f, 0.0f, 0.1f, 0.2f, 0.3f, 0.1f, 0.2f, 0.1f, -0.1f};
  const std::vector<std::size_t> free = {1, 2};
  const auto mode = SearchMode(posterior, starts, free, 1, {});
  ASSERT_TRUE(mode);
  const NormalMixture expected = ConditionalOf(mixture, {0}, {0.2});
  EXPECT_FLOAT_EQ(static_cast<float>(mode->theta[0]), 0.2f);
  EXPECT_NEAR(mode->theta[1], expected[0].mean[0], 2e-3);
  EXPECT_NEAR(mode->theta[2], expected[0].mean[1], 2e-3);
}

TEST(ModeSearchTest, IntegersEndAtTheBestCell) {
  Prior prior;
  prior.parameters = {{"k", "", PriorKind::kInteger, 0, 40}, {"m", "", PriorKind::kInteger, 0, 40}};
  const NormalMixture mixture = {{1, {0.13, -0.21}, {0.5, 0.45, 0.45, 0.5}}};
  const auto estimator = MakeNormalMixture(mixture, {Axis::kUnit, Axis::kUnit}, true);
  const SpacePosterior posterior{*estimator, {0}, ThetaSpace::Fit(prior, {})};
  const auto mode = SearchMode(posterior, 200, 1, {});
  ASSERT_TRUE(mode);
  std::vector<float> cells;
  for (int k = 0; k < 41; ++k) {
    for (int m = 0; m < 41; ++m) {
      cells.insert(cells.end(),
                   {(static_cast<float>(k) + 0.5f) / 41, (static_cast<float>(m) + 0.5f) / 41});
    }
  }
  const auto all = LogDensityInSpace(posterior, cells);
  EXPECT_NEAR(mode->log_density, *std::ranges::max_element(all) - 2 * std::log(41), 1e-3);
  EXPECT_EQ(mode->theta[0], std::floor(mode->theta[0]));
}

}  // namespace
}  // namespace inferon::trainer
