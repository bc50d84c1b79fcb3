// Names that point to models and move from version to version: a client that asks for
// "models/production" gets whatever was promoted last.
//
// Kept in DATA/models/aliases.json, replaced atomically at each change.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"

namespace inferon::trainer {

// The alias that a query without a model means, where it exists.
inline constexpr const char* kDefaultAlias = "default";
inline constexpr std::size_t kMostAliases = 1000;
inline constexpr std::size_t kMostEarlierModels = 32;  // That an alias can go back to.

struct Alias {
  std::string name;                  // [a-z0-9][a-z0-9-]{0,62}
  std::string model;                 // Id.
  std::vector<std::string> earlier;  // Ids it pointed to before, latest first.
  std::string rolled_back;           // Id that the last change rolled back; else empty.
  WallTime update_time;
};

// By name.
using Aliases = std::map<std::string, Alias>;

// Points the alias to a model; the one before can be gone back to. Promoting the model that the
// alias points to changes nothing. kInvalidArgument for a malformed name, kResourceExhausted at the
// limit of aliases.
Result<Alias> Promote(Aliases& aliases, const std::string& name, const std::string& model,
                      WallTime now);
// Points the alias from a model to the one before. Asked again, it changes nothing. kNotFound
// without such an alias, kFailedPrecondition where there is no earlier model, kAborted where the
// alias points to another model than `from` (empty: whatever it points to).
Result<Alias> RollBack(Aliases& aliases, const std::string& name, const std::string& from,
                       WallTime now);
// Takes a model that goes out of what aliases can go back to. kFailedPrecondition where an alias
// points to it.
Status Forget(Aliases& aliases, const std::string& model);

// No file: no aliases. kDataLoss where it is damaged, kFailedPrecondition for a later version.
Result<Aliases> ReadAliases(const std::filesystem::path& file);
void WriteAliases(const std::filesystem::path& file, const Aliases& aliases);

}  // namespace inferon::trainer
