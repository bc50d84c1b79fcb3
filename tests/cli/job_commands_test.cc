#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "client/cli/exit_codes.h"
#include "client/cli/job_view.h"
#include "common/neuron/observation.h"
#include "common/rpc/convert.h"
#include "common/rpc/server.h"
#include "common/rpc/status.h"
#include "inferon/v1/experiments.grpc.pb.h"
#include "inferon/v1/workers.grpc.pb.h"
#include "tests/cli/command_runner.h"

namespace inferon::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kCodes[] = "g_l,v_t,delta_t,v_r,a,b,g_tau_w\n1,2,3,4,5,6,7\n8,9,10,11,12,13,14\n";

// A job that ends as it is told to.
class FakeScheduler : public v1::ExperimentService::Service {
 public:
  grpc::Status CreateJob(grpc::ServerContext*, const v1::CreateJobRequest* request,
                         v1::CreateJobResponse* response) override {
    created.push_back(*request);
    if (!refusal.ok()) return refusal;
    *response->mutable_job() = job;
    return grpc::Status::OK;
  }
  grpc::Status GetJob(grpc::ServerContext*, const v1::GetJobRequest* request,
                      v1::GetJobResponse* response) override {
    if (request->name() != job.name()) {
      return rpc::ToStatus({ErrorCode::kNotFound, "there is no such job", "List them", {}});
    }
    *response->mutable_job() = job;
    return grpc::Status::OK;
  }
  grpc::Status WatchJob(grpc::ServerContext*, const v1::WatchJobRequest*,
                        grpc::ServerWriter<v1::WatchJobResponse>* writer) override {
    job.set_state(end);
    v1::WatchJobResponse response;
    *response.mutable_job() = job;
    writer->Write(response);
    return grpc::Status::OK;
  }
  grpc::Status StreamResults(grpc::ServerContext*, const v1::StreamResultsRequest*,
                             grpc::ServerWriter<v1::StreamResultsResponse>* writer) override {
    ObservationBatch batch;
    batch.points = 1400;
    batch.trace.assign(1400, 300);
    batch.spike_count = {0};
    batch.provenance =
        R"({"protocol":{"steps":[[200,1200,1]],"duration_us":1400,"grid_step_us":1}})";
    v1::StreamResultsResponse response;
    response.set_count(1);
    response.set_frame(EncodeObservations(batch));
    writer->Write(response);
    v1::StreamResultsResponse failed;
    failed.set_first_index(1);
    failed.set_count(1);
    failed.set_error("the chip is broken");
    writer->Write(failed);
    return grpc::Status::OK;
  }

  grpc::Status refusal;
  v1::Job job;
  v1::JobState end = v1::JOB_STATE_SUCCEEDED;
  std::vector<v1::CreateJobRequest> created;
};

class JobCommandsTest : public ::testing::Test {
 protected:
  JobCommandsTest() {
    server_ = std::move(*rpc::StartServer({}, {&scheduler_}));
    scheduler_.job.set_name("projects/default/jobs/7");
    scheduler_.job.set_state(v1::JOB_STATE_RUNNING);
    scheduler_.job.set_experiments(2);
  }
  CommandResult Run(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--scheduler", server_.address});
    return runner_.Run(arguments);
  }

  CommandRunner runner_;
  FakeScheduler scheduler_;
  rpc::Server server_;
};

TEST_F(JobCommandsTest, SubmitSendsTheFileWithProfileAndProtocol) {
  const CommandResult result =
      Run({"job", "submit", runner_.Write("codes.csv", kCodes), "--trials", "3", "--seed", "5",
           "--request-id", "mine", "--step", "100:700", "--duration", "900", "--json"});
  EXPECT_EQ(result.exit_code, kOk) << result.err;
  EXPECT_EQ(nlohmann::json::parse(result.out).at("name"), "projects/default/jobs/7");
  ASSERT_EQ(scheduler_.created.size(), 1u);
  const v1::CreateJobRequest& request = scheduler_.created[0];
  EXPECT_EQ(request.request_id(), "mine");
  EXPECT_EQ(request.spec().trials(), 3u);
  EXPECT_EQ(request.spec().seed(), 5u);
  EXPECT_EQ(request.spec().protocol().steps(0).stop_us(), 700);
  EXPECT_THAT(request.spec().profile_toml(), HasSubstr("adex-paper"));
  EXPECT_EQ(rpc::ParameterSetsFromProto(request.spec().parameter_sets())->size(), 2u);
}

