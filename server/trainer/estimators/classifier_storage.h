// From trained weights to a classifier.
#pragma once

#include <memory>

#include "server/trainer/estimators/estimators.h"
#include "server/trainer/estimators/safetensors.h"

namespace inferon::estimators {

// kDataLoss when the weights do not fit the options.
Result<std::unique_ptr<Classifier>> MakeClassifier(const ClassifierOptions& options,
                                                   TensorFile file);

}  // namespace inferon::estimators
