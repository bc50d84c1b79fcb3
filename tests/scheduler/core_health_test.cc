// Health checks on a whole core: canaries before work, bad workers out, their results marked.
#include <gmock/gmock.h>

#include "common/base/hash.h"
#include "tests/scheduler/scheduler_fixture.h"

namespace inferon::scheduler {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

class CoreHealthTest : public CoreTest {
 protected:
  void SetUp() override {
    CoreTest::SetUp();
    ASSERT_TRUE(worker_.Beat(*core_, 0));
    canary_.substrate = "emulator";
    canary_.spec = MakeRequest("canary", 2, 4, 3).spec;
    canary_.baseline_checks = 2;
    canary_.interval_seconds = 600;
    const auto set = core_->SetCanary(canary_);
    ASSERT_TRUE(set) << set.error().Text();
  }

  // What the worker's next lease is for: a check or a user's job; empty: it gets none.
  std::string Next() {
    EXPECT_TRUE(worker_.Beat(*core_, 1));
    if (worker_.held().empty()) return "";
    return ParseJobName(core_->GetShard(worker_.held()[0])->job)->project;
  }
  // Runs the lease that it holds; a shifted trace is a drifted chip.
  void Run(std::uint16_t shift = 0) {
    const LeaseRef lease = worker_.held().at(0);
    const ShardWork work = core_->GetShard(lease).value();
    ObservationBatch batch =
        ResultOf(work.spec.seed, work.first, work.count, work.spec.protocol.Points());
    for (std::uint16_t& count : batch.trace) {
      count = static_cast<std::uint16_t>(std::min(1023, count + shift));
    }
    const std::string frame = EncodeObservations(batch);
    ASSERT_TRUE(Stage(*core_, lease, frame));
    const auto done = core_->CommitShard(lease, Sha256Hex(frame), 0.5);
    ASSERT_TRUE(done) << done.error().Text();
    worker_.Drop(lease);
  }
  void Check(std::uint16_t shift = 0) {
    ASSERT_EQ(Next(), kHealthProject);
    Run(shift);
  }
  WorkerRecord Record() { return core_->GetWorker("w1")->view.record; }

  Canary canary_;
};

constexpr std::uint16_t kDrift = 300;

TEST_F(CoreHealthTest, ChecksRunBeforeWorkOfUsers) {
  Submit(MakeRequest("r", 100, 1));
  Check();
  Check();
  EXPECT_EQ(Record().health, WorkerHealth::kGood);
  EXPECT_EQ(core_->GetWorker("w1")->checks.at(0).verdict, Verdict::kBaseline);
  EXPECT_EQ(Next(), "default") << "two stored values are there";
  Run();
  clock_.Advance(seconds(600));
  ASSERT_TRUE(worker_.Beat(*core_, 0));
  Check();
  EXPECT_EQ(core_->GetWorker("w1")->checks.at(0).verdict, Verdict::kGood);
  EXPECT_EQ(Next(), "default");
}

TEST_F(CoreHealthTest, NothingElseIsGivenWhileACheckRuns) {
  Submit(MakeRequest("r", 100, 1));
  ASSERT_EQ(Next(), kHealthProject);
  ASSERT_TRUE(worker_.Beat(*core_, 5));
  EXPECT_EQ(worker_.held().size(), 1u);
}

TEST_F(CoreHealthTest, FailingWorkerIsTakenOutAndItsResultsAreMarked) {
  const Job job = Submit(MakeRequest("r", 100, 1));
  Check();
  Check();
  clock_.Advance(seconds(600));
  ASSERT_TRUE(worker_.Beat(*core_, 0));
  Check();
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(Next(), "default");
    Run();
  }
  clock_.Advance(seconds(600));
  ASSERT_TRUE(worker_.Beat(*core_, 0));
  Check(kDrift);
  EXPECT_EQ(Record().health, WorkerHealth::kSuspect);
  EXPECT_THAT(Record().health_message, HasSubstr("outside"));
  EXPECT_EQ(Get(job).experiments_suspect, 0u);
  Check(kDrift);
  EXPECT_EQ(Record().health, WorkerHealth::kBad);
  EXPECT_EQ(Get(job).experiments_suspect, 3u);
  EXPECT_EQ(Next(), "") << "it gets no work";
  const auto chunks = ReadAll(*core_, NameOf(job));
  ASSERT_EQ(chunks.size(), 3u);
  EXPECT_TRUE(chunks[0].suspect);
  Restart();
  EXPECT_EQ(Record().health, WorkerHealth::kBad) << "it is on disk";
}

