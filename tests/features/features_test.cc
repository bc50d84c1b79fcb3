#include "common/features/features.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "common/neuron/profile.h"
#include "common/recordings/mapping.h"

namespace inferon {
namespace {

float Get(const Features& features, Feature feature) {
  return features[static_cast<std::size_t>(feature)];
}

const Protocol kProtocol{{{100, 500, 1}}, 600, 1};
constexpr float kRest = 300, kPeak = 650, kReset = 320;

// A neuron that rests at 300 counts and after each spike starts anew at 320 counts, then stays
// there; the sample at the spike time itself shows the peak.
Observation Spiking(const std::vector<float>& spikes) {
  Observation observation{std::vector<float>(kProtocol.Points(), kRest), spikes};
  for (const float time : spikes) {
    const auto k = static_cast<std::size_t>(time);
    observation.trace[k] = kPeak;
    for (std::size_t j = k + 1; j < observation.trace.size(); ++j) observation.trace[j] = kReset;
  }
  return observation;
}

TEST(FeaturesTest, NamesAreDistinctAndThere) {
  std::set<std::string_view> names, labels;
  for (std::size_t i = 0; i < kFeatureCount; ++i) {
    names.insert(FeatureName(static_cast<Feature>(i)));
    labels.insert(FeatureLabel(static_cast<Feature>(i)));
  }
  EXPECT_EQ(names.size(), kFeatureCount);
  EXPECT_EQ(labels.size(), kFeatureCount);
  EXPECT_FALSE(names.contains(""));
}

TEST(FeaturesTest, WindowIsClosedAtTheStartAndOpenAtTheStop) {
  const std::vector<float> spikes{99.9f, 100, 300, 499.9f, 500};
  EXPECT_EQ(CountStimulusSpikes(spikes, kProtocol), 3u);
  EXPECT_EQ(CountStimulusSpikes({}, kProtocol), 0u);
}

TEST(FeaturesTest, SilentNeuronHasACountAndABaselineOnly) {
  const Features features = ExtractFeatures(Spiking({}), kProtocol);
  EXPECT_EQ(Get(features, Feature::kSpikeCount), 0);
  EXPECT_EQ(Get(features, Feature::kBaseline), kRest);
  int missing = 0;
  for (const float value : features) missing += IsMissing(value);
  EXPECT_EQ(missing, 10);
}

TEST(FeaturesTest, SpikesOutsideTheWindowAreNotTheWindows) {
  const Features features = ExtractFeatures(Spiking({50, 550}), kProtocol);
  EXPECT_EQ(Get(features, Feature::kSpikeCount), 0);
  EXPECT_TRUE(IsMissing(Get(features, Feature::kLatency)));
  EXPECT_TRUE(IsMissing(Get(features, Feature::kPeak)));
}

TEST(FeaturesTest, OneSpikeHasLatencyAndShapeButNoIntervals) {
  const Features features = ExtractFeatures(Spiking({150}), kProtocol);
  EXPECT_EQ(Get(features, Feature::kLatency), 50);
  EXPECT_EQ(Get(features, Feature::kPeak), kPeak);
  EXPECT_EQ(Get(features, Feature::kFastTrough), kReset);
  EXPECT_TRUE(IsMissing(Get(features, Feature::kMeanIsi)));
  EXPECT_TRUE(IsMissing(Get(features, Feature::kSlowTrough)));
}

TEST(FeaturesTest, WidthIsTakenAtHalfHeight) {
  // Half of 650 and 320 is 485: reached at 185/350 of the rise, left at 165/330 of the fall.
  const Features features = ExtractFeatures(Spiking({150}), kProtocol);
  EXPECT_NEAR(Get(features, Feature::kWidth), (1 - 185.0 / 350) + 165.0 / 330, 1e-5);
}

TEST(FeaturesTest, IntervalsFollowTheirDefinitions) {
  const Features features = ExtractFeatures(Spiking({150, 200, 300, 450}), kProtocol);
  EXPECT_EQ(Get(features, Feature::kSpikeCount), 4);
  EXPECT_FLOAT_EQ(Get(features, Feature::kMeanIsi), 100);
  EXPECT_FLOAT_EQ(Get(features, Feature::kFirstIsi), 50);
  EXPECT_FLOAT_EQ(Get(features, Feature::kIsiCv), std::sqrt(5000.0 / 3) / 100);
  EXPECT_FLOAT_EQ(Get(features, Feature::kAdaptationIndex), (50.0 / 150 + 50.0 / 250) / 2);
}

TEST(FeaturesTest, TwoSpikesHaveNoVariation) {
  const Features features = ExtractFeatures(Spiking({150, 200}), kProtocol);
  EXPECT_EQ(Get(features, Feature::kMeanIsi), 50);
  EXPECT_TRUE(IsMissing(Get(features, Feature::kIsiCv)));
  EXPECT_TRUE(IsMissing(Get(features, Feature::kAdaptationIndex)));
}

TEST(FeaturesTest, SlowTroughMustLieBelowTheFastOne) {
  Observation observation = Spiking({200, 300});
  EXPECT_TRUE(IsMissing(Get(ExtractFeatures(observation, kProtocol), Feature::kSlowTrough)));
  for (int k = 230; k <= 270; ++k) {  // A dip to 280 counts around the middle of the interval.
    const auto distance = static_cast<float>(std::abs(k - 250));
    observation.trace[static_cast<std::size_t>(k)] = 280 + 2 * distance;
  }
  const Features features = ExtractFeatures(observation, kProtocol);
  EXPECT_NEAR(Get(features, Feature::kSlowTrough), 280, 3);
  EXPECT_NEAR(Get(features, Feature::kSlowTroughTime), 0.5, 0.02);
  EXPECT_EQ(Get(features, Feature::kFastTrough), kReset);
}

TEST(FeaturesTest, NoiseDoesNotMoveTheFastTrough) {
  Observation observation = Spiking({150});
  for (std::size_t k = 0; k < observation.trace.size(); ++k) {
    observation.trace[k] += static_cast<float>(static_cast<int>(k * 7 % 7) - 3);
  }
  EXPECT_NEAR(Get(ExtractFeatures(observation, kProtocol), Feature::kFastTrough), kReset, 5);
}

TEST(FeaturesTest, SpikesAtTheEdgesOfTheRecordingAreSafe) {
  const Protocol whole{{}, 600, 1};
  for (const std::vector<float>& spikes :
       {std::vector<float>{0}, {599.5f}, {0, 0.5f, 0.75f}, {598, 599, 599.9f}}) {
    Observation observation{std::vector<float>(600, kRest), spikes};
    const Features features = ExtractFeatures(observation, whole);
    EXPECT_EQ(Get(features, Feature::kSpikeCount), static_cast<float>(spikes.size()));
    EXPECT_TRUE(IsMissing(Get(features, Feature::kBaseline)));
  }
}

TEST(FeaturesTest, RecordingsGoThroughTheSameCode) {
  Recording recording;
  for (int t = 0; t <= 1400; ++t) {
    recording.time_ms.push_back(t);
    const bool on = t >= 200 && t < 1200;
    recording.voltage_mv.push_back(on && t % 100 == 50 ? 40 : on ? -60 : -70);
    recording.current_pa.push_back(on ? 50 : 0);
  }
  const Protocol paper;
  const auto mapped =
      MapRecording(recording, BuiltInProfile("adex-paper").value(), paper, {}).value();
  const Features features = ExtractFeatures(mapped.observation, paper);
  EXPECT_EQ(Get(features, Feature::kSpikeCount), 10);
  EXPECT_NEAR(Get(features, Feature::kLatency), 49.4, 0.1);
  EXPECT_NEAR(Get(features, Feature::kMeanIsi), 100, 1e-3);
  EXPECT_EQ(Get(features, Feature::kPeak), 650);
  EXPECT_EQ(Get(features, Feature::kBaseline), 333);
}

}  // namespace
}  // namespace inferon
