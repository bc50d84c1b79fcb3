#include "common/neuron/protocol.h"

#include <gtest/gtest.h>

#include <limits>

namespace inferon {
namespace {

TEST(ProtocolTest, DefaultIsThePapers) {
  const Protocol protocol;
  EXPECT_TRUE(ValidateProtocol(protocol));
  EXPECT_EQ(protocol.Points(), 1400u);
  EXPECT_EQ(protocol.StimulusStart(), 200);
  EXPECT_EQ(protocol.StimulusStop(), 1200);
}

TEST(ProtocolTest, LimitsAreInside) {
  EXPECT_TRUE(ValidateProtocol({{}, 10, 0.1}));
  EXPECT_TRUE(ValidateProtocol({{}, 20'000, 100}));
  EXPECT_TRUE(ValidateProtocol({{{0, 500, 10}, {500, 1000, -10}}, 1000, 1}));
  EXPECT_TRUE(ValidateProtocol({std::vector<CurrentStep>(1, {0, 1000, 1}), 1000, 1}));
}

struct BadProtocol {
  Protocol protocol;
  const char* named;
};

TEST(ProtocolTest, RefusesWhatIsOutOfRangeAndNamesIt) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  std::vector<CurrentStep> many;
  for (int i = 0; i < 65; ++i) many.push_back({i * 10.0, i * 10.0 + 5, 1});
  const BadProtocol cases[] = {
      {{{}, 9.9, 1}, "lasts 9.9"},
      {{{}, 20'000.1, 1}, "lasts 20000.1"},
      {{{}, nan, 1}, "lasts nan"},
      {{{}, 100, 0.09}, "grid step"},
      {{{}, 1000, 100.1}, "grid step"},
      {{{}, 50, 60}, "grid step"},
      {{{}, 100, nan}, "grid step"},
      {{{{-1, 50, 1}}, 100, 1}, "current step 1"},
      {{{{50, 50, 1}}, 100, 1}, "current step 1"},
      {{{{50, 101, 1}}, 100, 1}, "current step 1"},
      {{{{nan, 60, 1}}, 100, 1}, "current step 1"},
      {{{{10, 60, 10.5}}, 100, 1}, "scale 10.5"},
      {{{{10, 60, nan}}, 100, 1}, "scale nan"},
      {{{{10, 60, 1}, {59, 80, 1}}, 100, 1}, "current step 2 starts before"},
      {{many, 1000, 1}, "65 current steps"},
  };
  for (const BadProtocol& bad : cases) {
    const Status status = ValidateProtocol(bad.protocol);
    ASSERT_FALSE(status) << bad.named;
    EXPECT_EQ(status.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(status.error().message.find(bad.named), std::string::npos) << status.error().message;
    EXPECT_FALSE(status.error().advice.empty());
  }
}

}  // namespace
}  // namespace inferon
