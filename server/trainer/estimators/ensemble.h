// Several estimators as one: the density is the mean of their densities.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "server/trainer/estimators/stored_estimator.h"

namespace inferon::estimators {

// At least two members of one shape.
std::unique_ptr<StoredEstimator> MakeEnsemble(
    std::vector<std::unique_ptr<StoredEstimator>> members);

// Settings of one member's training: a seed and a checkpoint of its own (member 0 has those of the
// whole), progress counted over all members. `done` is what the members before it took.
TrainingOptions MemberTraining(const TrainingOptions& whole, std::uint32_t member,
                               std::uint32_t members, const TrainingResult& done);
// Appends a member's curves and epochs; the best held-out loss becomes the members' mean.
void AppendMember(const TrainingResult& part, TrainingResult* total);

}  // namespace inferon::estimators
