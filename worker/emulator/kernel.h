// The inner loop of the emulator: a batch of 64 neurons, one to a lane, over all time steps.
//
// The kernel is compiled once for each instruction set (kernel.cc); every build gives the same
// bits, because each lane does the same IEEE operations in the same order.
#pragma once

#include <cstdint>

namespace inferon::worker {

// Several vectors of any instruction set: their steps do not wait for each other.
inline constexpr int kLanes = 64;

// One number a lane.
struct alignas(64) LaneFloats {
  float lane[kLanes];
};
struct alignas(64) LaneWords {
  std::uint32_t lane[kLanes];
};

// Coefficients of the scheme for one fixed step h. Voltages are relative to the lane's V_L; mV, nA.
struct LaneCoefficients {
  LaneFloats v_start;   // At the begin of the settling.
  LaneFloats relax_v;   // exp(-h g_l / C) - 1: small, so that single precision keeps it exact.
  LaneFloats gain_v;    // h / C phi1: mV of one nA during a step,
  LaneFloats gain2_v;   // h / C phi2: of a current that rises by one nA,
  LaneFloats gain3_v;   // h / C phi3: of one whose second difference is one nA.
  LaneFloats rate_v;    // -h g_l / C
  LaneFloats charge_v;  // h / C
  LaneFloats inverse_delta_t;  // 1 / mV
  LaneFloats exponent_slope;   // The exponential current is 2^(slope v + offset) nA; the exponent
  LaneFloats exponent_offset;  // is at most the ceiling.
  LaneFloats exponent_ceiling;
  LaneFloats current_ceiling;  // The saturated current there, nA.
  LaneFloats v_r;
  LaneFloats v_th;
  LaneFloats relax_w;  // exp(-h / tau_w) - 1
  LaneFloats gain_w;   // -relax_w a
  LaneFloats b;
  LaneFloats stimulus;         // nA of a step of scale 1.
  LaneFloats noise_amplitude;  // nA for one unit of the two-byte sum (kernel-inl.h).
  LaneFloats v_l_counts;       // Read-out of V_L, before noise and clipping.
  LaneWords trial;             // Together with set: counter of the random numbers.
  LaneWords set_low;
  LaneWords set_high;
};

// A point of the stored trace, in ascending order.
struct KernelPoint {
  std::uint32_t step;  // Step that it lies in; of a mean, the one in which the mean ends.
  float fraction;      // The place in that step, 0 <= f <= 1.
  float noise;         // Counts of noise for one unit of the eight-byte sum.
  float weight;  // Of a mean: of each step in it. The first mean starts at 0, each other where
                 // the one before ends.
};

// What is the same for all lanes and batches of a run.
struct KernelSchedule {
  std::uint32_t settle_steps;  // Before time 0.
  std::uint32_t record_steps;  // From time 0 on.
  const float* scale;          // [record_steps] Mean scale of the stimulus in each step.
  std::uint32_t points;        // Of the stored trace.
  const KernelPoint* point;    // [points]
  double step_us;
  double duration_us;         // Spikes from here on are dropped.
  float refractory_steps;     // t_ref / h, >= 1.
  float reset_log2;           // Of what is left of v - v_r after a step of reset.
  float reset_from;           // Where the reset starts: 1 at v_th, 0 at v_r at once.
  float exponential_limit;    // nA
  bool membrane_noise;        // False: noise_amplitude is 0 everywhere.
  float noise_decay;          // Of the coloured noise, a step; 0 = white.
  float threshold_amplitude;  // mV for one unit of the eight-byte sum; 0 = none.
  bool average;               // Points are means, not values.
  float madc_gain;            // Counts a mV.
  float madc_min;
  float madc_max;
  std::uint32_t membrane_key[2];
  std::uint32_t readout_key[2];
  std::uint32_t threshold_key[2];
};

// Where the results go.
struct KernelOutput {
  std::uint16_t* trace[kLanes];       // Each [points].
  float* spike_time_us[kLanes];       // Each [spike_capacity].
  std::uint32_t spike_count[kLanes];  // Set by the kernel; at most spike_capacity.
  std::uint32_t spike_capacity;
};

using Kernel = void (*)(const LaneCoefficients&, const KernelSchedule&, KernelOutput&);

// Of the kernel's powers of two, both ways: 2^-100 nA is no current, 2^-100 of a voltage none left.
inline constexpr double kLargestExponent = 100;

// Standard deviations of the sums of 2 and 8 uniform bytes.
inline constexpr double kTwoByteDeviation = 104.51076499576490;
inline constexpr double kEightByteDeviation = 209.02152999152983;

}  // namespace inferon::worker
