// Calibration of a model on pairs that it was not trained on.
#pragma once

#include <stop_token>

#include "common/inference/engine.h"
#include "server/trainer/engine/data_set_store.h"
#include "server/trainer/registry/registry.h"

namespace inferon::trainer {

// Pairs of `data` are tested; what x alone says of theta is learned from rows of `own`, the model's
// data set (or `data` again where that is gone). kInvalidArgument for numbers out of range,
// kFailedPrecondition where the data set is not of the model's prior and columns or has too few
// rows, kCancelled when stopped.
Result<CalibrationReport> CheckCalibration(const LoadedModel& model, const StoredDataSet& data,
                                           const StoredDataSet& own, const CalibrationSpec& spec,
                                           std::stop_token stop);

}  // namespace inferon::trainer
