// A BrainScaleS-2 chip as a substrate.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "worker/brainscales2/device_config.h"
#include "worker/substrate.h"

namespace inferon::worker {

// Starts the child and asks who it is. Holds the device's lock for its life: kFailedPrecondition
// where another worker has it. `environment`: what the allow-list picks from ("NAME=value").
Result<std::unique_ptr<Substrate>> OpenBrainscales2(const DeviceConfig& config,
                                                    std::vector<std::string> environment,
                                                    Clock& clock);

// Runs the configured calibration command, hands its file to the child and makes a new canary
// reference. Only with exclusive access: no worker has the device, and no one else the chip.
// Returns the new calibration's id.
Result<std::string> Recalibrate(const DeviceConfig& config, std::vector<std::string> environment,
                                Clock& clock, std::stop_token stop);

}  // namespace inferon::worker
