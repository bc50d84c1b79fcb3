#include "server/trainer/statistics/calibration_tests.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "common/base/check.h"
#include "server/trainer/statistics/calibration.h"
#include "server/trainer/statistics/tarp.h"

namespace inferon::statistics {
namespace {

constexpr double kBandConfidence = 0.95;

struct Moments {
  double mean = 0, variance = 0;
};

Moments MomentsOf(std::span<const double> values) {
  Moments m;
  const auto n = static_cast<double>(values.size());
  for (const double v : values) m.mean += v / n;
  for (const double v : values) m.variance += (v - m.mean) * (v - m.mean) / n;
  return m;
}

// 0 where one of them does not vary.
double Correlation(std::span<const double> a, std::span<const double> b) {
  const Moments ma = MomentsOf(a), mb = MomentsOf(b);
  double covariance = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    covariance += (a[i] - ma.mean) * (b[i] - mb.mean) / static_cast<double>(a.size());
  }
  const double scale = std::sqrt(ma.variance * mb.variance);
  return scale > 0 ? covariance / scale : 0;
}

template <typename T>
std::vector<T> Column(const std::vector<T>& values, std::size_t d, std::size_t j) {
  std::vector<T> column;
  for (std::size_t i = j; i < values.size(); i += d) column.push_back(values[i]);
  return column;
}

// P-value that ranks 0..draws are uniform.
double RanksPValue(std::span<const std::uint32_t> ranks, std::uint32_t draws,
                   PhiloxSequence& random) {
  return KolmogorovSmirnovUniform(RanksToUnit(ranks, draws, random));
}

std::vector<double> Levels(std::span<const std::uint32_t> ranks, std::uint32_t draws) {
  std::vector<double> levels;
  for (const std::uint32_t rank : ranks) levels.push_back(static_cast<double>(rank) / draws);
  return levels;
}

bool Rejects(const CalibrationResult& result, const std::string& name) {
  return std::ranges::any_of(result.tests, [&](const NamedTest& test) {
    return test.name == name && test.adjusted <= kCalibrationLevel;
  });
}

std::string Join(const std::vector<std::string>& parts) {
  std::string text;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) text += i + 1 == parts.size() ? " and " : ", ";
    text += parts[i];
  }
  return text;
}

}  // namespace

CalibrationTests::CalibrationTests(ThetaGuess guess, std::uint64_t seed)
    : guess_(std::move(guess)), seed_(seed), classifier_(guess_.dimension(), seed) {}

std::vector<double> CalibrationTests::Knowledge(std::span<const float> x) const {
  std::vector<double> knowledge = guess_(x);
  for (std::size_t j = 0; j < knowledge.size(); ++j) {
    knowledge[j] = (knowledge[j] - guess_.mean()[j]) / guess_.deviation()[j];
  }
  return knowledge;
}

void CalibrationTests::AddParameters(const TestedPair& pair, PhiloxSequence& random) {
  const std::size_t d = guess_.dimension();
  std::vector<double> column(draws_);
  for (std::size_t j = 0; j < d; ++j) {
    for (std::size_t i = 0; i < column.size(); ++i) column[i] = pair.draws[i * d + j];
    const Moments moments = MomentsOf(column);
    ranks_.push_back(RankOf(pair.truth[j], column, random));
    truths_.push_back(pair.truth[j]);
    means_.push_back(moments.mean);
    variances_.push_back(moments.variance);
  }
}

void CalibrationTests::Add(std::uint64_t number, const TestedPair& pair) {
  const std::size_t d = guess_.dimension();
  const std::size_t n = pair.draw_densities.size();
  INFERON_CHECK(pair.truth.size() == d && pair.draws.size() == n * d && n >= 3);
  INFERON_CHECK(draws_ == 0 || draws_ == n);
  draws_ = static_cast<std::uint32_t>(n);
  PhiloxSequence random(StreamKey(seed_, fmt::format("pair/{}", number)));
  AddParameters(pair, random);
  // The number of denser draws, ties at random.
  density_ranks_.push_back(draws_ - RankOf(pair.truth_density, pair.draw_densities, random));
  const std::vector<double> reference = TarpReference(guess_, pair.x, random);
  tarp_ranks_.push_back(TarpRank(pair.truth, pair.draws, reference, guess_.deviation(), random));
  classifier_.Add(pair.truth, pair.draws, Knowledge(pair.x));
}

