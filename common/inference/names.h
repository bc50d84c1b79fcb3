// Ids of data sets and models.
#pragma once

#include <string_view>

#include "common/base/result.h"

namespace inferon {

// kInvalidArgument unless id matches [a-z0-9][a-z0-9-]{0,62}; `what` is "data set" or "model".
inline Status CheckId(std::string_view what, std::string_view id) {
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  bool good = !id.empty() && id.size() <= 63 && plain(id.front());
  for (const char c : id) good = good && (plain(c) || c == '-');
  if (good) return {};
  return InvalidArgument(
      "'" + std::string(id.substr(0, 80)) + "' is no id of a " + std::string(what),
      "Use 1 to 63 lower-case letters, digits and hyphens, and begin with a letter or digit");
}

}  // namespace inferon
