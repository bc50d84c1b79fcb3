// Tokens: who may call a server, as what, and for what. The text of a token is a secret that is
// shown once; only its SHA-256 is kept. It has 256 random bits, so a fast hash is enough.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"

namespace inferon {

// An operator may do what a submitter may, a submitter what a viewer may. A worker is apart: it may
// do what workers do and nothing else.
enum class Role { kViewer, kSubmitter, kOperator, kWorker };

// "viewer", "submitter", "operator", "worker".
std::string_view RoleName(Role role);
std::optional<Role> ParseRole(std::string_view name);

// What is kept of a token.
struct TokenRecord {
  std::string id;  // 12 hex digits; part of the token's text, not secret.
  Role role = Role::kViewer;
  // What it is for: "projects/lab" (viewer, submitter) or "workers/chip-1" (worker). Empty: all.
  std::vector<std::string> scope;
  std::string label;   // Whose it is; appears in the audit log. At most 40 characters.
  std::string sha256;  // Of the token's text, lower-case hex.
  WallTime created;
  std::optional<WallTime> expires;
  std::optional<WallTime> revoked;
};

inline constexpr std::size_t kMaxTokenLabel = 40;
inline constexpr std::size_t kMaxTokenScope = 100;  // Projects or workers of one token.

// Refuses a scope that does not fit the role and a label that is not printable ASCII.
Status CheckToken(const TokenRecord& record);

struct NewToken {
  TokenRecord record;
  std::string text;  // "inferon_ID_SECRET"
};
// Draws id and secret; fills in id and hash of the given record.
NewToken MakeToken(TokenRecord record);

// Id of a token's text; nullopt where it is not the text of a token.
std::optional<std::string> TokenId(std::string_view text);
// Whether the text is that of the record; takes the same time wherever they differ.
bool IsTextOf(const TokenRecord& record, std::string_view text);

}  // namespace inferon
