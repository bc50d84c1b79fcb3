#include "client/library/health.h"

#include <fmt/format.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>

#include <vector>

#include "common/rpc/retry.h"
#include "common/rpc/server.h"

namespace inferon::client {
namespace {

// grpc.health.v1.HealthCheckResponse with status SERVING (field 1, value 1). The two messages of
// that service are so small that they are written here by hand; the request is empty.
constexpr char kServing[] = {0x08, 0x01};

grpc::Status CallCheck(const std::string& address, const rpc::ClientSecurity& security,
                       grpc::ClientContext& context, std::string& answer) {
  const grpc::Slice nothing("");
  const grpc::ByteBuffer request(&nothing, 1);
  grpc::GenericStub stub(rpc::OpenChannel(address, security));
  grpc::CompletionQueue queue;
  const auto call =
      stub.PrepareUnaryCall(&context, "/grpc.health.v1.Health/Check", request, &queue);
  call->StartCall();
  grpc::ByteBuffer response;
  grpc::Status status;
  call->Finish(&response, &status, &status);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  if (!status.ok()) return status;
  std::vector<grpc::Slice> slices;
  if (response.Dump(&slices).ok()) {
    for (const grpc::Slice& slice : slices) {
      answer.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
    }
  }
  return status;
}

}  // namespace

Status CheckHealth(const std::string& server, const std::string& address,
                   std::chrono::milliseconds timeout, std::stop_token stop,
                   const rpc::ClientSecurity& security) {
  std::string answer;
  const rpc::CallSettings settings{.server = fmt::format("{} at {}", server, address),
                                   .timeout = timeout};
  const Status called = rpc::CallOnce(settings, stop, [&](grpc::ClientContext& context) {
    return CallCheck(address, security, context, answer);
  });
  if (!called) return called;
  if (answer == std::string(kServing, sizeof(kServing))) return {};
  return Fail(ErrorCode::kFailedPrecondition,
              fmt::format("the {} does not serve at the moment", settings.server),
              "Wait for it, or look at its log");
}

}  // namespace inferon::client
