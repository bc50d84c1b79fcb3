#include "client/cli/chip_settings.h"

#include <fmt/format.h>

#include <algorithm>

namespace inferon::cli {
namespace {

// Fields that are not plain numbers or flags in the vendor's classes.
std::string LolaValue(std::string_view field, int value) {
  if (field == "constant_current.type") {
    return fmt::format("lola.AtomicNeuron.ConstantCurrent.Type.{}", value ? "sink" : "source");
  }
  if (FindChipField(field)->most == 1 && field != "refractory_period.input_clock") {
    return value ? "True" : "False";
  }
  const std::string_view wrapper = field == "membrane_capacitance.capacitance"
                                       ? "lola.AtomicNeuron.MembraneCapacitance.CapacitorSize"
                                   : field == "refractory_period.refractory_time"
                                       ? "lola.AtomicNeuron.RefractoryPeriod.RefractoryTime"
                                   : field == "refractory_period.reset_holdoff"
                                       ? "lola.AtomicNeuron.RefractoryPeriod.ResetHoldoff"
                                   : field == "refractory_period.input_clock"
                                       ? "lola.AtomicNeuron.RefractoryPeriod.InputClock"
                                       : "lola.AtomicNeuron.AnalogValue";
  return fmt::format("{}({})", wrapper, value);
}

std::string Lola(const FieldValues& fields) {
  std::string text = "from dlens_vx_v3 import lola\n\nneuron = lola.AtomicNeuron()\n";
  for (const auto& [field, value] : fields) {
    text += fmt::format("neuron.{} = {}\n", field, LolaValue(field, value));
  }
  return text;
}

std::string Pynn(const FieldValues& fields) {
  std::string text =
      "import pynn_brainscales.brainscales2 as pynn\n\nneuron = pynn.cells.HXNeuron(\n";
  for (const auto& [field, value] : fields) {
    std::string name = field;
    std::replace(name.begin(), name.end(), '.', '_');
    if (field == "constant_current.type") {
      text += fmt::format("    {}=\"{}\",\n", name, value ? "sink" : "source");
    } else if (FindChipField(field)->most == 1 && field != "refractory_period.input_clock") {
      text += fmt::format("    {}={},\n", name, value ? "True" : "False");
    } else {
      text += fmt::format("    {}={},\n", name, value);
    }
  }
  return text + ")\n";
}

}  // namespace

Result<std::string> ChipSettings(ChipTool tool, const ChipMapping& mapping, const Profile& profile,
                                 std::span<const std::uint16_t> codes) {
  Result<FieldValues> fields = FixedFields(mapping, profile, 1);
  if (!fields) return tl::unexpected(fields.error());
  const auto values = SetValues(mapping, profile, codes);
  if (!values) return tl::unexpected(values.error());
  const std::vector<std::string> names = SetFields(mapping, profile);
  for (std::size_t i = 0; i < names.size(); ++i) (*fields)[names[i]] = (*values)[i];
  return tool == ChipTool::kLola ? Lola(*fields) : Pynn(*fields);
}

}  // namespace inferon::cli
