#include "common/rpc/convert.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace inferon::rpc {
namespace {

Observation SomeObservation() {
  Observation observation;
  observation.trace.assign(Protocol{}.Points(), 300);
  observation.spike_time_us = {250, 600.5f};
  return observation;
}

TEST(ConvertTest, ObservationsSurviveTheWire) {
  const Observation observation = SomeObservation();
  const auto back = FromProto(ToProto(observation, Protocol{}));
  ASSERT_TRUE(back) << back.error().Text();
  EXPECT_EQ(back->observation.trace, observation.trace);
  EXPECT_EQ(back->observation.spike_time_us, observation.spike_time_us);
  EXPECT_EQ(back->protocol, Protocol{});
}

TEST(ConvertTest, UnsetProtocolsAreTheProfiles) {
  const Protocol profiles{{{100, 700, 1}}, 1000, 0.5};
  int asked = 0;
  const auto profile = [&] {
    ++asked;
    return profiles;
  };
  EXPECT_EQ(*FromProto(v1::Protocol(), profile), profiles);
  v1::Protocol message;
  message.set_duration_us(800);  // Says something, so no steps means no current.
  EXPECT_EQ(*FromProto(message, profile), (Protocol{{}, 800, 0.5}));
  EXPECT_EQ(asked, 2);
  message.set_grid_step_us(2);
  EXPECT_EQ(*FromProto(message, profile), (Protocol{{}, 800, 2}));
  EXPECT_EQ(asked, 2) << "a profile's text is parsed only where it is needed";
}

TEST(ConvertTest, ATraceOfTheWrongLengthIsRefused) {
  Observation observation = SomeObservation();
  observation.trace.pop_back();
  const auto back = FromProto(ToProto(observation, Protocol{}));
  ASSERT_FALSE(back);
  EXPECT_NE(back.error().message.find("1399 points"), std::string::npos);
}

TEST(ConvertTest, NanAndCountsOutsideTheMadcAreRefused) {
  for (const float bad : {std::nanf(""), -1.0f, 1024.0f, std::numeric_limits<float>::infinity()}) {
    Observation observation = SomeObservation();
    observation.trace[7] = bad;
    const auto back = FromProto(ToProto(observation, Protocol{}));
    ASSERT_FALSE(back) << bad;
    EXPECT_NE(back.error().message.find("point 7"), std::string::npos);
  }
}

TEST(ConvertTest, SpikesOutOfOrderOrOutsideTheRecordingAreRefused) {
  for (const std::vector<float>& bad : {std::vector<float>{2, 1}, {-1}, {1401}, {std::nanf("")}}) {
    Observation observation = SomeObservation();
    observation.spike_time_us = bad;
    EXPECT_FALSE(FromProto(ToProto(observation, Protocol{})));
  }
}

TEST(ConvertTest, CodesAreAcceptedUpTo1022AndRefusedAbove) {
  ParameterSets sets{2, {0, 1022, 5, 1022}};
  const auto back = ParameterSetsFromProto(ToProto(sets));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->codes, sets.codes);
  sets.codes[3] = 1023;
  const auto refused = ParameterSetsFromProto(ToProto(sets));
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("row 1, column 1"), std::string::npos);
}

TEST(ConvertTest, ArraysWithABadShapeAreRefused) {
  v1::Array array = ToArray<std::uint16_t>("a", std::vector<std::uint16_t>{1, 2, 3, 4}, {2, 2});
  EXPECT_TRUE((FromArray<std::uint16_t>(array, 2)));
  EXPECT_FALSE((FromArray<float>(array, 2)));
  EXPECT_FALSE((FromArray<std::uint16_t>(array, 1)));
  array.set_shape(0, 3);
  EXPECT_FALSE((FromArray<std::uint16_t>(array, 2)));
  array.set_shape(0, std::uint64_t{1} << 63);
  array.set_shape(1, 2);
  EXPECT_FALSE((FromArray<std::uint16_t>(array, 2)));
}

TEST(ConvertTest, DevicesAreCheckedAtTheirLimits) {
  EXPECT_TRUE(FromProto(ToProto(DeviceId{"chip.A-1", kMaxNeuron, kMaxRun})));
  EXPECT_FALSE(FromProto(ToProto(DeviceId{"chip.A-1", kMaxNeuron + 1, 0})));
  EXPECT_FALSE(FromProto(ToProto(DeviceId{"chip.A-1", 0, kMaxRun + 1})));
  EXPECT_FALSE(FromProto(ToProto(DeviceId{"../etc", 0, 0})));
  EXPECT_EQ(FromProto(v1::Device{}).value(), DeviceId{});
}

TEST(ConvertTest, NamesAreParsedStrictly) {
  EXPECT_EQ(ParseName("studies/demo-1", "studies").value(), "demo-1");
  for (const char* bad : {"demo", "studies/", "studies/-a", "studies/A", "studies/a/b", "jobs/a"}) {
    EXPECT_FALSE(ParseName(bad, "studies")) << bad;
  }
  EXPECT_TRUE(IsIdentifier(std::string(63, 'a')));
  EXPECT_FALSE(IsIdentifier(std::string(64, 'a')));
}

TEST(ConvertTest, TimesSurviveToTheMicrosecond) {
  const WallTime time{std::chrono::microseconds(1'700'000'000'123'456)};
  EXPECT_EQ(FromProto(ToProto(time)), time);
}

}  // namespace
}  // namespace inferon::rpc
