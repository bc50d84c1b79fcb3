// The tokens that a server knows: those of its file, also when it changes.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "common/access/token.h"
#include "common/base/clock.h"

namespace inferon {

// Why a token is not taken.
struct TokenRefusal {
  std::string cause;  // For programs: "TOKEN_MISSING", "TOKEN_EXPIRED", ...
  std::string message;
  std::string advice;
};

// Thread-safe.
class TokenStore {
 public:
  // How often the file is looked at: a revoked token is refused after this time.
  static constexpr std::chrono::seconds kLookInterval{1};

  // Errors of ReadTokenFile. The clock outlives the store.
  static Result<std::unique_ptr<TokenStore>> Open(const std::filesystem::path& path, Clock& clock);

  // The record of a token that is good now. `text` is what the caller sent; empty: nothing.
  tl::expected<TokenRecord, TokenRefusal> Check(std::string_view text);

 private:
  TokenStore(std::filesystem::path path, Clock& clock) : path_(std::move(path)), clock_(clock) {}
  // A file that cannot be read leaves the tokens as they were, with an error in the log.
  void LookAtFile();
  Status Load();
  std::string Stamp() const;

  const std::filesystem::path path_;
  Clock& clock_;
  std::mutex mu_;
  std::map<std::string, TokenRecord> tokens_;  // By id. Guarded by mu_, as are the next two.
  std::string stamp_;                          // Of the file that they were read from.
  SteadyTime looked_;
};

}  // namespace inferon
