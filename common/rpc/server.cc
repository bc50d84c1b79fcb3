#include "common/rpc/server.h"

#include <fmt/format.h>
#include <grpc/support/log.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/server_builder.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdlib>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/rpc/call_metadata.h"

namespace inferon::rpc {
namespace {

// A connection is closed after this time (and its calls after as much again), so that a stream of a
// token that was revoked ends.
constexpr int kMaxConnectionAgeMs = 3'600'000;
constexpr int kConnectTimeoutMs = 10'000;
// Threads that stay to wait for the next call. A call that waits for the disk holds one; with
// gRPC's standard of two, each such call costs the start and the end of another thread.
constexpr int kIdleCallThreads = 64;
// The thread of the streams does not read the sockets for those of the calls.
constexpr bool kQueuePollsForCalls = false;

// A channel between two calls is looked after by gRPC at this interval only. With its standard of
// five seconds the handshakes of TLS, which take several looks, need half a minute to reach a
// server that was restarted. Before main: gRPC reads it when it starts. Whoever has set it knows
// better.
[[maybe_unused]] const bool kLooksOften = [] {
  return setenv("GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS", "200", 0) == 0;
}();

Status CheckAddress(const ServerOptions& options) {
  const std::string& address = options.address;
  if (address.starts_with("unix:")) return {};
  const auto colon = address.rfind(':');
  const std::string port = colon == std::string::npos ? "" : address.substr(colon + 1);
  const bool number = !port.empty() && port.size() <= 5 &&
                      port.find_first_not_of("0123456789") == std::string::npos;
  if (!number || std::stoi(port) > 65535) {
    return InvalidArgument(fmt::format("'{}' is not an address", address),
                           "Give HOST:PORT with a port of 0..65535, for example 127.0.0.1:7001");
  }
  if (IsLoopback(address) || (options.tls.used() && options.tokens)) return {};
  return InvalidArgument(
      fmt::format("'{}' is not a loopback address; other addresses need TLS and tokens, and {}",
                  address, options.tls.used() ? "there is no file of tokens" : "there is no TLS"),
      "Give --tls-cert, --tls-key and --tokens (docs/operations.md), or listen on 127.0.0.1");
}

// gRPC's own lines go where ours go, in the form that was chosen. What it calls an error is mostly
// somebody else's: a handshake that failed.
void TakeGrpcLog() {
  static const bool taken = [] {
    gpr_set_log_function([](gpr_log_func_args* line) {
      const bool error = line->severity == GPR_LOG_SEVERITY_ERROR;
      spdlog::log(error ? spdlog::level::warn : spdlog::level::debug, "gRPC: {}", line->message);
    });
    return true;
  }();
  INFERON_CHECK(taken);
}

// Of all servers of the process that start after it.
void AddReflection() {
  static const bool added = [] {
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    return true;
  }();
  INFERON_CHECK(added);
}

}  // namespace

Result<Server> StartServer(const ServerOptions& options,
                           const std::vector<grpc::Service*>& services,
                           StreamingService* streaming) {
  if (Status ok = CheckAddress(options); !ok) return tl::unexpected(ok.error());
  if (Status ok = CheckServerTls(options.tls, SystemClock().WallNow()); !ok) {
    return tl::unexpected(ok.error());
  }
  TakeGrpcLog();
  grpc::EnableDefaultHealthCheckService(true);
  if (!options.tokens) AddReflection();
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(options.address, MakeServerCredentials(options.tls), &port);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::NUM_CQS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::MAX_POLLERS, kIdleCallThreads);
  builder.SetMaxReceiveMessageSize(options.max_message_bytes);
  builder.SetMaxSendMessageSize(options.max_message_bytes);
  if (options.tokens) {
    builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, kMaxConnectionAgeMs);
    builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, kMaxConnectionAgeMs);
  }
  for (grpc::Service* service : services) builder.RegisterService(service);
  Server result;
  if (streaming != nullptr) {
    result.streams = std::make_unique<StreamQueue>(builder.AddCompletionQueue(kQueuePollsForCalls));
  }
  result.server = builder.BuildAndStart();
  const bool unix_socket = options.address.starts_with("unix:");
  if (!result.server || (port == 0 && !unix_socket)) {
    return Fail(
        ErrorCode::kFailedPrecondition,
        fmt::format("cannot listen on {}: the port is in use or not permitted", options.address),
        "Stop the program that uses it, or choose another port (0 takes any free one)");
  }
  if (streaming != nullptr) {
    result.streams->Serve(result.server);
    streaming->AcceptStreams(result.streams->queue());
  }
  const auto colon = options.address.rfind(':');
  result.address =
      unix_socket ? options.address : fmt::format("{}:{}", options.address.substr(0, colon), port);
  return result;
}

std::shared_ptr<grpc::Channel> OpenChannel(const std::string& address,
                                           const ClientSecurity& security) {
  TakeGrpcLog();
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  arguments.SetMaxSendMessageSize(kMaxMessageBytes);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  // Despite its name the time that an attempt has, its TLS handshake included.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectTimeoutMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // A channel of its own for each client: no sharing of connections behind our back.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  std::vector<std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>> metadata;
  metadata.push_back(MakeCallMetadata(security, !security.ca.empty() || IsLoopback(address)));
  return grpc::experimental::CreateCustomChannelWithInterceptors(
      address, MakeChannelCredentials(security), arguments, std::move(metadata));
}

namespace {
sigset_t StopSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}
}  // namespace

void BlockStopSignals() {
  const sigset_t set = StopSignals();
  INFERON_CHECK(pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0);
  signal(SIGPIPE, SIG_IGN);
}

int WaitForStopSignal() {
  const sigset_t set = StopSignals();
  int number = 0;
  while (sigwait(&set, &number) != 0) {
  }
  return number;
}

}  // namespace inferon::rpc
