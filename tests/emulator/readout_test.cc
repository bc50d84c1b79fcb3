// How the MADC's samples become the stored trace, and the noise of the threshold.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/emulator/emulator_fixture.h"

namespace inferon::worker {
namespace {

// Fires every 38 us at a slope of some 9 mV/us; read out at 1 count a mV.
Profile Firing() {
  Profile profile = QuietProfile();
  Pin(profile, Parameter::kGL, 2);
  Pin(profile, Parameter::kA, 0);
  Pin(profile, Parameter::kB, 0);
  Pin(profile, Parameter::kVR, 420);
  profile.stimulus_na = 23;
  profile.refractory_us = 2;
  return profile;
}

ObservationBatch RunTrials(const Profile& profile, std::uint32_t trials,
                           const Protocol& protocol = {}) {
  RunRequest request = Request(profile, EqualSets(profile, 1, 500), trials);
  request.protocol = protocol;
  return RunOrDie(request);
}

double VarianceOfSilentTrace(MadcMode mode) {
  Profile profile = Firing();
  profile.stimulus_na = 0;
  profile.madc_offset = 100;
  profile.madc_mode = mode;
  profile.readout_noise_counts = 20;
  const ObservationBatch batch = RunTrials(profile, 16);
  double sum = 0, square = 0;
  for (const std::uint16_t v : batch.trace) sum += v, square += 1.0 * v * v;
  const double count = static_cast<double>(batch.trace.size()), mean = sum / count;
  EXPECT_NEAR(mean, 500, 0.5);
  return square / count - mean * mean;
}

// 22 400 independent points: the standard error of a variance is 1 %; tolerances are five of them.
// Rounding to counts adds 1/12.
TEST(ReadoutTest, APointHasTheNoiseOfOneSample) {
  EXPECT_NEAR(VarianceOfSilentTrace(MadcMode::kPoint), 400, 20);
}

TEST(ReadoutTest, InterpolationHasTheNoiseOfTwoWeightedSamples) {
  // f^2 + (1 - f)^2 is 2/3 in the mean over the places between two samples.
  EXPECT_NEAR(VarianceOfSilentTrace(MadcMode::kInterpolated), 400 * 2.0 / 3, 400 * 2.0 / 3 * 0.05);
}

TEST(ReadoutTest, AveragingDividesTheVarianceByTheSamples) {
  const double expected = 400 / 29.41 + 1.0 / 12;
  EXPECT_NEAR(VarianceOfSilentTrace(MadcMode::kAveraged), expected, 0.05 * expected);
}

TEST(ReadoutTest, AnAveragedPointIsTheMeanWithinHalfAGridStepOfTheClippedVoltage) {
  Profile profile = Firing();
  profile.madc_max = 700;  // Below the threshold's 780.
  profile.madc_gain = 1;
  const Protocol fine{{{10, 100, 1}}, 100, 0.1}, coarse{{{10, 100, 1}}, 100, 1};
  profile.madc_mode = MadcMode::kPoint;
  const ObservationBatch points = RunTrials(profile, 1, fine);
  profile.madc_mode = MadcMode::kAveraged;
  const ObservationBatch means = RunTrials(profile, 1, coarse);
  ASSERT_GE(points.spike_count[0], 2u);
  for (std::size_t i = 1; i + 1 < means.points; ++i) {
    double sum = 0.5 * (points.trace[10 * i - 5] + points.trace[10 * i + 5]);
    for (std::size_t k = 10 * i - 4; k < 10 * i + 5; ++k) sum += points.trace[k];
    // Half a count of rounding; the jump of a reset lies somewhere in a step of 0.1 us.
    EXPECT_NEAR(means.trace[i], sum / 10, 20) << i;
  }
  // Where nothing jumps it is exact.
  EXPECT_NEAR(means.trace[5], 400, 0.5);
  EXPECT_EQ(*std::max_element(means.trace.begin(), means.trace.end()), 700);
}

TEST(ReadoutTest, WithoutNoiseInterpolationIsTheVoltageAtThePoint) {
  Profile profile = Firing();
  profile.madc_mode = MadcMode::kPoint;
  const ObservationBatch points = RunTrials(profile, 1);
  profile.madc_mode = MadcMode::kInterpolated;
  EXPECT_EQ(RunTrials(profile, 1).trace, points.trace);
}

std::vector<double> Intervals(const ObservationBatch& batch) {
  std::vector<double> intervals;
  std::size_t first = 0;
  for (const std::uint32_t count : batch.spike_count) {
    for (std::size_t k = first + 1; k < first + count; ++k) {
      intervals.push_back(batch.spike_time_us[k] - batch.spike_time_us[k - 1]);
    }
    first += count;
  }
  return intervals;
}

// V rises as V_inf - (V_inf - V_r) exp(-t / tau): a threshold that is x higher is reached
// x / slope later, slope = (V_inf - V_th) / tau.
TEST(ThresholdNoiseTest, MovesEachSpikeByItsDeviationOverTheSlope) {
  Profile profile = Firing();
  profile.threshold_noise_mv = 4;
  const std::vector<double> intervals = Intervals(RunTrials(profile, 128));
  const double tau = 2.3 / 0.002, v_inf = 400 + 23 / 0.002, slope = (v_inf - 780) / tau;
  double mean = 0, variance = 0, lag = 0;
  for (const double t : intervals) mean += t / static_cast<double>(intervals.size());
  for (std::size_t i = 1; i < intervals.size(); ++i) {
    const double count = static_cast<double>(intervals.size() - 1);
    variance += (intervals[i] - mean) * (intervals[i] - mean) / count;
    lag += (intervals[i] - mean) * (intervals[i - 1] - mean) / count;
  }
  ASSERT_GT(intervals.size(), 2500u);
  // Five standard errors of 2500 numbers.
  EXPECT_NEAR(std::sqrt(variance), 4 / slope, 0.07 * 4 / slope);
  EXPECT_NEAR(lag / variance, 0, 0.1);  // Anew for each spike.
}

TEST(ThresholdNoiseTest, BelongsToTheTrialAndRepeats) {
  Profile profile = Firing();
  profile.threshold_noise_mv = 4;
  const ObservationBatch batch = RunTrials(profile, 2), again = RunTrials(profile, 2);
  EXPECT_EQ(batch.spike_time_us, again.spike_time_us);
  EXPECT_NE(batch.spike_time_us[0], batch.spike_time_us[batch.spike_count[0]]);
}

}  // namespace
}  // namespace inferon::worker
