#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "common/priors/prior.h"

namespace inferon {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxName = 64;
constexpr std::size_t kMaxUnit = 32;
constexpr const char* kKinds = "uniform, loguniform, normal, lognormal, integer, real, positive";

// Names of the two numbers of a kind; empty where it has none.
struct Keys {
  const char* first;
  const char* second;
};

Keys KeysOf(PriorKind kind) {
  switch (kind) {
    case PriorKind::kUniform:
    case PriorKind::kLogUniform:
    case PriorKind::kInteger:
      return {"low", "high"};
    case PriorKind::kNormal:
      return {"mean", "sd"};
    case PriorKind::kLogNormal:
      return {"mu", "sigma"};
    case PriorKind::kReal:
    case PriorKind::kPositive:
      break;
  }
  return {"", ""};
}

tl::unexpected<Error> Refuse(const std::string& what, const std::string& advice) {
  return InvalidArgument("the prior is not usable: " + what, advice);
}

std::optional<PriorKind> KindOf(const std::string& name) {
  for (const PriorKind kind :
       {PriorKind::kUniform, PriorKind::kLogUniform, PriorKind::kNormal, PriorKind::kLogNormal,
        PriorKind::kInteger, PriorKind::kReal, PriorKind::kPositive}) {
    if (PriorKindName(kind) == name) return kind;
  }
  return std::nullopt;
}

bool IsName(const std::string& text) {
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  return !text.empty() && text.size() <= kMaxName && letter(text.front()) &&
         std::all_of(text.begin(), text.end(), [&](char c) {
           return letter(c) || (c >= '0' && c <= '9') || c == '.' || c == '-';
         });
}

Status CheckKeys(const Json& json, const std::set<std::string>& allowed, const std::string& where) {
  for (const auto& [key, value] : json.items()) {
    if (allowed.contains(key)) continue;
    return Refuse(fmt::format("{} has an unknown key \"{}\"", where, key),
                  fmt::format("Allowed are {}", fmt::join(allowed, ", ")));
  }
  return {};
}

Result<double> Number(const Json& json, const char* key, const std::string& where) {
  const auto found = json.find(key);
  if (found == json.end() || !found->is_number() || !std::isfinite(found->get<double>())) {
    return Refuse(fmt::format("{} has no finite number \"{}\"", where, key),
                  fmt::format("Give \"{}\": NUMBER", key));
  }
  return found->get<double>();
}

// What the numbers of each kind must fulfil.
Status CheckNumbers(const ParameterPrior& p, const std::string& where) {
  const auto refuse = [&](const std::string& what, const std::string& advice) -> Status {
    return Refuse(fmt::format("{}: {}", where, what), advice);
  };
  if (p.kind == PriorKind::kNormal && !(p.second > 0)) {
    return refuse("\"sd\" is not above 0", "Give a standard deviation");
  }
  if (p.kind == PriorKind::kLogNormal && !(p.second > 0)) {
    return refuse("\"sigma\" is not above 0", "Give the standard deviation of the logarithm");
  }
  if (p.kind == PriorKind::kUniform || p.kind == PriorKind::kLogUniform) {
    const double scale = std::max(std::abs(p.first), std::abs(p.second));
    if (!(p.second - p.first > 1e-12 * scale) || !std::isfinite(p.second - p.first)) {
      return refuse("\"high\" is not above \"low\"", "Give the ends of an interval");
    }
  }
  if (p.kind == PriorKind::kLogUniform && !(p.first > 0)) {
    return refuse("\"low\" is not above 0", "A logarithm needs positive numbers");
  }
  if (p.kind != PriorKind::kInteger) return {};
  if (p.first != std::floor(p.first) || p.second != std::floor(p.second)) {
    return refuse("\"low\" and \"high\" are not whole numbers", "Give whole numbers");
  }
  if (!(p.second > p.first) || p.second - p.first >= kMaxIntegers) {
    return refuse(fmt::format("{} to {} are not 2 to {} values", p.first, p.second, kMaxIntegers),
                  "Use a uniform prior for wider ranges");
  }
  return {};
}

Result<ParameterPrior> ParseParameter(const Json& json, std::size_t index) {
  std::string where = fmt::format("parameter {}", index + 1);
  if (!json.is_object()) return Refuse(where + " is not an object", "Write {\"name\": ...}");
  ParameterPrior parameter;
  const auto text = [&](const char* key) {
    const auto found = json.find(key);
    return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  parameter.name = text("name");
  if (!IsName(parameter.name)) {
    return Refuse(where + " has no proper \"name\"",
                  fmt::format("Use 1 to {} letters, digits, _ . and -, a letter first", kMaxName));
  }
  where = "parameter " + parameter.name;
  parameter.unit = text("unit");
  if (parameter.unit.size() > kMaxUnit || (json.contains("unit") && !json["unit"].is_string())) {
    return Refuse(where + " has no proper \"unit\"",
                  fmt::format("Use a text of at most {} bytes", kMaxUnit));
  }
  const auto kind = KindOf(text("prior"));
  if (!kind) {
    return Refuse(fmt::format("{} has \"prior\": \"{}\"", where, text("prior")),
                  fmt::format("Choose one of {}", kKinds));
  }
  parameter.kind = *kind;
  const Keys keys = KeysOf(*kind);
  std::set<std::string> allowed = {"name", "unit", "prior"};
  if (*keys.first != '\0') allowed.insert({keys.first, keys.second});
  if (Status ok = CheckKeys(json, allowed, where); !ok) return tl::unexpected(ok.error());
  if (*keys.first != '\0') {
    const auto first = Number(json, keys.first, where);
    if (!first) return tl::unexpected(first.error());
    const auto second = Number(json, keys.second, where);
    if (!second) return tl::unexpected(second.error());
    parameter.first = *first;
    parameter.second = *second;
  }
  if (Status ok = CheckNumbers(parameter, where); !ok) return tl::unexpected(ok.error());
  return parameter;
}

// Parses, but refuses an object that names a key twice (the last would win silently).
Result<Json> ParseJson(std::string_view text) {
  std::vector<std::set<std::string>> open;
  std::string twice;
  const auto watch = [&](int, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::object_start) open.emplace_back();
    if (event == Json::parse_event_t::object_end && !open.empty()) open.pop_back();
    if (event == Json::parse_event_t::key && !open.empty() &&
        !open.back().insert(parsed.get<std::string>()).second) {
      twice = parsed.get<std::string>();
    }
    return true;
  };
  try {
    Json json = Json::parse(text, watch);
    if (!twice.empty()) {
      return Refuse(fmt::format("the key \"{}\" stands twice in one object", twice),
                    "Remove one of them");
    }
    return json;
  } catch (const Json::exception& error) {
    return Refuse(fmt::format("it is not JSON ({})", error.what()), "Check the file");
  }
}

}  // namespace

