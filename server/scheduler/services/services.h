// The scheduler's gRPC services: decode, one call of the core, encode.
#pragma once

#include <grpcpp/impl/codegen/service_type.h>

#include <memory>

#include "common/rpc/call_guard.h"
#include "common/rpc/stream_queue.h"
#include "server/scheduler/core.h"
#include "server/scheduler/services/job_traces.h"
#include "server/scheduler/services/stream_pump.h"

namespace inferon::scheduler {

// What they refer to must outlive the services.
struct ExperimentServiceParts {
  std::unique_ptr<grpc::Service> service;
  rpc::StreamingService& streams;  // Of the service.
};
ExperimentServiceParts MakeExperimentService(Core& core, const rpc::CallGuard& guard,
                                             StreamPump& pump, JobTraces& traces);
std::unique_ptr<grpc::Service> MakeWorkerService(Core& core, const rpc::CallGuard& guard,
                                                 const JobTraces& traces);
std::unique_ptr<grpc::Service> MakeProjectService(Core& core, const rpc::CallGuard& guard);

}  // namespace inferon::scheduler
