// Several estimators as one: the density is the mean of their densities.
#pragma once

#include <memory>
#include <vector>

#include "server/trainer/estimators/stored_estimator.h"

namespace inferon::estimators {

// At least two members of one shape.
std::unique_ptr<StoredEstimator> MakeEnsemble(
    std::vector<std::unique_ptr<StoredEstimator>> members);

}  // namespace inferon::estimators
