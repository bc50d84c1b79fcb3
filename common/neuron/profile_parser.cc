// TOML -> Profile, strictly: every key is known, present and in range.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "common/base/files.h"
#include "common/base/hash.h"
#include "common/neuron/parameters.h"
#include "common/neuron/profile.h"
#include "common/neuron/profile_sections.h"
#include "common/neuron/toml_reader.h"

namespace inferon {
namespace {

constexpr std::size_t kMaxBytes = 64 * 1024;  // As the servers accept.
constexpr std::size_t kMaxName = 63;

std::optional<Parameter> FindParameter(std::string_view name) {
  for (int i = 0; i < kPhysicalParameterCount; ++i) {
    if (ParameterName(static_cast<Parameter>(i)) == name) return static_cast<Parameter>(i);
  }
  return std::nullopt;
}

bool IsName(std::string_view name) {
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !name.empty() && name.size() <= kMaxName && plain(name[0]) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return plain(c) || c == '-'; });
}

void ReadIdentity(TableReader& root, Draft& draft) {
  Profile& profile = draft.profile;
  const toml::node* node = root.Take("schema_version");
  const std::optional<std::int64_t> version =
      node != nullptr && node->is_integer() ? node->value<std::int64_t>() : std::nullopt;
  if (node != nullptr && (!version || *version < kFirstSchema || *version > kLastSchema)) {
    root.Complain(fmt::format("'schema_version'{} must be {} or {}", Where(node->source()),
                              kFirstSchema, kLastSchema),
                  "Use a profile written for this version of inferon");
  } else if (version) {
    draft.schema = *version;
  }
  profile.name = root.Text("name");
  if (!IsName(profile.name)) {
    root.Complain(fmt::format("'name' is '{}', not [a-z0-9][a-z0-9-]{{0,62}}", profile.name),
                  "Use lower-case letters, digits and hyphens");
  }
  root.Text("description");
}

std::string_view Mechanism(Parameter parameter) {
  const bool exponential = parameter == Parameter::kVT || parameter == Parameter::kDeltaT;
  return exponential ? "exponential current" : "adaptation";
}

void ReadFree(TableReader& root, Profile& profile) {
  const toml::node* node = root.Take("free");
  if (node == nullptr) return;
  const toml::array* names = node->as_array();
  if (names == nullptr || names->empty()) {
    root.Complain(
        fmt::format("'free'{} must be a list of at least one parameter", Where(node->source())),
        "List the free parameters by name");
    return;
  }
  for (const toml::node& entry : *names) {
    const auto parameter = FindParameter(entry.value_or(std::string_view()));
    const bool twice = parameter && std::find(profile.free.begin(), profile.free.end(),
                                              *parameter) != profile.free.end();
    if (!parameter || twice) {
      root.Complain(fmt::format("'free'{} lists {}", Where(entry.source()),
                                twice ? "a parameter twice" : "something that is no parameter"),
                    "Use each of g_l, v_l, v_t, delta_t, v_r, v_th, a, b, g_tau_w at most once");
      return;
    }
    if (!HasParameter(profile, *parameter)) {
      root.Complain(
          fmt::format("'free'{} lists '{}', but the profile has no {}", Where(entry.source()),
                      ParameterName(*parameter), Mechanism(*parameter)),
          "Leave it out, or switch that part of the neuron on");
      return;
    }
    profile.free.push_back(*parameter);
  }
}

void ReadMap(TableReader& maps, Parameter parameter, Draft& draft) {
  TableReader map = maps.Table(ParameterName(parameter));
  CodeMap& code_map = draft.profile.map[static_cast<std::size_t>(parameter)];
  // The chip has a sign bit for a and for b; a negative scale of anything else is a slip.
  const bool has_sign = parameter == Parameter::kA || parameter == Parameter::kB;
  code_map.offset = map.Number("offset", -1e5, 1e5);
  code_map.slope = map.Number("slope", draft.Extended() && !has_sign ? 0 : -1e3, 1e3);
  if (code_map.slope == 0) {
    map.Complain(fmt::format("'{}' is 0", map.Full("slope")), "Give the change a code makes");
  }
  if (!IsVoltage(parameter)) code_map.floor = map.Number("floor", has_sign ? -1e5 : 1e-3, 1e5);
  map.RefuseUnknown();
}

void ReadCodes(TableReader& root, Draft& draft) {
  Profile& profile = draft.profile;
  TableReader fixed = root.Table("fixed");
  TableReader maps = root.Table("map");
  for (int i = 0; i < kPhysicalParameterCount; ++i) {
    const auto parameter = static_cast<Parameter>(i);
    if (!HasParameter(profile, parameter)) continue;
    if (std::find(profile.free.begin(), profile.free.end(), parameter) == profile.free.end()) {
      profile.fixed_code[static_cast<std::size_t>(i)] =
          fixed.Number(ParameterName(parameter), 0, kMaxCode);
    }
    ReadMap(maps, parameter, draft);
  }
  fixed.RefuseUnknown();
  maps.RefuseUnknown();
}

}  // namespace

Result<Profile> ParseProfile(std::string_view text) {
  if (text.size() > kMaxBytes) {
    return InvalidArgument(
        fmt::format("the profile has {} bytes, more than {}", text.size(), kMaxBytes),
        "Give a profile file, not something else");
  }
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed) {
    return InvalidArgument(
        fmt::format("the profile is not valid TOML{}: {}", Where(parsed.error().source()),
                    parsed.error().description()),
        "Correct the syntax");
  }
  std::optional<Error> error;
  Draft draft;
  Profile& profile = draft.profile;
  TableReader root(parsed.table(), "", error);
  ReadIdentity(root, draft);
  ReadNeuron(root, draft);
  ReadExponential(root, draft);
  ReadFree(root, profile);
  ReadCodes(root, draft);
  FillAbsent(profile);
  ReadIntegration(root, profile);
  ReadReadOut(root, draft);
  ReadImperfections(root, draft);
  if (draft.Extended()) {
    ReadCoupling(root, profile);
    ReadProtocol(root, profile);
  }
  root.RefuseUnknown();
  if (error) return tl::unexpected(*std::move(error));
  profile.text = std::string(text);
  profile.sha256 = Sha256Hex(text);
  return std::move(profile);
}

Protocol DefaultProtocol(std::string_view toml) {
  const Result<Profile> profile = ParseProfile(toml);
  return profile ? profile->protocol : Protocol{};
}

Result<Profile> LoadProfile(const std::filesystem::path& path) {
  Result<std::string> text = ReadFile(path, kMaxBytes);
  if (!text) return tl::unexpected(text.error());
  Result<Profile> profile = ParseProfile(*text);
  if (!profile) {
    Error error = profile.error();
    error.message = path.string() + ": " + error.message;
    return tl::unexpected(std::move(error));
  }
  return profile;
}

}  // namespace inferon
