#include "client/cli/experiment_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace inferon::cli {
namespace {

using ::testing::HasSubstr;

TEST(ExperimentOptionsTest, DefaultIsTheDefaultProtocol) {
  const auto protocol = MakeProtocol({});
  ASSERT_TRUE(protocol);
  EXPECT_EQ(*protocol, Protocol());
}

TEST(ExperimentOptionsTest, WhatIsNotGivenIsTheProfiles) {
  const Protocol tutorial = BuiltInProfile("adex-tutorial")->protocol;
  EXPECT_EQ(*MakeProtocol({}, tutorial), tutorial);
  const auto longer = MakeProtocol({.duration_us = 1200}, tutorial);
  ASSERT_TRUE(longer) << longer.error().Text();
  EXPECT_EQ(*longer, (Protocol{{{100, 700, 1}}, 1200, 1}));
}

TEST(ExperimentOptionsTest, StepsReplaceTheDefaultOnes) {
  const auto protocol =
      MakeProtocol({.steps = {"10:20", "30:40.5:-0.5"}, .duration_us = 100, .grid_step_us = 2});
  ASSERT_TRUE(protocol) << protocol.error().Text();
  EXPECT_EQ(protocol->steps, (std::vector<CurrentStep>{{10, 20, 1}, {30, 40.5, -0.5}}));
  EXPECT_EQ(protocol->Points(), 50u);
}

TEST(ExperimentOptionsTest, MalformedStepsAreNamed) {
  for (const char* step : {"", "10", "a:b", "10:20:1:1", "10:", "10:20x"}) {
    const auto protocol = MakeProtocol({.steps = {step}});
    ASSERT_FALSE(protocol) << step;
    EXPECT_THAT(protocol.error().message, HasSubstr(std::string("'") + step + "'"));
  }
  EXPECT_FALSE(MakeProtocol({.steps = {"20:10"}}));
  EXPECT_FALSE(MakeProtocol({.duration_us = 5}));
}

TEST(ExperimentOptionsTest, ProfileIsABuiltInOneOrAFile) {
  EXPECT_TRUE(FindProfile("adex-paper"));
  const auto missing = FindProfile("adex-papre");
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().Text(), HasSubstr("adex-paper"));
}

}  // namespace
}  // namespace inferon::cli