TEST_F(JobCommandsTest, BadFilesAreRefusedBeforeAnythingIsSent) {
  const std::string header = "g_l,v_t,delta_t,v_r,a,b,g_tau_w\n";
  const struct {
    const char* content;
    const char* message;
  } cases[] = {{"1,2,3,4,5,6,1023\n", "code 1023 in line 2, column g_tau_w"},
               {"1,2,3,4,5,6,-1\n", "code -1 in line 2, column g_tau_w"},
               {"1,2,3\n", "line 2 of"},
               {"", "holds no parameter set"}};
  for (const auto& bad : cases) {
    const CommandResult result =
        Run({"job", "submit", runner_.Write("bad.csv", header + bad.content)});
    EXPECT_EQ(result.exit_code, kUsage);
    EXPECT_THAT(result.err, HasSubstr(bad.message));
  }
  EXPECT_EQ(Run({"job", "submit", "/nonexistent.csv"}).exit_code, kUsage);
  const std::string good = runner_.Write("codes.csv", kCodes);
  EXPECT_EQ(Run({"job", "submit", good, "--profile", "no-such"}).exit_code, kUsage);
  EXPECT_EQ(Run({"job", "submit", good, "--step", "5:1"}).exit_code, kUsage);
  EXPECT_THAT(scheduler_.created, IsEmpty());
}

TEST_F(JobCommandsTest, RefusalOfTheServerExitsWithItsOwnCode) {
  scheduler_.refusal = rpc::ToStatus(
      {ErrorCode::kResourceExhausted, "the job has 2 experiments, the limit is 1", "Split it", {}});
  const CommandResult result = Run({"job", "submit", runner_.Write("codes.csv", kCodes)});
  EXPECT_EQ(result.exit_code, kRefused);
  EXPECT_EQ(result.err, "inferon: the job has 2 experiments, the limit is 1. Split it.\n");
  EXPECT_EQ(Run({"job", "show", "8"}).exit_code, kRefused);
  EXPECT_EQ(Run({"job", "watch", "8"}).exit_code, kRefused);
}

TEST_F(JobCommandsTest, WatchExitsAsTheJobEnds) {
  EXPECT_EQ(Run({"job", "watch", "7"}).exit_code, kOk);
  scheduler_.end = v1::JOB_STATE_FAILED;
  EXPECT_EQ(Run({"job", "watch", "projects/default/jobs/7"}).exit_code, kEndedBadly);
  scheduler_.end = v1::JOB_STATE_CANCELLED;
  const CommandResult result = Run({"job", "watch", "7", "--json"});
  EXPECT_EQ(result.exit_code, kEndedBadly);
  EXPECT_EQ(nlohmann::json::parse(result.out).at("state"), "cancelled");
}

TEST_F(JobCommandsTest, InterruptedWatchSaysThatTheJobGoesOn) {
  runner_.stop.request_stop();
  const CommandResult result = Run({"job", "watch", "7"});
  EXPECT_EQ(result.exit_code, kInterrupted);
}

TEST_F(JobCommandsTest, FetchWritesFilesAndTheirDescription) {
  const std::string folder = (runner_.folder() / "out").string();
  const CommandResult result = Run({"job", "fetch", "7", "--out", folder, "--json"});
  EXPECT_EQ(result.exit_code, kOk) << result.err;
  const nlohmann::json summary = nlohmann::json::parse(result.out);
  EXPECT_EQ(summary.at("observations"), 1);
  EXPECT_EQ(summary.at("failures")[0].at("error"), "the chip is broken");
  for (const auto& file : summary.at("files")) {
    EXPECT_TRUE(std::filesystem::exists(runner_.folder() / "out" / file.get<std::string>()));
  }
  EXPECT_TRUE(std::filesystem::exists(runner_.folder() / "out/job.json"));
}

TEST_F(JobCommandsTest, FetchOverwritesNothing) {
  runner_.Write("file", "");
  const CommandResult result = Run({"job", "fetch", "7", "--out", runner_.folder().string()});
  EXPECT_EQ(result.exit_code, kUsage);
  EXPECT_THAT(result.err, AllOf(HasSubstr("is not empty"), HasSubstr("--out")));
}

TEST(JobNameTest, IdsAndWholeNamesMeanTheSameJob) {
  EXPECT_EQ(JobName("7", "lab"), "projects/lab/jobs/7");
  EXPECT_EQ(JobName("projects/p/jobs/7", "lab"), "projects/p/jobs/7");
}

}  // namespace
}  // namespace inferon::cli
