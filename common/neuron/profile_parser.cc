// TOML -> Profile, strictly: every key is known, present and in range.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include "common/base/files.h"
#include "common/base/hash.h"
#include "common/neuron/parameters.h"
#include "common/neuron/profile.h"

namespace inferon {
namespace {

constexpr std::int64_t kSchemaVersion = 1;
constexpr std::size_t kMaxBytes = 256 * 1024;
constexpr std::size_t kMaxName = 63;

std::string Where(const toml::source_region& source) {
  return source.begin ? fmt::format(" (line {})", source.begin.line) : std::string();
}

// Reads one table: each getter takes a key off the list of unread ones; the first complaint stays.
class TableReader {
 public:
  TableReader(const toml::table& table, std::string path, std::optional<Error>& error)
      : table_(table), path_(std::move(path)), error_(error) {}

  std::string Full(std::string_view key) const {
    return path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key);
  }

  void Complain(std::string message, std::string advice) {
    if (!error_) error_ = InvalidArgument(std::move(message), std::move(advice)).value();
  }

  const toml::node* Take(std::string_view key) {
    read_.emplace_back(key);
    const toml::node* node = table_.get(key);
    if (node == nullptr) {
      Complain(fmt::format("the profile has no key '{}'{}", Full(key), Where(table_.source())),
               "Add it; docs/formats.md lists every key with unit and range");
    }
    return node;
  }

  double Number(std::string_view key, double low, double high) {
    const toml::node* node = Take(key);
    if (node == nullptr) return low;
    const std::optional<double> value = node->is_number() ? node->value<double>() : std::nullopt;
    if (!value || !(*value >= low && *value <= high)) {
      Complain(fmt::format("'{}'{} must be a number in {}..{}", Full(key), Where(node->source()),
                           low, high),
               "Correct the value");
      return low;
    }
    return *value;
  }

  std::string Text(std::string_view key) {
    const toml::node* node = Take(key);
    if (node == nullptr) return {};
    if (!node->is_string()) {
      Complain(fmt::format("'{}'{} must be a string", Full(key), Where(node->source())),
               "Put the value in quotes");
      return {};
    }
    return node->as_string()->get();
  }

  // Index of the value among the choices.
  std::size_t Choice(std::string_view key, std::initializer_list<std::string_view> choices) {
    const std::string text = Text(key);
    const auto found = std::find(choices.begin(), choices.end(), text);
    if (found != choices.end()) return static_cast<std::size_t>(found - choices.begin());
    const toml::node* node = table_.get(key);
    Complain(fmt::format("'{}'{} is '{}', not one of {}", Full(key),
                         node ? Where(node->source()) : "", text, fmt::join(choices, ", ")),
             "Choose one of them");
    return 0;
  }

  // A table under this one; an empty one after a complaint.
  TableReader Table(std::string_view key) {
    static const toml::table empty;
    const toml::node* node = Take(key);
    if (node != nullptr && !node->is_table()) {
      Complain(fmt::format("'{}'{} must be a table", Full(key), Where(node->source())),
               "Write it as [section]");
    }
    const bool is_table = node != nullptr && node->is_table();
    return {is_table ? *node->as_table() : empty, Full(key), error_};
  }

  // To be called after the last getter.
  void RefuseUnknown() {
    for (const auto& [key, node] : table_) {
      if (std::find(read_.begin(), read_.end(), key.str()) == read_.end()) {
        Complain(fmt::format("the profile has an unknown key '{}'{}", Full(key.str()),
                             Where(node.source())),
                 "Remove it or correct its spelling; docs/formats.md lists every key");
      }
    }
  }

 private:
  const toml::table& table_;
  std::string path_;
  std::optional<Error>& error_;
  std::vector<std::string> read_;
};

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

void ReadIdentity(TableReader& root, Profile& profile) {
  const toml::node* version = root.Take("schema_version");
  if (version != nullptr && version->value<std::int64_t>() != kSchemaVersion) {
    root.Complain(
        fmt::format("'schema_version'{} must be {}", Where(version->source()), kSchemaVersion),
        "Use a profile written for this version of inferon");
  }
  profile.name = root.Text("name");
  if (!IsName(profile.name)) {
    root.Complain(fmt::format("'name' is '{}', not [a-z0-9][a-z0-9-]{{0,62}}", profile.name),
                  "Use lower-case letters, digits and hyphens");
  }
  root.Text("description");
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
    profile.free.push_back(*parameter);
  }
}

