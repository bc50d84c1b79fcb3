// A service for tests of what stands before every handler.
#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <string>

#include "common/base/clock.h"
#include "common/rpc/call_guard.h"
#include "common/rpc/client_security.h"
#include "common/rpc/server.h"
#include "inferon/v1/projects.grpc.pb.h"

namespace inferon::rpc {

// Answers GetProject with the caller's name.
class ProbeService : public v1::ProjectService::Service {
 public:
  explicit ProbeService(const CallGuard& guard) : guard_(guard) {}

  grpc::Status GetProject(grpc::ServerContext* context, const v1::GetProjectRequest* request,
                          v1::GetProjectResponse* response) override {
    return guard_.Run(*context, *request, [&](const Caller& caller) {
      if (body) body();
      const auto sent = context->client_metadata().find("authorization");
      authorization = sent == context->client_metadata().end()
                          ? ""
                          : std::string(sent->second.data(), sent->second.size());
      response->mutable_project()->set_name(caller.Name());
      return grpc::Status::OK;
    });
  }

  std::function<void()> body;  // Run in the handler.
  std::string authorization;   // Metadata of the last call.

 private:
  const CallGuard& guard_;
};

struct ProbeAnswer {
  grpc::Status status;
  std::string caller;
};

// Asks on a connection of its own.
inline ProbeAnswer AskProbe(const std::string& address, const ClientSecurity& security = {},
                            const std::string& project = "projects/lab") {
  const auto stub = v1::ProjectService::NewStub(OpenChannel(address, security));
  grpc::ClientContext context;
  context.set_deadline(SystemClock().WallNow() + std::chrono::seconds(20));
  v1::GetProjectRequest request;
  request.set_name(project);
  v1::GetProjectResponse response;
  const grpc::Status status = stub->GetProject(&context, request, &response);
  return {status, response.project().name()};
}

}  // namespace inferon::rpc
