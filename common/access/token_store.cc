#include "common/access/token_store.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include "common/access/token_file.h"

namespace inferon {
namespace {

constexpr char kAsk[] = "Ask the node's operator for a new one ('inferon token create')";

}  // namespace

Result<std::unique_ptr<TokenStore>> TokenStore::Open(const std::filesystem::path& path,
                                                     Clock& clock) {
  std::unique_ptr<TokenStore> store(new TokenStore(path, clock));
  store->looked_ = clock.Now();
  store->stamp_ = store->Stamp();
  if (Status loaded = store->Load(); !loaded) {
    Error error = loaded.error();
    if (error.code == ErrorCode::kNotFound) {
      error = {
          ErrorCode::kFailedPrecondition,
          fmt::format("there is no file of tokens {}", path.string()),
          fmt::format("Make the first one with 'inferon token create --tokens {}'", path.string()),
          {}};
    }
    return tl::unexpected(error);
  }
  return store;
}

tl::expected<TokenRecord, TokenRefusal> TokenStore::Check(std::string_view text) {
  const auto refuse = [](const char* cause, std::string message, const char* advice) {
    return tl::unexpected(TokenRefusal{cause, std::move(message), advice});
  };
  if (text.empty()) {
    return refuse("TOKEN_MISSING", "this server needs a token and the call brings none",
                  "Put yours into a file and give --token-file FILE, or set INFERON_TOKEN_FILE");
  }
  const auto id = TokenId(text);
  if (!id) {
    return refuse("TOKEN_MALFORMED", "what the call brings is not a token",
                  "Check the token's file: one line, 'inferon_' and what follows");
  }
  const std::lock_guard lock(mu_);
  LookAtFile();
  const auto found = tokens_.find(*id);
  // Unknown and wrong look alike, so that ids cannot be tried out.
  if (found == tokens_.end() || !IsTextOf(found->second, text)) {
    return refuse("TOKEN_UNKNOWN", "the token is not known to this server", kAsk);
  }
  const TokenRecord& record = found->second;
  if (record.revoked) {
    return refuse("TOKEN_REVOKED",
                  fmt::format("the token {} of {} was revoked", record.id, record.label), kAsk);
  }
  if (record.expires && *record.expires <= clock_.WallNow()) {
    return refuse("TOKEN_EXPIRED",
                  fmt::format("the token {} of {} has expired", record.id, record.label), kAsk);
  }
  return record;
}

void TokenStore::LookAtFile() {
  if (clock_.Now() - looked_ < kLookInterval) return;
  looked_ = clock_.Now();
  const std::string stamp = Stamp();
  if (stamp == stamp_) return;
  stamp_ = stamp;
  if (const Status loaded = Load(); !loaded) {
    spdlog::error("the tokens stay as they were: {}", loaded.error().Text());
  } else {
    spdlog::info("{} tokens read from {}", tokens_.size(), path_.string());
  }
}

Status TokenStore::Load() {
  Result<std::vector<TokenRecord>> all = ReadTokenFile(path_);
  if (!all) return tl::unexpected(all.error());
  tokens_.clear();
  for (TokenRecord& record : *all) {
    const std::string id = record.id;
    tokens_.insert_or_assign(id, std::move(record));
  }
  return {};
}

// The file is replaced as a whole, so another inode or time is another content.
std::string TokenStore::Stamp() const {
  struct stat info {};
  if (stat(path_.c_str(), &info) != 0) return "missing";
  return fmt::format("{}.{}.{}.{}", info.st_ino, info.st_size, info.st_mtim.tv_sec,
                     info.st_mtim.tv_nsec);
}

}  // namespace inferon
