// Real workers' agents behind a network that is slow, cut and half open; afterwards every
// experiment has exactly one result.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <thread>

#include "common/base/philox.h"
#include "server/scheduler/scheduler_server.h"
#include "tests/scheduler/proxy.h"
#include "tests/scheduler/service_fixture.h"
#include "worker/agent/agent.h"
#include "worker/agent/grpc_link.h"

namespace inferon::scheduler {
namespace {

constexpr std::size_t kSets = 800;
constexpr int kFaults = 25;

// Takes its time, ends when it is told to.
class SlowSubstrate : public worker::Substrate {
 public:
  worker::SubstrateDescription Describe() const override { return {"emulator", "fake", "", ""}; }
  Status Health() override { return {}; }
  Result<ObservationBatch> Run(const worker::RunRequest& request, std::stop_token stop) override {
    if (!SystemClock().SleepFor(std::chrono::milliseconds(10), stop)) {
      return Fail(ErrorCode::kCancelled, "stopped");
    }
    return ResultOf(request.seed, request.first_index, request.count, request.protocol.Points());
  }
};

// A worker that lives as long as the object.
class Worker {
 public:
  Worker(const std::string& id, const std::string& scheduler)
      : link_(worker::MakeGrpcLink({.scheduler = scheduler,
                                    .worker = id,
                                    .session = worker::RandomSession(),
                                    .version = "test",
                                    .substrate = substrate_.Describe(),
                                    .call_timeout = std::chrono::milliseconds(1000),
                                    .upload_timeout = std::chrono::milliseconds(2000)})),
        agent_({.call_timeout = std::chrono::milliseconds(1000)}, *link_, substrate_,
               SystemClock()),
        thread_([this](std::stop_token stop) { EXPECT_TRUE(agent_.Run(stop)); }) {}

 private:
  SlowSubstrate substrate_;
  std::unique_ptr<worker::Link> link_;
  worker::Agent agent_;
  std::jthread thread_;  // Last.
};

class PartitionTest : public testing::Test {
 protected:
  PartitionTest() {
    spdlog::set_level(spdlog::level::off);
    SchedulerOptions options;
    options.folder = folder_.path() / "data";
    options.limits.lease_time = std::chrono::milliseconds(1000);
    options.limits.poll_interval = std::chrono::milliseconds(20);
    options.limits.retry.max_losses_alone = 1000;  // The network is to blame.
    server_ = StartScheduler(options).value();
  }

  static void Disturb(Proxy& proxy, PhiloxSequence& random) {
    using std::chrono::milliseconds;
    constexpr Proxy::Mode kModes[] = {Proxy::Mode::kDelay, Proxy::Mode::kHalfOpen,
                                      Proxy::Mode::kRefuse};
    proxy.Set(kModes[random.Below(3)], milliseconds(random.Below(200)));
    SystemClock().SleepFor(milliseconds(50 + random.Below(400)), {});
    if (random.Below(4) == 0) SystemClock().SleepFor(milliseconds(1200), {});  // Past a lease.
    proxy.Set(Proxy::Mode::kPass);
    SystemClock().SleepFor(milliseconds(random.Below(300)), {});
  }

  void ExpectAll(Stubs& stubs, const std::string& name) {
    std::vector<v1::StreamResultsResponse> results;
    ASSERT_TRUE(ReadResultsOnWire(stubs, name, 0, false, results).ok());
    std::uint64_t next = 0;
    for (const v1::StreamResultsResponse& part : results) {
      ASSERT_EQ(part.first_index(), next);
      ASSERT_EQ(part.error(), "");
      ASSERT_TRUE(part.frame() == EncodeObservations(ResultOf(7, next, part.count(), 20)));
      next += part.count();
    }
    EXPECT_EQ(next, kSets);
  }

  TemporaryFolder folder_;
  std::unique_ptr<SchedulerServer> server_;
};

TEST_F(PartitionTest, WorkersThatAreCutOffLoseAndDoubleNothing) {
  Stubs stubs(server_->address());
  v1::CreateJobResponse created;
  ASSERT_TRUE(stubs.experiments
                  ->CreateJob(MakeContext().get(), ToMessage(MakeRequest("r", kSets)), &created)
                  .ok());
  const std::string name = created.job().name();
  Proxy proxy(server_->address());
  v1::GetJobResponse job;
  {
    Worker cut_off("w1", proxy.address());
    Worker also_cut_off("w2", proxy.address());
    PhiloxSequence random(StreamKey(1, "partition"));
    for (int i = 0; i < kFaults; ++i) Disturb(proxy, random);
    v1::GetJobRequest get;
    get.set_name(name);
    for (int i = 0; i < 1000 && !job.job().has_end_time(); ++i) {
      SystemClock().SleepFor(std::chrono::milliseconds(100), {});
      ASSERT_TRUE(stubs.experiments->GetJob(MakeContext().get(), get, &job).ok());
    }
  }
  EXPECT_EQ(job.job().state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(job.job().experiments_done(), kSets);
  ExpectAll(stubs, name);
}

}  // namespace
}  // namespace inferon::scheduler
