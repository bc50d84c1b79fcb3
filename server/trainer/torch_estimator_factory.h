// Estimators of the estimator library.
#pragma once

#include <memory>

#include "server/trainer/estimator_factory.h"

namespace inferon::trainer {

std::unique_ptr<EstimatorFactory> MakeTorchEstimatorFactory();

}  // namespace inferon::trainer
