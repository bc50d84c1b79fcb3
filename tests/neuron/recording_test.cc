#include "common/neuron/recording.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace inferon {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatNear;
using ::testing::HasSubstr;

constexpr const char* kHeader = "time_ms,voltage_mV,current_pA\n";

void ExpectRefused(const std::string& csv, const std::string& naming) {
  const Result<Recording> recording = ParseRecording(csv);
  ASSERT_FALSE(recording) << csv.substr(0, 200);
  EXPECT_EQ(recording.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(recording.error().message, HasSubstr(naming));
}

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

TEST(RecordingCsvTest, ReadsWithAndWithoutCurrent) {
  const Recording three =
      ParseRecording(std::string(kHeader) + "0,-70,nan\r\n0.5,-69.5,1e2\n").value();
  EXPECT_THAT(three.time_ms, ElementsAre(0, 0.5));
  EXPECT_TRUE(std::isnan(three.current_pa[0]));
  EXPECT_EQ(three.current_pa[1], 100);
  EXPECT_TRUE(ParseRecording("time_ms,voltage_mV\n0,-70\n1,-70").value().current_pa.empty());
}

TEST(RecordingCsvTest, RefusesMalformedRowsByNumber) {
  ExpectRefused("", "row 1");
  ExpectRefused("time,voltage\n0,1\n", "row 1");
  ExpectRefused(std::string(kHeader) + "0,-70,0\n", "fewer than 2");
  ExpectRefused(std::string(kHeader) + "0,-70,0\n1,-70\n", "row 3 of");
  ExpectRefused(std::string(kHeader) + "0,-70,0\n1,-70,0,5\n", "row 3 of");
  ExpectRefused(std::string(kHeader) + "0,-70,0\n\n2,-70,0\n", "row 3 of");
  ExpectRefused(std::string(kHeader) + "0,-70,0\n1,x,0\n", "row 3 of");
  ExpectRefused(std::string(kHeader) + "0,-70,0\n1,-7 0,0\n", "row 3 of");
  ExpectRefused(std::string(kHeader) + "0,nan,0\n1,-70,0\n", "row 2 of");
  ExpectRefused(std::string(kHeader) + "0,-70,0\n1,-70,inf\n", "row 3 of");
  ExpectRefused(std::string(kHeader) + "0,-70,0\n1,-70,0\n1,-70,0\n", "row 4 of");
}

TEST(RecordingCsvTest, MissingFileIsNotFound) {
  EXPECT_EQ(LoadRecording("/nonexistent.csv").error().code, ErrorCode::kNotFound);
}

TEST(RecordingTest, FindsTheStepInTheCurrent) {
  const StepWindow window = FindStep(Synthetic(1000)).value();
  EXPECT_EQ(window.start_ms, 200);
  EXPECT_EQ(window.stop_ms, 1200);
}

TEST(RecordingTest, SaysWhenTheCurrentDoesNotTellTheStep) {
  Recording recording = Synthetic(1000);
  recording.current_pa.assign(recording.time_ms.size(), 5);
  EXPECT_THAT(FindStep(recording).error().message, HasSubstr("constant"));
  recording.current_pa[3] = NAN;
  EXPECT_THAT(FindStep(recording).error().message, HasSubstr("not known"));
  recording.current_pa.clear();
  EXPECT_THAT(Map(recording).error().advice, HasSubstr("start and stop"));
  EXPECT_TRUE(Map(recording, {.window = StepWindow{200, 1200}}));
}

TEST(RecordingTest, SpikesAreUpwardCrossingsInterpolated) {
  const Recording recording{{0, 1, 2, 3, 4}, {-60, 20, -60, -20, 40}, {}};
  EXPECT_THAT(SpikeTimes(recording, -20), ElementsAre(0.5, 3.0));
}

TEST(RecordingTest, OneMillisecondBecomesOneMicrosecond) {
  const RecordedObservation mapped = Map(Synthetic(1000)).value();
  EXPECT_EQ(mapped.observation.trace.size(), 1400u);
  EXPECT_FALSE(mapped.cropped);
  ASSERT_EQ(mapped.observation.spike_time_us.size(), 10u);
  EXPECT_THAT(mapped.observation.spike_time_us[0], FloatNear(249.444f, 1e-3f));
}

TEST(RecordingTest, DefaultMapPutsRestOnRestAndClipsAtTheThreshold) {
  const RecordedObservation mapped = Map(Synthetic(1000)).value();
  EXPECT_DOUBLE_EQ(mapped.baseline_mv, -70);
  EXPECT_NEAR(mapped.map.offset + mapped.map.gain * -70, 400 / 1.2, 1e-9);
  EXPECT_NEAR(mapped.map.offset + mapped.map.gain * -20, 650, 1e-9);
  EXPECT_EQ(mapped.observation.trace[0], 333);
  EXPECT_EQ(mapped.observation.trace[250], 650);
  EXPECT_NEAR(mapped.clipped_share, 10.0 / 1400, 1e-12);
}

TEST(RecordingTest, ExplicitMapIsUsedAndHandedBack) {
  const RecordedObservation mapped = Map(Synthetic(1000), {.map = AffineMap{2, 450}}).value();
  EXPECT_EQ(mapped.map.gain, 2);
  EXPECT_EQ(mapped.observation.trace[0], 310);
  EXPECT_FALSE(Map(Synthetic(1000), {.map = AffineMap{0, 450}}));
  EXPECT_FALSE(Map(Synthetic(1000), {.map = AffineMap{2, NAN}}));
}

TEST(RecordingTest, ShorterStepIsRefusedWithTheAdviceToRunAStudy) {
  const auto refused = Map(Synthetic(500));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_THAT(refused.error().advice, HasSubstr("study whose protocol has a step of 500 us"));
}

TEST(RecordingTest, LongerStepIsCroppedOnlyOnRequest) {
  const auto refused = Map(Synthetic(2000));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().advice, HasSubstr("crop"));
  const RecordedObservation mapped = Map(Synthetic(2000), {.crop = true}).value();
  EXPECT_TRUE(mapped.cropped);
  EXPECT_EQ(mapped.observation.spike_time_us.size(), 10u);
  EXPECT_LT(mapped.observation.spike_time_us.back(), 1200);
  EXPECT_EQ(mapped.observation.trace[1300], 333);  // The rest after the step, not the step itself.
}

TEST(RecordingTest, TooLittleAroundTheStepIsRefused) {
  Protocol wide{{{300, 1300, 1}}, 1500, 1};
  EXPECT_THAT(Map(Synthetic(1000), {}, wide).error().advice, HasSubstr("shorter time before"));
}

TEST(RecordingTest, RefusesWindowsAndLevelsThatCannotBe) {
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
