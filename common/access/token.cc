#include "common/access/token.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

#include "common/base/hash.h"

namespace inferon {
namespace {

constexpr std::string_view kPrefix = "inferon_";
constexpr std::size_t kIdDigits = 12;
constexpr std::size_t kSecretDigits = 64;
constexpr std::array kRoles{std::pair{Role::kViewer, std::string_view("viewer")},
                            std::pair{Role::kSubmitter, std::string_view("submitter")},
                            std::pair{Role::kOperator, std::string_view("operator")},
                            std::pair{Role::kWorker, std::string_view("worker")}};

std::string RandomHex(std::size_t digits) {
  std::string bytes(digits / 2, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(bytes.size())) !=
      1) {
    throw std::runtime_error("the system gives no random numbers");
  }
  std::string hex;
  for (const char byte : bytes) hex += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return hex;
}

bool IsHex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

std::string_view RoleName(Role role) { return kRoles.at(static_cast<std::size_t>(role)).second; }

std::optional<Role> ParseRole(std::string_view name) {
  for (const auto& [role, known] : kRoles) {
    if (known == name) return role;
  }
  return std::nullopt;
}

Status CheckToken(const TokenRecord& record) {
  const bool printable =
      std::ranges::all_of(record.label, [](char c) { return c >= ' ' && c <= '~'; });
  if (record.label.empty() || record.label.size() > kMaxTokenLabel || !printable) {
    return InvalidArgument(
        fmt::format("the token's name is not 1..{} printable ASCII characters", kMaxTokenLabel),
        "Say whose token it is, for example 'alice' or 'chip-1'");
  }
  if (record.scope.size() > kMaxTokenScope) {
    return InvalidArgument(fmt::format("the token is for more than {} names", kMaxTokenScope),
                           "Give it for all, or make two");
  }
  if (record.role == Role::kOperator && !record.scope.empty()) {
    return InvalidArgument("an operator's token is for the whole node",
                           "Leave the projects out, or choose another role");
  }
  const std::string_view prefix = record.role == Role::kWorker ? "workers/" : "projects/";
  for (const std::string& name : record.scope) {
    if (name.starts_with(prefix) && name.size() > prefix.size()) continue;
    return InvalidArgument(
        fmt::format("'{}' does not fit the role {}", name, RoleName(record.role)),
        "A worker's token is for workers, a viewer's or submitter's for projects");
  }
  return {};
}

NewToken MakeToken(TokenRecord record) {
  NewToken token{std::move(record), {}};
  token.record.id = RandomHex(kIdDigits);
  token.text = fmt::format("{}{}_{}", kPrefix, token.record.id, RandomHex(kSecretDigits));
  token.record.sha256 = Sha256Hex(token.text);
  return token;
}

std::optional<std::string> TokenId(std::string_view text) {
  if (!text.starts_with(kPrefix) || text.size() != kPrefix.size() + kIdDigits + 1 + kSecretDigits) {
    return std::nullopt;
  }
  const std::string_view id = text.substr(kPrefix.size(), kIdDigits);
  const std::string_view rest = text.substr(kPrefix.size() + kIdDigits);
  if (!IsHex(id) || rest.front() != '_' || !IsHex(rest.substr(1))) return std::nullopt;
  return std::string(id);
}

bool IsTextOf(const TokenRecord& record, std::string_view text) {
  const std::string hash = Sha256Hex(text);
  return hash.size() == record.sha256.size() &&
         CRYPTO_memcmp(hash.data(), record.sha256.data(), hash.size()) == 0;
}

}  // namespace inferon
