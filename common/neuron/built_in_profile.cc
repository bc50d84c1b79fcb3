#include <fmt/format.h>

#include "common/neuron/built_in_profile_texts.h"
#include "common/neuron/profile.h"

namespace inferon {

std::vector<std::string> BuiltInProfileNames() { return {"adex-paper"}; }

Result<Profile> BuiltInProfile(std::string_view name) {
  if (name == "adex-paper") return ParseProfile(kAdexPaperToml);
  return Fail(ErrorCode::kNotFound, fmt::format("there is no built-in profile '{}'", name),
              "Use 'adex-paper' or give the path of a profile file");
}

}  // namespace inferon
