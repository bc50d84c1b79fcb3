// Runs the canary on a device and keeps its reference on disk.
#pragma once

#include <stop_token>
#include <string>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/chip/chip_mapping.h"
#include "worker/brainscales2/batch_plan.h"
#include "worker/brainscales2/canary.h"
#include "worker/brainscales2/device.h"
#include "worker/brainscales2/device_config.h"

namespace inferon::worker {

// Constant but for the count of its runs. Not thread-safe.
class CanaryRunner {
 public:
  CanaryRunner(const DeviceConfig& config, const ChipMapping& mapping, std::string calibration_id)
      : config_(config), mapping_(mapping), calibration_id_(std::move(calibration_id)) {}

  // A health job: the read-out's self-test, then the verdict of the control chart. The very first
  // run of this chip, neuron, calibration and canary makes the reference, unless there is a fault,
  // and is in control by definition.
  Result<CanaryVerdict> Run(Device& device, std::stop_token stop);
  // Makes a new reference whatever there was.
  Status MakeNewReference(Device& device, std::stop_token stop);
  // How the canary opens the neuron of this chip.
  Result<OpenRequest> Setting(const std::string& chip) const;

 private:
  struct Measured {
    std::vector<Features> features;
    Monitors monitors;  // Of the last program that read them.
    std::string key;
  };
  struct Planned {
    Profile profile;
    BatchPlan plan;
  };
  Result<Planned> Plan(const std::string& chip, std::uint32_t repeats) const;
  // A fault of monitors or read-out; empty: none.
  Result<std::string> Examine(Device& device, std::stop_token stop);
  Result<Measured> Measure(Device& device, std::uint32_t repeats, std::stop_token stop);
  std::string Key(const std::string& chip, const std::string& profile_sha256) const;
  std::filesystem::path PathOf(const std::string& key) const;

  const DeviceConfig& config_;
  const ChipMapping& mapping_;
  const std::string calibration_id_;
  std::uint64_t runs_ = 0;  // Seeds fakes.
};

}  // namespace inferon::worker