Result<Prior> ParsePrior(std::string_view text) {
  if (text.size() > kMaxPriorBytes) {
    return Refuse(fmt::format("it has {} bytes, more than {}", text.size(), kMaxPriorBytes),
                  "Check that it is the prior file");
  }
  const auto json = ParseJson(text);
  if (!json) return tl::unexpected(json.error());
  const char* advice = "Write {\"parameters\": [{\"name\": \"a\", \"prior\": \"uniform\", ...}]}";
  if (!json->is_object() || !json->contains("parameters") || !(*json)["parameters"].is_array()) {
    return Refuse("it has no list \"parameters\"", advice);
  }
  if (Status ok = CheckKeys(*json, {"parameters"}, "it"); !ok) return tl::unexpected(ok.error());
  const Json& list = (*json)["parameters"];
  if (list.empty() || list.size() > kMaxParameters) {
    return Refuse(fmt::format("it has {} parameters", list.size()),
                  fmt::format("Give 1 to {}", kMaxParameters));
  }
  Prior prior;
  for (std::size_t i = 0; i < list.size(); ++i) {
    auto parameter = ParseParameter(list[i], i);
    if (!parameter) return tl::unexpected(parameter.error());
    for (const ParameterPrior& other : prior.parameters) {
      if (other.name == parameter->name) {
        return Refuse("two parameters have the name " + other.name, "Rename one of them");
      }
    }
    prior.parameters.push_back(std::move(*parameter));
  }
  return prior;
}

std::string PriorJson(const Prior& prior) {
  Json list = Json::array();
  for (const ParameterPrior& p : prior.parameters) {
    Json json = {{"name", p.name}, {"prior", PriorKindName(p.kind)}};
    if (!p.unit.empty()) json["unit"] = p.unit;
    const Keys keys = KeysOf(p.kind);
    if (*keys.first != '\0') {
      json[keys.first] = p.first;
      json[keys.second] = p.second;
    }
    list.push_back(json);
  }
  return Json{{"parameters", list}}.dump();
}

}  // namespace inferon