void ReadCodes(TableReader& root, Profile& profile) {
  TableReader fixed = root.Table("fixed");
  TableReader maps = root.Table("map");
  for (int i = 0; i < kPhysicalParameterCount; ++i) {
    const auto parameter = static_cast<Parameter>(i);
    const auto index = static_cast<std::size_t>(i);
    if (std::find(profile.free.begin(), profile.free.end(), parameter) == profile.free.end()) {
      profile.fixed_code[index] = fixed.Number(ParameterName(parameter), 0, kMaxCode);
    }
    TableReader map = maps.Table(ParameterName(parameter));
    CodeMap& code_map = profile.map[index];
    code_map.offset = map.Number("offset", -1e5, 1e5);
    code_map.slope = map.Number("slope", -1e3, 1e3);
    if (code_map.slope == 0) {
      map.Complain(fmt::format("'{}' is 0", map.Full("slope")), "Give the change a code makes");
    }
    if (!IsVoltage(parameter)) {
      const bool may_vanish = parameter == Parameter::kA || parameter == Parameter::kB;
      code_map.floor = map.Number("floor", may_vanish ? -1e5 : 1e-3, 1e5);
    }
    map.RefuseUnknown();
  }
  fixed.RefuseUnknown();
  maps.RefuseUnknown();
}

void ReadNeuron(TableReader& root, Profile& profile) {
  TableReader neuron = root.Table("neuron");
  profile.capacitance_pf = neuron.Number("capacitance_pf", 0.01, 1000);
  profile.adaptation_capacitance_pf = neuron.Number("adaptation_capacitance_pf", 0.01, 1000);
  profile.refractory_us = neuron.Number("refractory_us", 0.1, 1000);
  profile.stimulus_na = neuron.Number("stimulus_na", -1000, 1000);
  profile.reset = static_cast<ResetForm>(neuron.Choice("reset", {"hold", "conductance"}));
  if (profile.reset == ResetForm::kConductance) {
    profile.reset_tau_us = neuron.Number("reset_tau_us", 0.001, 1000);
  }
  neuron.RefuseUnknown();

  TableReader exponential = root.Table("exponential");
  profile.exponential =
      static_cast<ExponentialForm>(exponential.Choice("form", {"textbook", "independent"}));
  if (profile.exponential == ExponentialForm::kIndependent) {
    profile.exponential_g_ns = exponential.Number("g_ns", 0, 1e5);
  }
  profile.exponential_limit_na = exponential.Number("limit_na", 1e-3, 1e5);
  exponential.RefuseUnknown();

  TableReader integration = root.Table("integration");
  profile.step_us = integration.Number("step_us", 0.01, 1);
  profile.settle_us = integration.Number("settle_us", 0, 10'000);
  profile.max_exponent = integration.Number("max_exponent", 1, 20);
  integration.RefuseUnknown();
}

void ReadReadOut(TableReader& root, Profile& profile) {
  TableReader madc = root.Table("madc");
  profile.madc_gain = madc.Number("gain", 1e-3, 1e3);
  profile.madc_offset = madc.Number("offset", -1e5, 1e5);
  profile.madc_min = madc.Number("min", 0, 1023);
  profile.madc_max = madc.Number("max", 0, 1023);
  if (!(profile.madc_min < profile.madc_max)) {
    madc.Complain("'madc.min' is not below 'madc.max'", "Correct the range of the read-out");
  }
  profile.readout_noise_counts = madc.Number("noise_counts", 0, 100);
  madc.RefuseUnknown();
}

void ReadImperfections(TableReader& root, Profile& profile) {
  TableReader mismatch = root.Table("mismatch");
  profile.mismatch_voltage_mv = mismatch.Number("voltage_mv", 0, 1000);
  profile.mismatch_relative = mismatch.Number("relative", 0, 0.5);
  mismatch.RefuseUnknown();

  TableReader drift = root.Table("drift");
  profile.run_drift_codes = drift.Number("codes", 0, 100);
  drift.RefuseUnknown();

  TableReader jitter = root.Table("jitter");
  profile.write_jitter_codes = jitter.Number("codes", 0, 100);
  jitter.RefuseUnknown();

  TableReader noise = root.Table("noise");
  profile.membrane_noise_mv = noise.Number("membrane_mv", 0, 100);
  profile.membrane_noise_tau_us = noise.Number("tau_us", 0, 10'000);
  noise.RefuseUnknown();
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
  Profile profile;
  std::optional<Error> error;
  TableReader root(parsed.table(), "", error);
  ReadIdentity(root, profile);
  ReadFree(root, profile);
  ReadCodes(root, profile);
  ReadNeuron(root, profile);
  ReadReadOut(root, profile);
  ReadImperfections(root, profile);
  root.RefuseUnknown();
  if (error) return tl::unexpected(*std::move(error));
  profile.text = std::string(text);
  profile.sha256 = Sha256Hex(text);
  return profile;
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
