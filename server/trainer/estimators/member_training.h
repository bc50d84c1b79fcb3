// Training of an ensemble's members, several at the same time.
#pragma once

#include <cstdint>
#include <functional>

#include "server/trainer/estimators/training.h"

namespace inferon::estimators {

// Trains one member with the given stop token and progress in place of the whole training's.
using TrainMember = std::function<Status(std::uint32_t member, const TrainingOptions& training,
                                         TrainingResult* result)>;

// Trains members 0..count-1, each on one thread from its start to its end, `whole.members_at_once`
// of them at the same time. What a member becomes does not depend on how many those are. Progress
// counts the epochs of all members; its calls never overlap. `result` gets the curves in the order
// of the members and the mean of their best held-out losses. When a member fails or throws, the
// others stop at their next batch and its error is the error of all.
Status TrainMembers(std::uint32_t count, const TrainingOptions& whole, const TrainMember& train,
                    TrainingResult* result);

}  // namespace inferon::estimators
