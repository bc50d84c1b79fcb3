#include "common/chip/chip_mapping.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "common/neuron/parameters.h"

namespace inferon {
namespace {

constexpr std::string_view kStimulusField = "constant_current.i_offset";
constexpr std::string_view kStimulusType = "constant_current.type";

Status CheckValue(std::string_view field, int value) {
  const ChipField* known = FindChipField(field);
  if (value >= 0 && value <= known->most) return {};
  return InvalidArgument(
      fmt::format("the field {} would be {}, outside 0..{}", field, value, known->most),
      "Correct the code, the mapping or the rule; nothing is clamped");
}

int Apply(const FieldMap& map, std::uint16_t code) {
  return static_cast<int>(std::lround(map.offset + map.scale * code));
}

// True where a parameter set determines the field.
bool IsFree(const ChipMapping& mapping, const Profile& profile, std::string_view field) {
  return std::any_of(profile.free.begin(), profile.free.end(), [&](Parameter parameter) {
    return mapping.parameters.find(ParameterName(parameter))->second.field == field;
  });
}

Result<int> FollowValue(const FollowRule& rule, int other) {
  const int value = rule.offset + other - rule.reference;
  if (Status ok = CheckValue(rule.field, value); !ok) {
    Error error = ok.error();
    error.message += fmt::format(" by its rule {} at {} = {}", rule.Text(), rule.other, other);
    return tl::unexpected(std::move(error));
  }
  return value;
}

Status ScaleStimulus(double scale, FieldValues& values) {
  const auto amplitude = values.find(kStimulusField);
  if (scale == 1) return {};
  if (amplitude == values.end()) {
    return InvalidArgument(
        fmt::format("the chip mapping has no fixed {} that an amplitude of {} could scale",
                    kStimulusField, scale),
        "Fix the field in the mapping, or give all steps the amplitude 1");
  }
  const int value = static_cast<int>(std::lround(amplitude->second * std::abs(scale)));
  if (Status ok = CheckValue(kStimulusField, value); !ok) return ok;
  amplitude->second = value;
  if (scale < 0) {
    int& type = values.try_emplace(std::string(kStimulusType), 0).first->second;
    type = 1 - type;
  }
  return {};
}

}  // namespace

std::string FollowRule::Text() const {
  return fmt::format("{} + {} - {}", offset, other, reference);
}

Status CheckProfile(const ChipMapping& mapping, const Profile& profile) {
  for (int i = 0; i < kPhysicalParameterCount; ++i) {
    const auto parameter = static_cast<Parameter>(i);
    const std::string_view name = ParameterName(parameter);
    if (!HasParameter(profile, parameter)) continue;
    if (mapping.parameters.find(name) != mapping.parameters.end()) continue;
    return InvalidArgument(
        fmt::format("the chip mapping '{}' has no field for the parameter '{}' of profile '{}'",
                    mapping.name, name, profile.name),
        fmt::format("Add [parameters.{}] to the mapping", name));
  }
  return {};
}

Result<FieldValues> FixedFields(const ChipMapping& mapping, const Profile& profile,
                                double stimulus_scale) {
  if (Status ok = CheckProfile(mapping, profile); !ok) return tl::unexpected(ok.error());
  FieldValues values = mapping.fixed;
  for (int i = 0; i < kPhysicalParameterCount; ++i) {
    const auto parameter = static_cast<Parameter>(i);
    if (std::find(profile.free.begin(), profile.free.end(), parameter) != profile.free.end()) {
      continue;
    }
    if (!HasParameter(profile, parameter)) continue;
    const FieldMap& map = mapping.parameters.find(ParameterName(parameter))->second;
    const double code = profile.fixed_code[static_cast<std::size_t>(i)];
    const int value = Apply(map, static_cast<std::uint16_t>(std::lround(code)));
    if (Status ok = CheckValue(map.field, value); !ok) return tl::unexpected(ok.error());
    values[map.field] = value;
  }
  // A mechanism that the neuron does not have is switched off.
  if (!profile.adaptation) values["adaptation.enable"] = 0;
  if (profile.exponential == ExponentialForm::kNone) values["exponential.enable"] = 0;
  for (const FollowRule& rule : mapping.follow) {
    const auto other = values.find(rule.other);
    if (IsFree(mapping, profile, rule.other) || other == values.end()) continue;
    const Result<int> value = FollowValue(rule, other->second);
    if (!value) return tl::unexpected(value.error());
    values[rule.field] = *value;
  }
  if (Status ok = ScaleStimulus(stimulus_scale, values); !ok) return tl::unexpected(ok.error());
  return values;
}

std::vector<std::string> SetFields(const ChipMapping& mapping, const Profile& profile) {
  std::vector<std::string> fields;
  for (const Parameter parameter : profile.free) {
    fields.push_back(mapping.parameters.find(ParameterName(parameter))->second.field);
  }
  for (const FollowRule& rule : mapping.follow) {
    if (IsFree(mapping, profile, rule.other)) fields.push_back(rule.field);
  }
  return fields;
}

Result<std::vector<std::uint16_t>> SetValues(const ChipMapping& mapping, const Profile& profile,
                                             std::span<const std::uint16_t> codes) {
  FieldValues values;
  std::vector<std::uint16_t> row;
  for (std::size_t i = 0; i < profile.free.size(); ++i) {
    const std::string_view name = ParameterName(profile.free[i]);
    const FieldMap& map = mapping.parameters.find(name)->second;
    if (codes[i] > kMaxCode) {
      return InvalidArgument(
          fmt::format("code {} of {} is outside 0..{}", codes[i], name, kMaxCode),
          "Use codes 0..1022; 1023 would switch the cell off");
    }
    const int value = Apply(map, codes[i]);
    if (Status ok = CheckValue(map.field, value); !ok) return tl::unexpected(ok.error());
    values[map.field] = value;
    row.push_back(static_cast<std::uint16_t>(value));
  }
  for (const FollowRule& rule : mapping.follow) {
    if (!IsFree(mapping, profile, rule.other)) continue;
    const Result<int> value = FollowValue(rule, values[rule.other]);
    if (!value) return tl::unexpected(value.error());
    row.push_back(static_cast<std::uint16_t>(*value));
  }
  return row;
}

}  // namespace inferon
