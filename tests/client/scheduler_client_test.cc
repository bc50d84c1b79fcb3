#include "common/rpc/scheduler_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/rpc/convert.h"
#include "common/rpc/server.h"
#include "common/rpc/status.h"
#include "inferon/v1/experiments.grpc.pb.h"
#include "inferon/v1/workers.grpc.pb.h"

namespace inferon::rpc {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kJob[] = "projects/default/jobs/1";

std::string Frame(std::uint32_t count) {
  ObservationBatch batch;
  batch.points = 2;
  batch.trace.assign(2 * count, 5);
  batch.spike_count.assign(count, 0);
  return EncodeObservations(batch);
}

// Eight experiments in messages of two; breaks off where it is told to.
class FakeExperiments : public v1::ExperimentService::Service {
 public:
  grpc::Status CreateJob(grpc::ServerContext*, const v1::CreateJobRequest* request,
                         v1::CreateJobResponse* response) override {
    created.push_back(*request);
    if (created.size() <= failures) return grpc::Status(grpc::StatusCode::UNAVAILABLE, "starting");
    response->mutable_job()->set_name(kJob);
    response->mutable_job()->set_state(v1::JOB_STATE_PENDING);
    return grpc::Status::OK;
  }
  grpc::Status GetJob(grpc::ServerContext*, const v1::GetJobRequest*,
                      v1::GetJobResponse*) override {
    return ToStatus({ErrorCode::kNotFound, "there is no such job", "List them", {}});
  }
  grpc::Status StreamResults(grpc::ServerContext*, const v1::StreamResultsRequest* request,
                             grpc::ServerWriter<v1::StreamResultsResponse>* writer) override {
    starts.push_back(request->start_index());
    int sent = 0;
    for (std::uint64_t i = request->start_index(); i < 8; i += 2) {
      if (sent++ == messages_before_break) return {grpc::StatusCode::UNAVAILABLE, "killed"};
      v1::StreamResultsResponse response;
      response.set_first_index(i + shift);
      response.set_count(2);
      if (i == 4) {
        response.set_error("the chip is broken");
      } else {
        response.set_frame(Frame(2));
      }
      writer->Write(response);
    }
    return grpc::Status::OK;
  }
  grpc::Status WatchJob(grpc::ServerContext*, const v1::WatchJobRequest* request,
                        grpc::ServerWriter<v1::WatchJobResponse>* writer) override {
    starts.push_back(request->after_sequence());
    for (std::uint64_t sequence = request->after_sequence() + 1; sequence <= 4; ++sequence) {
      v1::WatchJobResponse response;
      response.add_events()->set_sequence(sequence);
      response.mutable_job()->set_name(kJob);
      response.mutable_job()->set_state(sequence == 4 ? v1::JOB_STATE_SUCCEEDED
                                                      : v1::JOB_STATE_RUNNING);
      writer->Write(response);
      if (sequence == 2) return {grpc::StatusCode::UNAVAILABLE, "killed"};
    }
    return grpc::Status::OK;
  }

  std::size_t failures = 0;
  int messages_before_break = -1;
  std::uint64_t shift = 0;
  std::vector<v1::CreateJobRequest> created;
  std::vector<std::uint64_t> starts;
};

class SchedulerClientTest : public ::testing::Test {
 protected:
  SchedulerClientTest() {
    server_ = std::move(*StartServer({}, {&service_}));
    client_ = MakeSchedulerClient({.address = server_.address, .clock = &clock_});
  }

