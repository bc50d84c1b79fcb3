// What the kernel needs of one neuron, ready made.
#pragma once

#include <cstdint>

#include "common/neuron/profile.h"
#include "worker/emulator/instance.h"
#include "worker/emulator/kernel.h"

namespace inferon::worker {

// Which random numbers a lane draws.
struct LaneIdentity {
  std::uint64_t set = 0;
  std::uint32_t trial = 0;
};

// Writes a neuron's coefficients into one lane.
void FillLane(const Profile& profile, const NeuronInstance& neuron, const LaneIdentity& identity,
              std::uint64_t seed, int lane, LaneCoefficients& lanes);

}  // namespace inferon::worker