void CalibrationTests::TestParameters(CalibrationResult& result, const JointBand& band,
                                      PhiloxSequence& random) const {
  const std::size_t d = guess_.dimension();
  for (std::size_t j = 0; j < d; ++j) {
    const std::vector<std::uint32_t> ranks = Column(ranks_, d, j);
    const std::vector<double> truths = Column(truths_, d, j), means = Column(means_, d, j),
                              variances = Column(variances_, d, j);
    ParameterTests tests;
    tests.ks_p_value = RanksPValue(ranks, draws_, random);
    tests.band_p_value = band.PValue(ranks);
    tests.log_gamma = band.LogGamma(ranks);
    const double prior = MomentsOf(truths).variance;
    tests.contraction = prior > 0 ? 1 - MomentsOf(variances).mean / prior : 0;
    tests.recovery = Correlation(means, truths);
    for (std::size_t i = 0; i < truths.size(); ++i) {
      if (variances[i] <= 0) continue;
      tests.mean_z +=
          (means[i] - truths[i]) / std::sqrt(variances[i]) / static_cast<double>(truths.size());
    }
    result.parameters.push_back(tests);
    result.tests.push_back({fmt::format("ranks {}", j + 1), tests.ks_p_value, 1});
    result.tests.push_back({fmt::format("band {}", j + 1), tests.band_p_value, 1});
  }
}

CalibrationResult CalibrationTests::Finish() const {
  INFERON_CHECK(pairs() > 0);
  CalibrationResult result;
  result.pairs = pairs();
  result.draws = draws_;
  PhiloxSequence random(StreamKey(seed_, "tests"));
  const JointBand band(pairs(), draws_, seed_);
  TestParameters(result, band, random);
  result.coverage_p_value = RanksPValue(density_ranks_, draws_, random);
  result.tarp_p_value = RanksPValue(tarp_ranks_, draws_, random);
  result.classifier_p_value = classifier_.PValue();
  result.tests.push_back({"coverage", result.coverage_p_value, 1});
  result.tests.push_back({"tarp", result.tarp_p_value, 1});
  result.tests.push_back({"classifier", result.classifier_p_value, 1});
  std::vector<double> p_values;
  for (const NamedTest& test : result.tests) p_values.push_back(test.p_value);
  const std::vector<double> adjusted = HolmAdjust(p_values);
  for (std::size_t t = 0; t < adjusted.size(); ++t) result.tests[t].adjusted = adjusted[t];
  result.smallest_adjusted = *std::ranges::min_element(adjusted);
  result.ranks = ranks_;
  result.levels = Levels(density_ranks_, draws_);
  result.tarp_levels = Levels(tarp_ranks_, draws_);
  result.atc = AreaToCurve(result.tarp_levels);
  result.band = band.Band(kBandConfidence);
  return result;
}

double CalibrationTests::LocalPValue(std::span<const float> x,
                                     std::span<const double> draws) const {
  return classifier_.LocalPValue(draws, Knowledge(x));
}

std::string CalibrationResult::Verdict(std::span<const std::string> parameter_names) const {
  if (calibrated()) {
    return fmt::format(
        "calibrated: none of {} tests rejects at {:g} % (smallest p {:.2g} after Holm)",
        tests.size(), 100 * kCalibrationLevel, smallest_adjusted);
  }
  std::vector<std::string> reasons;
  if (Rejects(*this, "coverage")) {
    const double inside = Coverage(levels, 0.5);
    reasons.push_back(fmt::format("too {} (50 % regions hold {:.0f} % of the truths)",
                                  inside < 0.5 ? "narrow" : "wide", 100 * inside));
  }
  std::vector<std::string> off;
  for (std::size_t j = 0; j < parameters.size(); ++j) {
    const std::string number = fmt::format(" {}", j + 1);
    if (!Rejects(*this, "ranks" + number) && !Rejects(*this, "band" + number)) continue;
    off.push_back(fmt::format("{} (mean z {:+.2f})", parameter_names[j], parameters[j].mean_z));
  }
  if (!off.empty()) reasons.push_back("wrong in " + Join(off));
  if (Rejects(*this, "tarp")) {
    reasons.push_back(
        fmt::format("not accurate around reference points (area to curve {:+.3f})", atc));
  }
  if (Rejects(*this, "classifier")) {
    reasons.push_back("told apart from the truths by a classifier");
  }
  return fmt::format("not calibrated (p {:.2g} after Holm): the posteriors are {}",
                     smallest_adjusted, Join(reasons));
}

}  // namespace inferon::statistics
