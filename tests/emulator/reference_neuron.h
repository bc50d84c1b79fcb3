// An independent double-precision solution of a profile's neuron without noise: adaptive
// Dormand-Prince 5(4) steps, events located. It shares no code with the emulator, not even the
// maps from codes to values.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/neuron/profile.h"
#include "common/neuron/protocol.h"

namespace inferon::worker {

// mV, uS, nA, pF, us (uS mV = nA, nA / pF = mV / us), as docs/substrate.md defines them.
struct ReferenceNeuron {
  double c, g_l, v_l, v_t, delta_t, v_r, v_th, a, b, tau_w;
  double g_exponential, limit, max_exponent;
  double stimulus, refractory;
  double reset_tau;  // 0: hold.
  double settle;     // Rest before time 0.
};

// Of a profile without mismatch, drift and jitter.
ReferenceNeuron MakeReference(const Profile& profile, std::span<const std::uint16_t> codes);

struct ReferenceState {
  double v = 0, w = 0;
};

struct ReferenceRun {
  std::vector<double> spike_time_us;   // In [0, duration), ascending.
  std::vector<ReferenceState> sample;  // At the times asked for.
};

// Relative and absolute (mV, nA) error allowed for a step.
inline constexpr double kReferenceTolerance = 1e-9;

// `sample_times` ascend within 0..duration.
ReferenceRun RunReference(const ReferenceNeuron& neuron, const Protocol& protocol,
                          std::span<const double> sample_times = {},
                          double tolerance = kReferenceTolerance);

}  // namespace inferon::worker
