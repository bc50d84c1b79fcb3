// Explanations, and retention.
#include <gmock/gmock.h>

#include "tests/scheduler/scheduler_fixture.h"

namespace inferon::scheduler {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;

class ExplainTest : public CoreTest {
 protected:
  std::vector<std::string> Codes(const Job& job) {
    const Result<Explanation> answer = core_->ExplainJob(NameOf(job));
    EXPECT_TRUE(answer);
    std::vector<std::string> codes;
    for (const WaitReason& reason : answer->reasons) {
      EXPECT_FALSE(reason.problem.empty());
      codes.push_back(reason.code);
    }
    return codes;
  }
};

TEST_F(ExplainTest, SaysWhatKeepsEachWorkerFromTheJob) {
  const Job job = Submit(MakeRequest("r", 8));
  EXPECT_THAT(Codes(job), ElementsAre("NO_WORKER"));
  ASSERT_TRUE(worker_.Beat(*core_, 0));
  EXPECT_THAT(Codes(job), ElementsAre("HEALTH"));
  ASSERT_TRUE(core_->DrainWorker("w1", ""));
  EXPECT_THAT(Codes(job), ElementsAre("DRAINING"));
  ASSERT_TRUE(core_->ResumeWorker("w1"));
  const WallTime now = clock_.WallNow();
  ASSERT_TRUE(core_->CreateReservation({0, "w1", "", now, now + hours(1), "dust"}));
  EXPECT_THAT(Codes(job), ElementsAre("RESERVED"));
  EXPECT_THAT(core_->ExplainJob(NameOf(job))->reasons[0].problem, HasSubstr("dust"));
  ASSERT_TRUE(core_->DeleteReservation(1));
  clock_.Advance(hours(1));
  EXPECT_THAT(Codes(job), ElementsAre("OFFLINE"));
}

TEST_F(ExplainTest, AWorkerThatIsReadyTakesTheNextJob) {
  ASSERT_TRUE(worker_.Beat(*core_, 1));
  const Job job = Submit(MakeRequest("r", 8));
  EXPECT_THAT(Codes(job), ElementsAre("NEXT"));
}

// A chip's worker whose device is bad wants nothing though it is idle.
TEST_F(ExplainTest, AnIdleWorkerThatWantsNothingIsSeenToBeBad) {
  ASSERT_TRUE(worker_.Beat(*core_, 1));
  EXPECT_EQ(core_->ListWorkers()->at(0).record.health, WorkerHealth::kUnknown);
  ASSERT_TRUE(worker_.Beat(*core_, 0));
  const WorkerView view = core_->ListWorkers()->at(0);
  EXPECT_EQ(view.record.health, WorkerHealth::kBad);
  EXPECT_THAT(view.record.health_message, HasSubstr("not ready"));
  EXPECT_EQ(view.state, WorkerState::kIdle);
  ASSERT_TRUE(core_->DrainWorker("w1", ""));
  EXPECT_EQ(core_->ListWorkers()->at(0).record.health, WorkerHealth::kUnknown)
      << "a drained worker is not to blame";
  EXPECT_EQ(core_->ResumeWorker("w1")->record.health, WorkerHealth::kUnknown)
      << "until its next call";
  ASSERT_TRUE(worker_.Beat(*core_, 0));
  EXPECT_EQ(core_->ListWorkers()->at(0).record.health, WorkerHealth::kBad);
}

TEST_F(ExplainTest, SaysWhatTheJobItselfIs) {
  const Job job = Submit(MakeRequest("r", 4));
  ASSERT_TRUE(core_->PauseJob(NameOf(job)));
  EXPECT_THAT(Codes(job), ElementsAre("PAUSED"));
  ASSERT_TRUE(core_->ResumeJob(NameOf(job)));
  const LeaseRef lease = worker_.LeaseOne(*core_);
  EXPECT_THAT(Codes(job), ElementsAre("RUNNING"));
  ASSERT_TRUE(core_->FailShard(lease, "no link", true));
  worker_.Drop(lease);
  EXPECT_THAT(Codes(job), ElementsAre("BACK_OFF"));
  clock_.Advance(limits_.retry.first_backoff);
  ASSERT_TRUE(RunShard(*core_, worker_.LeaseOne(*core_)));
  EXPECT_THAT(Codes(job), ElementsAre("ENDED"));
  EXPECT_EQ(core_->ExplainJob("projects/default/jobs/9").error().code, ErrorCode::kNotFound);
}

TEST_F(ExplainTest, NamesThePinThatNobodyMeets) {
  JobRequest request = MakeRequest("r", 4);
  request.spec.placement.worker = "w9";
  const Job job = Submit(request);
  ASSERT_TRUE(worker_.Beat(*core_, 0));
  EXPECT_THAT(Codes(job), ElementsAre("WRONG_WORKER"));
  EXPECT_TRUE(core_->ExplainJob(NameOf(job))->workers.empty());
  EXPECT_FALSE(core_->ExplainJob(NameOf(job))->expected);
}

TEST_F(ExplainTest, NamesTheQuota) {
  ASSERT_TRUE(core_->CreateProject("default", {.max_seconds_per_day = 0.5}));
  const Job job = Submit(MakeRequest("r", 8));
  ASSERT_TRUE(RunShard(*core_, worker_.LeaseOne(*core_)));
  EXPECT_THAT(Codes(job), testing::Contains("DAILY_QUOTA"));
  EXPECT_FALSE(core_->ExplainJob(NameOf(job))->expected);
}

// Ten shards of 4 experiments at 2 s each go first: the eleventh starts in 20 s.
TEST_F(ExplainTest, ExpectsTheStartFromMeasuredShards) {
  const Job first = Submit(MakeRequest("a", 52));
  const auto run = [&](int time) {
    const LeaseRef lease = worker_.LeaseOne(*core_);
    clock_.Advance(seconds(time));
    ASSERT_TRUE(RunShard(*core_, lease));
    worker_.Drop(lease);
  };
  for (const int time : {1, 2, 3}) run(time);
  const Job job = Submit(MakeRequest("b", 4));
  const Explanation answer = core_->ExplainJob(NameOf(job)).value();
  EXPECT_THAT(Codes(job), ElementsAre("PRIORITY"));
  EXPECT_THAT(answer.workers, ElementsAre("workers/w1"));
  EXPECT_EQ(answer.experiments_ahead, 40u);
  ASSERT_TRUE(answer.expected);
  EXPECT_EQ(*answer.expected - clock_.WallNow(), seconds(20));
  EXPECT_EQ(*answer.earliest - clock_.WallNow(), seconds(10));
  EXPECT_EQ(*answer.latest - clock_.WallNow(), seconds(30));
  const WallTime expected = *answer.expected;
  for (int i = 0; i < 10; ++i) run(2);
  EXPECT_EQ(clock_.WallNow(), expected);
  EXPECT_EQ(ParseJobName(core_->GetShard(worker_.LeaseOne(*core_))->job)->job, job.id)
      << "as it was told";
}

TEST_F(ExplainTest, NamesTheProjectsThatFairShareServesFirst) {
  JobRequest other = MakeRequest("a", 40);
  other.project = "other";
  const Job mine = Submit(MakeRequest("mine", 40));
  ASSERT_TRUE(RunShard(*core_, worker_.LeaseOne(*core_)));
  Submit(other);
  EXPECT_THAT(Codes(mine), testing::Contains("SHARE"));
  EXPECT_THAT(core_->ExplainJob(NameOf(mine))->reasons[0].problem, HasSubstr("other"));
}

class RetentionTest : public CoreTest {
 protected:
  Job Finished(const std::string& id) {
    const Job job = Submit(MakeRequest(id, 4));
    const LeaseRef lease = worker_.LeaseOne(*core_);
    EXPECT_TRUE(RunShard(*core_, lease));
    worker_.Drop(lease);
    return job;
  }
  std::size_t Files() {
    std::size_t files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path() / "segments")) {
      files += entry.path().extension() == ".dat" ? 1 : 0;
    }
    return files;
  }
};

