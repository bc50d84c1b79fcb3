// Is a server there and ready?
#pragma once

#include <chrono>
#include <stop_token>
#include <string>

#include "common/base/result.h"
#include "common/rpc/client_security.h"

namespace inferon::client {

// Asks the server's health service (grpc.health.v1) once. kUnavailable or kDeadlineExceeded where
// nobody answers, kFailedPrecondition where the server says that it does not serve. `server` names
// it in messages ("scheduler").
Status CheckHealth(const std::string& server, const std::string& address,
                   std::chrono::milliseconds timeout, std::stop_token stop = {},
                   const rpc::ClientSecurity& security = {});

}  // namespace inferon::client
