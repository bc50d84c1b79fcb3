// What a client says with every call besides its request: its token, and what it works for.
#pragma once

#include <grpcpp/support/client_interceptor.h>

#include <memory>

#include "common/rpc/tls.h"

namespace inferon::rpc {

// Adds the token (metadata "authorization") and the trace ("traceparent": the current one of the
// thread that calls, else a new one) to each call of a channel. The token only `with_token`.
std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface> MakeCallMetadata(
    const ClientSecurity& security, bool with_token);

}  // namespace inferon::rpc
