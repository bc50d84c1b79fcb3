// What every call of the trainer that takes its time goes through.
#pragma once

#include <stop_token>
#include <type_traits>
#include <utility>

#include "common/rpc/call_guard.h"
#include "common/rpc/status.h"
#include "server/trainer/services/call_limit.h"

namespace inferon::trainer {

// Runs an admitted call's body, a function of a stop token (and of the caller, where it wants to
// know) that gives a Status, with a pass of the limit; the token stops when the client has gone or
// the server stops.
template <typename Body>
grpc::Status Serve(const rpc::CallGuard& guard, grpc::ServerContext& context,
                   const google::protobuf::Message& request, CallLimit& limit,
                   std::stop_token server, Body&& body) {
  return guard.Run(context, request, [&](const rpc::Caller& caller) {
    const auto pass = limit.Enter();
    if (!pass) return rpc::ToStatus(pass.error());
    const CallStop stop(context, server);
    Status status;
    if constexpr (std::is_invocable_v<Body, std::stop_token, const rpc::Caller&>) {
      status = body(stop.token(), caller);
    } else {
      status = body(stop.token());
    }
    if (status) return grpc::Status::OK;
    if (status.error().code == ErrorCode::kCancelled && server.stop_requested()) {
      return rpc::ToStatus({ErrorCode::kUnavailable, "the trainer stops",
                            "Ask again when it is back", std::chrono::seconds(1)});
    }
    return rpc::ToStatus(status.error());
  });
}

}  // namespace inferon::trainer
