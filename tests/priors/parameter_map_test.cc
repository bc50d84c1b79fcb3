#include "common/priors/parameter_map.h"

#include <gtest/gtest.h>

#include <cmath>

namespace inferon {
namespace {

Prior Four() {
  return *ParsePrior(R"({"parameters": [
    {"name": "g", "prior": "uniform", "low": -2, "high": 3},
    {"name": "t", "prior": "loguniform", "low": 0.1, "high": 10},
    {"name": "v", "prior": "normal", "mean": -60, "sd": 4},
    {"name": "c", "prior": "lognormal", "mu": 1, "sigma": 0.5}]})");
}

// The push-forward of each known prior is uniform on the interval or standard normal on the line:
// density over theta = density over u times |du / dtheta|.
TEST(ParameterMapTest, PriorBecomesTheBaseDensity) {
  for (const ParameterPrior& p : Four().parameters) {
    const ParameterMap map = ParameterMap::Of(p);
    for (const double u : {0.01, 0.3, 0.77}) {
      const double theta = map.FromSpace(u);
      EXPECT_NEAR(map.ToSpace(theta), u, 1e-12);
      const double base = map.bounded() ? 0 : -0.5 * u * u - 0.5 * std::log(2 * M_PI);
      EXPECT_NEAR(LogDensity(p, theta), base + map.LogDerivative(theta), 1e-12) << p.name;
    }
  }
}

TEST(ParameterMapTest, LogDerivativeIsTheDerivative) {
  for (const ParameterPrior& p : Four().parameters) {
    const ParameterMap map = ParameterMap::Of(p);
    const double theta = map.FromSpace(0.4), step = 1e-6;
    const double slope = (map.ToSpace(theta + step) - map.ToSpace(theta - step)) / (2 * step);
    EXPECT_NEAR(std::log(std::abs(slope)), map.LogDerivative(theta), 1e-6) << p.name;
  }
}

TEST(ParameterMapTest, NothingLeavesTheSupport) {
  for (const ParameterPrior& p : Four().parameters) {
    const ParameterMap map = ParameterMap::Of(p);
    const std::vector<double> edges = map.bounded() ? std::vector<double>{0, 1, 0.99999994}
                                                    : std::vector<double>{-1e4, -6, 6, 1e4};
    for (const double u : edges) EXPECT_TRUE(InSupport(p, map.FromSpace(u))) << p.name << " " << u;
  }
}

TEST(ParameterMapTest, IntegersAreCellsOfEqualWidth) {
  const ParameterPrior k{"k", "", PriorKind::kInteger, -1, 3};
  const ParameterMap map = ParameterMap::Of(k);
  EXPECT_DOUBLE_EQ(map.cell(), 0.2);
  for (int value = -1; value <= 3; ++value) {
    const double u = map.ToSpace(value);
    EXPECT_NEAR(u, 0.2 * (value + 1), 1e-12);
    EXPECT_EQ(map.FromSpace(u + 0.1), value);
    EXPECT_NEAR(map.LogDerivative(value), std::log(0.2), 1e-12);  // Mass of a cell.
  }
  EXPECT_EQ(map.FromSpace(1.0), 3);
}

TEST(ParameterMapTest, UnknownPriorsAreStandardisedByTheirDraws) {
  std::vector<double> draws, positive;
  for (int i = 0; i < 1001; ++i) {
    draws.push_back(1e6 + 0.01 * (i - 500));
    positive.push_back(std::exp(-20 + 0.002 * (i - 500)));
  }
  const ParameterMap real = ParameterMap::Fit({"r", "", PriorKind::kReal, 0, 0}, draws);
  EXPECT_DOUBLE_EQ(real.location(), 1e6);
  EXPECT_NEAR(real.ToSpace(1e6 + 2.5), 0.674, 0.01);
  const ParameterMap half = ParameterMap::Fit({"p", "", PriorKind::kPositive, 0, 0}, positive);
  EXPECT_NEAR(half.location(), -20, 1e-9);
  EXPECT_NEAR(half.ToSpace(half.FromSpace(-3.5)), -3.5, 1e-12);
  // All draws equal: the unit of the parameter is kept.
  const ParameterMap constant =
      ParameterMap::Fit({"r", "", PriorKind::kReal, 0, 0}, std::vector<double>(10, 7.0));
  EXPECT_EQ(constant.scale(), 1);
}

TEST(ParameterMapTest, MapsRoundTripAndDamagedTextIsDataLoss) {
  const Prior prior = Four();
  std::vector<ParameterMap> maps;
  for (const ParameterPrior& p : prior.parameters) maps.push_back(ParameterMap::Of(p));
  const std::string json = MapsJson(maps);
  const auto again = MapsFromJson(prior, json);
  ASSERT_TRUE(again) << again.error().Text();
  for (std::size_t j = 0; j < maps.size(); ++j) {
    EXPECT_EQ((*again)[j].ToSpace(1.3), maps[j].ToSpace(1.3));
  }
  for (const char* text :
       {"", "[]", "{}", "[1, 2, 3, 4]", R"([{"location": 0, "scale": 0}, {}, {}, {}])"}) {
    const auto refused = MapsFromJson(prior, text);
    ASSERT_FALSE(refused) << text;
    EXPECT_EQ(refused.error().code, ErrorCode::kDataLoss);
  }
}

}  // namespace
}  // namespace inferon
