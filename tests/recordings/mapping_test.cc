#include "common/recordings/mapping.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace inferon {
namespace {

using ::testing::FloatNear;
using ::testing::HasSubstr;

// 1 kHz: rest at -70 mV, a step of `step_ms` from 200 ms on with a spike of 1 ms each 100 ms, the
// first 50 ms after the onset; 200 ms after the step.
Recording Synthetic(int step_ms) {
  Recording recording;
  for (int t = 0; t <= 400 + step_ms; ++t) {
    const bool on = t >= 200 && t < 200 + step_ms;
    const bool spike = on && (t - 200) % 100 == 50;
    recording.time_ms.push_back(t);
    recording.voltage_mv.push_back(spike ? 30 : on ? -60 : -70);
    recording.current_pa.push_back(on ? 100 : 0);
  }
  return recording;
}

Result<RecordedObservation> Map(const Recording& recording, RecordingOptions options = {},
                                Protocol protocol = {}) {
  return MapRecording(recording, BuiltInProfile("adex-paper").value(), protocol, options);
}

TEST(MappingTest, OneMillisecondBecomesOneMicrosecond) {
  const RecordedObservation mapped = Map(Synthetic(1000)).value();
  EXPECT_EQ(mapped.observation.trace.size(), 1400u);
  EXPECT_FALSE(mapped.cropped);
  ASSERT_EQ(mapped.observation.spike_time_us.size(), 10u);
  EXPECT_THAT(mapped.observation.spike_time_us[0], FloatNear(249.444f, 1e-3f));
}

TEST(MappingTest, DefaultMapPutsRestOnRestAndClipsAtTheThreshold) {
  const RecordedObservation mapped = Map(Synthetic(1000)).value();
  EXPECT_DOUBLE_EQ(mapped.baseline_mv, -70);
  EXPECT_NEAR(mapped.map.offset + mapped.map.gain * -70, 400 / 1.2, 1e-9);
  EXPECT_NEAR(mapped.map.offset + mapped.map.gain * -20, 650, 1e-9);
  EXPECT_EQ(mapped.observation.trace[0], 333);
  EXPECT_EQ(mapped.observation.trace[250], 650);
  EXPECT_NEAR(mapped.clipped_share, 10.0 / 1400, 1e-12);
}

TEST(MappingTest, ExplicitMapIsUsedAndHandedBack) {
  const RecordedObservation mapped = Map(Synthetic(1000), {.map = AffineMap{2, 450}}).value();
  EXPECT_EQ(mapped.map.gain, 2);
  EXPECT_EQ(mapped.observation.trace[0], 310);
  EXPECT_FALSE(Map(Synthetic(1000), {.map = AffineMap{0, 450}}));
  EXPECT_FALSE(Map(Synthetic(1000), {.map = AffineMap{2, NAN}}));
}

TEST(MappingTest, GivenAnchorsReplaceTheProfiles) {
  const RecordedObservation mapped =
      Map(Synthetic(1000), {.anchors = MapAnchors{347, 650}}).value();
  EXPECT_NEAR(mapped.map.offset + mapped.map.gain * -70, 347, 1e-9);
  EXPECT_EQ(mapped.map_source, "anchors given");
  EXPECT_EQ(Map(Synthetic(1000)).value().map_source, "anchors of the profile");
  EXPECT_FALSE(Map(Synthetic(1000), {.anchors = MapAnchors{650, 650}}));
  EXPECT_FALSE(Map(Synthetic(1000), {.anchors = MapAnchors{NAN, 650}}));
}

TEST(MappingTest, SpikesThatAreLeftOutAreCounted) {
  Recording recording = Synthetic(1000);
  recording.voltage_mv[1390] =
      30;  // After the protocol's recording, which ends 100 ms after the step.
  const Protocol brief{{{200, 1200, 1}}, 1300, 1};
  EXPECT_EQ(Map(recording, {}, brief).value().spikes_left_out, 1u);
  EXPECT_EQ(Map(Synthetic(2000), {.crop = true}).value().spikes_left_out, 10u);
}

TEST(MappingTest, ProvenanceTellsTheMap) {
  const RecordedObservation mapped = Map(Synthetic(1000), {.map = AffineMap{2, 450}}).value();
  const auto json = nlohmann::json::parse(MappingProvenance(mapped, "cell.csv", "sweep 1"));
  EXPECT_EQ(json["map"]["gain_counts_per_mv"], 2);
  EXPECT_EQ(json["map"]["offset_counts"], 450);
  EXPECT_EQ(json["map"]["source"], "given");
  EXPECT_EQ(json["us_per_ms"], 1);
  EXPECT_EQ(json["step_ms"], nlohmann::json({200, 1200}));
  EXPECT_EQ(json["file"], "cell.csv");
}

TEST(MappingTest, ShorterStepIsRefusedWithTheAdviceToRunAStudy) {
  const auto refused = Map(Synthetic(500));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_THAT(refused.error().advice, HasSubstr("study whose protocol has a step of 500 us"));
}

TEST(MappingTest, LongerStepIsCroppedOnlyOnRequest) {
  const auto refused = Map(Synthetic(2000));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().advice, HasSubstr("crop"));
  const RecordedObservation mapped = Map(Synthetic(2000), {.crop = true}).value();
  EXPECT_TRUE(mapped.cropped);
  EXPECT_EQ(mapped.observation.spike_time_us.size(), 10u);
  EXPECT_LT(mapped.observation.spike_time_us.back(), 1200);
  EXPECT_EQ(mapped.observation.trace[1300], 333);  // The rest after the step, not the step itself.
}

TEST(MappingTest, TooLittleAroundTheStepIsRefused) {
  Protocol wide{{{300, 1300, 1}}, 1500, 1};
  EXPECT_THAT(Map(Synthetic(1000), {}, wide).error().advice, HasSubstr("shorter time before"));
}

TEST(MappingTest, RefusesWindowsAndLevelsThatCannotBe) {
  for (const StepWindow bad :
       {StepWindow{300, 300}, StepWindow{-1, 999}, StepWindow{500, 9999}, StepWindow{NAN, 1200}}) {
    EXPECT_EQ(Map(Synthetic(1000), {.window = bad}).error().code, ErrorCode::kInvalidArgument);
  }
  EXPECT_FALSE(Map(Synthetic(1000), {.spike_level_mv = NAN}));
  EXPECT_THAT(Map(Synthetic(1000), {.spike_level_mv = -80}).error().message, HasSubstr("baseline"));
  EXPECT_FALSE(Map(Synthetic(1000), {}, {{{100, 200, 1}, {300, 400, 1}}, 1400, 1}));
}

}  // namespace
}  // namespace inferon
