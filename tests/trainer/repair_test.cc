// A posterior that is too narrow and off comes out covered; one that is right is left alone.
#include "server/trainer/registry/repair.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "common/base/philox.h"
#include "server/trainer/statistics/calibration.h"
#include "server/trainer/statistics/calibration_tests.h"

namespace inferon::trainer {
namespace {

using estimators::Axis;

constexpr double kPrior = 1.5;  // Deviation of z; the first parameter is 1 / (1 + exp(-z)).
constexpr double kNoise = 0.5;
const std::vector<Axis> kAxes = {Axis::kUnit, Axis::kLine};
const std::vector<std::string> kNames = {"first", "second"};

double Normal(PhiloxSequence& random) {
  return std::sqrt(-2 * std::log(1 - random.Uniform())) *
         std::cos(2 * std::numbers::pi * random.Uniform());
}
double ToLine(double u, std::size_t column) { return column == 0 ? std::log(u / (1 - u)) : u; }
double FromLine(double z, std::size_t column) { return column == 0 ? 1 / (1 + std::exp(-z)) : z; }

// The exact posterior of z ~ N(0, kPrior), x = z + N(0, kNoise), in both columns, but for a factor
// of its deviation and a shift in deviations.
class NormalPosterior : public estimators::DensityEstimator {
 public:
  NormalPosterior(double factor, double shift) : factor_(factor), shift_(shift) {}
  std::size_t dimension() const override { return 2; }
  std::size_t input_columns() const override { return 2; }
  std::size_t weight_count() const override { return 0; }
  std::vector<float> Sample(std::span<const float> x, std::size_t count, std::uint64_t seed,
                            std::uint64_t first, std::vector<double>*) const override {
    std::vector<float> draws;
    for (std::uint64_t i = first; i < first + count; ++i) {
      PhiloxSequence random(StreamKey(seed, std::to_string(i)));
      for (std::size_t j = 0; j < 2; ++j) {
        draws.push_back(static_cast<float>(FromLine(Mean(x[j]) + Deviation() * Normal(random), j)));
      }
    }
    return draws;
  }
  std::vector<double> LogDensity(std::span<const float> x,
                                 estimators::MatrixView theta) const override {
    std::vector<double> all;
    for (std::size_t i = 0; i < theta.rows; ++i) {
      double log_density = 0;
      for (std::size_t j = 0; j < 2; ++j) {
        const double u = theta.Row(i)[j];
        const double z = (ToLine(u, j) - Mean(x[j])) / Deviation();
        log_density -= 0.5 * z * z + std::log(Deviation() * std::sqrt(2 * std::numbers::pi));
        if (j == 0) log_density -= std::log(u * (1 - u));
      }
      all.push_back(log_density);
    }
    return all;
  }
  std::optional<estimators::DensitySlopes> LogDensitySlopes(
      std::span<const float> x, estimators::MatrixView theta) const override {
    estimators::DensitySlopes slopes{LogDensity(x, theta), {}};
    for (std::size_t i = 0; i < 2 * theta.rows; ++i) {
      const double u = theta.data[i];
      const double by_z = -(ToLine(u, i % 2) - Mean(x[i % 2])) / (Deviation() * Deviation());
      slopes.gradient.push_back(
          static_cast<float>(i % 2 == 0 ? by_z / (u * (1 - u)) - 1 / u + 1 / (1 - u) : by_z));
    }
    return slopes;
  }
  std::vector<double> LogDensityPairs(const estimators::RowSource& x,
                                      estimators::MatrixView theta) const override {
    std::vector<double> all;
    std::vector<float> row(2);
    for (std::uint32_t i = 0; i < theta.rows; ++i) {
      x.fill(std::span(&i, 1), row.data());
      all.push_back(LogDensity(row, {theta.data + 2 * i, 1, 2})[0]);
    }
    return all;
  }
  double OutlierScore(std::span<const float>) const override { return 0; }
  std::string Save(const std::filesystem::path&) const override { return "{}"; }

