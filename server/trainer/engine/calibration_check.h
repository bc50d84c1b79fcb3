// Calibration of a model on pairs that it was not trained on.
#pragma once

#include <stop_token>

#include "common/inference/engine.h"
#include "server/trainer/engine/data_set_store.h"
#include "server/trainer/registry/registry.h"

namespace inferon::trainer {

// spec.pairs and spec.draws at most; kInvalidArgument for numbers out of range,
// kFailedPrecondition where the data set is not of the model's prior and columns or has too few
// rows, kCancelled when stopped.
Result<CalibrationReport> CheckCalibration(const LoadedModel& model, const StoredDataSet& data,
                                           const CalibrationSpec& spec, std::stop_token stop);

}  // namespace inferon::trainer
