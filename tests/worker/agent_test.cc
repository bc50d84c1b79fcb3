#include "worker/agent/agent.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "tests/worker/fake_link.h"
#include "worker/fake/fake_substrate.h"

namespace inferon::worker {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::SizeIs;

const Error kAway{ErrorCode::kUnavailable, "the scheduler cannot be reached", "Wait", {}};

// Steps one thread's round after the other on a clock that stands still between them.
class AgentStepTest : public ::testing::Test {
 protected:
  void Heartbeat() { ASSERT_TRUE(agent_.HeartbeatStep({})); }
  void Work() {
    while (agent_.TransferStep({}) || agent_.RunnerStep()) {
    }
  }

  FakeClock clock_;
  FakeLink link_;
  FakeSubstrate substrate_;
  Agent agent_{AgentOptions{}, link_, substrate_, clock_};
};

TEST_F(AgentStepTest, DeliversTheEncodedObservationsOfItsShard) {
  const std::uint64_t shard = link_.AddShard(100, 3);
  Heartbeat();
  Work();
  ASSERT_THAT(substrate_.Runs(), SizeIs(1));
  EXPECT_EQ(link_.Delivered().at(shard),
            EncodeObservations(FakeObservations(substrate_.Runs()[0])));
}

TEST_F(AgentStepTest, FetchesTheNextShardBeforeTheFirstHasRun) {
  link_.AddShard(0, 1);
  link_.AddShard(1, 1);
  link_.AddShard(2, 1);
  Heartbeat();
  EXPECT_THAT(link_.Leased(), SizeIs(2));
  EXPECT_TRUE(agent_.TransferStep({}));
  EXPECT_TRUE(agent_.TransferStep({}));
  EXPECT_FALSE(agent_.TransferStep({}));  // Both are here, nothing has run.
  EXPECT_THAT(substrate_.Runs(), SizeIs(0));
}

TEST_F(AgentStepTest, FailureThatMayPassIsReportedAsRetryable) {
  link_.AddShard(0, 1);
  substrate_.Script(FailingRun({ErrorCode::kInternal, "no answer from the chip", "", {}}));
  Heartbeat();
  Work();
  ASSERT_THAT(link_.Failures(), SizeIs(1));
  EXPECT_THAT(link_.Failures()[0].error, HasSubstr("no answer from the chip"));
  EXPECT_TRUE(link_.Failures()[0].retryable);
}

TEST_F(AgentStepTest, SettingsThatNobodyCanRunAreNotRetryable) {
  link_.AddShard(0, 1);
  substrate_.Script(FailingRun({ErrorCode::kInvalidArgument, "no such neuron", "", {}}));
  Heartbeat();
  Work();
  ASSERT_THAT(link_.Failures(), SizeIs(1));
  EXPECT_FALSE(link_.Failures()[0].retryable);
}

TEST_F(AgentStepTest, ExceptionOfTheSubstrateFailsTheShardOnly) {
  link_.AddShard(0, 1);
  const std::uint64_t next = link_.AddShard(1, 1);
  substrate_.Script(ThrowingRun());
  Heartbeat();
  Work();
  ASSERT_THAT(link_.Failures(), SizeIs(1));
  EXPECT_THAT(link_.Failures()[0].error, HasSubstr("the link to the chip broke"));
  EXPECT_TRUE(link_.Delivered().contains(next));
}

TEST_F(AgentStepTest, ResultOfTheWrongSizeIsNotDelivered) {
  link_.AddShard(0, 2);
  substrate_.Script([](const RunRequest& request, std::stop_token) -> Result<ObservationBatch> {
    RunRequest shorter = request;
    shorter.count = 1;
    return FakeObservations(shorter);
  });
  Heartbeat();
  Work();
  EXPECT_TRUE(link_.Delivered().empty());
  ASSERT_THAT(link_.Failures(), SizeIs(1));
  EXPECT_THAT(link_.Failures()[0].error, HasSubstr("1 observations of 20 points instead of 2"));
}

TEST_F(AgentStepTest, ResultOfALeaseThatWasLostMeanwhileIsDropped) {
  const std::uint64_t shard = link_.AddShard(0, 1);
  Heartbeat();
  ASSERT_TRUE(agent_.TransferStep({}));
  substrate_.Script([&](const RunRequest& request, std::stop_token stop) {
    link_.Revoke(shard);
    EXPECT_TRUE(agent_.HeartbeatStep({}));
    EXPECT_TRUE(stop.stop_requested());
    return Result<ObservationBatch>(FakeObservations(request));
  });
  EXPECT_TRUE(agent_.RunnerStep());
  EXPECT_FALSE(agent_.TransferStep({}));
  EXPECT_TRUE(link_.Delivered().empty());
  EXPECT_TRUE(link_.Failures().empty());
}

TEST_F(AgentStepTest, RunStopsBeforeItsLeaseEndsWhileTheSchedulerIsAway) {
  link_.AddShard(0, 1);
  Heartbeat();
  ASSERT_TRUE(agent_.TransferStep({}));
  bool stopped_in_time = false;
  substrate_.Script([&](const RunRequest&, std::stop_token stop) -> Result<ObservationBatch> {
    link_.SetOutage(kAway);
    const SteadyTime start = clock_.Now();
    while (clock_.Now() < start + seconds(20)) {
      const auto pause = agent_.HeartbeatStep({});
      EXPECT_TRUE(pause);
      if (stop.stop_requested()) break;
      clock_.Advance(*pause);
    }
    stopped_in_time = stop.stop_requested() && clock_.Now() - start < seconds(10);
    return Fail(ErrorCode::kCancelled, "stopped");
  });
  EXPECT_TRUE(agent_.RunnerStep());
  EXPECT_TRUE(stopped_in_time);
}

TEST_F(AgentStepTest, HeartbeatNeverWaitsBeyondTheEndOfALease) {
  link_.AddShard(0, 1);
  Heartbeat();
  clock_.Advance(seconds(7));
  link_.SetOutage(kAway);
  Heartbeat();
  EXPECT_EQ(link_.Timeouts().back(), seconds(2));  // 10 s less a tenth, 7 s ago.
}

TEST_F(AgentStepTest, DeliveryIsTriedAgainWhenTheSchedulerIsBack) {
  const std::uint64_t shard = link_.AddShard(0, 1);
  Heartbeat();
  ASSERT_TRUE(agent_.TransferStep({}));
  ASSERT_TRUE(agent_.RunnerStep());
  link_.SetOutage(kAway);
  EXPECT_TRUE(agent_.TransferStep({}));
  EXPECT_TRUE(link_.Delivered().empty());
  link_.SetOutage(std::nullopt);
  Work();
  EXPECT_TRUE(link_.Delivered().contains(shard));
  EXPECT_THAT(substrate_.Runs(), SizeIs(1));
}

TEST_F(AgentStepTest, RefusedResultFailsTheShard) {
  link_.AddShard(0, 1);
  link_.RefuseDelivery({ErrorCode::kDataLoss, "the checksum of a chunk is wrong", "", {}});
  Heartbeat();
  Work();
  ASSERT_THAT(link_.Failures(), SizeIs(1));
  EXPECT_THAT(link_.Failures()[0].error, HasSubstr("checksum"));
  EXPECT_TRUE(link_.Failures()[0].retryable);
}

TEST_F(AgentStepTest, LeaseThatRanOutDuringItsDeliveryIsNotBegunAgain) {
  const std::uint64_t shard = link_.AddShard(0, 1);
  Heartbeat();
  link_.RefuseDelivery({ErrorCode::kDataLoss, "cut off", "", {}});
  link_.BeforeDelivery([&] {
    link_.SetOutage(kAway);
    clock_.Advance(seconds(20));
    Heartbeat();  // The lease is over here,
    link_.SetOutage(std::nullopt);
    Heartbeat();  // but not there: it is given again, fence and all.
  });
  Work();
  EXPECT_TRUE(link_.Failures().empty()) << "the delivery's late answer touches nothing";
  EXPECT_THAT(substrate_.Runs(), SizeIs(1)) << "the delivery may have arrived";
  EXPECT_FALSE(link_.Delivered().contains(shard));
  Heartbeat();
  EXPECT_THAT(link_.Reports().back().leases, ::testing::IsEmpty())
      << "the scheduler's deadline decides";
}

TEST_F(AgentStepTest, UnhealthySubstrateAsksForNoWork) {
  link_.AddShard(0, 1);
  substrate_.SetHealth(Fail(ErrorCode::kUnavailable, "the chip is off"));
  Heartbeat();
  EXPECT_EQ(link_.Reports().back().wanted, 0);
  substrate_.SetHealth({});
  Heartbeat();
  EXPECT_EQ(link_.Reports().back().wanted, 2);
}

TEST_F(AgentStepTest, TakenOverNameEndsTheAgent) {
  link_.SetOutage(Error{ErrorCode::kAborted, "another session", "", {}});
  EXPECT_EQ(agent_.HeartbeatStep({}).error().code, ErrorCode::kAborted);
}

// Whole agents with their threads, on the real clock.
class AgentRunTest : public ::testing::Test {
 protected:
  void Start() {
    thread_ = std::jthread([this](std::stop_token stop) { ended_ = agent_.Run(stop); });
  }
  Status Stop() {
    thread_.request_stop();
    thread_.join();
    return ended_;
  }

