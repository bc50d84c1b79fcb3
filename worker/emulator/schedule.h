// Time axis of a run: what the kernel needs of profile and protocol, ready made.
#pragma once

#include <cstdint>
#include <vector>

#include "common/base/result.h"
#include "common/neuron/profile.h"
#include "common/neuron/protocol.h"
#include "worker/emulator/instance.h"
#include "worker/emulator/kernel.h"

namespace inferon::worker {

// Owns the arrays that a KernelSchedule points into.
class Schedule {
 public:
  // The protocol is valid (ValidateProtocol).
  Schedule(const Profile& profile, const Protocol& protocol, std::uint64_t seed);
  Schedule(const Schedule&) = delete;
  Schedule& operator=(const Schedule&) = delete;

  const KernelSchedule& kernel() const { return kernel_; }
  // No experiment has more spikes: they are at least a refractory time apart.
  std::uint32_t SpikeCapacity() const { return spike_capacity_; }

 private:
  void PlacePoints(const Protocol& protocol);
  void PlaceStimulus(const Protocol& protocol);

  std::vector<float> scale_;
  std::vector<std::uint32_t> point_step_;
  std::vector<float> point_fraction_;
  KernelSchedule kernel_{};
  std::uint32_t spike_capacity_ = 0;
};

// Which random numbers a lane draws.
struct LaneIdentity {
  std::uint64_t set = 0;
  std::uint32_t trial = 0;
};

// Writes a neuron's coefficients into one lane.
void FillLane(const Profile& profile, const NeuronInstance& neuron, const LaneIdentity& identity,
              std::uint64_t seed, int lane, LaneCoefficients& lanes);

}  // namespace inferon::worker
