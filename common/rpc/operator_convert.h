// Projects, workers' operation and audit on the wire as the scheduler's operators see them.
#pragma once

#include "common/base/result.h"
#include "common/rpc/operator_client.h"
#include "inferon/v1/experiments.pb.h"
#include "inferon/v1/projects.pb.h"
#include "inferon/v1/workers.pb.h"

namespace inferon::rpc {

v1::ProjectSettings ToProto(const ProjectSettings& settings);
ProjectInfo FromProto(const v1::Project& project);
v1::Reservation ToProto(const ReservationInfo& reservation);
ReservationInfo FromProto(const v1::Reservation& reservation);
v1::Canary ToProto(const CanaryInfo& canary);
Result<CanaryInfo> FromProto(const v1::Canary& canary);
WorkerDetails FromProto(const v1::GetWorkerResponse& response);
Result<Explanation> FromProto(const v1::ExplainJobResponse& response);
GarbageReport FromProto(const v1::CollectGarbageResponse& response);

}  // namespace inferon::rpc