  FakeClock clock_;
  FakeExperiments service_;
  Server server_;
  std::unique_ptr<SchedulerClient> client_;
};

TEST_F(SchedulerClientTest, SubmissionIsRepeatedWithItsRequestIdUntilTheServerAnswers) {
  service_.failures = 2;
  JobSubmission job{.request_id = "r-1", .title = "t", .trials = 3, .seed = 9};
  job.sets = {.dimension = 2, .codes = {1, 2, 3, 4}};
  const auto info = client_->CreateJob(job);
  ASSERT_TRUE(info) << info.error().Text();
  EXPECT_EQ(info->name, kJob);
  ASSERT_EQ(service_.created.size(), 3u);
  for (const v1::CreateJobRequest& request : service_.created) {
    EXPECT_EQ(request.request_id(), "r-1");
    EXPECT_EQ(request.parent(), "projects/default");
    EXPECT_EQ(request.spec().trials(), 3u);
    EXPECT_EQ(request.spec().seed(), 9u);
    EXPECT_EQ(ParameterSetsFromProto(request.spec().parameter_sets())->codes, job.sets.codes);
  }
}

TEST_F(SchedulerClientTest, RefusalKeepsItsAdvice) {
  const auto info = client_->GetJob(kJob);
  ASSERT_FALSE(info);
  EXPECT_EQ(info.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(info.error().message, "there is no such job");
  EXPECT_EQ(info.error().advice, "List them");
}

TEST_F(SchedulerClientTest, BrokenResultStreamGoesOnWithTheNextIndex) {
  service_.messages_before_break = 1;
  std::vector<std::uint64_t> indices;
  std::string error;
  const Status done =
      client_->StreamResults(kJob, 0, true, {}, [&](const ResultBlock& block) -> Status {
        indices.push_back(block.first_index);
        if (!block.error.empty()) error = block.error;
        EXPECT_EQ(block.observations.size(), block.error.empty() ? 2u : 0u);
        return {};
      });
  EXPECT_TRUE(done);
  EXPECT_THAT(indices, ElementsAre(0, 2, 4, 6));
  EXPECT_THAT(service_.starts, ElementsAre(0, 2, 4, 6));
  EXPECT_EQ(error, "the chip is broken");
}

TEST_F(SchedulerClientTest, GapInTheResultsIsDataLoss) {
  service_.shift = 2;
  const Status done =
      client_->StreamResults(kJob, 0, true, {}, [](const ResultBlock&) -> Status { return {}; });
  EXPECT_EQ(done.error().code, ErrorCode::kDataLoss);
  EXPECT_THAT(done.error().message, HasSubstr("index 2 where index 0 was next"));
}

TEST_F(SchedulerClientTest, ErrorOfTheReceiverEndsTheStream) {
  int blocks = 0;
  const Status done = client_->StreamResults(kJob, 0, true, {}, [&](const ResultBlock&) -> Status {
    ++blocks;
    return Fail(ErrorCode::kInternal, "the disk is full");
  });
  EXPECT_EQ(done.error().message, "the disk is full");
  EXPECT_EQ(blocks, 1);
}

TEST_F(SchedulerClientTest, BrokenWatchGoesOnAfterTheLastEvent) {
  std::vector<std::uint64_t> events;
  JobState last = JobState::kPending;
  const Status done = client_->WatchJob(kJob, 0, {}, [&](const JobUpdate& update) -> Status {
    for (const JobEvent& event : update.events) events.push_back(event.sequence);
    last = update.job.state;
    return {};
  });
  EXPECT_TRUE(done);
  EXPECT_THAT(events, ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(service_.starts, ElementsAre(0, 2));
  EXPECT_EQ(last, JobState::kSucceeded);
}

TEST_F(SchedulerClientTest, ServerThatIsDownIsNamedAfterAWhile) {
  server_.server->Shutdown();
  const SteadyTime start = clock_.Now();
  const auto info = client_->GetJob(kJob);
  ASSERT_FALSE(info);
  EXPECT_EQ(info.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(info.error().message, HasSubstr(server_.address));
  EXPECT_LE(clock_.Now() - start, milliseconds(10'000));
}

TEST_F(SchedulerClientTest, StopInterruptsAStream) {
  std::stop_source stop;
  const Status done =
      client_->StreamResults(kJob, 0, true, stop.get_token(), [&](const ResultBlock&) -> Status {
        stop.request_stop();
        return {};
      });
  EXPECT_EQ(done.error().code, ErrorCode::kCancelled);
}

}  // namespace
}  // namespace inferon::rpc
