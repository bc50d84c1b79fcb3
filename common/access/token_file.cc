#include "common/access/token_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <system_error>

#include "common/base/files.h"

namespace inferon {
namespace {

using nlohmann::json;
using std::chrono::seconds;

constexpr int kVersion = 1;
constexpr std::size_t kMaxBytes = std::size_t{64} << 20;

std::int64_t ToSeconds(WallTime time) {
  return std::chrono::duration_cast<seconds>(time.time_since_epoch()).count();
}

std::optional<WallTime> TimeOf(const json& token, const char* key) {
  if (!token.contains(key)) return std::nullopt;
  return WallTime(seconds(token.at(key).get<std::int64_t>()));
}

json ToJson(const TokenRecord& record) {
  json token{{"id", record.id},         {"role", RoleName(record.role)},
             {"scope", record.scope},   {"label", record.label},
             {"sha256", record.sha256}, {"created", ToSeconds(record.created)}};
  if (record.expires) token["expires"] = ToSeconds(*record.expires);
  if (record.revoked) token["revoked"] = ToSeconds(*record.revoked);
  return token;
}

TokenRecord FromJson(const json& token) {
  TokenRecord record;
  const auto role = ParseRole(token.at("role").get<std::string>());
  if (!role) throw std::invalid_argument("a role is unknown");
  record.id = token.at("id").get<std::string>();
  record.role = *role;
  record.scope = token.at("scope").get<std::vector<std::string>>();
  record.label = token.at("label").get<std::string>();
  record.sha256 = token.at("sha256").get<std::string>();
  record.created = TimeOf(token, "created").value_or(WallTime());
  record.expires = TimeOf(token, "expires");
  record.revoked = TimeOf(token, "revoked");
  if (Status ok = CheckToken(record); !ok) throw std::invalid_argument(ok.error().message);
  return record;
}

}  // namespace

Result<std::vector<TokenRecord>> ReadTokenFile(const std::filesystem::path& path) {
  const Result<std::string> text = ReadFile(path, kMaxBytes);
  if (!text) return tl::unexpected(text.error());
  try {
    const json file = json::parse(*text);
    if (const int version = file.at("version").get<int>(); version != kVersion) {
      throw std::invalid_argument(fmt::format("its version is {}, not {}", version, kVersion));
    }
    std::vector<TokenRecord> tokens;
    for (const json& token : file.at("tokens")) tokens.push_back(FromJson(token));
    return tokens;
  } catch (const std::exception& error) {
    return InvalidArgument(fmt::format("{} is no file of tokens: {}", path.string(), error.what()),
                           "Restore it, or move it away and make new tokens");
  }
}

Status ChangeTokenFile(const std::filesystem::path& path,
                       const std::function<Status(std::vector<TokenRecord>&)>& change) {
  if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path());
  std::filesystem::path lock_path = path;
  lock_path += ".lock";
  const Result<FileLock> lock = FileLock::Acquire(lock_path);
  if (!lock) return tl::unexpected(lock.error());
  Result<std::vector<TokenRecord>> tokens = ReadTokenFile(path);
  if (!tokens && tokens.error().code != ErrorCode::kNotFound) {
    return tl::unexpected(tokens.error());
  }
  if (!tokens) tokens = std::vector<TokenRecord>();
  if (Status changed = change(*tokens); !changed) return changed;
  if (tokens->size() > kMaxTokens) {
    return Fail(ErrorCode::kResourceExhausted,
                fmt::format("{} has {} tokens, the limit", path.string(), kMaxTokens),
                "Remove some with 'inferon token revoke --forget'");
  }
  json list = json::array();
  for (const TokenRecord& record : *tokens) list.push_back(ToJson(record));
  WriteFileAtomically(path, json{{"version", kVersion}, {"tokens", list}}.dump(1) + "\n");
  return {};
}

Status WriteSecretFile(const std::filesystem::path& path, const std::string& text) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0 && errno == EEXIST) {
    return Fail(ErrorCode::kAlreadyExists, fmt::format("there is a file {}", path.string()),
                "Choose another name, or remove it");
  }
  const bool written = fd >= 0 &&
                       write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                       fsync(fd) == 0;
  const int error = errno;
  if (fd >= 0) close(fd);
  if (written) return {};
  throw std::system_error(error, std::generic_category(), "cannot write " + path.string());
}

}  // namespace inferon
