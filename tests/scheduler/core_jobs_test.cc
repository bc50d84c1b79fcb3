#include <gmock/gmock.h>

#include "tests/scheduler/scheduler_fixture.h"

namespace inferon::scheduler {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST_F(CoreTest, AcceptedJobIsOnDisk) {
  const Job job = Submit(MakeRequest("r", 10));
  EXPECT_EQ(job.state, JobState::kPending);
  EXPECT_EQ(job.create_time, clock_.WallNow());
  Restart();
  EXPECT_EQ(Get(job).experiments, 10u);
  EXPECT_EQ(Get(job).shards, 3u);
}

TEST_F(CoreTest, SameSubmissionGivesTheFirstAnswer) {
  const Job first = Submit(MakeRequest("r", 10));
  EXPECT_EQ(Submit(MakeRequest("r", 10)).id, first.id);
  Restart();
  EXPECT_EQ(Submit(MakeRequest("r", 10)).id, first.id);
  EXPECT_EQ(core_->ListJobs("default", 0, "")->jobs.size(), 1u);
}

TEST_F(CoreTest, SameIdWithOtherContentIsRefused) {
  Submit(MakeRequest("r", 10));
  const auto other = core_->CreateJob(MakeRequest("r", 11));
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, ErrorCode::kAlreadyExists);
  EXPECT_THAT(other.error().message, HasSubstr("'r'"));
}

TEST_F(CoreTest, SameIdInAnotherProjectIsAnotherJob) {
  JobRequest other = MakeRequest("r", 11);
  other.project = "other";
  EXPECT_NE(Submit(MakeRequest("r", 10)).id, Submit(other).id);
}

TEST_F(CoreTest, RefusedJobChangesNothing) {
  JobRequest bad = MakeRequest("r", 10);
  bad.spec.sets.codes[0] = 1023;
  EXPECT_EQ(core_->CreateJob(bad).error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(core_->ListJobs("default", 0, "")->jobs.empty());
}

TEST_F(CoreTest, FullQueueAtTheEdge) {
  limits_.max_queued_experiments = 10;
  Restart();
  Submit(MakeRequest("a", 6));
  Submit(MakeRequest("b", 4));
  const auto full = core_->CreateJob(MakeRequest("c", 1));
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, ErrorCode::kResourceExhausted);
  EXPECT_EQ(full.error().retry_after, limits_.queue_retry_after);
  EXPECT_EQ(Submit(MakeRequest("a", 6)).id, 1u) << "a repeated submission needs no room";
  ASSERT_TRUE(core_->CancelJob("projects/default/jobs/1"));
  Submit(MakeRequest("c", 1));
}

TEST_F(CoreTest, NumberOfJobsAtTheEdge) {
  limits_.max_queued_jobs = 2;
  Restart();
  Submit(MakeRequest("a", 1));
  Submit(MakeRequest("b", 1));
  EXPECT_EQ(core_->CreateJob(MakeRequest("c", 1)).error().code, ErrorCode::kResourceExhausted);
}

TEST_F(CoreTest, NamesAreCheckedAndLookedUp) {
  Submit(MakeRequest("r", 1));
  const auto code = [&](const std::string& name) { return core_->GetJob(name).error().code; };
  EXPECT_TRUE(core_->GetJob("projects/default/jobs/1"));
  EXPECT_EQ(code("projects/default/jobs/2"), ErrorCode::kNotFound);
  EXPECT_EQ(code("projects/other/jobs/1"), ErrorCode::kNotFound);
  EXPECT_EQ(code("projects/default/jobs/01"), ErrorCode::kNotFound);
  EXPECT_EQ(code("projects/default/jobs/abc"), ErrorCode::kNotFound);
  for (const char* bad : {"", "1", "jobs/1", "projects/default/jobs/", "projects//jobs/1",
                          "projects/A/jobs/1", "projects/default/jobs/1/x"}) {
    EXPECT_EQ(code(bad), ErrorCode::kInvalidArgument) << bad;
  }
}

TEST_F(CoreTest, PagesCoverEveryJobOnce) {
  for (int i = 0; i < 5; ++i) Submit(MakeRequest("r" + std::to_string(i), 1));
  std::vector<JobId> seen;
  std::string token;
  do {
    const Result<JobPage> page = core_->ListJobs("default", 2, token);
    for (const Job& job : page->jobs) seen.push_back(job.id);
    token = page->next_page_token;
    if (seen.size() == 2) Submit(MakeRequest("later", 1));
  } while (!token.empty());
  EXPECT_THAT(seen, ElementsAre(5u, 4u, 3u, 2u, 1u));
}

