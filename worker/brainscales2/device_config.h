// The configuration of a chip's worker (docs/formats.md, "Device configuration").
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "worker/brainscales2/canary.h"
#include "worker/brainscales2/monitors.h"
#include "worker/brainscales2/restart_policy.h"

namespace inferon::worker {

struct CanarySettings {
  std::string profile = "adex-paper";    // Built-in profile or a path.
  std::vector<std::uint16_t> codes;      // One a free parameter of that profile.
  std::uint32_t repeats = 5;             // Each with a write of its own.
  std::uint32_t reference_repeats = 20;  // Of the first one, which becomes the reference.
  std::chrono::seconds interval{600};    // 0: no canary.
  CanaryLimits limits;
};

struct MonitorSettings {
  bool sawtooth = true;  // A health job also tests the way from the MADC to the host.
  MonitorLimits limits;
};

struct DeviceConfig {
  std::string mode;                      // "hardware", "zeromock", "simulation" or "fake".
  std::vector<std::string> launcher;     // Command line of the child.
  std::vector<std::string> environment;  // Allow-list; a '*' at the end of a name is allowed.
  std::string chip;                      // Expected unique identifier; empty: any.
  std::uint32_t neuron = 0;
  std::string mapping = "adex-paper";          // Built-in chip mapping or a path.
  std::filesystem::path calibration;           // Empty: none.
  std::vector<std::string> calibrate_command;  // Writes a new calibration file; empty: none.
  std::filesystem::path state_folder;          // Lock and canary references.

  double settle_us = 20'000;         // After each new parameter set.
  double first_settle_us = 100'000;  // After the first.
  double trial_pause_us = 5'000;     // Between trials of one set.
  double batch_seconds = 1;          // Programmed time of one playback program, about.

  std::chrono::milliseconds start_time{60'000};
  std::chrono::milliseconds margin{30'000};  // Of a request, beyond its hardware time.
  std::chrono::milliseconds queue_time{0};   // Allowance for waiting on a shared chip.
  std::chrono::milliseconds grace{5'000};    // Between SIGTERM and SIGKILL.
  RestartLimits restart;
  CanarySettings canary;
  MonitorSettings monitors;
};

// Relative paths are relative to `folder`. Refuses unknown keys and values out of range.
Result<DeviceConfig> ParseDeviceConfig(std::string_view toml, const std::filesystem::path& folder);
Result<DeviceConfig> LoadDeviceConfig(const std::filesystem::path& path);

}  // namespace inferon::worker
