// From codes to the physics of one neuron as it is after one write of its parameters.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "common/neuron/device.h"
#include "common/neuron/profile.h"

namespace inferon::worker {

// Physical parameters; mV, uS, nA, us (so that uS * mV = nA and nA / pF = mV / us).
struct NeuronInstance {
  double g_l_us = 0;
  double v_l_mv = 0;
  double v_t_mv = 0;
  double delta_t_mv = 0;
  double v_r_mv = 0;
  double v_th_mv = 0;
  double a_us = 0;
  double b_na = 0;
  double tau_w_us = 0;
  double stimulus_na = 0;
};

// What the imperfections of a device add: constant for the job.
//
// Mismatch is a function of (chip, neuron), drift of (chip, neuron, run), the jitter of a write of
// (seed, set): every trial of a set sees the same jitter, because the set was written once. A
// profile may add a jitter of each trial. Drift and jitter move codes, so they pass through the
// cross-couplings; mismatch comes after them.
class DeviceModel {
 public:
  DeviceModel(const Profile& profile, const DeviceId& device, std::uint64_t seed);
  // Codes of the free parameters, in the profile's order.
  NeuronInstance Write(std::span<const std::uint16_t> codes, std::uint64_t set,
                       std::uint32_t trial) const;

 private:
  const Profile& profile_;  // Outlives the model.
  std::uint64_t seed_;
  std::array<double, kPhysicalParameterCount> shift_code_{};   // Drift.
  std::array<double, kPhysicalParameterCount> shift_value_{};  // Mismatch of voltages, mV.
  std::array<double, kPhysicalParameterCount> factor_{};       // Mismatch of the others.
  double stimulus_na_ = 0;
};

}  // namespace inferon::worker
