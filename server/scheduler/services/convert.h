// Messages of the scheduler's services to domain types and back.
#pragma once

#include <string>

#include "common/base/result.h"
#include "inferon/v1/experiments.pb.h"
#include "inferon/v1/workers.pb.h"
#include "server/scheduler/core.h"

namespace inferon::scheduler {

// Fills in the documented defaults; the core checks the ranges.
Result<JobRequest> FromProto(const v1::CreateJobRequest& request);
// "projects/{project}" or empty (the default project).
Result<std::string> ProjectFromParent(const std::string& parent);
SyncRequest FromProto(const v1::SynchronizeRequest& request);
LeaseRef FromProto(const v1::LeaseRef& lease);

Result<JobSpec> SpecFromProto(const v1::JobSpec& message);
v1::JobSpec SpecToProto(const JobSpec& spec);

v1::Job ToProto(const Job& job);
v1::Event ToProto(const Event& event);
v1::SynchronizeResponse ToProto(const SyncAnswer& answer);
v1::GetShardResponse ToProto(const ShardWork& work);
v1::Worker ToProto(const WorkerView& worker);

}  // namespace inferon::scheduler
