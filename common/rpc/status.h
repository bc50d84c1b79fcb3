// Errors of the domain as gRPC statuses and back.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/status.h>

#include <string>

#include "common/base/result.h"

namespace inferon::rpc {

// Status with the error's text, and ErrorInfo and RetryInfo (AIP-193) in its details.
grpc::Status ToStatus(const Error& error);
// A refusal of who calls (UNAUTHENTICATED) or of what they may do (PERMISSION_DENIED), with
// ErrorInfo whose metadata also hold the cause, for programs: "TOKEN_EXPIRED". A client sees both
// as kFailedPrecondition: nothing but a change by a person helps.
grpc::Status RefusalStatus(grpc::StatusCode code, const std::string& cause, std::string message,
                           std::string advice);
// "OK", "NOT_FOUND", ...
const char* CodeName(grpc::StatusCode code);
// Error of a failed call; `server` ("scheduler at 127.0.0.1:7001") is named where it cannot be
// reached, with the advice to start it.
Error FromStatus(const grpc::Status& status, const std::string& server);

// Runs a handler's body: exceptions become INTERNAL (or UNAVAILABLE where the disk is full) and are
// logged; this is one of the three places where exceptions are mapped.
template <typename Body>
grpc::Status Guard(const char* method, Body&& body);
grpc::Status StatusOfCurrentException(const char* method);

template <typename Body>
grpc::Status Guard(const char* method, Body&& body) {
  try {
    return body();
  } catch (...) {
    return StatusOfCurrentException(method);
  }
}

}  // namespace inferon::rpc
