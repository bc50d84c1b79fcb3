// TLS of servers and clients: certificates in PEM files, read again when they change.
#pragma once

#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>

#include <chrono>
#include <filesystem>
#include <memory>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/rpc/client_security.h"

namespace inferon::rpc {

// A server's side. Without a certificate: no TLS.
struct ServerTls {
  std::filesystem::path certificate;  // Chain, the server's own first.
  std::filesystem::path key;
  std::filesystem::path client_ca;   // Of clients, who then must have a certificate of it (mTLS).
  std::chrono::seconds refresh{30};  // Between looks at the files.
  bool used() const { return !certificate.empty(); }
};

// Files that are there, fit together and are valid at this time; else kFailedPrecondition that
// names the file.
Status CheckServerTls(const ServerTls& tls, WallTime now);

std::shared_ptr<grpc::ServerCredentials> MakeServerCredentials(const ServerTls& tls);
std::shared_ptr<grpc::ChannelCredentials> MakeChannelCredentials(const ClientSecurity& security);

}  // namespace inferon::rpc
