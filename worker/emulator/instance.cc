#include "worker/emulator/instance.h"

#include <algorithm>

#include "common/base/philox.h"
#include "worker/emulator/numerics.h"

namespace inferon::worker {
namespace {

// A relative mismatch never turns a conductance off or round.
constexpr double kLeastFactor = 0.1;

double Factor(double relative, double normal) {
  return std::max(1 + relative * normal, kLeastFactor);
}

}  // namespace

DeviceModel::DeviceModel(const Profile& profile, const DeviceId& device, std::uint64_t seed)
    : profile_(profile), seed_(seed) {
  const PhiloxKey mismatch = StreamKey(0, "mismatch/" + device.chip);
  const PhiloxKey drift = StreamKey(0, "drift/" + device.chip);
  for (std::uint32_t i = 0; i < kPhysicalParameterCount; ++i) {
    const double deviation = StandardNormal(mismatch, {i, device.neuron, 0, 0});
    shift_code_[i] =
        profile.run_drift_codes * StandardNormal(drift, {i, device.neuron, device.run, 0});
    shift_value_[i] = profile.mismatch_voltage_mv * deviation;
    factor_[i] = Factor(profile.mismatch_relative, deviation);
  }
  const double deviation = StandardNormal(mismatch, {kPhysicalParameterCount, device.neuron, 0, 0});
  stimulus_na_ = profile.stimulus_na * Factor(profile.mismatch_relative, deviation);
}

NeuronInstance DeviceModel::Write(std::span<const std::uint16_t> codes, std::uint64_t set,
                                  std::uint32_t trial) const {
  ParameterArray code = profile_.fixed_code;
  for (std::size_t i = 0; i < codes.size(); ++i) {
    code[static_cast<std::size_t>(profile_.free[i])] = codes[i];
  }
  const PhiloxKey write = StreamKey(seed_, "write"), rewrite = StreamKey(seed_, "trial");
  const auto low = static_cast<std::uint32_t>(set), high = static_cast<std::uint32_t>(set >> 32);
  for (std::uint32_t i = 0; i < kPhysicalParameterCount; ++i) {
    code[i] += shift_code_[i];
    code[i] += profile_.write_jitter_codes * StandardNormal(write, {i, 0, low, high});
    if (profile_.trial_jitter_codes == 0) continue;
    code[i] += profile_.trial_jitter_codes * StandardNormal(rewrite, {i, trial, low, high});
  }
  ParameterArray value = profile_.Values(code);
  for (std::uint32_t i = 0; i < kPhysicalParameterCount; ++i) {
    value[i] = IsVoltage(static_cast<Parameter>(i))
                   ? value[i] + shift_value_[i]
                   : std::max(value[i] * factor_[i], profile_.map[i].floor);
  }
  const auto get = [&](Parameter p) { return value[static_cast<std::size_t>(p)]; };
  return {.g_l_us = get(Parameter::kGL) * 1e-3,
          .v_l_mv = get(Parameter::kVL),
          .v_t_mv = get(Parameter::kVT),
          .delta_t_mv = get(Parameter::kDeltaT),
          .v_r_mv = get(Parameter::kVR),
          .v_th_mv = get(Parameter::kVTh),
          .a_us = get(Parameter::kA) * 1e-3,
          .b_na = get(Parameter::kB) * 1e-3,
          .tau_w_us = profile_.adaptation_capacitance_pf / (get(Parameter::kGTauW) * 1e-3),
          .stimulus_na = stimulus_na_};
}

}  // namespace inferon::worker
