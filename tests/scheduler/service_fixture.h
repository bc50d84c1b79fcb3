// A worker and a client on the wire, for tests of the scheduler's services.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <vector>

#include "inferon/v1/experiments.grpc.pb.h"
#include "inferon/v1/projects.grpc.pb.h"
#include "inferon/v1/workers.grpc.pb.h"
#include "tests/scheduler/scheduler_fixture.h"

namespace inferon::scheduler {

// Stubs on one address. Every call has a deadline.
struct Stubs {
  explicit Stubs(const std::string& address);
  std::unique_ptr<v1::ExperimentService::Stub> experiments;
  std::unique_ptr<v1::WorkerService::Stub> workers;
  std::unique_ptr<v1::ProjectService::Stub> projects;
};

// A context whose deadline is some seconds away.
std::unique_ptr<grpc::ClientContext> MakeContext();

v1::CreateJobRequest ToMessage(const JobRequest& request);
v1::SynchronizeRequest MakeSync(const std::string& worker, const std::string& session,
                                std::uint32_t wanted);

// Runs a leased shard on the wire: fetch, upload in chunks, commit.
grpc::Status RunShardOnWire(Stubs& stubs, const v1::LeaseRef& lease);
grpc::Status UploadOnWire(Stubs& stubs, const v1::LeaseRef& lease, const std::string& frame);

// Collects a result stream to its end.
grpc::Status ReadResultsOnWire(Stubs& stubs, const std::string& name, std::uint64_t start,
                               bool follow, std::vector<v1::StreamResultsResponse>& results);

}  // namespace inferon::scheduler
