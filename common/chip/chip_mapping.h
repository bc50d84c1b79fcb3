// Which field of a BrainScaleS-2 neuron each parameter of a profile is, and what the others are set
// to. A mapping is a TOML file (docs/formats.md, "Chip mapping").
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/neuron/profile.h"

namespace inferon {

// A field of the vendor's lola AtomicNeuron, "leak.i_bias".
struct ChipField {
  std::string_view name;
  int most = 0;  // Values 0..most; 1 for flags. DACs end at 1022: 1023 switches a cell off.
};
// All fields that can be set; nullptr for any other name.
const ChipField* FindChipField(std::string_view name);

// value of the field = round(offset + scale * code).
struct FieldMap {
  std::string field;
  double scale = 1;
  double offset = 0;
};

// A field that follows another: value = offset + (other - reference).
struct FollowRule {
  std::string field;
  std::string other;
  int offset = 0;
  int reference = 0;
  std::string Text() const;  // "500 + leak.v_leak - 700"
};

struct ChipMapping {
  std::string name;                                         // [a-z0-9][a-z0-9-]{0,62}
  std::string sha256;                                       // Of the TOML text.
  std::map<std::string, FieldMap, std::less<>> parameters;  // By the profile's parameter name.
  std::map<std::string, int, std::less<>> fixed;            // Field -> value.
  std::vector<FollowRule> follow;
  std::string readout_source = "membrane";
  int fast_clock_scale = 0;  // Of the neuron back-ends: 250 MHz / 2^(scale + 1).
  int slow_clock_scale = 0;
};

// Values of chip fields.
using FieldValues = std::map<std::string, int, std::less<>>;

Result<ChipMapping> ParseChipMapping(std::string_view toml);
Result<ChipMapping> LoadChipMapping(const std::filesystem::path& path);
// kNotFound, naming the known ones.
Result<ChipMapping> BuiltInChipMapping(std::string_view name);
std::vector<std::string> BuiltInChipMappingNames();
// A built-in mapping by name, else the file at this path.
Result<ChipMapping> FindChipMapping(const std::string& name_or_path);

// Refuses a profile with a parameter that the mapping does not know.
Status CheckProfile(const ChipMapping& mapping, const Profile& profile);
// What is the same for every parameter set of the profile: fixed fields, fixed parameters, and the
// stimulus amplitude times `stimulus_scale` (its sign chooses source or sink). Refuses values out
// of range; nothing is ever clamped.
Result<FieldValues> FixedFields(const ChipMapping& mapping, const Profile& profile,
                                double stimulus_scale);
// Fields that a parameter set determines: the free parameters' in the profile's order, then the
// followers of any of them.
std::vector<std::string> SetFields(const ChipMapping& mapping, const Profile& profile);
// Their values for one parameter set. Refuses what is out of range.
Result<std::vector<std::uint16_t>> SetValues(const ChipMapping& mapping, const Profile& profile,
                                             std::span<const std::uint16_t> codes);

}  // namespace inferon
