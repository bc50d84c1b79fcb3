// The doctor's steps that touch the chip.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "worker/brainscales2/device_config.h"
#include "worker/brainscales2/doctor.h"

namespace inferon::worker {

// Connects, reads the monitors and the MADC's sawtooth, runs the canary; shows each step and stops
// at the first that fails. Holds the device's lock meanwhile.
void ExamineChip(const DeviceConfig& config, const std::vector<std::string>& environment,
                 Clock& clock, const std::function<void(const Check&)>& show);

}  // namespace inferon::worker
