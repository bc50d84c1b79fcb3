// Jobs, results and workers on the wire as the scheduler's clients see them.
#pragma once

#include "common/base/result.h"
#include "common/rpc/scheduler_client.h"
#include "inferon/v1/experiments.pb.h"
#include "inferon/v1/workers.pb.h"

namespace inferon::rpc {

v1::CreateJobRequest ToProto(const JobSubmission& submission);
Result<JobInfo> JobFromProto(const v1::Job& job);
// kDataLoss where the block is malformed or does not begin at the expected index.
Result<ResultBlock> ResultBlockFromProto(const v1::StreamResultsResponse& response,
                                         std::uint64_t expected_index);
Result<JobUpdate> JobUpdateFromProto(const v1::WatchJobResponse& response);
JobEvent EventFromProto(const v1::Event& event);
WorkerInfo WorkerFromProto(const v1::Worker& worker);

}  // namespace inferon::rpc
