#include "common/neuron/profile_sections.h"

#include <fmt/format.h>

#include "common/neuron/parameters.h"

namespace inferon {

void ReadNeuron(TableReader& root, Draft& draft) {
  Profile& profile = draft.profile;
  TableReader neuron = root.Table("neuron");
  profile.capacitance_pf = neuron.Number("capacitance_pf", 0.01, 1000);
  profile.adaptation = !draft.Extended() || neuron.Flag("adaptation");
  if (profile.adaptation) {
    profile.adaptation_capacitance_pf = neuron.Number("adaptation_capacitance_pf", 0.01, 1000);
  }
  profile.refractory_us = neuron.Number("refractory_us", 0.1, 1000);
  profile.stimulus_na = neuron.Number("stimulus_na", -1000, 1000);
  profile.reset = static_cast<ResetForm>(neuron.Choice("reset", {"hold", "conductance"}));
  if (profile.reset == ResetForm::kConductance) {
    profile.reset_tau_us = neuron.Number("reset_tau_us", 0.001, 1000);
  }
  neuron.RefuseUnknown();
}

void ReadExponential(TableReader& root, Draft& draft) {
  Profile& profile = draft.profile;
  TableReader exponential = root.Table("exponential");
  std::vector<std::string_view> forms{"textbook", "independent"};
  if (draft.Extended()) forms.emplace_back("none");
  profile.exponential = static_cast<ExponentialForm>(exponential.Choice("form", forms));
  if (profile.exponential == ExponentialForm::kIndependent) {
    profile.exponential_g_ns = exponential.Number("g_ns", 0, 1e5);
  }
  if (profile.exponential != ExponentialForm::kNone) {
    profile.exponential_limit_na = exponential.Number("limit_na", 1e-3, 1e5);
  }
  exponential.RefuseUnknown();
}

void FillAbsent(Profile& profile) {
  const auto pin = [&](Parameter parameter, double value) {
    profile.map[static_cast<std::size_t>(parameter)] = {value, 0, value};
  };
  if (profile.exponential == ExponentialForm::kNone) {
    pin(Parameter::kVT, 0);
    pin(Parameter::kDeltaT, 1);
    profile.exponential_limit_na = 1;  // Saturation of a current of 0.
  }
  if (!profile.adaptation) {
    pin(Parameter::kA, 0);
    pin(Parameter::kB, 0);
    pin(Parameter::kGTauW, 1);
    profile.adaptation_capacitance_pf = 1;
  }
}

void ReadIntegration(TableReader& root, Profile& profile) {
  TableReader integration = root.Table("integration");
  profile.step_us = integration.Number("step_us", 0.01, 1);
  profile.settle_us = integration.Number("settle_us", 0, 10'000);
  profile.max_exponent = integration.Number("max_exponent", 1, 20);
  integration.RefuseUnknown();
}

void ReadCoupling(TableReader& root, Profile& profile) {
  if (!root.Has("coupling")) return;
  TableReader table = root.Table("coupling");
  Coupling& coupling = profile.coupling;
  constexpr double kMost = 10;  // mV a code.
  coupling.delta_t_to_v_t = table.Number("delta_t_to_v_t", -kMost, kMost);
  coupling.v_t_to_delta_t = table.Number("v_t_to_delta_t", -kMost, kMost);
  coupling.g_l_to_v_l = table.Number("g_l_to_v_l", -kMost, kMost);
  coupling.reference_g_l = table.Number("reference_g_l", 0, kMaxCode);
  coupling.reference_v_t = table.Number("reference_v_t", 0, kMaxCode);
  coupling.reference_delta_t = table.Number("reference_delta_t", 0, kMaxCode);
  if (profile.exponential == ExponentialForm::kNone &&
      (coupling.delta_t_to_v_t != 0 || coupling.v_t_to_delta_t != 0)) {
    table.Complain("'coupling' couples v_t and delta_t, but the profile has no exponential current",
                   "Set delta_t_to_v_t and v_t_to_delta_t to 0");
  }
  table.RefuseUnknown();
}

void ReadProtocol(TableReader& root, Profile& profile) {
  if (!root.Has("protocol")) return;
  TableReader table = root.Table("protocol");
  Protocol& protocol = profile.protocol;
  protocol.duration_us = table.Number("duration_us", 0, 1e9);
  protocol.grid_step_us = table.Number("grid_step_us", 0, 1e9);
  protocol.steps.clear();
  for (const std::vector<double>& row : table.Rows("steps")) {
    if (row.size() != 3) {
      table.Complain(fmt::format("a row of 'protocol.steps' has {} numbers, not 3", row.size()),
                     "Give start and stop in us, and the scale of the stimulus current");
      break;
    }
    protocol.steps.push_back({row[0], row[1], row[2]});
  }
  table.RefuseUnknown();
  if (const Status valid = ValidateProtocol(protocol); !valid) {
    table.Complain("'protocol': " + valid.error().message, valid.error().advice);
  }
}

void ReadReadOut(TableReader& root, Draft& draft) {
  Profile& profile = draft.profile;
  TableReader madc = root.Table("madc");
  profile.madc_gain = madc.Number("gain", 1e-3, 1e3);
  profile.madc_offset = madc.Number("offset", -1e5, 1e5);
  profile.madc_min = madc.Number("min", 0, 1023);
  profile.madc_max = madc.Number("max", 0, 1023);
  if (!(profile.madc_min < profile.madc_max)) {
    madc.Complain("'madc.min' is not below 'madc.max'", "Correct the range of the read-out");
  }
  profile.readout_noise_counts = madc.Number("noise_counts", 0, 100);
  if (draft.Extended()) {
    profile.madc_mode =
        static_cast<MadcMode>(madc.Choice("mode", {"point", "interpolated", "averaged"}));
    if (profile.madc_mode != MadcMode::kPoint) {
      profile.madc_rate_mhz = madc.Number("rate_mhz", 1, 1000);
    }
  }
  madc.RefuseUnknown();
}

void ReadImperfections(TableReader& root, Draft& draft) {
  Profile& profile = draft.profile;
  TableReader mismatch = root.Table("mismatch");
  profile.mismatch_voltage_mv = mismatch.Number("voltage_mv", 0, 1000);
  profile.mismatch_relative = mismatch.Number("relative", 0, 0.5);
  mismatch.RefuseUnknown();

  TableReader drift = root.Table("drift");
  profile.run_drift_codes = drift.Number("codes", 0, 100);
  drift.RefuseUnknown();

  TableReader jitter = root.Table("jitter");
  profile.write_jitter_codes = jitter.Number("codes", 0, 100);
  if (draft.Extended()) profile.trial_jitter_codes = jitter.Number("trial_codes", 0, 100);
  jitter.RefuseUnknown();

  TableReader noise = root.Table("noise");
  profile.membrane_noise_mv = noise.Number("membrane_mv", 0, 100);
  profile.membrane_noise_tau_us = noise.Number("tau_us", 0, 10'000);
  if (draft.Extended()) profile.threshold_noise_mv = noise.Number("threshold_mv", 0, 1000);
  noise.RefuseUnknown();
}

}  // namespace inferon
