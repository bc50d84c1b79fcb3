// Several trials of one theta as one input.
#pragma once

#include <cstddef>
#include <memory>

#include "server/trainer/estimators/input_network.h"

namespace inferon::estimators {

// Where a scaled trial says which of its values are missing; none: every trial counts.
struct MissingFlags {
  std::size_t first = 0, count = 0;
};

// Reads each of the trials with `one` and gives the mean of its outputs over the trials that
// count, then the share of these: the same for any order of the trials. A trial whose flags are all
// 1 does not count. inputs() is that of all trials, one after another.
std::unique_ptr<InputModule> MakePooledModule(std::unique_ptr<InputModule> one, std::size_t trials,
                                              MissingFlags missing);

}  // namespace inferon::estimators
