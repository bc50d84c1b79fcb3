// How a client proves who it is and knows its server.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>

#include "common/base/clock.h"
#include "common/base/result.h"

namespace inferon::rpc {

// A client's side. Without a CA: no TLS. The token is read from its file at each change; it never
// stands on a command line.
struct ClientSecurity {
  std::filesystem::path ca;
  std::filesystem::path certificate;  // Its own, where the server asks for one.
  std::filesystem::path key;
  std::filesystem::path token_file;
  std::string token;                 // From the environment; the file goes first.
  std::chrono::seconds refresh{30};  // Between looks at the files.
};

// Files that are there, fit together and are valid at this time; a host beyond the loopback needs a
// CA. kInvalidArgument or kFailedPrecondition that says what to give.
Status CheckClientSecurity(const ClientSecurity& security, const std::string& address,
                           WallTime now);

// "127.0.0.1:7001", "localhost:7001", "[::1]:7001" or "unix:/path".
bool IsLoopback(const std::string& address);

}  // namespace inferon::rpc
