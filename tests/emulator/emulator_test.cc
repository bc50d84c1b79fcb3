#include "worker/emulator/emulator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/emulator/emulator_fixture.h"

namespace inferon::worker {
namespace {

using ::testing::HasSubstr;

RunRequest Small() {
  const Profile profile = ShippedProfile();
  return Request(profile, EqualSets(profile, 2, 100), 2);
}

void ExpectRefused(const RunRequest& request, const std::string& naming) {
  const auto batch = MakeEmulator({1})->Run(request, {});
  ASSERT_FALSE(batch) << naming;
  EXPECT_EQ(batch.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(batch.error().message, HasSubstr(naming));
  EXPECT_FALSE(batch.error().advice.empty());
}

TEST(EmulatorTest, DescribesItselfAsAnEmulator) {
  const auto emulator = MakeEmulator({});
  EXPECT_EQ(emulator->Describe().substrate, "emulator");
  EXPECT_EQ(emulator->Describe().mode, "emulator");
  EXPECT_TRUE(emulator->Health());
}

TEST(EmulatorTest, ResultHasAllExperimentsAndItsOrigin) {
  const ObservationBatch batch = RunOrDie(Small());
  EXPECT_EQ(batch.size(), 4u);
  EXPECT_EQ(batch.points, 1400u);
  EXPECT_EQ(batch.trace.size(), 4u * 1400);
  EXPECT_THAT(batch.provenance, HasSubstr("\"substrate\":\"emulator\""));
  EXPECT_THAT(batch.provenance, HasSubstr(ShippedProfile().sha256));
}

TEST(EmulatorTest, ExtremeCodesAreSafe) {
  const Profile profile = ShippedProfile();
  // Every corner of the box: each parameter at code 0 or 1022.
  ParameterSets corners{profile.dimension(), {}};
  for (unsigned corner = 0; corner < 128; ++corner) {
    for (unsigned i = 0; i < 7; ++i) corners.codes.push_back(corner >> i & 1u ? kMaxCode : 0);
  }
  const ObservationBatch batch = RunOrDie(Request(profile, corners));
  // The codec checks that counts are in range and spike times finite and ascending.
  EXPECT_TRUE(DecodeObservations(EncodeObservations(batch)));
  for (const std::uint16_t value : batch.trace) {
    ASSERT_GE(value, profile.madc_min);
    ASSERT_LE(value, profile.madc_max);
  }
}

TEST(EmulatorTest, RefusesParameterSetsThatDoNotFit) {
  RunRequest request = Small();
  request.sets.codes[3] = 1023;
  ExpectRefused(request, "code 1023 of v_r");
  request = Small();
  request.sets.codes.pop_back();
  ExpectRefused(request, "2 parameter sets");
  request = Small();
  request.first_index = 1;  // Touches three sets.
  ExpectRefused(request, "3 parameter sets");
  request = Small();
  request.sets.dimension = 2;
  ExpectRefused(request, "7 free");
}

TEST(EmulatorTest, RefusesRequestsThatCanNeverRun) {
  RunRequest request = Small();
  request.count = 0;
  ExpectRefused(request, "no experiment");
  request = Small();
  request.trials = 0;
  ExpectRefused(request, "no experiment");
  request = Small();
  request.protocol.duration_us = 5;
  ExpectRefused(request, "lasts 5 us");
  request = Small();
  request.device.neuron = 512;
  ExpectRefused(request, "neuron 512");
  request = Small();
  request.device.chip = "a/b";
  ExpectRefused(request, "'a/b'");
  request = Small();
  request.protocol = {{}, 20'000, 0.1};
  request.count = 10'000'000;
  ExpectRefused(request, "too many");
}

TEST(EmulatorTest, StopsWhenAsked) {
  std::stop_source source;
  source.request_stop();
  const auto batch = MakeEmulator({2})->Run(Small(), source.get_token());
  ASSERT_FALSE(batch);
  EXPECT_EQ(batch.error().code, ErrorCode::kCancelled);
}

}  // namespace
}  // namespace inferon::worker
