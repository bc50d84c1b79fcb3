#include "common/recordings/stimulus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "common/base/philox.h"

namespace inferon {
namespace {

using ::testing::HasSubstr;

struct Pulse {
  double start_ms, stop_ms, pa;
};

// 10 kHz, 1500 ms, with these pulses on a holding current.
Recording WithPulses(const std::vector<Pulse>& pulses, double holding = 0, double noise = 0) {
  Recording recording;
  PhiloxSequence random(StreamKey(3, "noise"));
  for (int k = 0; k < 15'000; ++k) {
    const double t = 0.1 * k;
    double current = holding;
    for (const Pulse& pulse : pulses) {
      if (t >= pulse.start_ms - 1e-9 && t < pulse.stop_ms - 1e-9) current += pulse.pa;
    }
    const double wobble = static_cast<double>(random.Below(2001)) / 1000 - 1;
    recording.time_ms.push_back(t);
    recording.voltage_mv.push_back(-70);
    recording.current_pa.push_back(current + noise * wobble);
  }
  return recording;
}

TEST(StimulusTest, StepOfACommandBeginsWithItsFirstSample) {
  const Stimulus found = FindStimulus(WithPulses({{300, 1300, 100}}, -20)).value();
  EXPECT_DOUBLE_EQ(found.step.window.start_ms, 300);
  EXPECT_DOUBLE_EQ(found.step.window.stop_ms, 1300);
  EXPECT_DOUBLE_EQ(found.step.amplitude_pa, 100);
  EXPECT_DOUBLE_EQ(found.holding_pa, -20);
  EXPECT_TRUE(found.others.empty());
}

TEST(StimulusTest, StepOfAMeasuredCurrentIsFoundToASample) {
  const Stimulus found = FindStimulus(WithPulses({{300, 1300, -50}}, 0, 10)).value();
  EXPECT_NEAR(found.step.window.start_ms, 300, 0.1);
  EXPECT_NEAR(found.step.window.stop_ms, 1300, 0.1);
  EXPECT_NEAR(found.step.amplitude_pa, -50, 1);
}

TEST(StimulusTest, LongestPulseIsTheStepEvenIfATestPulseIsLarger) {
  const Stimulus found = FindStimulus(WithPulses({{20, 30, -100}, {300, 800, 20}}, 0, 1)).value();
  EXPECT_NEAR(found.step.window.start_ms, 300, 0.1);
  EXPECT_NEAR(found.step.amplitude_pa, 20, 0.5);
  ASSERT_EQ(found.others.size(), 1u);
  EXPECT_NEAR(found.others[0].amplitude_pa, -100, 1);
  EXPECT_NEAR(found.others[0].window.start_ms, 20, 0.1);
}

TEST(StimulusTest, TestPulseAloneIsNoStep) {
  const auto refused = FindStimulus(WithPulses({{20, 30, -100}}));
  EXPECT_THAT(refused.error().message, HasSubstr("test pulse"));
  EXPECT_TRUE(FindStimulus(WithPulses({{20, 30, -100}}), {.least_step_ms = 10}));
  EXPECT_FALSE(FindStimulus(WithPulses({{20, 30, -100}}), {.least_step_ms = 10.5}));
}

TEST(StimulusTest, SaysWhyNoStepIsKnown) {
  Recording recording = WithPulses({});
  EXPECT_THAT(FindStep(recording).error().message, HasSubstr("constant"));
  EXPECT_THAT(FindStep(WithPulses({{300, 2000, 100}})).error().message,
              HasSubstr("no step inside"));
  recording.current_pa[3] = NAN;
  EXPECT_THAT(FindStep(recording).error().message, HasSubstr("not known"));
  recording.current_pa.clear();
  EXPECT_THAT(FindStep(recording).error().message, HasSubstr("not known"));
  EXPECT_THAT(FindStep(recording).error().advice, HasSubstr("start and stop"));
}

// The same with this current instead, pA at ms.
template <typename Current>
Recording WithCurrent(Current current) {
  Recording recording = WithPulses({});
  for (std::size_t k = 0; k < recording.current_pa.size(); ++k) {
    recording.current_pa[k] = current(recording.time_ms[k]);
  }
  return recording;
}

TEST(StimulusTest, RampsWavesAndStairsAreNoSteps) {
  const auto inside = [](double t) { return t >= 300 && t < 1300; };
  const Recording ramp = WithCurrent([&](double t) { return inside(t) ? (t - 300) / 5 : 0; });
  const Recording triangle =
      WithCurrent([&](double t) { return inside(t) ? 100 - std::abs(t - 800) / 5 : 0; });
  const Recording sine =
      WithCurrent([&](double t) { return inside(t) ? 100 * std::sin((t - 300) / 50) : 0; });
  for (const Recording& recording : {ramp, triangle, sine}) {
    EXPECT_THAT(FindStep(recording).error().message, HasSubstr("is no step"));
  }
  const Recording stairs = WithPulses({{300, 700, 100}, {700, 1300, 200}});
  EXPECT_THAT(FindStep(stairs).error().message, HasSubstr("not at its holding level"));
  const Recording down = WithPulses({{300, 700, 200}, {700, 1300, 100}});
  EXPECT_THAT(FindStep(down).error().message, HasSubstr("not at its holding level"));
  EXPECT_TRUE(FindStep(WithPulses({{300, 700, 100}, {720, 1100, 200}})));
}

TEST(StimulusTest, LevelOfAStepMayDriftByAFifth) {
  const auto slope = [](double share) {
    return WithCurrent(
        [=](double t) { return t >= 300 && t < 1300 ? 100 * (1 + share * (t - 800) / 450) : 0; });
  };
  EXPECT_TRUE(FindStep(slope(0.19)));
  EXPECT_FALSE(FindStep(slope(0.21)));
}

TEST(StimulusTest, StepMayBeginSoonAfterTheRecording) {
  for (const double start : {2.0, 10.0, 70.0}) {
    const Stimulus found = FindStimulus(WithPulses({{start, 1000, 100}}, -20, 5)).value();
    EXPECT_NEAR(found.step.window.start_ms, start, 0.2);
    EXPECT_NEAR(found.holding_pa, -20, 1);
    EXPECT_NEAR(found.step.amplitude_pa, 100, 1);
  }
}

TEST(StimulusTest, NoiseAndAPulseAtTheEndDoNotMoveTheHoldingLevel) {
  for (const double noise : {10.0, 20.0, 30.0, 40.0, 50.0}) {
    const Stimulus found =
        FindStimulus(WithPulses({{300, 1000, 161}, {1430, 1450, 60}}, 0, noise)).value();
    EXPECT_NEAR(found.holding_pa, 0, 0.1 * noise) << noise;
  }
}

TEST(StimulusTest, CurrentMayBeUnknownAtBothEnds) {
  Recording recording = WithPulses({{300, 800, 100}});
  for (std::size_t k = 0; k < 1000; ++k) recording.current_pa[k] = NAN;
  for (std::size_t k = 12'000; k < recording.current_pa.size(); ++k) recording.current_pa[k] = NAN;
  EXPECT_DOUBLE_EQ(FindStep(recording).value().start_ms, 300);
  EXPECT_DOUBLE_EQ(AmplitudeIn(recording, {400, 700}), 100);
  recording.current_pa[5000] = NAN;
  EXPECT_THAT(FindStep(recording).error().message, HasSubstr("not all the time"));
  EXPECT_DOUBLE_EQ(AmplitudeIn(recording, {400, 700}), 100);
  EXPECT_TRUE(std::isnan(AmplitudeIn(recording, {0, 50})));
}

TEST(StimulusTest, StimulusShorterThanTheResponseIsEnough) {
  Recording recording = WithPulses({{300, 800, 100}});
  for (std::size_t k = 12'000; k < recording.current_pa.size(); ++k) recording.current_pa[k] = NAN;
  EXPECT_DOUBLE_EQ(FindStep(recording).value().stop_ms, 800);
}

TEST(StimulusTest, AmplitudeInAGivenWindow) {
  EXPECT_DOUBLE_EQ(AmplitudeIn(WithPulses({{300, 800, 100}}, 5), {400, 700}), 100);
  EXPECT_TRUE(std::isnan(AmplitudeIn(Recording{{0, 1}, {0, 0}, {}, {}}, {0, 1})));
}

}  // namespace
}  // namespace inferon
