// Parsers meet malformed input: they may refuse it or accept it, but never crash, overrun (run this
// under the sanitizer preset) or hand out what their contract forbids.
#include <gtest/gtest.h>

#include <cmath>

#include "common/neuron/observation.h"
#include "common/neuron/profile.h"
#include "tests/fuzz/mutate.h"

namespace inferon {
namespace {

std::string SmallFrame() {
  ObservationBatch batch;
  batch.points = 4;
  batch.trace = {1, 2, 3, 4, 1023, 0, 7, 8};
  batch.spike_count = {2, 1};
  batch.spike_time_us = {1.5f, 2.5f, 0.5f};
  batch.provenance = R"({"substrate":"emulator"})";
  return EncodeObservations(batch);
}

TEST(FuzzTest, MutatedFramesAreRefusedOrConsistent) {
  const std::string frame = SmallFrame();
  ASSERT_TRUE(DecodeObservations(frame));
  int refused = 0;
  fuzz::ForEachMutation(frame, 50'000, [&](const std::string& bytes) {
    const auto batch = DecodeObservations(bytes);
    if (!batch) {
      ++refused;
      EXPECT_EQ(batch.error().code, ErrorCode::kDataLoss);
      return;
    }
    std::size_t spikes = 0;
    for (const std::uint32_t count : batch->spike_count) spikes += count;
    ASSERT_EQ(batch->spike_time_us.size(), spikes);
    ASSERT_EQ(batch->trace.size(), batch->size() * batch->points);
  });
  EXPECT_GT(refused, 10'000);
}

TEST(FuzzTest, MutatedProfilesAreRefusedWithAMessageOrUsable) {
  for (const std::string& name : BuiltInProfileNames()) {
    const auto profile = BuiltInProfile(name);
    ASSERT_TRUE(profile);
    int refused = 0;
    fuzz::ForEachMutation(profile->text, 3'000, [&](const std::string& text) {
      const auto parsed = ParseProfile(text);
      if (!parsed) {
        ++refused;
        EXPECT_FALSE(parsed.error().message.empty());
        EXPECT_FALSE(parsed.error().advice.empty());
        return;
      }
      ASSERT_GE(parsed->dimension(), 1u);
      ASSERT_EQ(parsed->ParameterNames().size(), parsed->dimension());
      ASSERT_TRUE(ValidateProtocol(parsed->protocol));
      for (const double code : {0.0, 1022.0}) {
        ParameterArray codes;
        codes.fill(code);
        const ParameterArray values = parsed->Values(codes);
        for (const double value : values) ASSERT_TRUE(std::isfinite(value));
        for (const Parameter p : {Parameter::kGL, Parameter::kDeltaT, Parameter::kGTauW}) {
          ASSERT_GT(values[static_cast<std::size_t>(p)], 0);
        }
      }
    });
    EXPECT_GT(refused, 300) << name;
  }
}

}  // namespace
}  // namespace inferon
