// A run request as requests to the child: decided before anything runs.
#pragma once

#include <vector>

#include "common/chip/chip_mapping.h"
#include "worker/brainscales2/device_config.h"
#include "worker/brainscales2/messages.h"
#include "worker/substrate.h"

namespace inferon::worker {

struct BatchPlan {
  OpenRequest open;
  std::vector<BatchRequest> batches;  // In order of the experiments.
  std::vector<double> hardware_us;    // Programmed time of each.
};

// Splits the run into playback programs of about `batch_seconds`. Refuses (kInvalidArgument) codes,
// protocols and neurons that this device can never run: values out of a field's range, steps of
// different amplitudes (an amplitude must have settled before its step), another neuron.
Result<BatchPlan> PlanBatches(const DeviceConfig& config, const ChipMapping& mapping,
                              const std::string& calibration_id, const RunRequest& request);

// Programmed time of a batch, us; `first` where the chip has just been initialised.
double HardwareTime(const DeviceConfig& config, const BatchRequest& batch, bool first);

}  // namespace inferon::worker
