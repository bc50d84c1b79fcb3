// A cancelled or paused job stops its worker's substrate: agent and scheduler without a wire.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "common/base/hash.h"
#include "common/neuron/profile.h"
#include "tests/scheduler/scheduler_fixture.h"
#include "worker/agent/agent.h"
#include "worker/fake/fake_substrate.h"

namespace inferon::worker {
namespace {

// The scheduler's core in place of a connection.
class CoreLink : public Link {
 public:
  explicit CoreLink(scheduler::Core& core) : core_(core) {}

  Result<Orders> Synchronize(const WorkerReport& report, std::chrono::nanoseconds,
                             std::stop_token) override {
    scheduler::SyncRequest request{"w1",
                                   "aaaaaaaaaaaaaaaa",
                                   scheduler::EmulatorCapabilities(),
                                   {},
                                   static_cast<std::uint32_t>(report.wanted),
                                   report.draining};
    for (const LeaseRef& ref : report.leases) request.leases.push_back({ref.shard, ref.fence});
    const Result<scheduler::SyncAnswer> answer = core_.Synchronize(request);
    if (!answer) return tl::unexpected(answer.error());
    Orders orders{.next = answer->next, .drain = answer->drain};
    for (const scheduler::GivenLease& given : answer->leases) {
      orders.leases.push_back({{given.ref.shard, given.ref.fence}, given.left});
    }
    return orders;
  }

  Result<ShardWork> GetShard(const LeaseRef& lease, std::stop_token) override {
    const Result<scheduler::ShardWork> work = core_.GetShard({lease.shard, lease.fence});
    if (!work) return tl::unexpected(work.error());
    const scheduler::JobSpec& spec = work->spec;
    return ShardWork{work->job,
                     {ParseProfile(spec.profile_toml).value(), spec.protocol, spec.device,
                      spec.seed, spec.trials, work->first, work->count, spec.sets}};
  }

  Status DeliverShard(const LeaseRef& lease, const std::string& frame, double seconds,
                      std::stop_token) override {
    const scheduler::LeaseRef ref{lease.shard, lease.fence};
    if (Status staged = scheduler::Stage(core_, ref, frame); !staged) return staged;
    const auto done = core_.CommitShard(ref, Sha256Hex(frame), seconds);
    return done ? Status() : tl::unexpected(done.error());
  }

  Status FailShard(const LeaseRef& lease, const std::string& error, bool retryable,
                   std::stop_token) override {
    return core_.FailShard({lease.shard, lease.fence}, error, retryable);
  }

 private:
  scheduler::Core& core_;
};

class StopTest : public ::testing::Test {
 protected:
  void SetUp() override {
    core_ = scheduler::OpenCore(folder_.path(), {}, clock_).value();
    link_ = std::make_unique<CoreLink>(*core_);
    agent_ = std::make_unique<Agent>(AgentOptions{.ahead = 0}, *link_, substrate_, clock_);
    job_ = core_->CreateJob(scheduler::MakeRequest("r", 4)).value();
    substrate_.Script([this](const RunRequest& request, std::stop_token stop) {
      running_ = true;
      running_.notify_all();
      auto run = EndlessRun()(request, stop);
      stopped_ = stop.stop_requested();
      return run;
    });
  }
  // Begins the run that ends only when it is stopped, does something to the job, and lets the
  // worker hear of it.
  void StopBy(const std::function<void(const std::string&)>& what) {
    ASSERT_TRUE(agent_->HeartbeatStep({}));
    ASSERT_TRUE(agent_->TransferStep({}));
    std::jthread runner([this] { agent_->RunnerStep(); });
    running_.wait(false);
    what(scheduler::JobName(job_.project, job_.id));
    const auto pause = agent_->HeartbeatStep({});
    ASSERT_TRUE(pause);
    runner.join();
    EXPECT_TRUE(stopped_);
    EXPECT_FALSE(agent_->TransferStep({})) << "there is nothing to deliver";
  }

  TemporaryFolder folder_;
  FakeClock clock_;
  FakeSubstrate substrate_;
  std::unique_ptr<scheduler::Core> core_;
  std::unique_ptr<CoreLink> link_;
  std::unique_ptr<Agent> agent_;
  scheduler::Job job_;
  std::atomic<bool> running_{false};
  std::atomic<bool> stopped_{false};
};

TEST_F(StopTest, CancelStopsTheSubstrate) {
  StopBy([&](const std::string& name) { ASSERT_TRUE(core_->CancelJob(name)); });
}

TEST_F(StopTest, PauseStopsTheSubstrateAndResumeRunsTheShardAgain) {
  StopBy([&](const std::string& name) { ASSERT_TRUE(core_->PauseJob(name)); });
  const std::string name = scheduler::JobName(job_.project, job_.id);
  ASSERT_TRUE(core_->ResumeJob(name));
  ASSERT_TRUE(agent_->HeartbeatStep({}));
  ASSERT_TRUE(agent_->TransferStep({}));
  ASSERT_TRUE(agent_->RunnerStep());
  ASSERT_TRUE(agent_->TransferStep({}));
  EXPECT_EQ(core_->GetJob(name)->state, scheduler::JobState::kSucceeded);
}

TEST_F(StopTest, DrainedWorkerFinishesItsShardAndAsksForNoMore) {
  ASSERT_TRUE(agent_->HeartbeatStep({}));
  ASSERT_TRUE(core_->DrainWorker("w1", "dust"));
  ASSERT_TRUE(agent_->HeartbeatStep({}));
  EXPECT_EQ(core_->ListWorkers()->at(0).leases, 1u);
}

}  // namespace
}  // namespace inferon::worker
