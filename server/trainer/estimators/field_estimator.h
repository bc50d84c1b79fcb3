// Inference with a trained vector field: flow matching and diffusion.
#pragma once

#include <memory>

#include "server/trainer/estimators/density_network.h"
#include "server/trainer/estimators/stored_estimator.h"

namespace inferon::estimators {

// The network's weights are frozen from here on. Draws solve the path's equation in kFieldSteps
// steps. Densities are those of the same equation, solved from the data to the noise, with the
// exact trace of its derivative: an approximation.
inline constexpr std::size_t kFieldSteps = 16;
std::unique_ptr<StoredEstimator> MakeFieldEstimator(std::unique_ptr<DensityNetwork> network);

}  // namespace inferon::estimators
