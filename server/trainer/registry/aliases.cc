#include "server/trainer/registry/aliases.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/base/files.h"
#include "common/inference/names.h"

namespace inferon::trainer {
namespace {

using nlohmann::json;

constexpr int kSchema = 1;

tl::unexpected<Error> NoAlias(const std::string& name) {
  return Fail(ErrorCode::kNotFound, fmt::format("there is no alias {}", name),
              "List the aliases with `inferon model aliases`");
}

Alias AliasFromJson(const std::string& name, const json& value) {
  return {name, value.at("model").get<std::string>(),
          value.at("earlier").get<std::vector<std::string>>(),
          value.at("rolled_back").get<std::string>(),
          WallTime(std::chrono::microseconds(value.at("update_time_us").get<std::int64_t>()))};
}

}  // namespace

Result<Alias> Promote(Aliases& aliases, const std::string& name, const std::string& model,
                      WallTime now) {
  if (Status ok = CheckId("alias", name); !ok) return tl::unexpected(ok.error());
  const auto found = aliases.find(name);
  if (found == aliases.end()) {
    if (aliases.size() >= kMostAliases) {
      return Fail(ErrorCode::kResourceExhausted,
                  fmt::format("there are {} aliases, the limit", kMostAliases),
                  "Promote to one that exists");
    }
    return aliases.emplace(name, Alias{name, model, {}, {}, now}).first->second;
  }
  Alias& alias = found->second;
  if (alias.model == model) return alias;
  alias.earlier.insert(alias.earlier.begin(), alias.model);
  if (alias.earlier.size() > kMostEarlierModels) alias.earlier.resize(kMostEarlierModels);
  alias.rolled_back.clear();
  alias.model = model;
  alias.update_time = now;
  return alias;
}

Result<Alias> RollBack(Aliases& aliases, const std::string& name, const std::string& from,
                       WallTime now) {
  const auto found = aliases.find(name);
  if (found == aliases.end()) return NoAlias(name);
  Alias& alias = found->second;
  if (!from.empty() && alias.model != from) {
    if (alias.rolled_back == from) return alias;
    return Fail(ErrorCode::kAborted,
                fmt::format("alias {} points to {}, no longer to {}", name, alias.model, from),
                "Look at the aliases again");
  }
  if (alias.earlier.empty()) {
    return Fail(ErrorCode::kFailedPrecondition,
                fmt::format("alias {} has pointed to no other model before {}", name, alias.model),
                "Promote the model that it shall point to");
  }
  alias.rolled_back = alias.model;
  alias.model = alias.earlier.front();
  alias.earlier.erase(alias.earlier.begin());
  alias.update_time = now;
  return alias;
}

Status Forget(Aliases& aliases, const std::string& model) {
  for (const auto& [name, alias] : aliases) {
    if (alias.model != model) continue;
    return Fail(ErrorCode::kFailedPrecondition,
                fmt::format("alias {} points to model {}", name, model),
                "Promote another model or roll the alias back first");
  }
  for (auto& [name, alias] : aliases) std::erase(alias.earlier, model);
  return {};
}

Result<Aliases> ReadAliases(const std::filesystem::path& file) {
  if (!std::filesystem::exists(file)) return Aliases();
  const auto text = ReadFile(file);
  if (!text) return tl::unexpected(text.error());
  try {
    const json document = json::parse(*text);
    if (document.at("schema").get<int>() > kSchema) {
      return Fail(ErrorCode::kFailedPrecondition,
                  fmt::format("{} is of a later version", file.string()), "Use a newer trainer");
    }
    Aliases aliases;
    for (const auto& [name, value] : document.at("aliases").items()) {
      aliases.emplace(name, AliasFromJson(name, value));
    }
    return aliases;
  } catch (const json::exception& error) {
    return Fail(ErrorCode::kDataLoss, fmt::format("{} is damaged: {}", file.string(), error.what()),
                "Restore the file, or remove it and promote the models again");
  }
}

void WriteAliases(const std::filesystem::path& file, const Aliases& aliases) {
  json values = json::object();
  for (const auto& [name, alias] : aliases) {
    values[name] = {{"model", alias.model},
                    {"earlier", alias.earlier},
                    {"rolled_back", alias.rolled_back},
                    {"update_time_us", std::chrono::duration_cast<std::chrono::microseconds>(
                                           alias.update_time.time_since_epoch())
                                           .count()}};
  }
  WriteFileAtomically(file, json{{"schema", kSchema}, {"aliases", values}}.dump(2) + "\n");
}

}  // namespace inferon::trainer