TEST_F(CoreTest, LastPageHasNoToken) {
  Submit(MakeRequest("a", 1));
  Submit(MakeRequest("b", 1));
  EXPECT_EQ(core_->ListJobs("default", 2, "")->next_page_token, "");
  EXPECT_NE(core_->ListJobs("default", 1, "")->next_page_token, "");
}

TEST_F(CoreTest, BadPageTokenIsRefused) {
  for (const char* token : {"x", "-1", "0", "01", "99999999999999999999999"}) {
    EXPECT_EQ(core_->ListJobs("default", 0, token).error().code, ErrorCode::kInvalidArgument);
  }
  EXPECT_EQ(core_->ListJobs("A", 0, "").error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(core_->ListJobs("default", 5000, "")) << "cut to the largest page";
}

TEST_F(CoreTest, CancelledJobGetsNoWorkerAndRefusesLateResults) {
  const Job job = Submit(MakeRequest("r", 8));
  const LeaseRef lease = worker_.LeaseOne(*core_);
  const Result<Job> cancelled = core_->CancelJob(NameOf(job));
  ASSERT_TRUE(cancelled);
  EXPECT_EQ(cancelled->state, JobState::kCancelled);
  EXPECT_EQ(cancelled->shards_leased, 0u);
  EXPECT_TRUE(cancelled->end_time.has_value());
  EXPECT_EQ(RunShard(*core_, lease).error().code, ErrorCode::kAborted);
  ASSERT_TRUE(worker_.Beat(*core_, 1));
  EXPECT_TRUE(worker_.held().empty());
}

TEST_F(CoreTest, CancellingTwiceChangesNothing) {
  const Job job = Submit(MakeRequest("r", 8));
  ASSERT_TRUE(core_->CancelJob(NameOf(job)));
  ASSERT_TRUE(core_->CancelJob(NameOf(job)));
  EXPECT_THAT(EventKinds(job), ElementsAre("job.created", "job.cancelled"));
}

TEST_F(CoreTest, FinishedJobCannotBeCancelled) {
  const Job job = Submit(MakeRequest("r", 4));
  ASSERT_TRUE(RunShard(*core_, worker_.LeaseOne(*core_)));
  EXPECT_EQ(core_->CancelJob(NameOf(job)).error().code, ErrorCode::kFailedPrecondition);
  EXPECT_EQ(core_->CancelJob("projects/default/jobs/9").error().code, ErrorCode::kNotFound);
}

TEST_F(CoreTest, EventsTellTheStoryAndResume) {
  const Job job = Submit(MakeRequest("r", 4));
  ASSERT_TRUE(RunShard(*core_, worker_.LeaseOne(*core_)));
  EXPECT_THAT(EventKinds(job), ElementsAre("job.created", "job.running", "shard.leased",
                                           "shard.done", "job.succeeded"));
  const EventPage all = core_->ReadEvents(NameOf(job), 0).value();
  EXPECT_TRUE(all.ended);
  EXPECT_EQ(all.job.state, JobState::kSucceeded);
  const EventPage rest = core_->ReadEvents(NameOf(job), all.events[2].sequence).value();
  EXPECT_EQ(rest.events.size(), 2u);
}

TEST_F(CoreTest, EventPagesHaveALimit) {
  limits_.events_per_message = 2;
  Restart();
  const Job job = Submit(MakeRequest("r", 4));
  ASSERT_TRUE(RunShard(*core_, worker_.LeaseOne(*core_)));
  const EventPage first = core_->ReadEvents(NameOf(job), 0).value();
  EXPECT_EQ(first.events.size(), 2u);
  EXPECT_FALSE(first.ended) << "more events follow";
}

TEST_F(CoreTest, ResultsComeInOrderAndStopAtTheFirstGap) {
  const Job job = Submit(MakeRequest("r", 10));
  ASSERT_TRUE(worker_.Beat(*core_, 3));
  const std::vector<LeaseRef> leases = worker_.held();
  ASSERT_EQ(leases.size(), 3u);
  ASSERT_TRUE(RunShard(*core_, leases[2]));
  EXPECT_TRUE(ReadAll(*core_, NameOf(job)).empty());
  EXPECT_EQ(ReadAll(*core_, NameOf(job), 8).size(), 1u);
  EXPECT_FALSE(core_->ReadResults(NameOf(job), 0, true)->ended) << "wait";
  EXPECT_TRUE(core_->ReadResults(NameOf(job), 0, false)->ended) << "a gap";
  ASSERT_TRUE(RunShard(*core_, leases[0]));
  ASSERT_TRUE(RunShard(*core_, leases[1]));
  std::string all;
  std::uint64_t next = 0;
  for (const ResultChunk& chunk : ReadAll(*core_, NameOf(job))) {
    EXPECT_EQ(chunk.first, next);
    EXPECT_EQ(chunk.frame, EncodeObservations(ResultOf(7, chunk.first, chunk.count, 20)));
    next += chunk.count;
  }
  EXPECT_EQ(next, 10u);
  EXPECT_TRUE(core_->ReadResults(NameOf(job), 10, true)->ended);
  EXPECT_EQ(core_->ReadResults(NameOf(job), 11, true).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(CoreTest, ResultsBeginInTheMiddleOfAShard) {
  const Job job = Submit(MakeRequest("r", 4));
  ASSERT_TRUE(RunShard(*core_, worker_.LeaseOne(*core_)));
  const auto chunks = ReadAll(*core_, NameOf(job), 3);
  ASSERT_EQ(chunks.size(), 1u);
  EXPECT_EQ(chunks[0].first, 3u);
  EXPECT_EQ(chunks[0].frame, EncodeObservations(ResultOf(7, 3, 1, 20)));
}

TEST_F(CoreTest, LargeShardIsDeliveredInParts) {
  limits_.max_result_bytes = 100;  // Two experiments of 20 points fit.
  Restart();
  const Job job = Submit(MakeRequest("r", 5, 5));
  ASSERT_TRUE(RunShard(*core_, worker_.LeaseOne(*core_)));
  const auto chunks = ReadAll(*core_, NameOf(job));
  EXPECT_GE(chunks.size(), 3u);
  std::uint64_t next = 0;
  for (const ResultChunk& chunk : chunks) {
    EXPECT_EQ(chunk.first, next);
    EXPECT_EQ(chunk.frame, EncodeObservations(ResultOf(7, chunk.first, chunk.count, 20)));
    next += chunk.count;
  }
  EXPECT_EQ(next, 5u);
}

TEST_F(CoreTest, CancelledJobDeliversWhatWasDone) {
  const Job job = Submit(MakeRequest("r", 8));
  ASSERT_TRUE(RunShard(*core_, worker_.LeaseOne(*core_)));
  ASSERT_TRUE(core_->CancelJob(NameOf(job)));
  EXPECT_EQ(ReadAll(*core_, NameOf(job)).size(), 1u);
  EXPECT_TRUE(core_->ReadResults(NameOf(job), 4, true)->ended);
}

TEST_F(CoreTest, DamagedResultsAreSaidToBe) {
  const Job job = Submit(MakeRequest("r", 4));
  ASSERT_TRUE(RunShard(*core_, worker_.LeaseOne(*core_)));
  WriteFileAtomically(folder_.path() / "segments" / "seg-000001.dat", "rubbish");
  EXPECT_EQ(core_->ReadResults(NameOf(job), 0, true).error().code, ErrorCode::kDataLoss);
}

TEST_F(CoreTest, ChangeOfAJobWakesThoseWhoWaitForIt) {
  const Job job = Submit(MakeRequest("a", 4));
  const Job other = Submit(MakeRequest("b", 4));
  int woken = 0;
  const auto id = core_->changes().Subscribe(job.id, [&] { ++woken; });
  ASSERT_TRUE(core_->CancelJob(NameOf(other)));
  EXPECT_EQ(woken, 0);
  worker_.LeaseOne(*core_);
  ASSERT_TRUE(core_->Tick());  // The writer tells of one commit before it begins the next.
  EXPECT_EQ(woken, 1);
  core_->changes().Unsubscribe(id);
  ASSERT_TRUE(core_->CancelJob(NameOf(job)));
  ASSERT_TRUE(core_->Tick());
  EXPECT_EQ(woken, 1);
}

TEST_F(CoreTest, FolderHasOneScheduler) {
  const auto second = OpenCore(folder_.path(), limits_, clock_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_THAT(second.error().message, HasSubstr(folder_.path().string()));
}

}  // namespace
}  // namespace inferon::scheduler
