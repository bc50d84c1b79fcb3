#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "client/cli/exit_codes.h"
#include "tests/cli/command_runner.h"

namespace inferon::cli {
namespace {

using ::testing::HasSubstr;

// 300 ms before and after a step of 1000 ms with a spike every 100 ms.
std::string Csv() {
  std::string text = "time_ms,voltage_mV,current_pA\n";
  for (int i = 0; i < 3'200; ++i) {
    const double t = 0.5 * i;
    const bool inside = t >= 300 && t < 1'300;
    const bool spike = inside && std::fmod(t - 300, 100) >= 50 && std::fmod(t - 300, 100) < 52;
    text += fmt::format("{},{},{}\n", t, spike ? 20 : inside ? -55 : -70, inside ? 100 : 0);
  }
  return text;
}

TEST(RecordingCommandsTest, InfoFindsTheStepAndTheSpikes) {
  CommandRunner runner;
  const std::string file = runner.Write("r.csv", Csv());
  const CommandResult result = runner.Run({"recording", "info", file, "--json"});
  ASSERT_EQ(result.exit_code, kOk) << result.err;
  const nlohmann::json info = nlohmann::json::parse(result.out);
  EXPECT_EQ(info.at("samples"), 3200);
  EXPECT_EQ(info.at("spikes"), 10);
  EXPECT_EQ(info.at("step").at("spikes"), 10);
  EXPECT_NEAR(info.at("step").at("start_ms").get<double>(), 300, 1);
  EXPECT_NEAR(info.at("step").at("stop_ms").get<double>(), 1300, 1);
}

TEST(RecordingCommandsTest, FeaturesAreInChipTime) {
  CommandRunner runner;
  const CommandResult result =
      runner.Run({"recording", "features", runner.Write("r.csv", Csv()), "--json"});
  ASSERT_EQ(result.exit_code, kOk) << result.err;
  const nlohmann::json features = nlohmann::json::parse(result.out).at("features");
  EXPECT_EQ(features.at("spike_count"), 10);
  EXPECT_NEAR(features.at("latency_us").get<double>(), 50, 1.5);
  EXPECT_NEAR(features.at("mean_isi_us").get<double>(), 100, 1);
}

struct BadRecording {
  const char* text;
  const char* message;
};

class BadRecordingTest : public ::testing::TestWithParam<BadRecording> {};

TEST_P(BadRecordingTest, IsNamedAndExitsWithUsage) {
  CommandRunner runner;
  const std::string file = runner.Write("r.csv", GetParam().text);
  for (const char* command : {"info", "features"}) {
    const CommandResult result = runner.Run({"recording", command, file});
    EXPECT_EQ(result.exit_code, kUsage);
    EXPECT_THAT(result.err, HasSubstr(GetParam().message));
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, BadRecordingTest,
    ::testing::Values(BadRecording{"", "inferon: "}, BadRecording{"a,b\n1,2\n", "inferon: "},
                      BadRecording{"time_ms,voltage_mV\n0,-70\n1,nan\n", "row"},
                      BadRecording{"time_ms,voltage_mV\n1,-70\n0,-70\n", "row"}));

TEST(RecordingCommandsTest, RecordingWithoutAKnownStepNeedsItsWindow) {
  CommandRunner runner;
  const std::string file =
      runner.Write("r.csv", "time_ms,voltage_mV\n0,-70\n1,-70\n2,-70\n3,-70\n");
  EXPECT_EQ(runner.Run({"recording", "info", file}).exit_code, kOk);
  const CommandResult result = runner.Run({"recording", "features", file});
  EXPECT_EQ(result.exit_code, kUsage);
  EXPECT_THAT(result.err, HasSubstr("--step-window"));
}

TEST(RecordingCommandsTest, MissingFileIsNamed) {
  CommandRunner runner;
  const CommandResult result = runner.Run({"recording", "info", "/nonexistent.csv"});
  EXPECT_EQ(result.exit_code, kUsage);
  EXPECT_THAT(result.err, HasSubstr("/nonexistent.csv"));
}

}  // namespace
}  // namespace inferon::cli
