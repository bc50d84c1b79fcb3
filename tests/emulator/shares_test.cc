// What uniform draws of the shipped profiles do. The default profile is tuned: about 2 % of them
// give 1..70 spikes, as the paper's chip did.
#include <gtest/gtest.h>

#include "tests/emulator/emulator_fixture.h"

namespace inferon::worker {
namespace {

constexpr std::uint32_t kDraws = 20'000;

struct Shares {
  double relevant = 0, silent = 0;  // 1..70 spikes in the stimulus window; none.
};

Shares SharesOf(const Profile& profile, std::uint32_t draws) {
  RunRequest request = Request(profile, RandomSets(profile, draws, 1));
  request.protocol = profile.protocol;
  const ObservationBatch batch = RunOrDie(request, 2);
  std::span<const float> times = batch.spike_time_us;
  Shares shares;
  for (const std::uint32_t count : batch.spike_count) {
    const std::size_t spikes = CountStimulusSpikes(times.first(count), request.protocol);
    times = times.subspan(count);
    shares.relevant += (spikes >= 1 && spikes <= 70) / static_cast<double>(draws);
    shares.silent += (spikes == 0) / static_cast<double>(draws);
  }
  return shares;
}

TEST(SharesTest, UniformPriorGivesTwoPercentRelevantDraws) {
  const Shares shares = SharesOf(ShippedProfile(), kDraws);
  // 2 % expected; the band of 1.5 to 2.5 % is five standard deviations wide on each side.
  EXPECT_GT(shares.relevant, 0.015);
  EXPECT_LT(shares.relevant, 0.025);
  EXPECT_GT(shares.silent, 0.9);
}

TEST(SharesTest, MostDrawsOfTheTwoParameterProfileFire) {
  const Shares shares = SharesOf(BuiltInProfile("lif2").value(), 5'000);
  std::printf("lif2: %.1f %% relevant, %.1f %% silent\n", 100 * shares.relevant,
              100 * shares.silent);
  EXPECT_GT(shares.relevant, 0.8);
  EXPECT_NEAR(shares.relevant + shares.silent, 1, 0.001);
}

// The tutorial's sliders at their defaults, in the order of the profile.
TEST(SharesTest, TutorialsDefaultsFireRegularly) {
  Profile profile = BuiltInProfile("adex-tutorial").value();
  RunRequest request = Request(profile, {8, {70, 700, 900, 300, 600, 100, 0, 100}}, 20);
  request.protocol = profile.protocol;
  const ObservationBatch batch = RunOrDie(request);
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const std::vector<float> spikes = Extract(batch, i).spike_time_us;
    EXPECT_GE(spikes.size(), 5u) << i;
    EXPECT_LE(spikes.size(), 40u) << i;
    for (const float time : spikes) {
      EXPECT_GT(time, 100);
      EXPECT_LT(time, 710);
    }
  }
  const Shares shares = SharesOf(profile, 5'000);
  std::printf("adex-tutorial: %.1f %% relevant, %.1f %% silent\n", 100 * shares.relevant,
              100 * shares.silent);
  EXPECT_GT(shares.relevant, 0.05);
}

}  // namespace
}  // namespace inferon::worker
