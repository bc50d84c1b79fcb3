// The services over real gRPC on the loopback.
#include <gmock/gmock.h>

#include <future>

#include "common/base/hash.h"
#include "common/neuron/profile.h"
#include "common/rpc/convert.h"
#include "common/rpc/server.h"
#include "server/scheduler/scheduler_server.h"
#include "tests/scheduler/service_fixture.h"

namespace inferon::scheduler {
namespace {

using grpc::StatusCode;
using testing::HasSubstr;

class ServiceTest : public testing::Test {
 protected:
  void SetUp() override { Start(); }
  void Start() {
    server_.reset();
    SchedulerOptions options;
    options.folder = folder_.path();
    options.limits = limits_;
    options.stop_time = std::chrono::milliseconds(500);
    Result<std::unique_ptr<SchedulerServer>> server = StartScheduler(options);
    ASSERT_TRUE(server) << server.error().Text();
    server_ = std::move(*server);
    stubs_ = std::make_unique<Stubs>(server_->address());
  }

  grpc::Status Create(const v1::CreateJobRequest& request) {
    return stubs_->experiments->CreateJob(MakeContext().get(), request, &created_);
  }
  std::string Submit(const std::string& request_id, std::size_t sets) {
    const grpc::Status status = Create(ToMessage(MakeRequest(request_id, sets)));
    EXPECT_TRUE(status.ok()) << status.error_message();
    return created_.job().name();
  }
  // A new lease for worker w1.
  v1::LeaseRef Lease() {
    v1::SynchronizeResponse response;
    const grpc::Status status = stubs_->workers->Synchronize(
        MakeContext().get(), MakeSync("w1", "aaaaaaaaaaaaaaaa", 1), &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    v1::LeaseRef lease;
    EXPECT_GT(response.leases_size(), 0);
    if (response.leases_size() == 0) return lease;
    EXPECT_GT(response.leases(0).seconds_left(), 0);
    lease.set_shard(response.leases(0).shard());
    lease.set_fence(response.leases(0).fence());
    return lease;
  }
  v1::Job Get(const std::string& name) {
    v1::GetJobRequest request;
    request.set_name(name);
    v1::GetJobResponse response;
    EXPECT_TRUE(stubs_->experiments->GetJob(MakeContext().get(), request, &response).ok());
    return response.job();
  }
  void ExpectRefused(const v1::CreateJobRequest& request, StatusCode code,
                     const std::string& what) {
    const grpc::Status status = Create(request);
    EXPECT_EQ(status.error_code(), code) << status.error_message();
    EXPECT_THAT(status.error_message(), HasSubstr(what));
  }

  TemporaryFolder folder_;
  Limits limits_;
  std::unique_ptr<SchedulerServer> server_;
  std::unique_ptr<Stubs> stubs_;
  v1::CreateJobResponse created_;
};

TEST_F(ServiceTest, SubmitLeaseUploadCommitStream) {
  const std::string name = Submit("r", 10);
  EXPECT_EQ(name, "projects/default/jobs/1");
  EXPECT_EQ(created_.job().state(), v1::JOB_STATE_PENDING);
  EXPECT_EQ(created_.job().experiments(), 10u);
  EXPECT_GT(created_.job().create_time().seconds(), 0);
  auto stream = std::async(std::launch::async, [&] {
    std::vector<v1::StreamResultsResponse> results;
    EXPECT_TRUE(ReadResultsOnWire(*stubs_, name, 0, true, results).ok());
    return results;
  });
  for (int i = 0; i < 3; ++i) {
    const grpc::Status status = RunShardOnWire(*stubs_, Lease());
    ASSERT_TRUE(status.ok()) << status.error_message();
  }
  std::uint64_t next = 0;
  for (const v1::StreamResultsResponse& part : stream.get()) {
    EXPECT_EQ(part.first_index(), next);
    EXPECT_EQ(part.frame(), EncodeObservations(ResultOf(7, next, part.count(), 20)));
    next += part.count();
  }
  EXPECT_EQ(next, 10u);
  EXPECT_EQ(Get(name).state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(Get(name).experiments_done(), 10u);
  EXPECT_EQ(Get(name).substrate_seconds(), 0.75);
  EXPECT_TRUE(Get(name).has_end_time());
}

TEST_F(ServiceTest, AJobWithoutProtocolTakesTheProfiles) {
  v1::CreateJobRequest request = ToMessage(MakeRequest("r", 4));
  const Profile tutorial = BuiltInProfile("adex-tutorial").value();
  request.mutable_spec()->set_profile_toml(tutorial.text);
  request.mutable_spec()->clear_protocol();
  ParameterSets sets{tutorial.dimension(), std::vector<std::uint16_t>(tutorial.dimension(), 300)};
  *request.mutable_spec()->mutable_parameter_sets() = rpc::ToProto(sets);
  ASSERT_TRUE(Create(request).ok());
  v1::GetShardRequest get;
  *get.mutable_lease() = Lease();
  v1::GetShardResponse work;
  ASSERT_TRUE(stubs_->workers->GetShard(MakeContext().get(), get, &work).ok());
  EXPECT_EQ(rpc::FromProto(work.spec().protocol()).value(), tutorial.protocol);
}

TEST_F(ServiceTest, WatchTellsEveryEventOnceAndResumes) {
  const std::string name = Submit("r", 4);
  v1::WatchJobRequest request;
  request.set_name(name);
  auto watch = std::async(std::launch::async, [&] {
    std::vector<v1::Event> events;
    const auto context = MakeContext();
    const auto reader = stubs_->experiments->WatchJob(context.get(), request);
    v1::WatchJobResponse response;
    while (reader->Read(&response)) {
      events.insert(events.end(), response.events().begin(), response.events().end());
    }
    EXPECT_TRUE(reader->Finish().ok());
    EXPECT_EQ(response.job().state(), v1::JOB_STATE_SUCCEEDED);
    return events;
  });
  ASSERT_TRUE(RunShardOnWire(*stubs_, Lease()).ok());
  const std::vector<v1::Event> events = watch.get();
  ASSERT_EQ(events.size(), 5u);
  EXPECT_EQ(events[0].kind(), "job.created");
  EXPECT_EQ(events[4].kind(), "job.succeeded");
  request.set_after_sequence(events[4].sequence());
  const auto context = MakeContext();
  const auto again = stubs_->experiments->WatchJob(context.get(), request);
  v1::WatchJobResponse response;
  ASSERT_TRUE(again->Read(&response)) << "the job as it is, even without news";
  EXPECT_EQ(response.events_size(), 0);
  EXPECT_FALSE(again->Read(&response));
  EXPECT_TRUE(again->Finish().ok());
}

TEST_F(ServiceTest, DefaultsAreFilledIn) {
  v1::CreateJobRequest request = ToMessage(MakeRequest("r", 3));
  request.clear_parent();
  request.mutable_spec()->clear_trials();
  request.mutable_spec()->clear_shard_size();
  request.mutable_spec()->clear_substrate();
  request.mutable_spec()->clear_device();
  ASSERT_TRUE(Create(request).ok());
  EXPECT_EQ(created_.job().name(), "projects/default/jobs/1");
  EXPECT_EQ(created_.job().trials(), 1u);
  EXPECT_EQ(created_.job().shard_size(), 256u);
  EXPECT_EQ(created_.job().substrate(), "emulator");
  EXPECT_EQ(created_.job().device().chip(), "emulated-0");
}

TEST_F(ServiceTest, BadJobsAreRefusedAndChangeNothing) {
  const v1::CreateJobRequest good = ToMessage(MakeRequest("r", 3));
  const auto refused = [&](auto change, const char* what) {
    v1::CreateJobRequest bad = good;
    change(bad);
    ExpectRefused(bad, StatusCode::INVALID_ARGUMENT, what);
  };
  refused([](auto& r) { r.mutable_spec()->clear_parameter_sets(); }, "");
  refused([](auto& r) { r.clear_spec(); }, "");
  refused([](auto& r) { r.mutable_spec()->mutable_parameter_sets()->set_dtype("f4"); }, "f4");
  refused([](auto& r) { r.mutable_spec()->mutable_parameter_sets()->mutable_data()->pop_back(); },
          "");
  refused(
      [](auto& r) {
        auto* data = r.mutable_spec()->mutable_parameter_sets()->mutable_data();
        (*data)[2 * 8] = '\xFF';
        (*data)[2 * 8 + 1] = '\x03';
      },
      "row 1, column 1");
  refused([](auto& r) { r.mutable_spec()->set_profile_toml("x"); }, "");
  refused([](auto& r) { r.mutable_spec()->mutable_protocol()->set_duration_us(1); }, "duration");
  refused([](auto& r) { r.mutable_spec()->mutable_device()->set_neuron(512); }, "512");
  refused([](auto& r) { r.mutable_spec()->set_trials(100'001); }, "trials");
  refused([](auto& r) { r.mutable_spec()->set_shard_size(10'001); }, "shard_size");
  refused([](auto& r) { r.mutable_spec()->set_substrate("loihi"); }, "loihi");
  refused([](auto& r) { r.mutable_spec()->set_priority(101); }, "priority");
  refused([](auto& r) { r.clear_request_id(); }, "request id");
  refused([](auto& r) { r.set_parent("default"); }, "default");
  refused([](auto& r) { r.set_title(std::string(201, 'x')); }, "title");
  v1::ListJobsResponse list;
  ASSERT_TRUE(stubs_->experiments->ListJobs(MakeContext().get(), {}, &list).ok());
  EXPECT_EQ(list.jobs_size(), 0);
}

TEST_F(ServiceTest, RepeatedAndContradictingRequestIds) {
  const std::string name = Submit("r", 3);
  EXPECT_EQ(Submit("r", 3), name);
  ExpectRefused(ToMessage(MakeRequest("r", 4)), StatusCode::ALREADY_EXISTS, "'r'");
}

TEST_F(ServiceTest, FullQueueIsResourceExhausted) {
  limits_.max_queued_experiments = 5;
  limits_.max_experiments_per_job = 100;
  Start();
  Submit("a", 5);
  ExpectRefused(ToMessage(MakeRequest("b", 1)), StatusCode::RESOURCE_EXHAUSTED, "limit of 5");
  ExpectRefused(ToMessage(MakeRequest("c", 101)), StatusCode::INVALID_ARGUMENT,
                "--max-experiments-per-job");
}

TEST_F(ServiceTest, UnknownAndMalformedNames) {
  v1::GetJobRequest get;
  v1::GetJobResponse got;
  get.set_name("projects/default/jobs/7");
  EXPECT_EQ(stubs_->experiments->GetJob(MakeContext().get(), get, &got).error_code(),
            StatusCode::NOT_FOUND);
  get.set_name("7");
  EXPECT_EQ(stubs_->experiments->GetJob(MakeContext().get(), get, &got).error_code(),
            StatusCode::INVALID_ARGUMENT);
  v1::ListJobsRequest list;
  v1::ListJobsResponse listed;
  list.set_page_token("x");
  EXPECT_EQ(stubs_->experiments->ListJobs(MakeContext().get(), list, &listed).error_code(),
            StatusCode::INVALID_ARGUMENT);
  list.Clear();
  list.set_parent("nonsense");
  EXPECT_EQ(stubs_->experiments->ListJobs(MakeContext().get(), list, &listed).error_code(),
            StatusCode::INVALID_ARGUMENT);
}

TEST_F(ServiceTest, StreamsOfUnknownJobsEndWithTheReason) {
  std::vector<v1::StreamResultsResponse> results;
  EXPECT_EQ(ReadResultsOnWire(*stubs_, "projects/default/jobs/7", 0, true, results).error_code(),
            StatusCode::NOT_FOUND);
  EXPECT_EQ(ReadResultsOnWire(*stubs_, "x", 0, true, results).error_code(),
            StatusCode::INVALID_ARGUMENT);
  const std::string name = Submit("r", 3);
  EXPECT_EQ(ReadResultsOnWire(*stubs_, name, 4, true, results).error_code(),
            StatusCode::INVALID_ARGUMENT);
  EXPECT_TRUE(ReadResultsOnWire(*stubs_, name, 0, false, results).ok());
  EXPECT_TRUE(results.empty());
}

TEST_F(ServiceTest, CancelEndsTheStreams) {
  const std::string name = Submit("r", 3);
  auto stream = std::async(std::launch::async, [&] {
    std::vector<v1::StreamResultsResponse> results;
    return ReadResultsOnWire(*stubs_, name, 0, true, results);
  });
  v1::CancelJobRequest cancel;
  cancel.set_name(name);
  v1::CancelJobResponse cancelled;
  ASSERT_TRUE(stubs_->experiments->CancelJob(MakeContext().get(), cancel, &cancelled).ok());
  EXPECT_EQ(cancelled.job().state(), v1::JOB_STATE_CANCELLED);
  EXPECT_TRUE(stream.get().ok());
}

TEST_F(ServiceTest, StreamsHaveALimitAndGiveTheirPlaceBack) {
  limits_.max_streams = 1;
  Start();
  const std::string name = Submit("r", 3);
  auto context = MakeContext();
  v1::WatchJobRequest request;
  request.set_name(name);
  auto first = stubs_->experiments->WatchJob(context.get(), request);
  v1::WatchJobResponse response;
  ASSERT_TRUE(first->Read(&response));
  std::vector<v1::StreamResultsResponse> results;
  const grpc::Status refused = ReadResultsOnWire(*stubs_, name, 0, false, results);
  EXPECT_EQ(refused.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(refused.error_message(), HasSubstr("--max-streams"));
  context->TryCancel();
  while (first->Read(&response)) {
  }
  EXPECT_EQ(first->Finish().error_code(), StatusCode::CANCELLED);
  grpc::Status status = refused;
  for (int i = 0; i < 1000 && !status.ok(); ++i) {
    status = ReadResultsOnWire(*stubs_, name, 0, false, results);
  }
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST_F(ServiceTest, IdleStreamsHoldNoThread) {
  limits_.stream_threads = 1;
  Start();
  const std::string name = Submit("r", 4);
  std::vector<std::future<grpc::Status>> streams;
  for (int i = 0; i < 20; ++i) {
    streams.push_back(std::async(std::launch::async, [&] {
      std::vector<v1::StreamResultsResponse> results;
      const grpc::Status status = ReadResultsOnWire(*stubs_, name, 0, true, results);
      EXPECT_EQ(results.size(), 1u);
      return status;
    }));
  }
  ASSERT_TRUE(RunShardOnWire(*stubs_, Lease()).ok());
  for (auto& stream : streams) EXPECT_TRUE(stream.get().ok());
}

TEST_F(ServiceTest, StaleLeasesAreAborted) {
  Submit("r", 4);
  v1::LeaseRef lease = Lease();
  lease.set_fence(lease.fence() + 1);
  EXPECT_EQ(RunShardOnWire(*stubs_, lease).error_code(), StatusCode::ABORTED);
  EXPECT_EQ(UploadOnWire(*stubs_, lease, "frame").error_code(), StatusCode::ABORTED);
  v1::CommitShardRequest commit;
  *commit.mutable_lease() = lease;
  commit.set_sha256(std::string(64, 'a'));
  v1::CommitShardResponse committed;
  EXPECT_EQ(stubs_->workers->CommitShard(MakeContext().get(), commit, &committed).error_code(),
            StatusCode::ABORTED);
  v1::FailShardRequest fail;
  *fail.mutable_lease() = lease;
  fail.set_error("x");
  v1::FailShardResponse failed;
  EXPECT_EQ(stubs_->workers->FailShard(MakeContext().get(), fail, &failed).error_code(),
            StatusCode::ABORTED);
}

TEST_F(ServiceTest, BadUploadsAreRefused) {
  Submit("r", 4);
  const v1::LeaseRef lease = Lease();
  v1::UploadShardResponse response;
  const auto upload = [&](const std::vector<v1::UploadShardRequest>& chunks) {
    const auto context = MakeContext();
    const auto writer = stubs_->workers->UploadShard(context.get(), &response);
    for (const auto& chunk : chunks) {
      if (!writer->Write(chunk)) break;
    }
    writer->WritesDone();
    return writer->Finish();
  };
  v1::UploadShardRequest chunk;
  *chunk.mutable_lease() = lease;
  chunk.set_total_bytes(5);
  chunk.set_sha256(Sha256Hex("hello"));
  chunk.set_data("hello");
  chunk.set_crc32(Crc32("hello"));
  EXPECT_TRUE(upload({chunk}).ok());
  EXPECT_EQ(response.received_bytes(), 5u);
  EXPECT_EQ(upload({}).error_code(), StatusCode::INVALID_ARGUMENT);
  v1::UploadShardRequest bad = chunk;
  bad.set_crc32(1);
  EXPECT_EQ(upload({bad}).error_code(), StatusCode::INVALID_ARGUMENT);
  bad = chunk;
  bad.set_offset(3);
  EXPECT_EQ(upload({bad}).error_code(), StatusCode::FAILED_PRECONDITION);
  bad = chunk;
  bad.set_total_bytes(6);
  EXPECT_EQ(upload({bad}).error_code(), StatusCode::INVALID_ARGUMENT);
  bad = chunk;
  bad.clear_sha256();
  EXPECT_EQ(upload({bad}).error_code(), StatusCode::INVALID_ARGUMENT);
  bad = chunk;
  bad.clear_lease();
  EXPECT_EQ(upload({bad}).error_code(), StatusCode::NOT_FOUND);
}

TEST_F(ServiceTest, BadWorkersAreRefused) {
  v1::SynchronizeResponse response;
  const auto code = [&](const v1::SynchronizeRequest& request) {
    return stubs_->workers->Synchronize(MakeContext().get(), request, &response).error_code();
  };
  const std::string session(16, 'a');
  EXPECT_EQ(code(MakeSync("W", session, 0)), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(code(MakeSync("w", "x", 0)), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(code(MakeSync("w", session, 17)), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(code({}), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(code(MakeSync("w", session, 16)), StatusCode::OK);
  EXPECT_EQ(code(MakeSync("w", std::string(16, 'b'), 0)), StatusCode::OK);
  EXPECT_EQ(code(MakeSync("w", session, 0)), StatusCode::ABORTED) << "taken over";
}

TEST_F(ServiceTest, WorkersAreListed) {
  Submit("r", 4);
  ASSERT_TRUE(RunShardOnWire(*stubs_, Lease()).ok());
  v1::ListWorkersResponse list;
  ASSERT_TRUE(stubs_->workers->ListWorkers(MakeContext().get(), {}, &list).ok());
  ASSERT_EQ(list.workers_size(), 1);
  EXPECT_EQ(list.workers(0).name(), "workers/w1");
  EXPECT_EQ(list.workers(0).state(), v1::WORKER_STATE_IDLE);
  EXPECT_EQ(list.workers(0).experiments_done(), 4u);
  EXPECT_EQ(list.workers(0).capabilities().substrate(), "emulator");
}

TEST_F(ServiceTest, FailedExperimentsAreData) {
  const std::string name = Submit("r", 4);
  v1::FailShardRequest fail;
  *fail.mutable_lease() = Lease();
  fail.set_error("refused");
  v1::FailShardResponse failed;
  ASSERT_TRUE(stubs_->workers->FailShard(MakeContext().get(), fail, &failed).ok());
  std::vector<v1::StreamResultsResponse> results;
  ASSERT_TRUE(ReadResultsOnWire(*stubs_, name, 0, true, results).ok());
  ASSERT_EQ(results.size(), 1u);
  EXPECT_EQ(results[0].error(), "refused");
  EXPECT_EQ(results[0].count(), 4u);
  EXPECT_EQ(Get(name).state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(Get(name).last_error(), "refused");
}

TEST_F(ServiceTest, LeasesRunOutWithoutAnyCall) {
  limits_.lease_time = std::chrono::milliseconds(100);
  Start();
  const std::string name = Submit("r", 4);
  Lease();
  v1::WatchJobRequest request;
  request.set_name(name);
  const auto context = MakeContext();
  const auto reader = stubs_->experiments->WatchJob(context.get(), request);
  bool expired = false;
  v1::WatchJobResponse response;
  while (!expired && reader->Read(&response)) {
    for (const v1::Event& event : response.events()) expired |= event.kind() == "shard.expired";
  }
  EXPECT_TRUE(expired);
}

TEST_F(ServiceTest, StoppingEndsStreamsAndGivesThePortBack) {
  const std::string name = Submit("r", 4);
  const std::string address = server_->address();
  std::promise<void> open;
  auto watch = std::async(std::launch::async, [&] {
    v1::WatchJobRequest request;
    request.set_name(name);
    const auto context = MakeContext();
    const auto reader = stubs_->experiments->WatchJob(context.get(), request);
    v1::WatchJobResponse response;
    EXPECT_TRUE(reader->Read(&response));
    open.set_value();
    while (reader->Read(&response)) {
    }
    return reader->Finish();
  });
  open.get_future().wait();
  server_.reset();
  EXPECT_EQ(watch.get().error_code(), StatusCode::UNAVAILABLE);
  SchedulerOptions options;
  options.folder = folder_.path();
  options.address = address;
  EXPECT_TRUE(StartScheduler(options));
}

TEST_F(ServiceTest, TakenPortAndTakenFolderAreRefused) {
  TemporaryFolder other;
  SchedulerOptions options;
  options.folder = other.path();
  options.address = server_->address();
  const auto port = StartScheduler(options);
  ASSERT_FALSE(port);
  EXPECT_EQ(port.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_THAT(port.error().message, HasSubstr(server_->address()));
  options.folder = folder_.path();
  const auto folder = StartScheduler(options);
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().code, ErrorCode::kFailedPrecondition);
}

// Every call of operators with what it must refuse; nothing is changed by them.
TEST_F(ServiceTest, OperatorsBadInputIsRefused) {
  v1::WorkerService::Stub& workers = *stubs_->workers;
  v1::ProjectService::Stub& projects = *stubs_->projects;
  v1::ExperimentService::Stub& jobs = *stubs_->experiments;
  const auto code = [](auto& stub, auto method, const auto& request, auto response) {
    return (stub.*method)(MakeContext().get(), request, &response).error_code();
  };
  using W = v1::WorkerService::Stub;
  using P = v1::ProjectService::Stub;
  using E = v1::ExperimentService::Stub;
  const auto named = [](auto request, const char* name) {
    request.set_name(name);
    return request;
  };
  for (const char* name : {"", "w1", "workers/", "workers/W", "projects/w1"}) {
    EXPECT_EQ(
        code(workers, &W::GetWorker, named(v1::GetWorkerRequest(), name), v1::GetWorkerResponse()),
        StatusCode::INVALID_ARGUMENT)
        << name;
    EXPECT_EQ(code(workers, &W::DrainWorker, named(v1::DrainWorkerRequest(), name),
                   v1::DrainWorkerResponse()),
              StatusCode::INVALID_ARGUMENT);
    EXPECT_EQ(code(projects, &P::CreateProject, named(v1::CreateProjectRequest(), "p"),
                   v1::CreateProjectResponse()),
              StatusCode::INVALID_ARGUMENT);
  }
  EXPECT_EQ(code(workers, &W::ResumeWorker, named(v1::ResumeWorkerRequest(), "workers/w1"),
                 v1::ResumeWorkerResponse()),
            StatusCode::NOT_FOUND);
  EXPECT_EQ(code(projects, &P::GetProject, named(v1::GetProjectRequest(), "projects/p"),
                 v1::GetProjectResponse()),
            StatusCode::NOT_FOUND);
  EXPECT_EQ(code(jobs, &E::PauseJob, named(v1::PauseJobRequest(), "projects/p/jobs/1"),
                 v1::PauseJobResponse()),
            StatusCode::NOT_FOUND);
  EXPECT_EQ(code(jobs, &E::ResumeJob, named(v1::ResumeJobRequest(), "x"), v1::ResumeJobResponse()),
            StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(
      code(jobs, &E::ExplainJob, named(v1::ExplainJobRequest(), "x"), v1::ExplainJobResponse()),
      StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(code(workers, &W::CreateReservation, v1::CreateReservationRequest(),
                 v1::CreateReservationResponse()),
            StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(code(workers, &W::DeleteReservation, v1::DeleteReservationRequest(),
                 v1::DeleteReservationResponse()),
            StatusCode::NOT_FOUND);
  EXPECT_EQ(code(workers, &W::SetCanary, v1::SetCanaryRequest(), v1::SetCanaryResponse()),
            StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(code(workers, &W::GetUpload, v1::GetUploadRequest(), v1::GetUploadResponse()),
            StatusCode::NOT_FOUND);
  v1::CollectGarbageRequest garbage;
  garbage.set_older_than_seconds(-1);
  EXPECT_EQ(code(projects, &P::CollectGarbage, garbage, v1::CollectGarbageResponse()),
            StatusCode::INVALID_ARGUMENT);
  v1::ListEventsRequest events;
  events.set_project("default");
  EXPECT_EQ(code(projects, &P::ListEvents, events, v1::ListEventsResponse()),
            StatusCode::INVALID_ARGUMENT);
  events.clear_project();
  events.set_page_size(5000);
  v1::ListEventsResponse none;
  EXPECT_TRUE(projects.ListEvents(MakeContext().get(), events, &none).ok()) << "cut to 1000";
  EXPECT_EQ(none.events_size(), 0) << "nothing was changed";
}

TEST_F(ServiceTest, ResultsSayWhoRanThemAndUnderWhichCalibration) {
  const std::string name = Submit("r", 4);
  v1::SynchronizeRequest sync = MakeSync("w1", std::string(16, 'a'), 1);
  sync.mutable_capabilities()->set_calibration_id("cal");
  v1::SynchronizeResponse given;
  ASSERT_TRUE(stubs_->workers->Synchronize(MakeContext().get(), sync, &given).ok());
  ASSERT_EQ(given.leases_size(), 1);
  v1::LeaseRef lease;
  lease.set_shard(given.leases(0).shard());
  lease.set_fence(given.leases(0).fence());
  ASSERT_TRUE(RunShardOnWire(*stubs_, lease).ok());
  std::vector<v1::StreamResultsResponse> results;
  ASSERT_TRUE(ReadResultsOnWire(*stubs_, name, 0, true, results).ok());
  ASSERT_EQ(results.size(), 1u);
  EXPECT_EQ(results[0].worker(), "w1");
  EXPECT_EQ(results[0].calibration_id(), "cal");
  EXPECT_FALSE(results[0].suspect());
}

}  // namespace
}  // namespace inferon::scheduler
