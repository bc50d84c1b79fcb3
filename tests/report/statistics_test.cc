#include "common/figures/statistics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "common/base/philox.h"

namespace inferon::report {
namespace {

struct Cloud {
  std::vector<double> x, y;
};

// Bivariate normal with correlation rho and standard deviations 100 and 50.
Cloud MakeCloud(std::size_t n, double rho) {
  PhiloxSequence random(StreamKey(7, "cloud"));
  Cloud cloud;
  for (std::size_t i = 0; i < n; ++i) {
    const double radius = std::sqrt(-2 * std::log(1 - random.Uniform()));
    const double angle = 2 * std::numbers::pi * random.Uniform();
    const double a = radius * std::cos(angle), b = radius * std::sin(angle);
    cloud.x.push_back(500 + 100 * a);
    cloud.y.push_back(400 + 50 * (rho * a + std::sqrt(1 - rho * rho) * b));
  }
  return cloud;
}

double AreaOf(const std::vector<std::vector<Point>>& rings) {
  double area = 0;
  for (const auto& ring : rings) {
    double twice = 0;
    for (std::size_t i = 0; i < ring.size(); ++i) {
      const Point& a = ring[i];
      const Point& b = ring[(i + 1) % ring.size()];
      twice += a.x * b.y - b.x * a.y;
    }
    area += std::abs(twice) / 2;
  }
  return area;
}

TEST(StatisticsTest, QuantilesInterpolateBetweenOrderStatistics) {
  const std::vector<double> sorted = {1, 2, 3, 4};
  EXPECT_DOUBLE_EQ(*Quantile(sorted, 0.5), 2.5);
  EXPECT_DOUBLE_EQ(*Quantile(sorted, 0.25), 1.75);
  EXPECT_DOUBLE_EQ(*Quantile(sorted, 1), 4);
  EXPECT_FALSE(Quantile({}, 0.5));
}

TEST(StatisticsTest, MissingValuesDoNotCount) {
  EXPECT_DOUBLE_EQ(*Median(std::vector<double>{NAN, 3, 1, NAN, 2}), 2);
  EXPECT_FALSE(Median(std::vector<double>{NAN}));
  EXPECT_FALSE(Summarize(std::vector<double>{NAN, NAN}));
}

TEST(StatisticsTest, WhiskersEndAtTheLastValueWithinReach) {
  const auto box = Summarize(std::vector<double>{1, 2, 3, 4, 5, 6, 7, 8, 100});
  EXPECT_DOUBLE_EQ(box->median, 5);
  EXPECT_DOUBLE_EQ(box->low_whisker, 1);
  EXPECT_DOUBLE_EQ(box->high_whisker, 8);
}

TEST(StatisticsTest, CorrelationOfAConstantIsZero) {
  EXPECT_DOUBLE_EQ(Correlation(std::vector<double>{1, 2, 3}, std::vector<double>{2, 4, 6}), 1);
  EXPECT_DOUBLE_EQ(Correlation(std::vector<double>{1, 2, 3}, std::vector<double>{5, 5, 5}), 0);
}

TEST(StatisticsTest, DensityKeepsItsMassAtTheEdge) {
  const std::vector<double> values(100, 0.0);
  const Density density = EstimateDensity(values, -0.5, 1022.5, 1023);
  const double mass = std::accumulate(density.values.begin(), density.values.end(), 0.0);
  EXPECT_NEAR(mass, 1, 1e-9);
}

// The region of mass p of a normal has the area -2 pi log(1 - p) times the root of the
// determinant; smoothing widens it by bandwidth^2 = n^(-1/3) in each whitened direction.
TEST(StatisticsTest, HighestDensityRegionsOfANormalHaveItsArea) {
  constexpr std::size_t kDraws = 20000;
  for (const double rho : {0.0, -0.95}) {
    const Cloud cloud = MakeCloud(kDraws, rho);
    const Density2d density = EstimateDensity2d(cloud.x, cloud.y, 1, 96);
    const double widened = 1 + std::pow(double{kDraws}, -1.0 / 3);
    for (const double mass : {0.5, 0.9}) {
      const double expected = -2 * std::numbers::pi * std::log(1 - mass) * 100 * 50 *
                              std::sqrt(1 - rho * rho) * widened;
      const auto rings = Contours(density, HighestDensityLevel(density, mass));
      EXPECT_NEAR(AreaOf(rings) / expected, 1, 0.06) << "rho " << rho << " mass " << mass;
    }
  }
}

TEST(StatisticsTest, RegionsLieAlongTheRidge) {
  const Cloud cloud = MakeCloud(2000, -0.95);
  const Density2d density = EstimateDensity2d(cloud.x, cloud.y, 1, 72);
  const auto rings = Contours(density, HighestDensityLevel(density, 0.9));
  ASSERT_EQ(rings.size(), 1u);
  const auto by_x = [](const Point& a, const Point& b) { return a.x < b.x; };
  const auto [left, right] = std::minmax_element(rings[0].begin(), rings[0].end(), by_x);
  EXPECT_GT(left->y, 440);  // Means 500 and 400; y falls with x.
  EXPECT_LT(right->y, 360);
}

TEST(StatisticsTest, TwoIslandsGiveTwoRings) {
  std::vector<double> x, y;
  for (int i = 0; i < 200; ++i) {
    x.push_back(i % 2 == 0 ? 100 + i % 7 : 900 + i % 5);
    y.push_back(500 + i % 11);
  }
  const Density2d density = EstimateDensity2d(x, y, 1, 72);
  EXPECT_EQ(Contours(density, HighestDensityLevel(density, 0.9)).size(), 2u);
}

TEST(StatisticsTest, EqualDrawsStillHaveARegion) {
  const std::vector<double> same(50, 512.0);
  const Density2d density = EstimateDensity2d(same, same, 1, 72);
  EXPECT_EQ(Contours(density, HighestDensityLevel(density, 0.9)).size(), 1u);
}

}  // namespace
}  // namespace inferon::report
