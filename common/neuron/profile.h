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

namespace inferon {

// Parameters of the AdEx neuron, in the order of the arrays below.
enum class Parameter { kGL, kVL, kVT, kDeltaT, kVR, kVTh, kA, kB, kGTauW };
inline constexpr int kPhysicalParameterCount = 9;

// Physical value of a code: offset + slope * code (+ mismatch and jitter, in codes or relative).
struct CodeMap {
  double offset = 0;  // In the unit of the parameter (nS, mV, pA; see docs/formats.md).
  double slope = 0;   // The same unit a code.
  double floor = 0;   // Parasitic least value, where the parameter is a conductance or a slope.
};

struct Profile {
  std::string name;            // [a-z0-9][a-z0-9-]{0,62}
  std::string text;            // The TOML that it was parsed from, byte for byte.
  std::string sha256;          // Of text.
  std::vector<Parameter> free; // Order of the codes in a parameter set; at least one.
  std::array<double, kPhysicalParameterCount> fixed_code{};  // Codes of the fixed parameters.
  std::array<CodeMap, kPhysicalParameterCount> map{};

  double capacitance_pf = 2.3;
  double refractory_us = 0.5;
  double stimulus_na = 10;

  // Read-out: MADC counts = offset + gain * mV, clipped to [min, max], 10 bit.
  double madc_gain = 1;
  double madc_offset = 0;
  double madc_min = 0;
  double madc_max = 1023;
  double readout_noise_counts = 0;

  // Mismatch between neurons, drift between runs, jitter of a write, membrane noise: see the .cc of
  // the parser and docs/formats.md for the sections that fill them.
  double mismatch_voltage_mv = 0;
  double mismatch_relative = 0;
  double run_drift_codes = 0;
  double write_jitter_codes = 0;
  double membrane_noise_mv = 0;       // Stationary standard deviation of V on the leak alone.
  double membrane_noise_tau_us = 0;   // Correlation time of the noise current; 0 = white.

  std::size_t dimension() const { return free.size(); }
  std::vector<std::string> ParameterNames() const;  // Free ones, e.g. "g_l", "v_t", "delta_t".
};

// Name in profiles and on the command line: g_l, v_l, v_t, delta_t, v_r, v_th, a, b, g_tau_w.
std::string_view ParameterName(Parameter parameter);
// Label for figures, e.g. "g_L", "V_T", "Δ_T" (UTF-8).
std::string_view ParameterLabel(Parameter parameter);

// Refuses unknown keys, missing keys, values out of range and a wrong schema version, naming the
// key and, where known, the line.
Result<Profile> ParseProfile(std::string_view toml);
Result<Profile> LoadProfile(const std::filesystem::path& path);

}  // namespace inferon
