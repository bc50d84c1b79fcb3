// TOML -> ChipMapping, strictly.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "common/base/files.h"
#include "common/base/hash.h"
#include "common/chip/built_in_mapping_texts.h"
#include "common/chip/chip_mapping.h"
#include "common/config/toml_reader.h"
#include "common/neuron/parameters.h"

namespace inferon {
namespace {

constexpr std::size_t kMaxName = 63;
constexpr int kMostClockScale = 15;

bool IsName(std::string_view name) {
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !name.empty() && name.size() <= kMaxName && plain(name[0]) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return plain(c) || c == '-'; });
}

// The field's name, or empty after a complaint.
std::string ReadField(TomlTable& table, std::string_view key) {
  std::string field = table.Text(key);
  if (FindChipField(field) != nullptr) return field;
  table.Complain(fmt::format("'{}' names the field '{}', which an AtomicNeuron does not have",
                             table.Full(key), field),
                 "Use GROUP.FIELD as in the vendor's lola.AtomicNeuron, for example leak.i_bias");
  return {};
}

void ReadParameters(TomlTable root, ChipMapping& mapping) {
  TomlTable all = root.Table("parameters");
  for (const std::string& name : all.Keys()) {
    TomlTable table = all.Table(name);
    FieldMap map{.field = ReadField(table, "field")};
    map.scale = table.Number("scale", -1e4, 1e4, 1);
    map.offset = table.Number("offset", -1e4, 1e4, 0);
    table.RefuseUnknown();
    if (map.field.empty()) continue;
    const double ends[] = {map.offset, map.offset + map.scale * kMaxCode};
    const int most = FindChipField(map.field)->most;
    if (std::lround(std::min(ends[0], ends[1])) < 0 ||
        std::lround(std::max(ends[0], ends[1])) > most) {
      table.Complain(fmt::format("'parameters.{}' takes codes 0..{} to {}..{}, outside the range "
                                 "0..{} of {}",
                                 name, kMaxCode, ends[0], ends[1], most, map.field),
                     "Choose scale and offset so that every code is in range");
    }
    mapping.parameters[name] = std::move(map);
  }
}

void ReadFixed(TomlTable root, ChipMapping& mapping) {
  TomlTable fixed = root.Table("fixed");
  for (const std::string& group : fixed.Keys()) {
    TomlTable table = fixed.Table(group);
    for (const std::string& key : table.Keys()) {
      const std::string field = group + "." + key;
      const ChipField* known = FindChipField(field);
      if (known == nullptr) {
        table.Complain(fmt::format("'fixed.{}' is no field of an AtomicNeuron", field),
                       "Use GROUP.FIELD as in the vendor's lola.AtomicNeuron");
        return;
      }
      mapping.fixed[field] = static_cast<int>(table.Integer(key, 0, known->most));
    }
  }
}

void ReadFollow(TomlTable root, ChipMapping& mapping) {
  TomlTable all = root.Table("follow");
  for (const std::string& key : all.Keys()) {
    TomlTable table = all.Table(key);
    FollowRule rule{.field = ReadField(table, "field"), .other = ReadField(table, "other")};
    rule.offset = static_cast<int>(table.Integer("offset", -2000, 2000));
    rule.reference = static_cast<int>(table.Integer("reference", -2000, 2000));
    table.RefuseUnknown();
    mapping.follow.push_back(std::move(rule));
  }
}

// Every field has one source only.
void RefuseDoubles(TomlTable root, const ChipMapping& mapping) {
  std::set<std::string> seen;
  const auto see = [&](const std::string& field) {
    if (seen.insert(field).second) return;
    root.Complain(fmt::format("the field '{}' is set twice", field),
                  "Give it by one parameter, one fixed value or one rule");
  };
  for (const auto& [name, map] : mapping.parameters) see(map.field);
  for (const auto& [field, value] : mapping.fixed) see(field);
  for (const FollowRule& rule : mapping.follow) see(rule.field);
}

}  // namespace

Result<ChipMapping> ParseChipMapping(std::string_view text) {
  const Result<TomlDocument> document = TomlDocument::Parse(text, "the chip mapping");
  if (!document) return tl::unexpected(document.error());
  TomlTable root = document->Root();
  ChipMapping mapping;
  root.Integer("schema_version", 1, 1);
  mapping.name = root.Text("name");
  if (!IsName(mapping.name)) {
    root.Complain(fmt::format("'name' is '{}', not [a-z0-9][a-z0-9-]{{0,62}}", mapping.name),
                  "Use lower-case letters, digits and hyphens");
  }
  root.Text("description", "");
  ReadParameters(root, mapping);
  ReadFixed(root, mapping);
  ReadFollow(root, mapping);
  TomlTable readout = root.Table("readout");
  mapping.readout_source =
      readout.Choice("source", {"membrane", "exc_synin", "inh_synin", "adaptation"}, "membrane");
  readout.RefuseUnknown();
  TomlTable clocks = root.Table("clocks");
  mapping.fast_clock_scale = static_cast<int>(clocks.Integer("fast", 0, kMostClockScale));
  mapping.slow_clock_scale = static_cast<int>(clocks.Integer("slow", 0, kMostClockScale));
  clocks.RefuseUnknown();
  RefuseDoubles(root, mapping);
  root.RefuseUnknown();
  if (Status ok = document->Check(); !ok) return tl::unexpected(ok.error());
  mapping.sha256 = Sha256Hex(text);
  return mapping;
}

Result<ChipMapping> LoadChipMapping(const std::filesystem::path& path) {
  const Result<std::string> text = ReadFile(path);
  if (!text) return tl::unexpected(text.error());
  Result<ChipMapping> mapping = ParseChipMapping(*text);
  if (mapping) return mapping;
  Error error = mapping.error();
  error.message = path.string() + ": " + error.message;
  return tl::unexpected(std::move(error));
}

std::vector<std::string> BuiltInChipMappingNames() { return {"adex-paper"}; }

Result<ChipMapping> BuiltInChipMapping(std::string_view name) {
  if (name == "adex-paper") return ParseChipMapping(kAdexPaperMappingToml);
  return Fail(ErrorCode::kNotFound, fmt::format("there is no built-in chip mapping '{}'", name),
              "Use 'adex-paper' or give the path of a mapping file");
}

Result<ChipMapping> FindChipMapping(const std::string& name_or_path) {
  const std::vector<std::string> names = BuiltInChipMappingNames();
  if (std::find(names.begin(), names.end(), name_or_path) != names.end()) {
    return BuiltInChipMapping(name_or_path);
  }
  Result<ChipMapping> mapping = LoadChipMapping(name_or_path);
  if (!mapping && mapping.error().code == ErrorCode::kNotFound) {
    return Fail(ErrorCode::kNotFound,
                fmt::format("'{}' is neither a built-in chip mapping nor a file", name_or_path),
                fmt::format("Give a path to a TOML file, or one of: {}", fmt::join(names, ", ")));
  }
  return mapping;
}

}  // namespace inferon
