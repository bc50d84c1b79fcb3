// The scheduler's gRPC services: decode, one call of the core, encode.
#pragma once

#include <grpcpp/impl/codegen/service_type.h>

#include <memory>

#include "server/scheduler/core.h"
#include "server/scheduler/services/stream_pump.h"

namespace inferon::scheduler {

// Core and pump must outlive the services.
std::unique_ptr<grpc::Service> MakeExperimentService(Core& core, StreamPump& pump);
std::unique_ptr<grpc::Service> MakeWorkerService(Core& core);
std::unique_ptr<grpc::Service> MakeProjectService(Core& core);

}  // namespace inferon::scheduler
