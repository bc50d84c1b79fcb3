#include "common/rpc/server.h"

#include <fmt/format.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/server_builder.h>
#include <signal.h>
#include <unistd.h>

#include "common/base/check.h"

namespace inferon::rpc {
namespace {

bool StartsWith(const std::string& text, const char* prefix) { return text.rfind(prefix, 0) == 0; }

Status CheckAddress(const std::string& address) {
  if (StartsWith(address, "unix:")) return {};
  const auto colon = address.rfind(':');
  const std::string host = colon == std::string::npos ? address : address.substr(0, colon);
  const std::string port = colon == std::string::npos ? "" : address.substr(colon + 1);
  const bool number = !port.empty() && port.size() <= 5 &&
                      port.find_first_not_of("0123456789") == std::string::npos;
  if (!number || std::stoi(port) > 65535) {
    return InvalidArgument(fmt::format("'{}' is not an address", address),
                           "Give HOST:PORT with a port of 0..65535, for example 127.0.0.1:7001");
  }
  if (host != "127.0.0.1" && host != "localhost" && host != "[::1]") {
    return InvalidArgument(
        fmt::format("'{}' is not a loopback address; other addresses need TLS, which this server "
                    "does not offer",
                    address),
        "Listen on 127.0.0.1 and reach it through an SSH tunnel");
  }
  return {};
}

}  // namespace

Result<Server> StartServer(const ServerOptions& options,
                           const std::vector<grpc::Service*>& services) {
  if (Status ok = CheckAddress(options.address); !ok) return tl::unexpected(ok.error());
  grpc::EnableDefaultHealthCheckService(true);
  static const bool reflection = [] {
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    return true;
  }();
  INFERON_CHECK(reflection);
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(options.address, grpc::InsecureServerCredentials(), &port);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.SetMaxReceiveMessageSize(options.max_message_bytes);
  builder.SetMaxSendMessageSize(options.max_message_bytes);
  for (grpc::Service* service : services) builder.RegisterService(service);
  Server result;
  result.server = builder.BuildAndStart();
  const bool unix_socket = StartsWith(options.address, "unix:");
  if (!result.server || (port == 0 && !unix_socket)) {
    return Fail(
        ErrorCode::kFailedPrecondition,
        fmt::format("cannot listen on {}: the port is in use or not permitted", options.address),
        "Stop the program that uses it, or choose another port (0 takes any free one)");
  }
  const auto colon = options.address.rfind(':');
  result.address =
      unix_socket ? options.address : fmt::format("{}:{}", options.address.substr(0, colon), port);
  return result;
}

std::shared_ptr<grpc::Channel> OpenChannel(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  arguments.SetMaxSendMessageSize(kMaxMessageBytes);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // A channel of its own for each client: no sharing of connections behind our back.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
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
