#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "client/cli/exit_codes.h"
#include "common/neuron/profile.h"
#include "tests/cli/command_runner.h"

namespace inferon::cli {
namespace {

using ::testing::HasSubstr;

TEST(ProfileCommandsTest, ListNamesEveryBuiltInProfile) {
  CommandRunner runner;
  const CommandResult people = runner.Run({"profile", "list"});
  ASSERT_EQ(people.exit_code, kOk) << people.err;
  const auto json = nlohmann::json::parse(runner.Run({"profile", "list", "--json"}).out);
  ASSERT_EQ(json.at("profiles").size(), BuiltInProfileNames().size());
  for (const std::string& name : BuiltInProfileNames()) EXPECT_THAT(people.out, HasSubstr(name));
}

TEST(ProfileCommandsTest, ShowTellsValuesOfFreeAndFixedParameters) {
  CommandRunner runner;
  const CommandResult result = runner.Run({"profile", "show", "lif2", "--json"});
  ASSERT_EQ(result.exit_code, kOk) << result.err;
  const auto json = nlohmann::json::parse(result.out);
  EXPECT_EQ(json.at("free"), (nlohmann::json{"g_l", "v_th"}));
  ASSERT_EQ(json.at("parameters").size(), 4u);  // None of what the neuron has not.
  const auto& g_l = json.at("parameters").at(0);
  EXPECT_EQ(g_l.at("lowest"), 10);
  EXPECT_NEAR(g_l.at("highest").get<double>(), 10 + 0.06 * 1022, 1e-9);
  EXPECT_EQ(json.at("parameters").at(1).at("value"), 400);
  EXPECT_EQ(json.at("protocol").at("duration_us"), 1400);
  EXPECT_THAT(runner.Run({"profile", "show", "lif2"}).out, HasSubstr("10..71.32"));
}

TEST(ProfileCommandsTest, TextIsAFileToBeginWith) {
  CommandRunner runner;
  const CommandResult text = runner.Run({"profile", "show", "adex-tutorial", "--toml"});
  ASSERT_EQ(text.exit_code, kOk) << text.err;
  const std::string file = runner.Write("mine.toml", text.out);
  EXPECT_EQ(runner.Run({"profile", "show", file}).exit_code, kOk);
}

TEST(ProfileCommandsTest, AMistakeIsNamedWithItsLine) {
  CommandRunner runner;
  std::string text = BuiltInProfile("lif2")->text;
  text.replace(text.find("slope = 0.06"), 12, "slope = -0.06");
  const CommandResult result = runner.Run({"profile", "show", runner.Write("bad.toml", text)});
  EXPECT_EQ(result.exit_code, kUsage);
  EXPECT_THAT(result.err, HasSubstr("bad.toml"));
  EXPECT_THAT(result.err, HasSubstr("'map.g_l.slope' (line"));
  EXPECT_EQ(runner.Run({"profile", "show", "nonsense"}).exit_code, kUsage);
}

}  // namespace
}  // namespace inferon::cli
