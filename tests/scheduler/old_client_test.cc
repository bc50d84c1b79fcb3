// A client and a worker of the first API (data/api-1) do their whole work against this server.
#include "tests/scheduler/old_client.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "common/base/hash.h"
#include "server/scheduler/scheduler_server.h"
#include "tests/paths.h"
#include "tests/scheduler/scheduler_fixture.h"

namespace inferon::scheduler {
namespace {

class OldClientTest : public testing::Test {
 protected:
  OldClientTest() {
    SchedulerOptions options;
    options.folder = folder_.path() / "data";
    options.address = "127.0.0.1:0";
    server_ = StartScheduler(options).value();
    client_ = std::make_unique<OldClient>(
        server_->address(), ReadFile(INFERON_BINARY_DIR "/generated/tests/api-1.desc").value());
  }

  MessagePtr CreateJob() {
    const JobRequest request = MakeRequest("r", 4, 4);
    MessagePtr message = client_->Make(
        "CreateJobRequest",
        R"(parent: "projects/default" request_id: "r" title: "old" spec { trials: 1 seed: 7
           shard_size: 4 substrate: "emulator" device { chip: "any" }
           parameter_sets { dtype: "u2" shape: [4, 7] }
           protocol { steps { start_us: 5 stop_us: 15 scale: 1 } duration_us: 20 grid_step_us: 1 } })");
    const auto& codes = request.spec.sets.codes;
    Set(*message, "spec.parameter_sets.data",
        {reinterpret_cast<const char*>(codes.data()), codes.size() * sizeof codes[0]});
    Set(*message, "spec.profile_toml", request.spec.profile_toml);
    return client_->Call("ExperimentService/CreateJob", std::move(message), "CreateJobResponse");
  }

  // Registers, takes a lease; its LeaseRef as text.
  std::string Lease() {
    const MessagePtr answer =
        client_->Call("WorkerService/Synchronize",
                      client_->Make("SynchronizeRequest",
                                    R"(worker: "w1" session: "aaaaaaaaaaaaaaaa" wanted: 1
                         capabilities { substrate: "emulator" mode: "emulator" version: "1" })"),
                      "SynchronizeResponse");
    return fmt::format("lease {{ shard: {} fence: {} }}", Get(*answer, "leases.shard"),
                       Get(*answer, "leases.fence"));
  }

  TemporaryFolder folder_;
  std::unique_ptr<SchedulerServer> server_;
  std::unique_ptr<OldClient> client_;
};

TEST_F(OldClientTest, SubmitsRunsAndFetches) {
  const MessagePtr created = CreateJob();
  const std::string name = Get(*created, "job.name");
  EXPECT_EQ(name, "projects/default/jobs/1");
  EXPECT_EQ(Get(*created, "job.experiments"), "4");

  const std::string lease = Lease();
  const MessagePtr work = client_->Call(
      "WorkerService/GetShard", client_->Make("GetShardRequest", lease), "GetShardResponse");
  EXPECT_EQ(Get(*work, "count"), "4");
  EXPECT_EQ(Get(*work, "spec.seed"), "7");
  const std::string frame = EncodeObservations(ResultOf(7, 0, 4, 20));
  std::vector<MessagePtr> chunks;
  chunks.push_back(client_->Make("UploadShardRequest",
                                 fmt::format("{} total_bytes: {} sha256: \"{}\" crc32: {}", lease,
                                             frame.size(), Sha256Hex(frame), Crc32(frame))));
  Set(*chunks[0], "data", frame);
  client_->Stream("WorkerService/UploadShard", chunks, "UploadShardResponse");
  const std::string commit =
      fmt::format("{} sha256: \"{}\" substrate_seconds: 0.5", lease, Sha256Hex(frame));
  client_->Call("WorkerService/CommitShard", client_->Make("CommitShardRequest", commit),
                "CommitShardResponse");

  const std::string by_name = fmt::format("name: \"{}\"", name);
  const MessagePtr job = client_->Call("ExperimentService/GetJob",
                                       client_->Make("GetJobRequest", by_name), "GetJobResponse");
  EXPECT_EQ(Get(*job, "job.state"), "JOB_STATE_SUCCEEDED");
  std::vector<MessagePtr> watch;
  watch.push_back(client_->Make("WatchJobRequest", by_name));
  const auto events = client_->Stream("ExperimentService/WatchJob", watch, "WatchJobResponse");
  EXPECT_EQ(Get(*events.back(), "job.state"), "JOB_STATE_SUCCEEDED");
  std::vector<MessagePtr> fetch;
  fetch.push_back(client_->Make("StreamResultsRequest", by_name));
  const auto results =
      client_->Stream("ExperimentService/StreamResults", fetch, "StreamResultsResponse");
  ASSERT_EQ(results.size(), 1u);
  EXPECT_TRUE(Get(*results[0], "frame") == frame);
}

TEST_F(OldClientTest, FailsListsAndCancels) {
  const std::string name = Get(*CreateJob(), "job.name");
  client_->Call("WorkerService/FailShard",
                client_->Make("FailShardRequest", Lease() + R"( error: "no" retryable: true)"),
                "FailShardResponse");
  const MessagePtr list = client_->Call(
      "ExperimentService/ListJobs",
      client_->Make("ListJobsRequest", R"(parent: "projects/default")"), "ListJobsResponse");
  EXPECT_EQ(Get(*list, "jobs.last_error"), "no");
  const MessagePtr cancelled = client_->Call(
      "ExperimentService/CancelJob",
      client_->Make("CancelJobRequest", fmt::format("name: \"{}\"", name)), "CancelJobResponse");
  EXPECT_EQ(Get(*cancelled, "job.state"), "JOB_STATE_CANCELLED");
}

}  // namespace
}  // namespace inferon::scheduler
