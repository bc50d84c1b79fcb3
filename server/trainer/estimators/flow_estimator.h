// Inference with one trained flow.
#pragma once

#include <memory>

#include "server/trainer/estimators/density_network.h"
#include "server/trainer/estimators/stored_estimator.h"

namespace inferon::estimators {

// The network's weights are frozen from here on.
std::unique_ptr<StoredEstimator> MakeFlowEstimator(std::unique_ptr<DensityNetwork> network);

}  // namespace inferon::estimators