  FakeLink link_;
  FakeSubstrate substrate_;
  Agent agent_{AgentOptions{.drain_grace = milliseconds(200)}, link_, substrate_, SystemClock()};
  Status ended_;
  std::jthread thread_;
};

TEST_F(AgentRunTest, WorksThroughTheQueue) {
  for (std::uint64_t i = 0; i < 20; ++i) link_.AddShard(i, 1);
  Start();
  EXPECT_TRUE(link_.WaitFor([](const FakeLink& link) { return link.Delivered().size() == 20; }));
  EXPECT_TRUE(Stop());
}

TEST_F(AgentRunTest, StopsWithinTheGraceAndGivesItsShardsBack) {
  std::stop_source running;
  substrate_.Script([&](const RunRequest& request, std::stop_token stop) {
    running.request_stop();
    return EndlessRun()(request, stop);
  });
  link_.AddShard(0, 1);
  link_.AddShard(1, 1);
  Start();
  while (SystemClock().SleepFor(milliseconds(5), running.get_token())) {
  }
  EXPECT_TRUE(Stop());
  EXPECT_TRUE(link_.Leased().empty());
  EXPECT_TRUE(link_.Delivered().empty());
  // The waiting shard goes back at once, the running one after the grace.
  const std::vector<WorkerReport> reports = link_.Reports();
  EXPECT_TRUE(std::any_of(reports.begin(), reports.end(), [](const WorkerReport& report) {
    return report.draining && report.leases.size() == 1;
  }));
  EXPECT_TRUE(reports.back().draining && reports.back().leases.empty());
}

TEST_F(AgentRunTest, StopLetsTheRunningShardFinish) {
  std::stop_source running;
  substrate_.Script([&](const RunRequest& request, std::stop_token) {
    running.request_stop();
    SystemClock().SleepFor(milliseconds(50), {});
    return Result<ObservationBatch>(FakeObservations(request));
  });
  const std::uint64_t shard = link_.AddShard(0, 1);
  Start();
  while (SystemClock().SleepFor(milliseconds(5), running.get_token())) {
  }
  EXPECT_TRUE(Stop());
  EXPECT_TRUE(link_.Delivered().contains(shard));
}

TEST_F(AgentRunTest, LostLeaseStopsTheRun) {
  std::stop_source running;
  std::stop_source stopped;
  substrate_.Script([&](const RunRequest& request, std::stop_token stop) {
    running.request_stop();
    const auto result = EndlessRun()(request, stop);
    stopped.request_stop();
    return result;
  });
  const std::uint64_t shard = link_.AddShard(0, 1);
  Start();
  while (SystemClock().SleepFor(milliseconds(5), running.get_token())) {
  }
  link_.Revoke(shard);
  for (int i = 0; i < 1000 && SystemClock().SleepFor(milliseconds(5), stopped.get_token()); ++i) {
  }
  EXPECT_TRUE(stopped.stop_requested());
  EXPECT_TRUE(Stop());
}

TEST_F(AgentRunTest, WaitsForASchedulerThatIsAway) {
  link_.SetOutage(kAway);
  const std::uint64_t shard = link_.AddShard(0, 1);
  Start();
  ASSERT_TRUE(link_.WaitFor([](const FakeLink& link) { return link.Reports().size() >= 2; }));
  link_.SetOutage(std::nullopt);
  const auto delivered = [&](const FakeLink& link) { return link.Delivered().contains(shard); };
  EXPECT_TRUE(link_.WaitFor(delivered));
  EXPECT_TRUE(Stop());
}

TEST_F(AgentRunTest, StopsWhileTheSchedulerIsAway) {
  link_.SetOutage(kAway);
  Start();
  ASSERT_TRUE(link_.WaitFor([](const FakeLink& link) { return !link.Reports().empty(); }));
  EXPECT_TRUE(Stop());
}

TEST_F(AgentRunTest, SecondProcessOfTheSameNameEndsTheFirst) {
  Start();
  ASSERT_TRUE(link_.WaitFor([](const FakeLink& link) { return !link.Reports().empty(); }));
  link_.SetOutage(Error{ErrorCode::kAborted, "another session has taken over", "", {}});
  thread_.join();
  ASSERT_FALSE(ended_);
  EXPECT_EQ(ended_.error().code, ErrorCode::kAborted);
}

}  // namespace
}  // namespace inferon::worker