 private:
  static double Exact() { return kPrior * kNoise / std::hypot(kPrior, kNoise); }
  double Deviation() const { return factor_ * Exact(); }
  double Mean(double x) const {
    return x * kPrior * kPrior / (kPrior * kPrior + kNoise * kNoise) + shift_ * Exact();
  }
  const double factor_, shift_;
};

struct Pairs {
  std::vector<float> theta, x;  // [n, 2]
  std::size_t size() const { return x.size() / 2; }
  estimators::RowSource Source() const {
    return {size(), 2, [this](std::span<const std::uint32_t> rows, float* out) {
              for (const std::uint32_t row : rows) out = std::copy_n(x.data() + 2 * row, 2, out);
            }};
  }
  estimators::MatrixView Theta() const { return {theta.data(), size(), 2}; }
};

Pairs Draw(std::size_t n, std::uint64_t seed) {
  PhiloxSequence random(StreamKey(seed, "pairs"));
  Pairs pairs;
  for (std::size_t i = 0; i < 2 * n; ++i) {
    const double z = kPrior * Normal(random);
    pairs.theta.push_back(static_cast<float>(FromLine(z, i % 2)));
    pairs.x.push_back(static_cast<float>(z + kNoise * Normal(random)));
  }
  return pairs;
}

statistics::CalibrationResult Check(const estimators::DensityEstimator& estimator) {
  const Pairs known = Draw(500, 8), pairs = Draw(300, 9);
  statistics::CalibrationTests tests(
      statistics::ThetaGuess::Fit(std::vector<double>(known.theta.begin(), known.theta.end()), 2,
                                  known.x, 2),
      1);
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const std::span<const float> x = std::span(pairs.x).subspan(2 * i, 2);
    const std::vector<float> draws = estimator.Sample(x, 200, i, 0, nullptr);
    const auto densities = estimator.LogDensity(x, {draws.data(), 200, 2});
    const double density = estimator.LogDensity(x, {pairs.theta.data() + 2 * i, 1, 2})[0];
    const std::vector<double> truth(pairs.theta.begin() + static_cast<std::ptrdiff_t>(2 * i),
                                    pairs.theta.begin() + static_cast<std::ptrdiff_t>(2 * i + 2));
    const std::vector<double> theta(draws.begin(), draws.end());
    tests.Add(i, {truth, x, theta, density, densities});
  }
  return tests.Finish();
}

Repair Fit(double factor, double shift) {
  const Pairs pairs = Draw(800, 3);
  return *FitRepair(NormalPosterior(factor, shift), pairs.Source(), pairs.Theta(), kAxes);
}

TEST(RepairTest, TooNarrowAndShiftedComesOutCovered) {
  const NormalPosterior narrow(0.6, 0.3);
  const auto before = Check(narrow);
  EXPECT_FALSE(before.calibrated());
  EXPECT_LT(statistics::Coverage(before.levels, 0.9), 0.75);
  const Repair repair = Fit(0.6, 0.3);
  for (std::size_t j = 0; j < 2; ++j) {
    EXPECT_NEAR(repair.scale[j], 1 / 0.6, 0.12);
    EXPECT_NEAR(repair.shift[j], -0.3 / 0.6, 0.12);
  }
  EXPECT_GT(repair.gain, 0.3);
  EXPECT_EQ(repair.pairs, 800u);
  const auto repaired =
      MakeRepairedEstimator(std::make_unique<NormalPosterior>(0.6, 0.3), repair, kAxes);
  const auto after = Check(*repaired);
  EXPECT_TRUE(after.calibrated()) << after.Verdict(kNames);
  EXPECT_NEAR(statistics::Coverage(after.levels, 0.9), 0.9, 0.045);
}

TEST(RepairTest, TooWideIsNarrowed) {
  const Repair repair = Fit(1.6, 0);
  EXPECT_NEAR(repair.scale[0], 1 / 1.6, 0.06);
  EXPECT_NEAR(repair.scale[1], 1 / 1.6, 0.06);
}

TEST(RepairTest, AnExactPosteriorIsLeftAlone) {
  const Repair repair = Fit(1, 0);
  EXPECT_EQ(repair.scale, (std::vector<double>{1, 1}));
  EXPECT_EQ(repair.shift, (std::vector<double>{0, 0}));
  EXPECT_EQ(repair.gain, 0);
  EXPECT_EQ(RepairJson(repair), "");
}

TEST(RepairTest, AnExactPosteriorIsRepairedInOneOfAHundredFitsAtMost) {
  int repaired = 0;
  for (std::uint64_t seed = 100; seed < 200; ++seed) {
    const Pairs pairs = Draw(60, seed);
    const auto fit = FitRepair(NormalPosterior(1, 0), pairs.Source(), pairs.Theta(), kAxes);
    repaired += fit->gain > 0 ? 1 : 0;
  }
  EXPECT_LE(repaired, 4);  // 1 expected; 5 or more in 4 of 1000 such tests.
}

// Of 40 held-out rows the second half.
TEST(RepairTest, HeldoutFitLeavesTheFirstHalfForAChecker) {
  const Pairs pairs = Draw(100, 3);
  std::vector<std::uint32_t> heldout(40), asked;
  for (std::uint32_t i = 0; i < 40; ++i) heldout[i] = 99 - i;
  const auto theta = [&](std::uint32_t row) {
    asked.push_back(row);
    return std::vector<float>{pairs.theta[2 * row], pairs.theta[2 * row + 1]};
  };
  const auto fit =
      FitHeldoutRepair(NormalPosterior(1, 0), pairs.Source(), theta, heldout, kAxes, {});
  ASSERT_TRUE(fit);
  EXPECT_EQ(fit->pairs, 20u);
  EXPECT_EQ(asked, std::vector<std::uint32_t>(heldout.begin() + 20, heldout.end()));
}

TEST(RepairTest, FewerThanTenPairsForEachParameterAreNotFitted) {
  for (const auto& [pairs, gains] : {std::pair{19, false}, {20, true}}) {
    const Pairs few = Draw(static_cast<std::size_t>(pairs), 3);
    const auto fit = FitRepair(NormalPosterior(0.2, 0), few.Source(), few.Theta(), kAxes);
    ASSERT_TRUE(fit);
    EXPECT_EQ(fit->gain > 0, gains) << pairs;
  }
}

TEST(RepairTest, FitTakesNoMoreRowsThanItsLimit) {
  const Pairs pairs = Draw(4100, 3);
  std::vector<std::uint32_t> heldout(4100);
  for (std::uint32_t i = 0; i < 4100; ++i) heldout[i] = i;
  const auto theta = [&](std::uint32_t row) {
    return std::vector<float>{pairs.theta[2 * row], pairs.theta[2 * row + 1]};
  };
  EXPECT_EQ(
      FitHeldoutRepair(NormalPosterior(1, 0), pairs.Source(), theta, heldout, kAxes, {})->pairs,
      2000u);
}

TEST(RepairTest, StoppedFitEndsWithoutARepair) {
  const Pairs pairs = Draw(50, 3);
  std::stop_source stop;
  estimators::RowSource x = pairs.Source();
  int reads = 0;
  x.fill = [&, fill = x.fill](std::span<const std::uint32_t> rows, float* out) {
    if (++reads == 200) stop.request_stop();  // In the middle of the search.
    fill(rows, out);
  };
  const auto fit = FitRepair(NormalPosterior(0.6, 0.3), x, pairs.Theta(), kAxes, stop.get_token());
  ASSERT_FALSE(fit);
  EXPECT_EQ(fit.error().code, ErrorCode::kCancelled);
  EXPECT_LT(reads, 400);
}

TEST(RepairTest, DensityIntegratesToOneAndIsThatOfTheDraws) {
  const Repair repair{{1.7, 0.8}, {0.4, -0.3}, 1, 0};
  const auto repaired =
      MakeRepairedEstimator(std::make_unique<NormalPosterior>(0.6, 0.3), repair, kAxes);
  const std::vector<float> x = {1.0f, -0.5f};
  constexpr std::size_t kCells = 400;
  std::vector<float> grid;
  for (std::size_t a = 0; a < kCells; ++a) {
    for (std::size_t b = 0; b < kCells; ++b) {
      grid.push_back(static_cast<float>((a + 0.5) / kCells));
      grid.push_back(static_cast<float>(-4 + 8 * (b + 0.5) / kCells));
    }
  }
  double mass = 0, entropy = 0;
  for (const double v : repaired->LogDensity(x, {grid.data(), kCells * kCells, 2})) {
    const double p = std::exp(v) * 8 / (kCells * kCells);
    mass += p;
    entropy -= p > 0 ? p * v : 0;
  }
  EXPECT_NEAR(mass, 1, 1e-3);
  std::vector<double> log_density;
  const auto draws = repaired->Sample(x, 4000, 1, 0, &log_density);
  double mean = 0;
  for (const double v : log_density) mean += v / 4000;
  EXPECT_NEAR(mean, -entropy, 0.06);
  for (std::size_t i = 0; i < draws.size(); i += 2) {
    EXPECT_GT(draws[i], 0);
    EXPECT_LT(draws[i], 1);
  }
}

TEST(RepairTest, SlopesAreTheDifferencesOfDensities) {
  const auto repaired = MakeRepairedEstimator(std::make_unique<NormalPosterior>(0.6, 0.3),
                                              {{1.7, 0.8}, {0.4, -0.3}, 1, 0}, kAxes);
  const std::vector<float> x = {0.4f, -0.7f};
  for (const float u : {0.2f, 0.5f, 0.7f}) {
    const std::vector<float> at = {u, u - 1};
    const auto slopes = repaired->LogDensitySlopes(x, {at.data(), 1, 2});
    ASSERT_TRUE(slopes);
    EXPECT_NEAR(slopes->log_density[0], repaired->LogDensity(x, {at.data(), 1, 2})[0], 1e-9);
    for (std::size_t j = 0; j < 2; ++j) {
      constexpr float kStep = 0.01f;
      std::vector<float> sides = {u, u - 1, u, u - 1};
      sides[j] -= kStep;
      sides[2 + j] += kStep;
      const auto density = repaired->LogDensity(x, {sides.data(), 2, 2});
      const double difference = (density[1] - density[0]) / (2 * kStep);
      EXPECT_NEAR(slopes->gradient[j], difference, 0.005 * (1 + std::abs(difference))) << u << j;
    }
  }
}

TEST(RepairTest, SlopesAtTheEndsAreThoseOfTheDensityThatIsReturned) {
  const auto repaired = MakeRepairedEstimator(std::make_unique<NormalPosterior>(0.6, 0.3),
                                              {{0.2, 1}, {0, 0}, 1, 0}, kAxes);
  const std::vector<float> x = {-1, 0};
  const auto slope = [&](float u) {
    const std::vector<float> at = {u, 0};
    return repaired->LogDensitySlopes(x, {at.data(), 1, 2})->gradient[0];
  };
  for (const float u : {0.0f, 1e-7f, 1.0f}) EXPECT_EQ(slope(u), 0);
  // Before the repair beyond the clamp: only the slope of the map is left.
  const float u = 1e-3f;
  EXPECT_NEAR(slope(u), -1 / u, 2);
  EXPECT_LT(repaired->LogDensity(x, {std::vector<float>{2 * u, 0}.data(), 1, 2})[0] - 1e-3,
            repaired->LogDensity(x, {std::vector<float>{u, 0}.data(), 1, 2})[0]);
}

TEST(RepairTest, ADrawDependsOnItsNumberOnly) {
  const Repair repair{{1.7, 0.8}, {0.4, -0.3}, 1, 0};
  const auto repaired =
      MakeRepairedEstimator(std::make_unique<NormalPosterior>(0.6, 0.3), repair, kAxes);
  const std::vector<float> x = {1.0f, -0.5f};
  const auto all = repaired->Sample(x, 20, 5, 0, nullptr);
  const auto part = repaired->Sample(x, 5, 5, 10, nullptr);
  EXPECT_TRUE(std::equal(part.begin(), part.end(), all.begin() + 20));
}

TEST(RepairTest, JsonRoundTripsAndDamageIsSaid) {
  const Repair repair{{1.7, 0.8}, {0.4, -0.3}, 321, 0.25};
  const auto read = RepairFromJson(RepairJson(repair), 2);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->scale, repair.scale);
  EXPECT_EQ(read->shift, repair.shift);
  EXPECT_EQ(read->pairs, 321u);
  EXPECT_EQ(RepairFromJson(RepairJson(repair), 3).error().code, ErrorCode::kDataLoss);
  EXPECT_EQ(RepairFromJson("{\"scale\": [0, 1]}", 2).error().code, ErrorCode::kDataLoss);
  EXPECT_EQ(RepairFromJson("not json", 2).error().code, ErrorCode::kDataLoss);
}

}  // namespace
}  // namespace inferon::trainer
