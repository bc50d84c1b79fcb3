#include "common/features/chip_features.h"

#include <gtest/gtest.h>

#include <cmath>

#include "common/features/catalogue.h"
#include "common/features/features.h"

namespace inferon {
namespace {

const Protocol kProtocol{{{100, 500, 1}}, 600, 1};

// Rests at 300 counts; before a spike rises for 10 us to 500, peaks at 650 at the event, falls to
// 280 and comes back within 20 us.
Observation Spiking(const std::vector<float>& spikes) {
  Observation observation{std::vector<float>(kProtocol.Points(), 300), spikes};
  for (const float time : spikes) {
    const auto k = static_cast<std::size_t>(time);
    for (std::size_t j = 1; j <= 10; ++j)
      observation.trace[k - j] = 520 - 20 * static_cast<float>(j);
    observation.trace[k] = 650;
    for (std::size_t j = 1; j <= 20; ++j) observation.trace[k + j] = 279 + static_cast<float>(j);
  }
  return observation;
}

double Get(const std::vector<double>& values, std::string_view name) {
  return values.at(FindFeature(name).value());
}

TEST(ChipFeaturesTest, TheTwelveAreTheEstimators) {
  const Observation observation = Spiking({150, 200, 260, 340});
  const Features twelve = ExtractFeatures(observation, kProtocol);
  const std::vector<double> values = ExtractChipFeatures(observation, kProtocol);
  ASSERT_EQ(values.size(), FeatureCatalogue().size());
  for (std::size_t i = 0; i < kFeatureCount; ++i) {
    if (IsMissing(twelve[i])) {
      EXPECT_TRUE(std::isnan(values[i]));
    } else {
      EXPECT_EQ(static_cast<float>(values[i]), twelve[i]);
    }
  }
}

TEST(ChipFeaturesTest, FurtherOnesAreInCountsAndMicroseconds) {
  const std::vector<double> values =
      ExtractChipFeatures(Spiking({50, 150, 200, 260, 340, 550}), kProtocol);
  EXPECT_EQ(Get(values, "rate"), 10);  // kHz: 4 spikes in 400 us.
  EXPECT_EQ(Get(values, "last_isi"), 80);
  EXPECT_EQ(Get(values, "median_isi"), 60);
  EXPECT_EQ(Get(values, "time_to_last_spike"), 240);
  EXPECT_EQ(Get(values, "trough"), 280);
  EXPECT_EQ(Get(values, "spikes_before"), 1);
  EXPECT_EQ(Get(values, "spikes_after"), 1);
  EXPECT_EQ(Get(values, "steady_voltage"), 300);
  EXPECT_EQ(Get(values, "threshold"), 300);  // The rise of 20 counts a us is beyond 5 %.
  EXPECT_GT(Get(values, "max_upstroke"), 40);
  EXPECT_LT(Get(values, "max_downstroke"), -80);
}

TEST(ChipFeaturesTest, SilentAndCrowdedTracesAreSafe) {
  const std::vector<double> silent =
      ExtractChipFeatures({std::vector<float>(600, 300), {}}, kProtocol);
  EXPECT_EQ(Get(silent, "spike_count"), 0);
  EXPECT_TRUE(std::isnan(Get(silent, "threshold")));
  const Protocol whole{{}, 600, 1};
  for (const std::vector<float>& spikes :
       {std::vector<float>{0}, {599.5f}, {0, 0.5f, 0.75f}, {598, 599, 599.9f}}) {
    const auto values = ExtractChipFeatures({std::vector<float>(600, 300), spikes}, whole);
    EXPECT_EQ(Get(values, "spike_count"), static_cast<double>(spikes.size()));
  }
}

}  // namespace
}  // namespace inferon