TEST_F(CoreHealthTest, OneOutlierAloneMarksNothing) {
  const Job job = Submit(MakeRequest("r", 100, 1));
  Check();
  Check();
  ASSERT_EQ(Next(), "default");
  Run();
  clock_.Advance(seconds(600));
  ASSERT_TRUE(worker_.Beat(*core_, 0));
  Check(kDrift);
  Check();
  EXPECT_EQ(Record().health, WorkerHealth::kGood);
  EXPECT_EQ(Get(job).experiments_suspect, 0u);
  EXPECT_EQ(Next(), "default");
}

TEST_F(CoreHealthTest, RepairedWorkerComesBackAfterTwoGoodChecks) {
  Submit(MakeRequest("r", 100, 1));
  Check();
  Check();
  clock_.Advance(seconds(600));
  ASSERT_TRUE(worker_.Beat(*core_, 0));
  ASSERT_EQ(Next(), kHealthProject);
  ASSERT_TRUE(core_->FailShard(worker_.held()[0], "no link", true));
  worker_.Drop(worker_.held()[0]);
  EXPECT_EQ(Record().health, WorkerHealth::kBad);
  EXPECT_EQ(core_->GetWorker("w1")->checks.at(0).message, "no link");
  EXPECT_EQ(Next(), "");
  clock_.Advance(seconds(600));
  ASSERT_TRUE(worker_.Beat(*core_, 0));
  Check();
  EXPECT_EQ(Record().health, WorkerHealth::kBad);
  Check();
  EXPECT_EQ(Record().health, WorkerHealth::kGood);
  EXPECT_EQ(Next(), "default");
}

TEST_F(CoreHealthTest, NewProcessAndNewCalibrationAreChecked) {
  Submit(MakeRequest("r", 100, 1));
  Check();
  Check();
  worker_.capabilities.calibration_id = std::string(64, 'c');
  EXPECT_EQ(Next(), kHealthProject) << "the calibration is another";
  Run();
  FakeWorker again("w1", "bbbbbbbbbbbbbbbb");
  ASSERT_TRUE(again.Beat(*core_, 1));
  EXPECT_EQ(ParseJobName(core_->GetShard(again.held().at(0))->job)->project, kHealthProject);
}

TEST_F(CoreHealthTest, CheckGoesOnAfterARestartAndAfterALostWorker) {
  ASSERT_EQ(Next(), kHealthProject);
  Restart();
  ASSERT_EQ(Next(), kHealthProject) << "begun before the restart";
  clock_.Advance(limits_.lease_time);
  Check();
  Check();
  EXPECT_EQ(Record().health, WorkerHealth::kGood);
}

TEST_F(CoreHealthTest, TakingTheCanaryAwayEndsTheChecks) {
  Submit(MakeRequest("r", 100, 1));
  ASSERT_EQ(Next(), kHealthProject);
  ASSERT_TRUE(core_->SetCanary({.substrate = "emulator"}));
  EXPECT_TRUE(core_->ListCanaries()->empty());
  EXPECT_EQ(Next(), "default");
}

TEST_F(CoreHealthTest, CanariesAreChecked) {
  const auto code = [&](const std::function<void(Canary&)>& change) {
    Canary canary = canary_;
    change(canary);
    const auto set = core_->SetCanary(canary);
    return set ? ErrorCode::kInternal : set.error().code;
  };
  EXPECT_EQ(code([](Canary& c) { c.substrate = "abacus"; }), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code([](Canary& c) { c.interval_seconds = 0.9; }), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code([](Canary& c) { c.interval_seconds = 604'801; }), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code([](Canary& c) { c.baseline_checks = 1; }), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code([](Canary& c) { c.limit_sigmas = 0.5; }), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code([](Canary& c) { c.spec.trials = 1001; }), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code([](Canary& c) { c.spec.sets.codes.resize(17 * 7, 1); }),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(code([](Canary& c) { c.spec.sets.codes[0] = 1023; }), ErrorCode::kInvalidArgument);
}

TEST_F(CoreHealthTest, OtherKindsOfSubstrateAreNotChecked) {
  FakeWorker other("w2", "bbbbbbbbbbbbbbbb");
  other.capabilities.substrate = "brainscales2";
  JobRequest request = MakeRequest("r", 4);
  request.spec.substrate = "brainscales2";
  Submit(request);
  EXPECT_TRUE(RunShard(*core_, other.LeaseOne(*core_)));
}

}  // namespace
}  // namespace inferon::scheduler
