#include "worker/brainscales2/canary.h"

#include <gtest/gtest.h>

namespace inferon::worker {
namespace {

// Repeats of a neuron with about twenty spikes; `shift` moves the baseline.
std::vector<Features> Repeats(int count, float shift) {
  std::vector<Features> repeats;
  for (int i = 0; i < count; ++i) {
    Features features;
    features.fill(100);
    features[static_cast<std::size_t>(Feature::kSpikeCount)] = 20 + static_cast<float>(i % 3);
    features[static_cast<std::size_t>(Feature::kBaseline)] =
        333 + shift + static_cast<float>(i % 5) - 2;
    features[static_cast<std::size_t>(Feature::kSlowTrough)] = kMissing;
    repeats.push_back(features);
  }
  return repeats;
}

TEST(CanaryTest, TheSameNeuronIsInControl) {
  const auto reference = MakeReference("k", Repeats(20, 0), 40.0);
  const auto verdict = Judge(reference, Repeats(5, 0.3f), 41.0, {});
  EXPECT_FALSE(verdict.drifted) << verdict.Text();
  EXPECT_DOUBLE_EQ(verdict.kelvin, 1);
}

TEST(CanaryTest, FourSigmaOfAMeanAreDrift) {
  const auto reference = MakeReference("k", Repeats(20, 0), 40.0);
  // A baseline of deviation 2 (the least), 20 and 5 repeats: a standard error is exactly 1.
  EXPECT_FALSE(Judge(reference, Repeats(5, 3.9f), 40.0, {}).drifted);
  const auto verdict = Judge(reference, Repeats(5, 4.2f), 40.0, {});
  EXPECT_TRUE(verdict.drifted);
  EXPECT_EQ(verdict.worst, "baseline_counts");
}

TEST(CanaryTest, ThreeKelvinAreDrift) {
  const auto reference = MakeReference("k", Repeats(20, 0), 40.0);
  EXPECT_FALSE(Judge(reference, Repeats(5, 0), 43.0, {}).drifted);
  EXPECT_TRUE(Judge(reference, Repeats(5, 0), 43.1, {}).drifted);
  EXPECT_TRUE(Judge(reference, Repeats(5, 0), 36.9, {}).drifted);
  EXPECT_FALSE(Judge(reference, Repeats(5, 0), std::nullopt, {}).drifted);
}

TEST(CanaryTest, ANeuronThatFellSilentHasDrifted) {
  const auto reference = MakeReference("k", Repeats(20, 0), 40.0);
  auto silent = Repeats(5, 0);
  for (Features& features : silent) {
    features[static_cast<std::size_t>(Feature::kLatency)] = kMissing;
  }
  EXPECT_TRUE(Judge(reference, silent, 40.0, {}).drifted);
  auto once = Repeats(5, 0);  // A feature that is rarely there says nothing.
  once[2][static_cast<std::size_t>(Feature::kSlowTrough)] = 50;
  EXPECT_FALSE(Judge(reference, once, 40.0, {}).drifted);
}

TEST(CanaryTest, ReferencesSurviveTheDisk) {
  const auto reference = MakeReference("key/1", Repeats(20, 0), 40.5);
  const auto read = DecodeReference(EncodeReference(reference));
  ASSERT_TRUE(read) << read.error().Text();
  EXPECT_EQ(read->key, "key/1");
  EXPECT_EQ(read->temperature_c, 40.5);
  for (std::size_t i = 0; i < kFeatureCount; ++i) {
    EXPECT_EQ(read->features[i].mean, reference.features[i].mean);
    EXPECT_EQ(read->features[i].deviation, reference.features[i].deviation);
    EXPECT_EQ(read->features[i].count, reference.features[i].count);
  }
  EXPECT_EQ(DecodeReference("{}").error().code, ErrorCode::kDataLoss);
}

}  // namespace
}  // namespace inferon::worker
