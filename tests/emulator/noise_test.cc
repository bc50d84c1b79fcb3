// Each imperfection alone: its size, and what it is tied to.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/emulator/emulator_fixture.h"

namespace inferon::worker {
namespace {

// A neuron that never fires, read out at 10 counts a mV around 400 mV, tau_m = 23 us.
Profile Silent() {
  Profile profile = QuietProfile();
  Pin(profile, Parameter::kGL, 100);
  Pin(profile, Parameter::kA, 0);
  profile.stimulus_na = 0;
  profile.madc_gain = 10;
  profile.madc_offset = -3500;
  profile.madc_mode = MadcMode::kPoint;
  return profile;
}

struct Moments {
  double mean = 0, variance = 0, lag = 0;  // lag: covariance of points 10 us apart.
};

Moments Measure(const ObservationBatch& batch) {
  constexpr std::size_t kLag = 10;
  Moments moments;
  double count = 0, pairs = 0;
  for (const std::uint16_t v : batch.trace) moments.mean += v, ++count;
  moments.mean /= count;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const auto trace = batch.Trace(i);
    for (std::size_t k = 0; k < trace.size(); ++k) {
      const double d = trace[k] - moments.mean;
      moments.variance += d * d / count;
      if (k + kLag < trace.size()) moments.lag += d * (trace[k + kLag] - moments.mean), ++pairs;
    }
  }
  moments.lag /= pairs;
  return moments;
}

// 64 trials of 1400 us have about 3900 independent values at tau_m = 23 us: the standard error of
// a variance is about 2.3 %; the tolerances below are four of them.
constexpr double kTolerance = 0.09;

TEST(NoiseTest, WhiteMembraneNoiseHasItsDeviationAndTheMembranesMemory) {
  Profile profile = Silent();
  profile.membrane_noise_mv = 3;
  const Moments moments = Measure(RunOrDie(Request(profile, EqualSets(profile, 1, 500), 64)));
  EXPECT_NEAR(moments.mean, 500, 2.5);
  EXPECT_NEAR(moments.variance / 900, 1, kTolerance);
  EXPECT_NEAR(moments.lag / moments.variance, std::exp(-10.0 / 23), 0.05);
}

// V under an Ornstein-Uhlenbeck current is an Ornstein-Uhlenbeck process filtered by the membrane:
// its correlation at a lag t is (tau_m exp(-t / tau_m) - tau exp(-t / tau)) / (tau_m - tau).
TEST(NoiseTest, ColouredMembraneNoiseHasItsDeviationAndCorrelation) {
  for (const double tau : {2.0, 10.0, 50.0}) {
    Profile profile = Silent();
    profile.settle_us = 500;
    profile.membrane_noise_mv = 3;
    profile.membrane_noise_tau_us = tau;
    const Moments moments = Measure(RunOrDie(Request(profile, EqualSets(profile, 1, 500), 96)));
    const double lag = (23 * std::exp(-10.0 / 23) - tau * std::exp(-10.0 / tau)) / (23 - tau);
    EXPECT_NEAR(moments.mean, 500, 5) << tau;
    EXPECT_NEAR(moments.variance / 900, 1, tau < 20 ? kTolerance : 2 * kTolerance) << tau;
    EXPECT_NEAR(moments.lag / moments.variance, lag, 0.05) << tau;
  }
}

TEST(NoiseTest, DeviationDoesNotDependOnTheLeak) {
  for (const double g_l : {20.0, 1000.0}) {
    Profile profile = Silent();
    Pin(profile, Parameter::kGL, g_l);
    profile.membrane_noise_mv = 3;
    const Moments moments = Measure(RunOrDie(Request(profile, EqualSets(profile, 1, 500), 96)));
    EXPECT_NEAR(moments.variance / 900, 1, g_l < 100 ? 2 * kTolerance : kTolerance) << g_l;
  }
}

TEST(NoiseTest, ReadOutNoiseIsWhiteAndItsOwn) {
  Profile profile = Silent();
  profile.readout_noise_counts = 4;
  const Moments moments = Measure(RunOrDie(Request(profile, EqualSets(profile, 1, 500), 16)));
  EXPECT_NEAR(moments.variance, 16 + 1.0 / 12, 0.4);  // Plus rounding to counts.
  EXPECT_NEAR(moments.lag, 0, 0.4);
}

TEST(NoiseTest, WriteJitterBelongsToTheSetAndNotToTheTrial) {
  Profile profile = QuietProfile();
  profile.write_jitter_codes = 3;
  const ObservationBatch batch = RunOrDie(Request(profile, EqualSets(profile, 2, 300), 2));
  const auto trace = [&](std::size_t i) {
    const auto view = batch.Trace(i);
    return std::vector<std::uint16_t>(view.begin(), view.end());
  };
  EXPECT_EQ(trace(0), trace(1));
  EXPECT_EQ(trace(2), trace(3));
  EXPECT_NE(trace(0), trace(2));
}

TEST(NoiseTest, MembraneNoiseBelongsToTheTrial) {
  Profile profile = Silent();
  profile.membrane_noise_mv = 3;
  const ObservationBatch batch = RunOrDie(Request(profile, EqualSets(profile, 1, 500), 2));
  EXPECT_FALSE(std::equal(batch.Trace(0).begin(), batch.Trace(0).end(), batch.Trace(1).begin()));
}

// Baseline of a silent neuron on a device, counts of 0.1 mV.
double Baseline(const Profile& profile, const DeviceId& device) {
  RunRequest request = Request(profile, EqualSets(profile, 1, 500));
  request.device = device;
  request.protocol = {{}, 10, 1};
  return RunOrDie(request).trace[0];
}

TEST(NoiseTest, MismatchBelongsToChipAndNeuron) {
  Profile profile = Silent();
  profile.madc_gain = 1;
  profile.madc_offset = 100;
  profile.mismatch_voltage_mv = 12;
  double sum = 0, square = 0;
  for (std::uint32_t neuron = 0; neuron < 200; ++neuron) {
    const double shift = Baseline(profile, {"emulated-0", neuron, 0}) - 500;
    sum += shift, square += shift * shift;
  }
  EXPECT_NEAR(sum / 200, 0, 4 * 12 / std::sqrt(200.0));
  EXPECT_NEAR(std::sqrt(square / 200), 12, 4 * 12 / std::sqrt(400.0));
  EXPECT_NE(Baseline(profile, {"emulated-0", 3, 0}), Baseline(profile, {"emulated-1", 3, 0}));
  EXPECT_EQ(Baseline(profile, {"emulated-0", 3, 0}), Baseline(profile, {"emulated-0", 3, 7}));
}

TEST(NoiseTest, DriftBelongsToTheRun) {
  Profile profile = Silent();
  profile.run_drift_codes = 2;
  profile.madc_gain = 10;
  double square = 0;
  for (std::uint32_t run = 0; run < 200; ++run) {
    const double shift = (Baseline(profile, {"emulated-0", 0, run}) - 500) / 10;
    square += shift * shift;
  }
  EXPECT_NEAR(std::sqrt(square / 200), 2, 4 * 2 / std::sqrt(400.0));
}

}  // namespace
}  // namespace inferon::worker
