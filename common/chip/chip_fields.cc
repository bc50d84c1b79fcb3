#include <algorithm>
#include <array>

#include "common/chip/chip_mapping.h"

namespace inferon {
namespace {

constexpr int kMostCode = 1022;

// As in worker/brainscales2/child/bss2_vendor.py, from the vendor's public header lola/vx/v3.
constexpr std::array<ChipField, 48> kFields{{
    {"adaptation.enable", 1},
    {"adaptation.enable_pulse", 1},
    {"adaptation.i_bias_a", kMostCode},
    {"adaptation.i_bias_b", kMostCode},
    {"adaptation.i_bias_tau", kMostCode},
    {"adaptation.invert_a", 1},
    {"adaptation.invert_b", 1},
    {"adaptation.v_leak", kMostCode},
    {"adaptation.v_ref", kMostCode},
    {"constant_current.i_offset", kMostCode},
    {"constant_current.type", 1},
    {"excitatory_input.enable", 1},
    {"excitatory_input.enable_coba_mode", 1},
    {"excitatory_input.enable_high_resistance", 1},
    {"excitatory_input.enable_small_capacitance", 1},
    {"excitatory_input.i_bias_coba", kMostCode},
    {"excitatory_input.i_bias_gm", kMostCode},
    {"excitatory_input.i_bias_tau", kMostCode},
    {"excitatory_input.i_shift_reference", kMostCode},
    {"exponential.enable", 1},
    {"exponential.i_bias", kMostCode},
    {"exponential.v_exp", kMostCode},
    {"inhibitory_input.enable", 1},
    {"inhibitory_input.enable_coba_mode", 1},
    {"inhibitory_input.enable_high_resistance", 1},
    {"inhibitory_input.enable_small_capacitance", 1},
    {"inhibitory_input.i_bias_coba", kMostCode},
    {"inhibitory_input.i_bias_gm", kMostCode},
    {"inhibitory_input.i_bias_tau", kMostCode},
    {"inhibitory_input.i_shift_reference", kMostCode},
    {"leak.enable_degeneration", 1},
    {"leak.enable_division", 1},
    {"leak.enable_multiplication", 1},
    {"leak.i_bias", kMostCode},
    {"leak.v_leak", kMostCode},
    {"membrane_capacitance.capacitance", 63},
    {"multicompartment.i_bias_nmda", kMostCode},
    {"refractory_period.enable_pause", 1},
    {"refractory_period.input_clock", 1},
    {"refractory_period.refractory_time", 255},
    {"refractory_period.reset_holdoff", 15},
    {"reset.enable_degeneration", 1},
    {"reset.enable_division", 1},
    {"reset.enable_multiplication", 1},
    {"reset.i_bias", kMostCode},
    {"reset.v_reset", kMostCode},
    {"threshold.enable", 1},
    {"threshold.v_threshold", kMostCode},
}};

}  // namespace

const ChipField* FindChipField(std::string_view name) {
  const auto found = std::find_if(kFields.begin(), kFields.end(),
                                  [&](const ChipField& field) { return field.name == name; });
  return found == kFields.end() || name.empty() ? nullptr : &*found;
}

}  // namespace inferon
