// The firing patterns of R. Naud, N. Marcille, C. Clopath, W. Gerstner, "Firing patterns in the
// adaptive exponential integrate-and-fire model", Biol. Cybern. 99 (2008) 335-347, each for the
// parameters that Brian2's example "Naud_et_al_2008_adex_firing_patterns" gives (the paper's
// table 1 with P. Mueller's corrections to match its figures).
#include <gtest/gtest.h>

#include <cmath>
#include <utility>

#include "tests/emulator/emulator_fixture.h"

namespace inferon::worker {
namespace {

constexpr double kOn = 100, kOff = 1100, kEnd = 1500;

// The paper's values: pF, nS, mV, ms, pA.
struct Neuron {
  double c, g_l, e_l, a, tau_w, b, v_r, i;
};

// 1 ms of the paper is 1 us here: the capacitance shrinks by 1000, all else stays.
Profile ProfileOf(const Neuron& neuron) {
  Profile profile = QuietProfile();
  Pin(profile, Parameter::kGL, neuron.g_l);
  Pin(profile, Parameter::kVL, neuron.e_l);
  Pin(profile, Parameter::kVT, -50);
  Pin(profile, Parameter::kDeltaT, 2);
  Pin(profile, Parameter::kVR, neuron.v_r);
  Pin(profile, Parameter::kVTh, 0);
  Pin(profile, Parameter::kA, neuron.a);
  Pin(profile, Parameter::kB, neuron.b);
  Pin(profile, Parameter::kGTauW, 1000 / neuron.tau_w);
  profile.adaptation_capacitance_pf = 1;
  profile.capacitance_pf = neuron.c / 1000;
  profile.refractory_us = 0.1;
  profile.stimulus_na = neuron.i / 1000;
  profile.exponential = ExponentialForm::kTextbook;
  profile.exponential_limit_na = 1e5;
  profile.madc_offset = 200;
  return profile;
}

// Times of the spikes during the current, from its onset on, ms of the paper.
std::vector<double> Fire(const Neuron& neuron) {
  const Profile profile = ProfileOf(neuron);
  RunRequest request = Request(profile, EqualSets(profile, 1, 500));
  request.protocol = {{{kOn, kOff, 1}}, kEnd, 1};
  std::vector<double> spikes;
  for (const float time : Extract(RunOrDie(request), 0).spike_time_us) {
    if (time < kOff) spikes.push_back(time - kOn);
  }
  return spikes;
}

std::vector<double> Intervals(const std::vector<double>& spikes) {
  std::vector<double> intervals;
  for (std::size_t i = 1; i < spikes.size(); ++i) intervals.push_back(spikes[i] - spikes[i - 1]);
  return intervals;
}

double Mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

// Coefficient of variation of the intervals.
double Variation(const std::vector<double>& intervals) {
  const double mean = Mean(intervals);
  double square = 0;
  for (const double interval : intervals) square += (interval - mean) * (interval - mean);
  return std::sqrt(square / static_cast<double>(intervals.size())) / mean;
}

std::vector<double> Tail(const std::vector<double>& values, std::size_t count) {
  return {values.end() - static_cast<std::ptrdiff_t>(std::min(count, values.size())), values.end()};
}

// Spikes of each burst: a burst ends with an interval over `gap` ms; the last, cut off, is left
// out.
std::vector<std::size_t> Bursts(const std::vector<double>& intervals, double gap) {
  std::vector<std::size_t> bursts;
  std::size_t spikes = 1;
  for (const double interval : intervals) {
    if (interval > gap) bursts.push_back(std::exchange(spikes, 0));
    ++spikes;
  }
  return bursts;
}

constexpr Neuron kTonic{200, 10, -70, 2, 30, 0, -58, 500};
constexpr Neuron kAdapting{200, 12, -70, 2, 300, 60, -58, 500};
constexpr Neuron kInitialBurst{130, 18, -58, 4, 150, 120, -50, 400};
constexpr Neuron kRegularBursting{200, 10, -58, 2, 120, 100, -46, 210};
constexpr Neuron kDelayedAccelerating{200, 12, -70, -10, 300, 0, -58, 300};
constexpr Neuron kDelayedBursting{100, 10, -65, -10, 90, 30, -47, 110};
constexpr Neuron kTransient{100, 10, -65, 10, 90, 100, -47, 180};
constexpr Neuron kIrregular{100, 12, -60, -11, 130, 30, -48, 160};

TEST(FiringPatternsTest, TonicFiresEvenlyFromTheStart) {
  const std::vector<double> spikes = Fire(kTonic), intervals = Intervals(spikes);
  ASSERT_GT(spikes.size(), 80u);  // About 100 Hz.
  EXPECT_LT(spikes.size(), 120u);
  EXPECT_LT(Variation(intervals), 0.03);
  EXPECT_NEAR(intervals.front() / intervals.back(), 1, 0.1);
  EXPECT_GT(spikes.back(), 950);  // To the end of the current and not beyond.
  EXPECT_LE(spikes.back(), kOff - kOn);
}

TEST(FiringPatternsTest, AdaptingSlowsDownToASteadyRate) {
  const std::vector<double> intervals = Intervals(Fire(kAdapting));
  ASSERT_GT(intervals.size(), 12u);
  for (std::size_t i = 1; i < 6; ++i) EXPECT_GT(intervals[i], 1.05 * intervals[i - 1]) << i;
  EXPECT_GT(intervals.back(), 4 * intervals.front());
  EXPECT_LT(Variation(Tail(intervals, 5)), 0.01);
}

TEST(FiringPatternsTest, InitialBurstIsFollowedByTonicFiring) {
  const std::vector<double> intervals = Intervals(Fire(kInitialBurst));
  ASSERT_GT(intervals.size(), 10u);
  EXPECT_LT(intervals[0], 10);
  EXPECT_LT(intervals[1], 10);
  for (std::size_t i = 2; i < intervals.size(); ++i) EXPECT_GT(intervals[i], 40) << i;
  EXPECT_LT(Variation(Tail(intervals, 10)), 0.01);
}

TEST(FiringPatternsTest, RegularBurstingRepeatsItsBursts) {
  const std::vector<double> spikes = Fire(kRegularBursting), intervals = Intervals(spikes);
  const std::vector<std::size_t> bursts = Bursts(intervals, 50);
  ASSERT_GT(bursts.size(), 4u);
  for (std::size_t i = 1; i < bursts.size(); ++i) EXPECT_EQ(bursts[i], 2u) << i;
  EXPECT_LT(spikes.front(), 30);  // No delay.
  EXPECT_GT(Variation(intervals), 0.5);
}

TEST(FiringPatternsTest, DelayedAcceleratingBeginsLateAndSpeedsUp) {
  std::vector<double> spikes = Fire(kDelayedAccelerating);
  while (spikes.back() > kOff - kOn) spikes.pop_back();  // One fires by itself after the current.
  const std::vector<double> intervals = Intervals(spikes);
  ASSERT_GT(intervals.size(), 40u);
  EXPECT_GT(spikes.front(), 1.5 * intervals.front());
  for (std::size_t i = 1; i < 20; ++i) EXPECT_LT(intervals[i], intervals[i - 1]) << i;
  EXPECT_LT(intervals.back(), 0.6 * intervals.front());
}

TEST(FiringPatternsTest, DelayedRegularBurstingBeginsLate) {
  const std::vector<double> spikes = Fire(kDelayedBursting), intervals = Intervals(spikes);
  const std::vector<std::size_t> bursts = Bursts(intervals, 30);
  ASSERT_GT(bursts.size(), 8u);
  for (const std::size_t burst : bursts) EXPECT_EQ(burst, 4u);
  EXPECT_GT(spikes.front(), 10 * intervals.front());
}

TEST(FiringPatternsTest, TransientFallsSilentUnderLastingCurrent) {
  const std::vector<double> spikes = Fire(kTransient);
  ASSERT_GE(spikes.size(), 1u);
  EXPECT_LE(spikes.size(), 3u);
  EXPECT_LT(spikes.back(), 100);
}

TEST(FiringPatternsTest, IrregularFollowsNoShortCycle) {
  const std::vector<double> intervals = Intervals(Fire(kIrregular));
  ASSERT_GT(intervals.size(), 35u);
  EXPECT_GT(Variation(intervals), 0.4);
  const std::vector<double> late = Tail(intervals, 30);
  for (std::size_t cycle = 1; cycle <= 4; ++cycle) {
    double worst = 0;
    for (std::size_t i = cycle; i < late.size(); ++i) {
      worst = std::max(worst, std::abs(late[i] / late[i - cycle] - 1));
    }
    EXPECT_GT(worst, 0.2) << cycle;
  }
}

}  // namespace
}  // namespace inferon::worker
