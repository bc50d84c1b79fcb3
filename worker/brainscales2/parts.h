// What a device's configuration stands for, gathered before a child is started.
#pragma once

#include <string>
#include <vector>

#include "common/base/files.h"
#include "common/base/result.h"
#include "common/chip/chip_mapping.h"
#include "worker/brainscales2/device_config.h"
#include "worker/brainscales2/session.h"

namespace inferon::worker {

struct Parts {
  ChipMapping mapping;
  std::string calibration_id;  // Empty: no calibration.
  FileLock lock;               // Of the device, among workers of this state folder.
};

// kFailedPrecondition where another worker has the device.
Result<Parts> GatherParts(const DeviceConfig& config);

// `environment`: what the allow-list picks from ("NAME=value").
SessionOptions SessionOf(const DeviceConfig& config, const std::vector<std::string>& environment);

}  // namespace inferon::worker
