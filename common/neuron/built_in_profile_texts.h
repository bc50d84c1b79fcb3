// Texts of the profiles that are compiled in (generated from the profiles folder).
#pragma once

#include <span>
#include <string_view>

namespace inferon {

struct BuiltInProfileText {
  std::string_view name;
  std::string_view toml;
};

std::span<const BuiltInProfileText> BuiltInProfileTexts();

}  // namespace inferon
