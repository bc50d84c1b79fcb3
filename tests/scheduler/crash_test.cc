// A real scheduler is killed at random moments under load; afterwards every accepted experiment has
// exactly one result, byte for byte the one that every honest run gives.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <thread>

#include "common/base/philox.h"
#include "tests/scheduler/process.h"
#include "tests/scheduler/service_fixture.h"

namespace inferon::scheduler {
namespace {

constexpr int kKills = 200;  // INFERON_CRASH_KILLS: another number.
constexpr int kJobs = 12;
constexpr std::size_t kSetsPerKill = 4;
constexpr std::uint32_t kShardSize = 8;

class CrashTest : public testing::Test {
 protected:
  void Start() {
    std::filesystem::remove(address_file_);
    server_ = std::make_unique<SchedulerProcess>(
        std::vector<std::string>{"--data", (folder_.path() / "data").string(), "--listen", address_,
                                 "--address-file", address_file_.string(), "--lease-seconds", "5",
                                 "--poll-seconds", "0.01", "--segment-bytes", "65536",
                                 "--log-level", "warn"},
        folder_.path() / "log");
    address_ = SchedulerProcess::WaitForAddress(address_file_);
    ASSERT_NE(address_, "") << ReadFile(folder_.path() / "log").value_or("");
  }

  JobRequest Request(int job) const {
    JobRequest request = MakeRequest(fmt::format("job-{}", job), sets_, kShardSize);
    request.spec.seed = static_cast<std::uint64_t>(job);
    return request;
  }

  // Submits every job again and again until each has been accepted; the names in order.
  void SubmitAll(std::stop_token stop) {
    Stubs stubs(address_);
    for (int job = 0; job < kJobs && !stop.stop_requested();) {
      v1::CreateJobResponse response;
      const grpc::Status status =
          stubs.experiments->CreateJob(MakeContext().get(), ToMessage(Request(job)), &response);
      if (status.ok()) {
        names_[job] = response.job().name();
        ++job;
      } else {
        EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE) << status.error_message();
      }
      SystemClock().SleepFor(std::chrono::milliseconds(150), stop);
    }
  }

  // A worker that knows nothing of the crashes beyond what its calls answer.
  void Work(const std::string& id, std::stop_token stop) {
    Stubs stubs(address_);
    const std::string session(16, id.back());
    while (!stop.stop_requested()) {
      v1::SynchronizeResponse answer;
      const grpc::Status status =
          stubs.workers->Synchronize(MakeContext().get(), MakeSync(id, session, 2), &answer);
      EXPECT_TRUE(status.ok() || status.error_code() == grpc::StatusCode::UNAVAILABLE)
          << status.error_message();
      for (const v1::Lease& given : answer.leases()) {
        v1::LeaseRef lease;
        lease.set_shard(given.shard());
        lease.set_fence(given.fence());
        const grpc::Status done = RunShardOnWire(stubs, lease);
        const bool expected = done.ok() || done.error_code() == grpc::StatusCode::UNAVAILABLE ||
                              done.error_code() == grpc::StatusCode::ABORTED ||
                              done.error_code() == grpc::StatusCode::FAILED_PRECONDITION;
        EXPECT_TRUE(expected) << done.error_message();
        if (done.ok()) ++commits_;
      }
      SystemClock().SleepFor(std::chrono::milliseconds(5), stop);
    }
  }

  bool AllEnded() {
    Stubs stubs(address_);
    for (const std::string& name : names_) {
      v1::GetJobRequest request;
      request.set_name(name);
      v1::GetJobResponse response;
      if (!stubs.experiments->GetJob(MakeContext().get(), request, &response).ok()) return false;
      if (!response.job().has_end_time()) return false;
    }
    return true;
  }

  void CheckResults() {
    Stubs stubs(address_);
    for (int job = 0; job < kJobs; ++job) {
      std::vector<v1::StreamResultsResponse> results;
      ASSERT_TRUE(ReadResultsOnWire(stubs, names_[job], 0, false, results).ok());
      std::uint64_t next = 0;
      for (const v1::StreamResultsResponse& part : results) {
        ASSERT_EQ(part.first_index(), next);
        ASSERT_EQ(part.error(), "");
        ASSERT_TRUE(part.frame() == EncodeObservations(ResultOf(static_cast<std::uint64_t>(job),
                                                                next, part.count(), 20)));
        next += part.count();
      }
      EXPECT_EQ(next, sets_) << names_[job];
      v1::GetJobRequest request;
      request.set_name(names_[job]);
      v1::GetJobResponse response;
      ASSERT_TRUE(stubs.experiments->GetJob(MakeContext().get(), request, &response).ok());
      EXPECT_EQ(response.job().experiments_done(), sets_);
      EXPECT_EQ(response.job().substrate_seconds(), 0.25 * response.job().shards());
    }
  }

  TemporaryFolder folder_;
  std::filesystem::path address_file_ = folder_.path() / "address";
  std::string address_ = "127.0.0.1:0";
  std::unique_ptr<SchedulerProcess> server_;
  std::vector<std::string> names_ = std::vector<std::string>(kJobs);
  std::atomic<int> commits_{0};
  const int kills_ = [] {
    const char* wanted = std::getenv("INFERON_CRASH_KILLS");
    return wanted == nullptr ? kKills : std::max(1, std::atoi(wanted));
  }();
  const std::size_t sets_ = kSetsPerKill * static_cast<std::size_t>(kills_);  // Of a job.
};

TEST_F(CrashTest, KilledAtRandomMomentsNothingIsLostOrDoubled) {
  Start();
  std::jthread submitter([this](std::stop_token stop) { SubmitAll(stop); });
  std::vector<std::jthread> workers;
  for (const char* id : {"w1", "w2", "w3"}) {
    workers.emplace_back([this, id](std::stop_token stop) { Work(id, stop); });
  }
  PhiloxSequence random(StreamKey(1, "kills"));
  for (int kill = 0; kill < kills_; ++kill) {
    SystemClock().SleepFor(std::chrono::milliseconds(random.Below(250)), {});
    server_->Kill();
    Start();
    if (HasFatalFailure()) return;
  }
  submitter.join();
  for (int i = 0; i < 600 && !AllEnded(); ++i) {
    SystemClock().SleepFor(std::chrono::milliseconds(100), {});
  }
  EXPECT_TRUE(AllEnded());
  for (std::jthread& worker : workers) worker.request_stop();
  workers.clear();
  CheckResults();
  EXPECT_GE(commits_, 1);
  RecordProperty("commits_seen", commits_);
}

}  // namespace
}  // namespace inferon::scheduler
