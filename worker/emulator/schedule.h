// Time axis of a run: what the kernel needs of profile and protocol, ready made.
#pragma once

#include <cstdint>
#include <vector>

#include "common/neuron/profile.h"
#include "common/neuron/protocol.h"
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
  void FillNeuron(const Profile& profile);
  void FillReadout(const Profile& profile);
  void PlaceStimulus(const Protocol& protocol);
  // Each of a point: where it is read and how much of a sample's noise it has.
  void PlacePoints(const Profile& profile, const Protocol& protocol);
  // Each of the mean of the samples within half a grid step of a point.
  void PlaceMeans(const Profile& profile, const Protocol& protocol);
  void PlacePoint(double time_us, double noise, double weight);

  std::vector<float> scale_;
  std::vector<KernelPoint> points_;
  KernelSchedule kernel_{};
  std::uint32_t spike_capacity_ = 0;
};

}  // namespace inferon::worker