TEST_F(RetentionTest, DryRunSaysWhatWouldGoAndTouchesNothing) {
  limits_.segment_bytes = 1;  // A file for each frame.
  Restart();
  const Job old = Finished("old");
  clock_.Advance(hours(2));
  Finished("new");
  const auto would = core_->CollectGarbage(hours(1), true);
  ASSERT_TRUE(would);
  EXPECT_THAT(would->jobs, ElementsAre(NameOf(old)));
  EXPECT_EQ(would->experiments, 4u);
  EXPECT_EQ(would->segments, 1u);
  EXPECT_GT(would->bytes, 100u);
  EXPECT_EQ(ReadAll(*core_, NameOf(old)).size(), 1u);
  const auto did = core_->CollectGarbage(hours(1), false, "alice");
  EXPECT_EQ(did->jobs, would->jobs);
  EXPECT_EQ(did->bytes, would->bytes);
  ASSERT_TRUE(core_->Tick());
  EXPECT_EQ(Files(), 1u);
  EXPECT_EQ(core_->ReadResults(NameOf(old), 0, true).error().code, ErrorCode::kFailedPrecondition);
  EXPECT_EQ(Get(old).experiments_done, 4u) << "the head stays";
  EXPECT_EQ(ReadAll(*core_, "projects/default/jobs/2").size(), 1u);
  EXPECT_TRUE(core_->CollectGarbage(hours(1), false)->jobs.empty());
}

