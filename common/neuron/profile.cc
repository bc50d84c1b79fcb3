#include "common/neuron/profile.h"

#include <algorithm>

namespace inferon {
namespace {

struct Naming {
  std::string_view name;
  std::string_view label;
};

// In the order of enum Parameter.
constexpr std::array<Naming, kPhysicalParameterCount> kNamings{{{"g_l", "g_L"},
                                                                {"v_l", "V_L"},
                                                                {"v_t", "V_T"},
                                                                {"delta_t", "Δ_T"},
                                                                {"v_r", "V_r"},
                                                                {"v_th", "V_th"},
                                                                {"a", "a"},
                                                                {"b", "b"},
                                                                {"g_tau_w", "g_τw"}}};

}  // namespace

std::string_view ParameterName(Parameter parameter) {
  return kNamings[static_cast<std::size_t>(parameter)].name;
}

std::string_view ParameterLabel(Parameter parameter) {
  return kNamings[static_cast<std::size_t>(parameter)].label;
}

bool IsVoltage(Parameter parameter) {
  return parameter == Parameter::kVL || parameter == Parameter::kVT ||
         parameter == Parameter::kVR || parameter == Parameter::kVTh;
}

bool HasParameter(const Profile& profile, Parameter parameter) {
  switch (parameter) {
    case Parameter::kVT:
    case Parameter::kDeltaT:
      return profile.exponential != ExponentialForm::kNone;
    case Parameter::kA:
    case Parameter::kB:
    case Parameter::kGTauW:
      return profile.adaptation;
    default:
      return true;
  }
}

std::vector<std::string> Profile::ParameterNames() const {
  std::vector<std::string> names;
  for (const Parameter parameter : free) names.emplace_back(ParameterName(parameter));
  return names;
}

double Profile::Value(Parameter parameter, double code) const {
  const CodeMap& m = map[static_cast<std::size_t>(parameter)];
  const double value = m.offset + m.slope * code;
  return IsVoltage(parameter) ? value : std::max(value, m.floor);
}

ParameterArray Profile::Values(const ParameterArray& codes) const {
  const auto code = [&](Parameter p) { return codes[static_cast<std::size_t>(p)]; };
  ParameterArray values{};
  for (int i = 0; i < kPhysicalParameterCount; ++i) {
    values[static_cast<std::size_t>(i)] =
        Value(static_cast<Parameter>(i), codes[static_cast<std::size_t>(i)]);
  }
  const auto add = [&](Parameter p, double shift) {
    const auto i = static_cast<std::size_t>(p);
    values[i] += shift;
    if (!IsVoltage(p)) values[i] = std::max(values[i], map[i].floor);
  };
  add(Parameter::kVT,
      coupling.delta_t_to_v_t * (code(Parameter::kDeltaT) - coupling.reference_delta_t));
  add(Parameter::kDeltaT,
      coupling.v_t_to_delta_t * (code(Parameter::kVT) - coupling.reference_v_t));
  add(Parameter::kVL, coupling.g_l_to_v_l * (code(Parameter::kGL) - coupling.reference_g_l));
  return values;
}

double Profile::Counts(double v_mv) const {
  return std::clamp(madc_offset + madc_gain * v_mv, madc_min, madc_max);
}

}  // namespace inferon
