// Figure 1b: trials of one set agree at first and drift apart; a new write adds its jitter, a new
// run its drift. Spreads are standard deviations of the time of the k-th spike.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/emulator/emulator_fixture.h"

namespace inferon::worker {
namespace {

constexpr std::uint32_t kRepeats = 400;
constexpr std::size_t kSpikes = 7;

// A set of the shipped profile that fires regularly, some 10 times.
ParameterSets Target(std::size_t writes) {
  ParameterSets sets{7, {}};
  const std::uint16_t codes[] = {16, 520, 655, 553, 57, 846, 726};
  for (std::size_t i = 0; i < writes; ++i) {
    sets.codes.insert(sets.codes.end(), std::begin(codes), std::end(codes));
  }
  return sets;
}

struct Spread {
  double mean = 0, deviation = 0;
};

Spread SpreadOf(const std::vector<double>& values) {
  Spread spread;
  for (const double value : values) spread.mean += value / static_cast<double>(values.size());
  double square = 0;
  for (const double value : values) square += (value - spread.mean) * (value - spread.mean);
  spread.deviation = std::sqrt(square / static_cast<double>(values.size() - 1));
  return spread;
}

// Times of spike k of all experiments that have it.
std::vector<double> TimesOfSpike(const ObservationBatch& batch, std::size_t k) {
  std::vector<double> times;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const std::vector<float> spikes = Extract(batch, i).spike_time_us;
    if (spikes.size() > k) times.push_back(spikes[k]);
  }
  return times;
}

std::vector<double> SpreadsBySpike(const ObservationBatch& batch) {
  std::vector<double> spreads;
  for (std::size_t k = 0; k < kSpikes; ++k) {
    const std::vector<double> times = TimesOfSpike(batch, k);
    EXPECT_GT(times.size(), batch.size() * 8 / 10) << k;
    spreads.push_back(SpreadOf(times).deviation);
  }
  return spreads;
}

// A standard deviation from 400 repeats is known to 3.5 %, a ratio of two to 5 %.
TEST(TrialsTest, TracesAgreeAtFirstAndDriftApart) {
  const Profile profile = ShippedProfile();
  const ObservationBatch batch = RunOrDie(Request(profile, Target(1), kRepeats));
  const std::vector<double> spreads = SpreadsBySpike(batch);
  EXPECT_LT(spreads[0], 5);  // us, of some 100 us between spikes.
  // Intervals add up independent deviations: the spread grows about as the root of their number.
  EXPECT_GT(spreads[3], 1.5 * spreads[0]);
  EXPECT_GT(spreads[6], 1.15 * spreads[3]);
  // What the spread does to the trace: counts at a fixed time differ ever more between trials.
  const auto deviation_at = [&](std::size_t from, std::size_t to) {
    double sum = 0;
    for (std::size_t point = from; point < to; ++point) {
      std::vector<double> counts;
      for (std::size_t i = 0; i < batch.size(); ++i) counts.push_back(batch.Trace(i)[point]);
      sum += SpreadOf(counts).deviation / static_cast<double>(to - from);
    }
    return sum;
  };
  EXPECT_LT(deviation_at(50, 200), 5);  // Noise alone: 3 counts.
  EXPECT_GT(deviation_at(800, 1200), 3 * deviation_at(50, 200));
}

TEST(TrialsTest, ANewWriteJittersMoreThanANewTrial) {
  const Profile profile = ShippedProfile();
  const std::vector<double> trials =
      SpreadsBySpike(RunOrDie(Request(profile, Target(1), kRepeats)));
  const std::vector<double> writes =
      SpreadsBySpike(RunOrDie(Request(profile, Target(kRepeats), 1)));
  for (std::size_t k = 0; k < kSpikes; ++k) EXPECT_GT(writes[k], 2 * trials[k]) << k;
  // All intervals of a write are too long or too short together: its spread grows with their
  // number, not with the root of it.
  EXPECT_GT(writes[6] / trials[6], 1.3 * writes[0] / trials[0]);
}

TEST(TrialsTest, TrialJitterComesOnTopAndIsOfEachTrial) {
  Profile profile = WithoutNoise(ShippedProfile());
  const std::vector<double> none = SpreadsBySpike(RunOrDie(Request(profile, Target(1), 20)));
  profile.trial_jitter_codes = 1.5;
  const std::vector<double> each = SpreadsBySpike(RunOrDie(Request(profile, Target(1), 60)));
  EXPECT_EQ(none[0], 0);  // Nothing else differs between these trials.
  EXPECT_GT(each[0], 0.5);
}

// The mean over many writes takes the jitter out; what is left between runs is their drift.
TEST(TrialsTest, ARunHasItsOwnDrift) {
  const Profile profile = ShippedProfile();
  std::vector<double> means;
  double within = 0;
  constexpr std::uint32_t kRuns = 24;
  for (std::uint32_t run = 0; run < kRuns; ++run) {
    RunRequest request = Request(profile, Target(50), 1);
    request.device.run = run;
    const Spread first = SpreadOf(TimesOfSpike(RunOrDie(request), 0));
    means.push_back(first.mean);
    within += first.deviation * first.deviation / 50 / kRuns;  // Variance of such a mean.
  }
  const double between = SpreadOf(means).deviation;
  EXPECT_GT(between * between, 4 * within);
  // And it is small: about as large as the jitter of a write, whose codes are 1.5 times as many.
  EXPECT_LT(between, 2 * std::sqrt(50 * within));
  RunRequest again = Request(profile, Target(50), 1);
  again.device.run = 3;
  EXPECT_EQ(SpreadOf(TimesOfSpike(RunOrDie(again), 0)).mean, means[3]);
}

}  // namespace
}  // namespace inferon::worker
