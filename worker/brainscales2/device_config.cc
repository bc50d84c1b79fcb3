#include "worker/brainscales2/device_config.h"

#include "common/base/files.h"
#include "common/config/toml_reader.h"
#include "common/neuron/device.h"
#include "common/neuron/parameters.h"

namespace inferon::worker {
namespace {

const std::vector<std::string> kEnvironment{
    "SLURM_*", "QUIGGELDY_*", "PYTHONPATH", "LD_LIBRARY_PATH", "PATH", "HOME", "USER", "LANG"};
// About twenty spikes of the emulated neuron of the profile adex-paper.
const std::vector<std::int64_t> kCanaryCodes{100, 300, 300, 300, 100, 100, 300};

std::chrono::milliseconds Seconds(TomlTable& table, std::string_view key, double low, double high,
                                  std::chrono::milliseconds missing) {
  const double seconds =
      table.Number(key, low, high, std::chrono::duration<double>(missing).count());
  return std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1e3));
}

void ReadTiming(TomlTable root, DeviceConfig& config) {
  TomlTable timing = root.Table("timing");
  config.settle_us = timing.Number("settle_us", 0, 10e6, config.settle_us);
  config.first_settle_us = timing.Number("first_settle_us", 0, 10e6, config.first_settle_us);
  config.trial_pause_us = timing.Number("trial_pause_us", 0, 10e6, config.trial_pause_us);
  config.batch_seconds = timing.Number("batch_seconds", 0.01, 10, config.batch_seconds);
  timing.RefuseUnknown();
}

void ReadDeadlines(TomlTable root, DeviceConfig& config) {
  TomlTable deadlines = root.Table("deadlines");
  config.start_time = Seconds(deadlines, "start_s", 0.05, 3600, config.start_time);
  config.margin = Seconds(deadlines, "margin_s", 0.05, 3600, config.margin);
  config.queue_time = Seconds(deadlines, "queue_s", 0, 86'400, config.queue_time);
  config.grace = Seconds(deadlines, "grace_s", 0, 600, config.grace);
  deadlines.RefuseUnknown();

  TomlTable restart = root.Table("restart");
  config.restart.max_failures =
      static_cast<int>(restart.Integer("max_failures", 1, 100, config.restart.max_failures));
  config.restart.first_delay =
      Seconds(restart, "first_delay_s", 0, 3600, config.restart.first_delay);
  config.restart.max_delay = Seconds(restart, "max_delay_s", 0, 3600, config.restart.max_delay);
  restart.RefuseUnknown();
}

void ReadCanary(TomlTable root, DeviceConfig& config) {
  TomlTable table = root.Table("canary");
  CanarySettings& canary = config.canary;
  canary.profile = table.Text("profile", canary.profile);
  for (const std::int64_t code : table.Integers("codes", 0, kMaxCode, kCanaryCodes)) {
    canary.codes.push_back(static_cast<std::uint16_t>(code));
  }
  canary.repeats = static_cast<std::uint32_t>(table.Integer("repeats", 1, 1000, canary.repeats));
  canary.reference_repeats = static_cast<std::uint32_t>(
      table.Integer("reference_repeats", 2, 1000, canary.reference_repeats));
  canary.interval =
      std::chrono::seconds(table.Integer("interval_s", 0, 86'400, canary.interval.count()));
  canary.limits.max_sigma = table.Number("max_sigma", 0.1, 1000, canary.limits.max_sigma);
  canary.limits.max_kelvin = table.Number("max_kelvin", 0.1, 1000, canary.limits.max_kelvin);
  table.RefuseUnknown();
}

void ReadMonitors(TomlTable root, DeviceConfig& config) {
  TomlTable table = root.Table("monitors");
  MonitorSettings& monitors = config.monitors;
  monitors.sawtooth = table.Flag("sawtooth", monitors.sawtooth);
  if (table.Has("supply_mv")) {
    monitors.limits.supply_v.clear();
    for (const std::int64_t millivolts : table.Integers("supply_mv", 1, 20'000, {})) {
      monitors.limits.supply_v.push_back(1e-3 * static_cast<double>(millivolts));
    }
  }
  monitors.limits.max_supply = table.Number("max_supply", 0.001, 1, monitors.limits.max_supply);
  table.RefuseUnknown();
}

}  // namespace

Result<DeviceConfig> ParseDeviceConfig(std::string_view toml, const std::filesystem::path& folder) {
  const Result<TomlDocument> document = TomlDocument::Parse(toml, "the device configuration");
  if (!document) return tl::unexpected(document.error());
  TomlTable root = document->Root();
  DeviceConfig config;
  const auto path = [&](const std::string& text) {
    return text.empty() ? std::filesystem::path() : folder / text;
  };
  root.Integer("schema_version", 1, 1);
  config.mode = root.Choice("mode", {"hardware", "zeromock", "simulation", "fake"});
  config.launcher = root.Texts("launcher", {});
  if (config.launcher.empty()) {
    root.Complain("'launcher' is missing or empty",
                  "Give the child's command line as a list of strings");
  }
  config.environment = root.Texts("environment", kEnvironment);
  config.chip = root.Text("chip", "");
  config.neuron = static_cast<std::uint32_t>(root.Integer("neuron", 0, kMaxNeuron));
  config.mapping = root.Text("mapping", config.mapping);
  if (config.mapping.find('/') != std::string::npos || config.mapping.ends_with(".toml")) {
    config.mapping = path(config.mapping).string();
  }
  config.calibration = path(root.Text("calibration", ""));
  config.calibrate_command = root.Texts("calibrate_command", {});
  config.state_folder = path(root.Text("state_folder", "state"));
  ReadTiming(root, config);
  ReadDeadlines(root, config);
  ReadCanary(root, config);
  ReadMonitors(root, config);
  root.RefuseUnknown();
  if (Status ok = document->Check(); !ok) return tl::unexpected(ok.error());
  return config;
}

Result<DeviceConfig> LoadDeviceConfig(const std::filesystem::path& path) {
  const Result<std::string> text = ReadFile(path);
  if (!text) return tl::unexpected(text.error());
  Result<DeviceConfig> config =
      ParseDeviceConfig(*text, std::filesystem::absolute(path).parent_path());
  if (config) return config;
  Error error = config.error();
  error.message = path.string() + ": " + error.message;
  return tl::unexpected(std::move(error));
}

}  // namespace inferon::worker
