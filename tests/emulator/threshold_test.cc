// Threshold noise, measured from the intervals of a leaky integrator: each interval tells the
// threshold that ended it.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/emulator/emulator_fixture.h"

namespace inferon::worker {
namespace {

constexpr double kTauM = 23, kSteady = 1000, kReset = 20, kThreshold = 380;  // us; mV over V_L.
constexpr double kDeviation = 10;                                            // mV
constexpr double kRefractory = 2;                                            // us

Profile Leaky() {
  Profile profile = QuietProfile();
  Pin(profile, Parameter::kGL, 100);
  Pin(profile, Parameter::kVL, 400);
  Pin(profile, Parameter::kVR, 400 + kReset);
  Pin(profile, Parameter::kVTh, 400 + kThreshold);
  Pin(profile, Parameter::kA, 0);
  Pin(profile, Parameter::kB, 0);
  profile.refractory_us = kRefractory;
  profile.stimulus_na = 100;
  profile.threshold_noise_mv = kDeviation;
  return profile;
}

// Thresholds of the spikes of one experiment, over V_L.
std::vector<double> Thresholds(const ObservationBatch& batch, std::size_t experiment) {
  const std::vector<float> spikes = Extract(batch, experiment).spike_time_us;
  std::vector<double> thresholds;
  for (std::size_t i = 0; i < spikes.size(); ++i) {
    const double from = i == 0 ? 0 : kReset;
    const double rise = i == 0 ? spikes[0] - 200.0 : spikes[i] - spikes[i - 1] - kRefractory;
    thresholds.push_back(kSteady - (kSteady - from) * std::exp(-rise / kTauM));
  }
  return thresholds;
}

TEST(ThresholdTest, EachSpikeHasItsOwnThresholdOfTheProfilesDeviation) {
  const Profile profile = Leaky();
  const ObservationBatch batch = RunOrDie(Request(profile, EqualSets(profile, 1, 500), 32));
  double count = 0, sum = 0, square = 0, product = 0, pairs = 0, first = 0;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const std::vector<double> thresholds = Thresholds(batch, i);
    ASSERT_GT(thresholds.size(), 60u);
    for (std::size_t k = 0; k < thresholds.size(); ++k) {
      const double deviation = thresholds[k] - kThreshold;
      sum += deviation, square += deviation * deviation, ++count;
      if (k > 0) product += deviation * (thresholds[k - 1] - kThreshold), ++pairs;
    }
    first += std::pow(thresholds[0] - kThreshold, 2) / static_cast<double>(batch.size());
  }
  // Four standard errors; the time of a spike is exact to some nanoseconds, a tenth of a mV.
  EXPECT_NEAR(sum / count, 0, 4 * kDeviation / std::sqrt(count) + 0.2);
  EXPECT_NEAR(std::sqrt(square / count), kDeviation, 4 * kDeviation / std::sqrt(2 * count) + 0.1);
  EXPECT_NEAR(product / pairs / (kDeviation * kDeviation), 0, 4 / std::sqrt(pairs));
  EXPECT_NEAR(std::sqrt(first), kDeviation, 4 * kDeviation / std::sqrt(2.0 * 32));
}

TEST(ThresholdTest, TrialsAndSetsHaveTheirOwnThresholds) {
  const Profile profile = Leaky();
  const ObservationBatch batch = RunOrDie(Request(profile, EqualSets(profile, 2, 500), 2));
  const double first = Thresholds(batch, 0)[0];
  for (const std::size_t other : {1u, 2u, 3u}) EXPECT_NE(Thresholds(batch, other)[0], first);
}

TEST(ThresholdTest, WithoutNoiseAllSpikesAreAlike) {
  Profile profile = Leaky();
  profile.threshold_noise_mv = 0;
  const ObservationBatch batch = RunOrDie(Request(profile, EqualSets(profile, 1, 500), 2));
  for (const double threshold : Thresholds(batch, 1)) EXPECT_NEAR(threshold, kThreshold, 0.3);
}

}  // namespace
}  // namespace inferon::worker
