// Messages of projects, workers' operation and audit to domain types and back.
#pragma once

#include <grpcpp/server_context.h>

#include "common/base/result.h"
#include "common/rpc/call_guard.h"
#include "inferon/v1/projects.pb.h"
#include "inferon/v1/workers.pb.h"
#include "server/scheduler/core_types.h"

namespace inferon::scheduler {

// Who calls, for the record: the token's name, else the name that the client gives (metadata
// "inferon-user", unchecked); and the address that it calls from.
Actor ActorOf(const grpc::ServerContextBase& context, const rpc::Caller& caller);

ProjectSettings FromProto(const v1::ProjectSettings& settings);
v1::Project ToProto(const ProjectView& view);

Result<Reservation> FromProto(const v1::Reservation& reservation);
v1::Reservation ToProto(const Reservation& reservation);

// Fills in the documented defaults; the core checks the ranges.
Result<Canary> FromProto(const v1::Canary& canary);
v1::Canary ToProto(const Canary& canary);

v1::GetWorkerResponse ToProto(const WorkerDetails& details);
v1::ExplainJobResponse ToProto(const Explanation& explanation);
v1::CollectGarbageResponse ToProto(const GarbageReport& report);

}  // namespace inferon::scheduler
