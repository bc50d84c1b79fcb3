// What every call of the trainer that takes its time goes through.
#pragma once

#include <stop_token>
#include <utility>

#include "common/rpc/status.h"
#include "server/trainer/services/call_limit.h"

namespace inferon::trainer {

// Runs a call's body, a function of a stop token that gives a Status, with a pass of the limit; the
// token stops when the client has gone or the server stops.
template <typename Body>
grpc::Status Serve(const char* method, grpc::ServerContext& context, CallLimit& limit,
                   std::stop_token server, Body&& body) {
  return rpc::Guard(method, [&] {
    const auto pass = limit.Enter();
    if (!pass) return rpc::ToStatus(pass.error());
    const CallStop stop(context, server);
    const Status status = body(stop.token());
    if (status) return grpc::Status::OK;
    if (status.error().code == ErrorCode::kCancelled && server.stop_requested()) {
      return rpc::ToStatus({ErrorCode::kUnavailable, "the trainer stops",
                            "Ask again when it is back", std::chrono::seconds(1)});
    }
    return rpc::ToStatus(status.error());
  });
}

}  // namespace inferon::trainer