TEST_F(RetentionTest, SegmentThatAnotherJobNeedsStays) {
  const Job old = Finished("old");
  clock_.Advance(hours(2));
  const Job fresh = Finished("new");
  EXPECT_EQ(core_->CollectGarbage(hours(1), false)->segments, 0u);
  EXPECT_EQ(ReadAll(*core_, NameOf(fresh)).size(), 1u);
  Restart();
  EXPECT_EQ(ReadAll(*core_, NameOf(fresh)).size(), 1u);
}

TEST_F(RetentionTest, ReusedResultsKeepTheirSegment) {
  limits_.segment_bytes = 1;
  Restart();
  JobRequest request = MakeRequest("a", 4);
  request.spec.reuse = true;
  const Job donor = Submit(request);
  ASSERT_TRUE(RunShard(*core_, worker_.LeaseOne(*core_)));
  clock_.Advance(hours(2));
  request.request_id = "b";
  const Job taker = Submit(request);
  Finished("c");
  EXPECT_THAT(core_->CollectGarbage(hours(1), false)->jobs, ElementsAre(NameOf(donor)));
  EXPECT_EQ(ReadAll(*core_, NameOf(taker)).size(), 1u);
}

TEST_F(RetentionTest, OldResultsGoByThemselvesWhereRetentionIsOn) {
  limits_.retain = hours(1);
  Restart();
  const Job job = Finished("old");
  clock_.Advance(hours(1) - seconds(1));
  ASSERT_TRUE(core_->Tick());
  EXPECT_FALSE(Get(job).purge_time);
  clock_.Advance(seconds(20));
  ASSERT_TRUE(core_->Tick());
  EXPECT_TRUE(Get(job).purge_time);
  EXPECT_EQ(Submit(MakeRequest("old", 4)).id, job.id) << "its request id stays taken";
}

TEST_F(RetentionTest, OpenJobsAreNeverRemoved) {
  Submit(MakeRequest("a", 8));
  ASSERT_TRUE(RunShard(*core_, worker_.LeaseOne(*core_)));
  clock_.Advance(hours(1000));
  EXPECT_TRUE(core_->CollectGarbage(seconds(0), false)->jobs.empty());
  EXPECT_EQ(core_->CollectGarbage(seconds(-1), false).error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace inferon::scheduler
