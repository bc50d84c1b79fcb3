// Profiles: which parameters of the neuron are free, what the others are, and the physics behind
// the codes. A profile is a TOML file (docs/formats.md); it travels with every job as text.
#pragma once

#include <array>
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/neuron/protocol.h"

namespace inferon {

// Parameters of the AdEx neuron, in the order of the arrays below.
enum class Parameter { kGL, kVL, kVT, kDeltaT, kVR, kVTh, kA, kB, kGTauW };  // Also array index.
inline constexpr int kPhysicalParameterCount = 9;

// Physical value of a code: offset + slope * code (+ mismatch, drift and jitter). Conductances
// (g_l, a, g_tau_w) and delta_t never fall below their floor, so that code 0 is safe.
struct CodeMap {
  double offset = 0;  // In the parameter's unit: nS, mV or, for b, pA.
  double slope = 0;   // The same unit a code; not 0.
  double floor = 0;   // Parasitic least value; used for g_l, delta_t, a, b and g_tau_w.
};

// Form of the exponential current of slope delta_t and threshold v_t.
enum class ExponentialForm {
  kTextbook,     // g_l * delta_t * exp((v - v_t) / delta_t)
  kIndependent,  // exponential_g_ns * delta_t * exp((v - v_t) / delta_t): the chip's does not
                 // scale with the leak.
  kNone,         // No exponential current: v_t and delta_t mean nothing.
};

// What a reset does for the refractory time.
enum class ResetForm {
  kHold,         // The membrane is at v_r at once and stays there.
  kConductance,  // The membrane decays towards v_r with reset_tau_us.
};

// How the MADC's samples become the stored trace. Samples are 1 / madc_rate_mhz apart, the first at
// time 0; each has read-out noise of its own.
enum class MadcMode {
  kPoint,         // No sampling: the membrane at the point itself, with the noise of one sample.
  kInterpolated,  // Linear between the samples before and after the point.
  kAveraged,      // Mean of the samples within half a grid step of the point.
};

// Cross-couplings of the chip: what a code adds to another parameter's value, mV for each code that
// it is away from its reference; 0 switches one off. All are explicit in the codes, none depends on
// a coupled value.
struct Coupling {
  double delta_t_to_v_t = 0;  // A larger exponential bias shifts the exponential's threshold.
  double v_t_to_delta_t = 0;  // The exponential's threshold voltage changes its slope.
  double g_l_to_v_l = 0;      // The leak's bias shifts the resting potential.
  double reference_g_l = 0;   // Codes at which nothing is added.
  double reference_v_t = 0;
  double reference_delta_t = 0;
};

// A real number for each parameter: codes or values.
using ParameterArray = std::array<double, kPhysicalParameterCount>;

struct Profile {
  std::string name;             // [a-z0-9][a-z0-9-]{0,62}
  std::string text;             // The TOML that it was parsed from, byte for byte.
  std::string sha256;           // Of text.
  std::vector<Parameter> free;  // Order of the codes in a parameter set; at least one.
  ParameterArray fixed_code{};  // Codes of the fixed parameters.
  std::array<CodeMap, kPhysicalParameterCount> map{};
  Coupling coupling;
  Protocol protocol;  // Of experiments that state none.

  // Neuron. g_tau_w gives tau_w = adaptation_capacitance_pf / g_tau_w.
  double capacitance_pf = 0;
  double adaptation_capacitance_pf = 0;
  double refractory_us = 0;
  double stimulus_na = 0;  // Current of a protocol's step of scale 1.
  ResetForm reset = ResetForm::kHold;
  double reset_tau_us = 0;  // For kConductance.
  bool adaptation = true;   // Without it a and b are 0 and g_tau_w means nothing.
  ExponentialForm exponential = ExponentialForm::kTextbook;
  double exponential_g_ns = 0;      // For kIndependent.
  double exponential_limit_na = 0;  // The exponential current I saturates: I L / (I + L).

  // Integration.
  double step_us = 0;       // Fixed step.
  double settle_us = 0;     // Time before the recording, without stimulus, from v_l.
  double max_exponent = 0;  // (v - v_t) / delta_t is clamped to this.

  // Read-out: MADC counts = offset + gain * mV, clipped to [min, max], 10 bit.
  double madc_gain = 1;
  double madc_offset = 0;
  double madc_min = 0;
  double madc_max = 1023;
  MadcMode madc_mode = MadcMode::kPoint;
  double madc_rate_mhz = 0;         // For kInterpolated and kAveraged.
  double readout_noise_counts = 0;  // Standard deviation of one sample, independent for each.

  // Mismatch between neurons, drift between runs, jitter of a write, membrane noise: standard
  // deviations of normal numbers.
  double mismatch_voltage_mv = 0;    // Of v_l, v_t, v_r and v_th.
  double mismatch_relative = 0;      // Of g_l, delta_t, a, b, g_tau_w and the stimulus.
  double run_drift_codes = 0;        // Of each parameter, for each run.
  double write_jitter_codes = 0;     // Of each parameter, for each written parameter set.
  double trial_jitter_codes = 0;     // Of each parameter, for each trial, in addition.
  double membrane_noise_mv = 0;      // Stationary standard deviation of V on the leak alone.
  double membrane_noise_tau_us = 0;  // Correlation time of the noise current; 0 = white.
  double threshold_noise_mv = 0;     // Of v_th, drawn anew for each spike.

  std::size_t dimension() const { return free.size(); }
  std::vector<std::string> ParameterNames() const;  // Free ones, e.g. "g_l", "v_t", "delta_t".

  // Physical value of a (real-valued) code, in the parameter's unit, not below its floor.
  double Value(Parameter parameter, double code) const;
  // Values of all parameters with the cross-couplings.
  ParameterArray Values(const ParameterArray& codes) const;
  // MADC counts of a membrane voltage, clipped to the read-out's range; not rounded.
  double Counts(double v_mv) const;
};

// Voltages shift by mismatch, the others scale; only the others have a floor.
bool IsVoltage(Parameter parameter);

// Name in profiles and on the command line: g_l, v_l, v_t, delta_t, v_r, v_th, a, b, g_tau_w.
std::string_view ParameterName(Parameter parameter);
// Label for figures, e.g. "g_L", "V_T", "Δ_T" (UTF-8).
std::string_view ParameterLabel(Parameter parameter);

// Whether the profile's neuron has the mechanism that the parameter belongs to; one that it has not
// is neither free nor fixed and has no map.
bool HasParameter(const Profile& profile, Parameter parameter);

// Refuses unknown keys, missing keys, values out of range and an unknown schema version, naming the
// key and, where known, the line.
Result<Profile> ParseProfile(std::string_view toml);
Result<Profile> LoadProfile(const std::filesystem::path& path);
// Protocol of a request that states none: the profile's. Of a text that is no profile the API's
// default; who needs the profile refuses the text.
Protocol DefaultProtocol(std::string_view toml);

// The profiles that the programs carry with them.
std::vector<std::string> BuiltInProfileNames();
// kNotFound, naming the known ones, for any other name.
Result<Profile> BuiltInProfile(std::string_view name);

}  // namespace inferon
