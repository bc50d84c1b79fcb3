#include <gtest/gtest.h>

#include <cmath>

#include "server/trainer/statistics/calibration.h"
#include "server/trainer/statistics/intervals.h"
#include "server/trainer/statistics/summaries.h"

namespace inferon::statistics {
namespace {

TEST(IntervalsTest, IncompleteBetaEqualsItsClosedForms) {
  for (const double x : {0.01, 0.3, 0.5, 0.77, 0.999}) {
    EXPECT_NEAR(IncompleteBeta(1, 1, x), x, 1e-14);
    EXPECT_NEAR(IncompleteBeta(3, 1, x), x * x * x, 1e-14);
    EXPECT_NEAR(IncompleteBeta(1, 4, x), 1 - std::pow(1 - x, 4), 1e-13);
    EXPECT_NEAR(IncompleteBeta(2, 3, x), 1 - IncompleteBeta(3, 2, 1 - x), 1e-13);
  }
}

TEST(IntervalsTest, IncompleteBetaEqualsTheBinomialTailForLargeCounts) {
  // P(X >= k) for X ~ Binomial(n, p), summed in logarithms.
  const double n = 5000;
  const double p = 0.03;
  double tail = 0;
  for (double k = 170; k <= 400; ++k) {
    tail += std::exp(std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1) +
                     k * std::log(p) + (n - k) * std::log1p(-p));
  }
  EXPECT_NEAR(IncompleteBeta(170, n - 170 + 1, p), tail, 1e-10);
}

// Two-sided intervals as R's binom.test prints them.
TEST(IntervalsTest, ClopperPearsonEqualsPublishedValues) {
  EXPECT_NEAR(ClopperPearson(7, 21).low, 0.1458769, 1e-6);
  EXPECT_NEAR(ClopperPearson(7, 21).high, 0.5696755, 1e-6);
  EXPECT_NEAR(ClopperPearson(0, 10).high, 0.3084971, 1e-6);
  EXPECT_NEAR(ClopperPearson(10, 10).low, 0.6915029, 1e-6);
  EXPECT_EQ(ClopperPearson(0, 10).low, 0);
  EXPECT_EQ(ClopperPearson(10, 10).high, 1);
}

TEST(IntervalsTest, UpperBoundOfNoMissIsTheRuleOfThree) {
  EXPECT_NEAR(ClopperPearsonUpper(0, 100), 1 - std::pow(0.05, 0.01), 1e-12);
}

TEST(IntervalsTest, TwoHundredPositivesAllowFourMissesUnderFivePercent) {
  EXPECT_LT(ClopperPearsonUpper(4, 200), 0.05);
  EXPECT_GT(ClopperPearsonUpper(5, 200), 0.05);
}

TEST(IntervalsTest, NothingSeenSaysNothing) {
  EXPECT_EQ(ClopperPearson(0, 0).low, 0);
  EXPECT_EQ(ClopperPearson(0, 0).high, 1);
  EXPECT_EQ(ClopperPearsonUpper(0, 0), 1);
}

TEST(IntervalsTest, BoundHoldsAsOftenAsItSays) {
  // Exact coverage of the upper bound at p = 0.03, n = 300: the sum over all outcomes. It is at
  // least what is promised, and more only by less than the step of one outcome.
  double covered = 0;
  for (int k = 0; k <= 300; ++k) {
    const double probability =
        std::exp(std::lgamma(301) - std::lgamma(k + 1) - std::lgamma(301 - k) + k * std::log(0.03) +
                 (300 - k) * std::log(0.97));
    if (ClopperPearsonUpper(static_cast<std::uint64_t>(k), 300) >= 0.03) covered += probability;
  }
  EXPECT_GE(covered, 0.95);
  EXPECT_LT(covered, 0.99);
}

TEST(IntervalsTest, RatioIntervalHoldsTheRatio) {
  const Interval interval = ShareRatio(380, 1000, 200, 10000);
  EXPECT_LT(interval.low, 19);
  EXPECT_GT(interval.high, 19);
  EXPECT_NEAR(interval.low * interval.high, 19.0 * 19.0, 1e-9);
  EXPECT_EQ(ShareRatio(1, 10, 0, 10).low, 0);
  EXPECT_TRUE(std::isinf(ShareRatio(1, 10, 0, 10).high));
}

TEST(SummariesTest, QuantilesInterpolateBetweenOrderStatistics) {
  const std::vector<double> sorted = Sorted(std::vector<double>{4, 1, std::nan(""), 3, 2});
  ASSERT_EQ(sorted.size(), 4u);
  EXPECT_DOUBLE_EQ(Quantile(sorted, 0), 1);
  EXPECT_DOUBLE_EQ(Quantile(sorted, 1), 4);
  EXPECT_DOUBLE_EQ(Quantile(sorted, 0.5), 2.5);
  EXPECT_DOUBLE_EQ(Quantile(sorted, 0.25), 1.75);
}

TEST(SummariesTest, PairedDifferenceIgnoresWhatPairsShare) {
  const std::vector<double> first{11, 102, 1003, 13};
  const std::vector<double> second{10, 100, 1000, 10};
  const MeanWithError difference = PairedDifference(first, second);
  EXPECT_DOUBLE_EQ(difference.mean, 2.25);
  EXPECT_NEAR(difference.error, std::sqrt(11.0 / 12.0) / 2, 1e-12);
  EXPECT_TRUE(std::isnan(Mean({}).mean));
}

TEST(SummariesTest, MedianIntervalIsTheBinomialOrderStatistics) {
  std::vector<double> sorted;
  for (int i = 1; i <= 100; ++i) sorted.push_back(i);
  const Interval interval = MedianInterval(sorted);
  EXPECT_EQ(interval.low,
            41);  // Ranks 40 and 61 of 100 in exact tables: 40.2 and 59.8 rounded out.
  EXPECT_EQ(interval.high, 60);
}

TEST(CalibrationTest, KolmogorovSmirnovEqualsTabulatedTails) {
  // Critical value of the asymptotic test at 5 %: 1.3581 after Stephens' correction.
  for (const int n : {50, 400}) {
    const double root = std::sqrt(n);
    const double distance = 1.3581 / (root + 0.12 + 0.11 / root);
    std::vector<double> values;
    for (int i = 0; i < n; ++i) {  // The empirical distribution lags behind by the distance.
      values.push_back(std::min(1.0, static_cast<double>(i) / n + distance));
    }
    EXPECT_NEAR(KolmogorovSmirnovUniform(values), 0.05, 0.002) << n;
  }
}

TEST(CalibrationTest, KolmogorovSmirnovAcceptsUniformAndRefusesSkewed) {
  PhiloxSequence random(StreamKey(7, "ks"));
  std::vector<double> uniform;
  std::vector<double> skewed;
  for (int i = 0; i < 600; ++i) {
    uniform.push_back(random.Uniform());
    skewed.push_back(std::pow(random.Uniform(), 1.3));
  }
  EXPECT_GT(KolmogorovSmirnovUniform(uniform), 0.05);
  EXPECT_LT(KolmogorovSmirnovUniform(skewed), 0.01);
  EXPECT_EQ(KolmogorovSmirnovUniform({}), 1);
}

TEST(CalibrationTest, RanksAreUniformEvenWhereEverythingTies) {
  PhiloxSequence random(StreamKey(3, "ties"));
  std::vector<std::uint32_t> ranks;
  const std::vector<std::uint16_t> draws(20, 5);
  for (int i = 0; i < 2000; ++i) ranks.push_back(RankOf(5, draws, random));
  EXPECT_GT(KolmogorovSmirnovUniform(RanksToUnit(ranks, 20, random)), 0.05);
}

TEST(CalibrationTest, RanksCountTheDrawsBelow) {
  PhiloxSequence random(StreamKey(3, "ranks"));
  const std::vector<std::uint16_t> draws{1, 2, 3, 9};
  EXPECT_EQ(RankOf(0, draws, random), 0u);
  EXPECT_EQ(RankOf(5, draws, random), 3u);
  EXPECT_EQ(RankOf(10, draws, random), 4u);
}

// A normal posterior that is calibrated, and one that is too narrow.
TEST(CalibrationTest, NarrowPosteriorIsFlagged) {
  PhiloxSequence random(StreamKey(11, "narrow"));
  const auto normal = [&] {
    return std::sqrt(-2 * std::log(1 - random.Uniform())) *
           std::cos(6.283185307 * random.Uniform());
  };
  for (const double width : {1.0, 0.5}) {
    std::vector<std::uint32_t> ranks;
    std::vector<double> levels;
    for (int i = 0; i < 600; ++i) {
      const double truth = normal();
      std::vector<std::uint16_t> draws;
      std::vector<double> densities;
      for (int k = 0; k < 200; ++k) {
        const double draw = width * normal();
        draws.push_back(static_cast<std::uint16_t>(10'000 + 1000 * draw));
        densities.push_back(-draw * draw);
      }
      ranks.push_back(RankOf(static_cast<std::uint16_t>(10'000 + 1000 * truth), draws, random));
      levels.push_back(HighestDensityLevel(-truth * truth, densities));
    }
    const double p = KolmogorovSmirnovUniform(RanksToUnit(ranks, 200, random));
    const double coverage = Coverage(levels, 0.9);
    if (width == 1.0) {
      EXPECT_GT(p, 0.05);
      EXPECT_NEAR(coverage, 0.9, 0.04);
    } else {
      EXPECT_LT(p, 0.01);
      EXPECT_LT(coverage, 0.75);
    }
  }
}

}  // namespace
}  // namespace inferon::statistics
