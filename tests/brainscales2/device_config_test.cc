#include "worker/brainscales2/device_config.h"

#include <gtest/gtest.h>

#include "tests/fuzz/mutate.h"

namespace inferon::worker {
namespace {

constexpr char kSmallest[] =
    "schema_version = 1\nmode = \"fake\"\nlauncher = [\"child\", \"-u\"]\nneuron = 7\n";

TEST(DeviceConfigTest, TheSmallestHasDefaults) {
  const auto config = ParseDeviceConfig(kSmallest, "/etc/inferon");
  ASSERT_TRUE(config) << config.error().Text();
  EXPECT_EQ(config->mode, "fake");
  EXPECT_EQ(config->neuron, 7u);
  EXPECT_EQ(config->settle_us, 20'000);
  EXPECT_EQ(config->restart.max_failures, 3);
  EXPECT_EQ(config->grace, std::chrono::seconds(5));
  EXPECT_EQ(config->canary.repeats, 5u);
  EXPECT_EQ(config->canary.codes.size(), 7u);
  EXPECT_EQ(config->state_folder, "/etc/inferon/state");
  EXPECT_TRUE(config->calibration.empty());
  EXPECT_TRUE(config->monitors.sawtooth);
  EXPECT_EQ(config->monitors.limits.supply_v.size(), 6u);
}

TEST(DeviceConfigTest, ValuesAreRead) {
  const auto config = ParseDeviceConfig(std::string(kSmallest) + R"(
calibration = "calib.pbin"
mapping = "my.toml"
environment = ["SLURM_*"]
[timing]
settle_us = 50000
[deadlines]
margin_s = 0.5
[restart]
max_failures = 5
[canary]
interval_s = 0
max_sigma = 6.5
[monitors]
sawtooth = false
supply_mv = [1200, 2500]
max_supply = 0.1
)",
                                        "/etc/inferon");
  ASSERT_TRUE(config) << config.error().Text();
  EXPECT_EQ(config->calibration, "/etc/inferon/calib.pbin");
  EXPECT_EQ(config->mapping, "/etc/inferon/my.toml");
  EXPECT_EQ(config->environment, std::vector<std::string>{"SLURM_*"});
  EXPECT_EQ(config->settle_us, 50'000);
  EXPECT_EQ(config->margin, std::chrono::milliseconds(500));
  EXPECT_EQ(config->restart.max_failures, 5);
  EXPECT_EQ(config->canary.interval.count(), 0);
  EXPECT_EQ(config->canary.limits.max_sigma, 6.5);
  EXPECT_FALSE(config->monitors.sawtooth);
  EXPECT_EQ(config->monitors.limits.supply_v, (std::vector<double>{1.2, 2.5}));
  EXPECT_EQ(config->monitors.limits.max_supply, 0.1);
}

TEST(DeviceConfigTest, MistakesAreNamed) {
  const auto message = [](const std::string& text) {
    const auto config = ParseDeviceConfig(text, "/");
    return config ? std::string() : config.error().message;
  };
  EXPECT_NE(message("").find("schema_version"), std::string::npos);
  EXPECT_NE(message(std::string(kSmallest) + "spelling = 1\n").find("spelling"), std::string::npos);
  EXPECT_NE(
      message("schema_version = 1\nmode = \"real\"\nlauncher = [\"x\"]\nneuron = 1\n").find("real"),
      std::string::npos);
  EXPECT_NE(message("schema_version = 1\nmode = \"fake\"\nneuron = 1\n").find("launcher"),
            std::string::npos);
  EXPECT_NE(message("schema_version = 1\nmode = \"fake\"\nlauncher = [\"x\"]\nneuron = 512\n")
                .find("0..511"),
            std::string::npos);
  EXPECT_NE(message("a = [").find("TOML"), std::string::npos);
}

TEST(DeviceConfigTest, MutatedTextsAreRefusedWithAMessageOrUsable) {
  int refused = 0;
  fuzz::ForEachMutation(kSmallest, 3'000, [&](const std::string& text) {
    const auto config = ParseDeviceConfig(text, "/");
    if (config) {
      EXPECT_FALSE(config->launcher.empty());
    } else {
      ++refused;
      EXPECT_FALSE(config.error().message.empty());
    }
  });
  EXPECT_GT(refused, 1'000);
}

}  // namespace
}  // namespace inferon::worker
