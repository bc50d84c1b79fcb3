// The inner loop of the emulator: a batch of 16 neurons, one to a lane, over all time steps.
//
// The kernel is compiled once for each instruction set (kernel_*.cc); every build gives the same
// bits, because each lane does the same IEEE operations in the same order. These headers use plain
// arrays and no library templates, so that code for a newer instruction set never ends up in a
// function that other files share.
#pragma once

#include <cstdint>

namespace inferon::worker {

inline constexpr int kLanes = 16;

// One number a lane.
struct alignas(64) LaneFloats {
  float lane[kLanes];
};
struct alignas(64) LaneWords {
  std::uint32_t lane[kLanes];
};

// Coefficients of the scheme for one fixed step. Voltages are relative to the lane's V_L; mV, nA.
struct LaneCoefficients {
  LaneFloats v_start;  // At the begin of the settling.
  LaneFloats relax_v;  // exp(-h g_l / C) - 1: small, so that single precision keeps it exact.
  LaneFloats gain_v;   // h / C phi1: mV of one nA during a step.
  LaneFloats gain2_v;  // h / C phi2: for the corrector.
  LaneFloats v_t;
  LaneFloats inverse_delta_t;
  LaneFloats exponential;  // Exponential current at v = v_t, nA.
  LaneFloats v_r;
  LaneFloats v_th;
  LaneFloats relax_w;  // exp(-h / tau_w) - 1
  LaneFloats gain_w;   // -relax_w a
  LaneFloats b;
  LaneFloats stimulus;         // nA of a step of scale 1.
  LaneFloats noise_amplitude;  // mV for one unit of the four-byte sum (kernel_body.h).
  LaneFloats v_l_counts;       // Read-out of V_L, before noise and clipping.
  LaneWords trial;             // Together with set: counter of the random numbers.
  LaneWords set_low;
  LaneWords set_high;
};

// What is the same for all lanes and batches of a run.
struct KernelSchedule {
  std::uint32_t settle_steps;       // Before time 0.
  std::uint32_t record_steps;       // From time 0 on.
  const float* scale;               // [record_steps] Mean scale of the stimulus in each step.
  std::uint32_t points;             // Of the stored trace.
  const std::uint32_t* point_step;  // [points] Step that a point lies in, ascending.
  const float* point_fraction;      // [points] Its place in that step, 0 <= f < 1.
  double step_us;
  double duration_us;      // Spikes from here on are dropped.
  float refractory_steps;  // t_ref / h, >= 1.
  float hold_decay;        // What is left of v - v_r after a step of reset; 0 for a hold.
  float max_exponent;
  float inverse_limit;  // 1 / the limit of the exponential current, 1 / nA.
  float noise_decay;    // Of the coloured noise, a step; 0 = white.
  float madc_gain;      // Counts a mV.
  float madc_min;
  float madc_max;
  float readout_amplitude;  // Counts for one unit of the eight-byte sum.
  std::uint32_t membrane_key[2];
  std::uint32_t readout_key[2];
};

// Where the results go.
struct KernelOutput {
  std::uint16_t* trace[kLanes];       // Each [points].
  float* spike_time_us[kLanes];       // Each [spike_capacity].
  std::uint32_t spike_count[kLanes];  // Set by the kernel; at most spike_capacity.
  std::uint32_t spike_capacity;
};

using Kernel = void (*)(const LaneCoefficients&, const KernelSchedule&, KernelOutput&);

// Standard deviations of the sums of 4 and 8 uniform bytes.
inline constexpr double kFourByteDeviation = 147.80054127099805;
inline constexpr double kEightByteDeviation = 209.02152999152983;

// The builds of the kernel. The latter two exist on x86-64 only and need a processor with AVX2 and
// FMA, or with AVX-512 F, DQ, BW and VL.
void RunKernelGeneric(const LaneCoefficients&, const KernelSchedule&, KernelOutput&);
void RunKernelAvx2(const LaneCoefficients&, const KernelSchedule&, KernelOutput&);
void RunKernelAvx512(const LaneCoefficients&, const KernelSchedule&, KernelOutput&);

}  // namespace inferon::worker
