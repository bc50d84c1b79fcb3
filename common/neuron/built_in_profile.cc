#include <fmt/format.h>
#include <fmt/ranges.h>

#include "common/neuron/built_in_profile_texts.h"
#include "common/neuron/profile.h"

namespace inferon {

std::vector<std::string> BuiltInProfileNames() {
  std::vector<std::string> names;
  for (const BuiltInProfileText& entry : BuiltInProfileTexts()) names.emplace_back(entry.name);
  return names;
}

Result<Profile> BuiltInProfile(std::string_view name) {
  for (const BuiltInProfileText& entry : BuiltInProfileTexts()) {
    if (entry.name == name) return ParseProfile(entry.toml);
  }
  return Fail(ErrorCode::kNotFound, fmt::format("there is no built-in profile '{}'", name),
              fmt::format("Use one of {}, or give the path of a profile file",
                          fmt::join(BuiltInProfileNames(), ", ")));
}

}  // namespace inferon
