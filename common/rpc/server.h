// gRPC servers and channels of the project: limits, health, reflection, addresses.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/server.h>

#include <memory>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/rpc/stream_queue.h"
#include "common/rpc/tls.h"

namespace grpc {
class Service;
}

namespace inferon::rpc {

inline constexpr int kMaxMessageBytes = 96 << 20;

struct ServerOptions {
  // "127.0.0.1:7001", "127.0.0.1:0" (any free port) or "unix:/path". Other hosts than loopback are
  // refused without TLS and tokens.
  std::string address = "127.0.0.1:0";
  int max_message_bytes = kMaxMessageBytes;
  ServerTls tls = {};
  bool tokens = false;  // The services ask for tokens: no reflection, connections of limited age.
};

// A running server with health and reflection.
struct Server {
  std::shared_ptr<grpc::Server> server;
  std::unique_ptr<StreamQueue> streams;  // Null where there are none.
  std::string address;                   // With the port that it got.
};

// kFailedPrecondition where the port is in use or a certificate is not good, kInvalidArgument for
// an address that is refused. `streaming` is one of the services, where one has such streams.
Result<Server> StartServer(const ServerOptions& options,
                           const std::vector<grpc::Service*>& services,
                           StreamingService* streaming = nullptr);

// Channel with the same limits; connects lazily and reconnects within a second. Without a CA a
// token is sent to the loopback only.
std::shared_ptr<grpc::Channel> OpenChannel(const std::string& address,
                                           const ClientSecurity& security = {});

// Blocks SIGTERM and SIGINT in this thread and all that it starts; call it first in main.
void BlockStopSignals();
// Waits for SIGTERM or SIGINT; returns its number.
int WaitForStopSignal();

}  // namespace inferon::rpc
