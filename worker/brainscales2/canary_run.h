// Runs the canary on a device and keeps its reference on disk.
#pragma once

#include <stop_token>
#include <string>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/chip/chip_mapping.h"
#include "worker/brainscales2/canary.h"
#include "worker/brainscales2/device.h"
#include "worker/brainscales2/device_config.h"

namespace inferon::worker {

// Constant but for the count of its runs. Not thread-safe.
class CanaryRunner {
 public:
  CanaryRunner(const DeviceConfig& config, const ChipMapping& mapping, std::string calibration_id)
      : config_(config), mapping_(mapping), calibration_id_(std::move(calibration_id)) {}

  // The verdict of the control chart; the very first run of this chip, neuron, calibration and
  // canary makes the reference and is in control by definition.
  Result<CanaryVerdict> Run(Device& device, std::stop_token stop);
  // Makes a new reference whatever there was.
  Status MakeNewReference(Device& device, std::stop_token stop);

 private:
  struct Measured {
    std::vector<Features> features;
    std::optional<double> temperature_c;
    std::string key;
  };
  Result<Measured> Measure(Device& device, std::uint32_t repeats, std::stop_token stop);
  std::string Key(const std::string& chip, const std::string& profile_sha256) const;
  std::filesystem::path PathOf(const std::string& key) const;

  const DeviceConfig& config_;
  const ChipMapping& mapping_;
  const std::string calibration_id_;
  std::uint64_t runs_ = 0;  // Seeds fakes.
};

}  // namespace inferon::worker
