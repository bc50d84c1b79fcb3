// The default profile is tuned: about 2 % of uniform draws give 1..70 spikes, as the paper's chip.
#include <gtest/gtest.h>

#include "tests/emulator/emulator_fixture.h"

namespace inferon::worker {
namespace {

TEST(SharesTest, UniformPriorGivesTwoPercentRelevantDraws) {
  constexpr std::uint32_t kDraws = 20'000;
  const Profile profile = ShippedProfile();
  const RunRequest request = Request(profile, RandomSets(profile, kDraws, 1));
  const ObservationBatch batch = RunOrDie(request, 2);
  std::span<const float> times = batch.spike_time_us;
  int relevant = 0, silent = 0;
  for (const std::uint32_t count : batch.spike_count) {
    const std::size_t spikes = CountStimulusSpikes(times.first(count), request.protocol);
    times = times.subspan(count);
    relevant += spikes >= 1 && spikes <= 70;
    silent += spikes == 0;
  }
  // 400 expected; the band of 1.5 to 2.5 % is five standard deviations wide on each side.
  EXPECT_GT(relevant, 0.015 * kDraws);
  EXPECT_LT(relevant, 0.025 * kDraws);
  EXPECT_GT(silent, 0.9 * kDraws);
}

}  // namespace
}  // namespace inferon::worker
