// Training of a vector field: joins network, path and data for the training loop.
#pragma once

#include <memory>

#include "server/trainer/estimators/density_network.h"
#include "server/trainer/estimators/training.h"

namespace inferon::estimators {

// The loss is the field's mean squared error by row and column, under noise that (seed, epoch, row)
// chooses; on held-out rows under kHeldoutNoises fixed ones of each row. network and data outlive
// the trainee.
inline constexpr std::size_t kHeldoutNoises = 4;
std::unique_ptr<Trainee> MakeFieldTrainee(DensityNetwork& network, const PairData& data,
                                          std::uint64_t seed);

}  // namespace inferon::estimators
