// The file of tokens that the servers read and the command line changes. It holds no secrets.
#pragma once

#include <filesystem>
#include <functional>
#include <vector>

#include "common/access/token.h"

namespace inferon {

inline constexpr std::size_t kMaxTokens = 10'000;

// kNotFound where there is no file; kInvalidArgument where it is malformed or of a later version.
Result<std::vector<TokenRecord>> ReadTokenFile(const std::filesystem::path& path);

// Reads the file (one that is missing is empty), lets `change` change its tokens and writes it,
// under a lock beside it. An error of `change` leaves the file as it was. Throws std::system_error.
Status ChangeTokenFile(const std::filesystem::path& path,
                       const std::function<Status(std::vector<TokenRecord>&)>& change);

// A new file that only its owner can read; kAlreadyExists where there is one. Throws
// std::system_error.
Status WriteSecretFile(const std::filesystem::path& path, const std::string& text);

}  // namespace inferon
