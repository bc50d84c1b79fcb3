#include "common/features/catalogue.h"

#include <array>

namespace inferon {
namespace {

using enum Quantity;

// In the order of Value in measured_features.cc.
constexpr std::array kCatalogue{
    FeatureInfo{"spike_count", kNumber, 0, "spikes in the step", "IPFX"},
    FeatureInfo{"latency", kTime, 1, "first spike (threshold) - start of the step", "IPFX latency"},
    FeatureInfo{"mean_isi", kTime, 2, "mean interval between spikes", "IPFX mean_isi"},
    FeatureInfo{"first_isi", kTime, 2, "first interval", "IPFX first_isi"},
    FeatureInfo{"isi_cv", kNumber, 3, "standard deviation (over n) of the intervals / their mean",
                "IPFX isi_cv"},
    FeatureInfo{"adaptation_index", kNumber, 3, "mean of (ISI[i+1] - ISI[i]) / (ISI[i+1] + ISI[i])",
                "IPFX adapt"},
    FeatureInfo{"peak", kVoltage, 1, "mean peak voltage", "IPFX peak_v"},
    FeatureInfo{"width", kTime, 1, "mean width at half height above the fast trough", "IPFX width"},
    FeatureInfo{"fast_trough", kVoltage, 1, "mean voltage where the fall after the peak has ended",
                "IPFX fast_trough_v"},
    FeatureInfo{"slow_trough", kVoltage, 2,
                "mean lowest voltage after the fast trough, where at least 0.5 mV lower",
                "IPFX slow_trough_v"},
    FeatureInfo{"slow_trough_time", kNumber, 2, "mean of (slow trough - spike) / its interval",
                "Allen, after IPFX slow_trough_t"},
    FeatureInfo{"baseline", kVoltage, 0, "mean voltage in the 100 ms before the step",
                "IPFX v_baseline"},
    FeatureInfo{"rate", kRate, 0, "spike count / length of the step",
                "IPFX avg_rate, early threshold kept"},
    FeatureInfo{"time_to_last_spike", kTime, 1, "last spike - start of the step",
                "eFEL time_to_last_spike, at the threshold"},
    FeatureInfo{"last_isi", kTime, 2, "last interval", "eFEL all_ISI_values"},
    FeatureInfo{"median_isi", kTime, 2, "median interval", "IPFX median_isi"},
    FeatureInfo{"isi_log_slope", kNumber, 3,
                "slope of the line through (ln i, ln ISI[i]), i from 1",
                "eFEL ISI_log_slope, first interval kept"},
    FeatureInfo{"burst_count", kNumber, 3,
                "runs of 2 or more intervals each at most half the median interval", "ours"},
    FeatureInfo{"threshold", kVoltage, 1, "mean voltage at the threshold", "IPFX threshold_v"},
    FeatureInfo{"first_threshold", kVoltage, 1, "voltage at the first spike's threshold",
                "IPFX threshold_v"},
    FeatureInfo{"amplitude", kVoltage, 1, "mean of peak - threshold", "eFEL AP_amplitude"},
    FeatureInfo{"peak_drop", kVoltage, 2, "first peak - last peak", "eFEL amp_drop_first_last"},
    FeatureInfo{"max_upstroke", kSlope, 1, "mean steepest rise from threshold to peak",
                "IPFX upstroke"},
    FeatureInfo{"max_downstroke", kSlope, 1, "mean steepest fall from peak to trough",
                "IPFX downstroke"},
    FeatureInfo{"upstroke_downstroke_ratio", kNumber, 1, "mean of upstroke / -downstroke",
                "IPFX upstroke_downstroke_ratio"},
    FeatureInfo{"half_width", kTime, 1,
                "mean time between the interpolated crossings of (peak + trough) / 2",
                "eFEL spike_half_width"},
    FeatureInfo{"trough", kVoltage, 1,
                "mean lowest voltage before the next spike or the step's end", "IPFX trough_v"},
    FeatureInfo{"ahp_depth", kVoltage, 1, "mean of trough - baseline",
                "ours, after eFEL AHP_depth"},
    FeatureInfo{"mean_voltage", kVoltage, 0, "mean voltage in the step", "ours"},
    FeatureInfo{"minimum_voltage", kVoltage, 0, "lowest voltage in the step", "ours"},
    FeatureInfo{"steady_voltage", kVoltage, 0, "mean voltage in the last tenth of the step",
                "eFEL steady_state_voltage_stimend"},
    FeatureInfo{"sag", kNumber, 0,
                "(lowest - steady) / (lowest - baseline) of a hyperpolarised step without spikes",
                "IPFX sag"},
    FeatureInfo{"sag_amplitude", kVoltage, 0, "steady - lowest voltage of such a step",
                "eFEL sag_amplitude"},
    FeatureInfo{"spikes_before", kNumber, 0, "spikes before the step", "ours"},
    FeatureInfo{"spikes_after", kNumber, 0, "spikes after the step", "ours"},
};

struct Unit {
  std::string_view text, suffix;
};

Unit UnitFor(Quantity quantity, UnitSystem units) {
  const bool chip = units == UnitSystem::kChip;
  switch (quantity) {
    case kTime:
      return chip ? Unit{"us", "_us"} : Unit{"ms", "_ms"};
    case kVoltage:
      return chip ? Unit{"counts", "_counts"} : Unit{"mV", "_mv"};
    case kSlope:
      return chip ? Unit{"counts/us", "_counts_per_us"} : Unit{"mV/ms", "_mv_per_ms"};
    case kRate:
      return chip ? Unit{"kHz", "_khz"} : Unit{"Hz", "_hz"};
    case kNumber:
      break;
  }
  return {"", ""};
}

}  // namespace

std::span<const FeatureInfo> FeatureCatalogue() { return kCatalogue; }

std::string FeatureNameWithUnit(const FeatureInfo& info, UnitSystem units) {
  return std::string(info.name) + std::string(UnitFor(info.quantity, units).suffix);
}

std::string_view UnitOf(Quantity quantity, UnitSystem units) {
  return UnitFor(quantity, units).text;
}

std::optional<std::size_t> FindFeature(std::string_view name) {
  for (std::size_t i = 0; i < kCatalogue.size(); ++i) {
    if (name == kCatalogue[i].name ||
        name == FeatureNameWithUnit(kCatalogue[i], UnitSystem::kRecording) ||
        name == FeatureNameWithUnit(kCatalogue[i], UnitSystem::kChip)) {
      return i;
    }
  }
  return std::nullopt;
}

}  // namespace inferon
