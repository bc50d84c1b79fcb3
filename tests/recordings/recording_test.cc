#include "common/recordings/recording.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace inferon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// 20 kHz, a smooth spike of 2 ms each 50 ms.
Recording Spiking() {
  Recording recording;
  for (int k = 0; k < 20'000; ++k) {
    const double t = 0.05 * k, phase = std::fmod(t, 50);
    recording.time_ms.push_back(t);
    recording.voltage_mv.push_back(phase < 2 ? -70 + 100 * std::sin(phase * 1.5708) : -70);
  }
  return recording;
}

TEST(RecordingTest, SpikeTimesAreUpwardCrossingsInterpolated) {
  const Recording recording{{0, 1, 2, 3, 4}, {-60, 20, -60, -20, 40}, {}, {}};
  EXPECT_THAT(SpikeTimes(recording, -20), ElementsAre(0.5, 3.0));
}

TEST(RecordingTest, SaturatedTracesAreDoubted) {
  Recording recording = Spiking();
  EXPECT_THAT(FindDoubts(recording), IsEmpty());
  for (double& v : recording.voltage_mv) v = std::min(v, -5.0);
  EXPECT_THAT(FindDoubts(recording), ElementsAre(HasSubstr("highest value, -5 mV")));
}

TEST(RecordingTest, VoltagesInTheWrongUnitAreDoubted) {
  Recording recording = Spiking();
  for (double& v : recording.voltage_mv) v *= 1000;
  EXPECT_THAT(FindDoubts(recording), ElementsAre(HasSubstr("check its unit")));
}

TEST(RecordingTest, VoltsThatAreCalledMillivoltsAreDoubted) {
  Recording recording = Spiking();
  for (double& v : recording.voltage_mv) v /= 1000;
  EXPECT_THAT(FindDoubts(recording), ElementsAre(HasSubstr("between -0.07 and 0.03")));
}

TEST(RecordingTest, SamplesTooFarApartOrTooCloseAreDoubted) {
  const auto every = [](double step) {
    Recording recording = Spiking();
    for (std::size_t k = 0; k < recording.time_ms.size(); ++k) {
      recording.time_ms[k] = step * static_cast<double>(k);
    }
    return FindDoubts(recording);
  };
  EXPECT_THAT(every(0.5), IsEmpty());
  EXPECT_THAT(every(0.51), ElementsAre(HasSubstr("narrow spikes")));
  EXPECT_THAT(every(0.0011), IsEmpty());
  EXPECT_THAT(every(0.0009), ElementsAre(HasSubstr("unit of the time")));
}

TEST(RecordingTest, FirstIrregularSampleIsNamedAndAllAreCounted) {
  const Recording recording{{0, 1, 2, 2.5, 4, 5, 6}, {0, 0, 0, 0, 0, 0, 0}, {}, {}};
  const Irregularity found = FindIrregularity(recording).value();
  EXPECT_EQ(found.sample, 3u);
  EXPECT_EQ(found.count, 2u);
  EXPECT_EQ(found.usual_ms, 1);
}

TEST(RecordingTest, ResamplingInterpolatesAndKeepsUnknownCurrentUnknown) {
  const Recording even = Resample({{0, 1, 2, 4}, {0, 1, 2, 4}, {0, NAN, 2, 2}, {}}, 10).value();
  EXPECT_THAT(even.voltage_mv, ElementsAre(0, 1, 2, 3, 4));
  EXPECT_TRUE(std::isnan(even.current_pa[1]));
  EXPECT_EQ(even.current_pa[3], 2);
  EXPECT_THAT(even.notes, ElementsAre(HasSubstr("1 gaps were bridged by straight lines, the "
                                                "longest 2 ms from 2 ms on")));
  EXPECT_FALSE(Resample({{0, 1, 2, 4}, {0, 1, 2, 4}, {}, {}}, 4));
}

}  // namespace
}  // namespace inferon
