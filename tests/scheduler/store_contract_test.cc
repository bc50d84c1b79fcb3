// What every store promises; runs on all of them.
#include <gtest/gtest.h>

#include <functional>

#include "common/sqlite/sqlite.h"
#include "server/scheduler/state.h"
#include "server/scheduler/store.h"
#include "server/scheduler/store_sqlite_schema.h"
#include "tests/scheduler/scheduler_fixture.h"

namespace inferon::scheduler {
namespace {

constexpr WallTime kNow{std::chrono::seconds(1'700'000'000)};

class StoreTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    store_ = GetParam() == "memory" ? MakeMemoryStore()
                                    : OpenSqliteStore(folder_.path() / "store.db").value();
    store_->Begin();
  }
  void Commit() {
    store_->Commit();
    store_->Begin();
  }
  JobId Add(const JobRequest& request) {
    Job job;
    job.project = request.project;
    job.request_id = request.request_id;
    job.title = request.title;
    job.content_sha256 = "c";
    job.profile_sha256 = "p";
    job.create_time = kNow;
    return store_->AddJob(job, request.spec);
  }
  StoreReader& View() { return store_->View(); }
  Shard First(JobId job) { return View().ShardsFrom(job, 0, 1).at(0); }
  Job Get(JobId job) { return View().GetJob(job).value(); }

  TemporaryFolder folder_;
  std::unique_ptr<Store> store_;
};

TEST_P(StoreTest, JobComesBackAsItWasAdded) {
  JobRequest request = MakeRequest("r", 3, 2, 3);
  request.spec.seed = ~std::uint64_t{0};
  request.spec.priority = -7;
  request.spec.device = {"chip-x", 5, 6};
  const JobId id = Add(request);
  Commit();
  const Job job = Get(id);
  EXPECT_EQ(job.project, "default");
  EXPECT_EQ(job.request_id, "r");
  EXPECT_EQ(job.title, "a test");
  EXPECT_EQ(job.state, JobState::kPending);
  EXPECT_EQ(job.experiments, 9u);
  EXPECT_EQ(job.shards, 5u);
  EXPECT_EQ(job.shards_open, 5u);
  EXPECT_EQ(job.seed, ~std::uint64_t{0});
  EXPECT_EQ(job.priority, -7);
  EXPECT_EQ(job.device, request.spec.device);
  EXPECT_EQ(job.create_time, kNow);
  EXPECT_FALSE(job.start_time.has_value());
  EXPECT_EQ(job.dimension, 7u);
  EXPECT_EQ(job.points, 20u);
  EXPECT_EQ(View().FindRequest("default", "r")->id, id);
  EXPECT_FALSE(View().FindRequest("other", "r"));
  EXPECT_FALSE(View().GetJob(id + 1));
}

TEST_P(StoreTest, SpecGivesTheWantedSetsAcrossBlocks) {
  const JobRequest request = MakeRequest("r", 2500, 1000);
  const JobId id = Add(request);
  const JobSpec part = View().GetSpec(id, 1000, 1100);
  EXPECT_EQ(part.profile_toml, request.spec.profile_toml);
  EXPECT_EQ(part.protocol, request.spec.protocol);
  EXPECT_EQ(part.shard_size, 1000u);
  ASSERT_EQ(part.sets.size(), 1100u);
  EXPECT_TRUE(std::equal(part.sets.codes.begin(), part.sets.codes.end(),
                         request.spec.sets.codes.begin() + 7000));
  EXPECT_EQ(View().GetSpec(id, 0, 2500).sets.codes, request.spec.sets.codes);
  EXPECT_EQ(View().GetSpec(id, 2499, 1).sets.size(), 1u);
}

TEST_P(StoreTest, ReadersSeeWhatIsCommittedAndNothingElse) {
  const auto reader = store_->OpenReader();
  const JobId id = Add(MakeRequest("r", 3));
  EXPECT_FALSE(reader->GetJob(id));
  EXPECT_TRUE(View().GetJob(id));
  Commit();
  EXPECT_TRUE(reader->GetJob(id));
}

TEST_P(StoreTest, RollbackAndUndonePartLeaveNothing) {
  Add(MakeRequest("lost", 3));
  store_->Rollback();
  store_->Begin();
  EXPECT_FALSE(View().FindRequest("default", "lost"));
  store_->BeginPart();
  Add(MakeRequest("kept", 3));
  store_->EndPart();
  store_->BeginPart();
  Add(MakeRequest("undone", 3));
  store_->UndoPart();
  Commit();
  EXPECT_TRUE(View().FindRequest("default", "kept"));
  EXPECT_FALSE(View().FindRequest("default", "undone"));
}

TEST_P(StoreTest, ListIsNewestFirstInPages) {
  JobRequest other = MakeRequest("x", 1);
  other.project = "other";
  const JobId a = Add(MakeRequest("a", 1));
  Add(other);
  const JobId b = Add(MakeRequest("b", 1));
  const auto all = View().ListJobs("default", 0, 10);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].id, b);
  EXPECT_EQ(View().ListJobs("default", b, 10).at(0).id, a);
  EXPECT_EQ(View().ListJobs("default", 0, 1).size(), 1u);
}

TEST_P(StoreTest, FinishMovesShardAndCounters) {
  const JobId id = Add(MakeRequest("r", 6));
  const ShardId shard = First(id).id;
  store_->StartJob(id, kNow);
  store_->LeaseShard(shard, 5, "w");
  EXPECT_EQ(Get(id).shards_leased, 1u);
  EXPECT_EQ(View().LeasedShards().size(), 1u);
  const ShardResult result{"hash", {1, 100, 50}, 2.5};
  EXPECT_TRUE(store_->FinishShard(shard, 5, result));
  const Shard done = View().GetShard(shard).value();
  EXPECT_EQ(done.state, ShardState::kDone);
  EXPECT_EQ(done.sha256, "hash");
  EXPECT_EQ(done.location, result.location);
  EXPECT_EQ(done.worker, "w");
  const Job job = Get(id);
  EXPECT_EQ(job.experiments_done, 4u);
  EXPECT_EQ(job.shards_open, 1u);
  EXPECT_EQ(job.shards_leased, 0u);
  EXPECT_EQ(job.substrate_seconds, 2.5);
  ASSERT_EQ(View().SegmentEnds().size(), 1u);
  EXPECT_EQ(View().SegmentEnds()[0].bytes, 150u);
}

TEST_P(StoreTest, StaleFenceChangesNothing) {
  const JobId id = Add(MakeRequest("r", 6));
  const ShardId shard = First(id).id;
  const auto all_refused = [&](Fence fence) {
    EXPECT_FALSE(store_->FinishShard(shard, fence, {"h", {1, 0, 1}, 0}));
    EXPECT_FALSE(store_->ReturnShard(shard, fence, {}));
    EXPECT_FALSE(store_->SplitShard(shard, fence, {}, {}));
    EXPECT_FALSE(store_->KillShard(shard, fence, {}));
  };
  all_refused(0);
  store_->LeaseShard(shard, 5, "w");
  all_refused(4);
  all_refused(6);
  EXPECT_TRUE(store_->FinishShard(shard, 5, {"h", {1, 0, 1}, 0}));
  all_refused(5);
  EXPECT_FALSE(store_->FinishShard(999, 5, {"h", {1, 0, 1}, 0}));
  EXPECT_EQ(Get(id).experiments_done, 4u);
  EXPECT_EQ(Get(id).shards, 2u);
}

TEST_P(StoreTest, ReturnKeepsErrorAttemptsAndBackOff) {
  const JobId id = Add(MakeRequest("r", 4));
  const ShardId shard = First(id).id;
  store_->LeaseShard(shard, 5, "w");
  EXPECT_TRUE(store_->ReturnShard(shard, 5, {2, 1000, "broken", true, 4}));
  const Shard back = View().GetShard(shard).value();
  EXPECT_EQ(back.state, ShardState::kReady);
  EXPECT_EQ(back.attempts, 2u);
  EXPECT_EQ(back.losses, 4u);
  EXPECT_EQ(back.error, "broken");
  EXPECT_EQ(back.failed_fence, 5u);
  EXPECT_EQ(Get(id).last_error, "broken");
  EXPECT_EQ(Get(id).shards_leased, 0u);
  EXPECT_FALSE(View().NextReady(id, 999).shard);
  EXPECT_EQ(View().NextReady(id, 999).wait_ms, 1000);
  EXPECT_EQ(View().NextReady(id, 1000).shard->id, shard);
  store_->LeaseShard(shard, 6, "w");
  EXPECT_TRUE(store_->ReturnShard(shard, 6, {2, 0, "", false}));
  EXPECT_EQ(View().GetShard(shard)->error, "broken") << "an empty error keeps the one before";
  EXPECT_EQ(View().GetShard(shard)->failed_fence, 5u);
}

TEST_P(StoreTest, SplitCoversTheSameExperiments) {
  const JobId id = Add(MakeRequest("r", 5, 5));
  const ShardId shard = First(id).id;
  store_->LeaseShard(shard, 5, "w");
  EXPECT_TRUE(store_->SplitShard(shard, 5, {1, 0, "broken", true, 5}, {2, 6}));
  const auto halves = View().ShardsFrom(id, 0, 10);
  ASSERT_EQ(halves.size(), 2u);
  EXPECT_EQ(halves[0].id, shard);
  EXPECT_EQ(halves[0].count, 2u);
  EXPECT_EQ(halves[0].attempts, 1u);
  EXPECT_EQ(halves[1].first, 2u);
  EXPECT_EQ(halves[1].count, 3u);
  EXPECT_EQ(halves[1].attempts, 2u);
  EXPECT_EQ(halves[0].losses, 5u);
  EXPECT_EQ(halves[1].losses, 6u);
  const Job job = Get(id);
  EXPECT_EQ(job.shards, 2u);
  EXPECT_EQ(job.shards_open, 2u);
  EXPECT_EQ(job.shards_leased, 0u);
}

TEST_P(StoreTest, KillCountsItsExperimentsAsFailed) {
  const JobId id = Add(MakeRequest("r", 6));
  const ShardId shard = First(id).id;
  store_->LeaseShard(shard, 5, "w");
  EXPECT_TRUE(store_->KillShard(shard, 5, {3, 0, "poison", true}));
  EXPECT_EQ(View().GetShard(shard)->state, ShardState::kDead);
  EXPECT_EQ(Get(id).experiments_failed, 4u);
  EXPECT_EQ(Get(id).shards_open, 1u);
}

TEST_P(StoreTest, ShardsFromBeginsWithTheOneThatHoldsTheIndex) {
  const JobId id = Add(MakeRequest("r", 10));
  EXPECT_EQ(View().ShardsFrom(id, 0, 10).size(), 3u);
  EXPECT_EQ(View().ShardsFrom(id, 3, 1).at(0).first, 0u);
  EXPECT_EQ(View().ShardsFrom(id, 4, 1).at(0).first, 4u);
  EXPECT_EQ(View().ShardsFrom(id, 9, 1).at(0).first, 8u);
  EXPECT_TRUE(View().ShardsFrom(id, 10, 1).empty());
}

TEST_P(StoreTest, NextReadyIsTheJobsFirst) {
  const JobId a = Add(MakeRequest("a", 8));
  const JobId b = Add(MakeRequest("b", 4));
  EXPECT_EQ(View().NextReady(a, 0).shard->id, First(a).id);
  EXPECT_EQ(View().NextReady(b, 0).shard->id, First(b).id);
  store_->LeaseShard(First(a).id, 1, "w");
  EXPECT_EQ(View().NextReady(a, 0).shard->id, View().ShardsFrom(a, 4, 1).at(0).id);
  store_->LeaseShard(First(b).id, 2, "w");
  EXPECT_FALSE(View().NextReady(b, 0).shard);
  EXPECT_EQ(View().NextReady(b, 0).wait_ms, 0) << "nothing to wait for";
}

TEST_P(StoreTest, OpenJobsArePendingOrRunning) {
  const JobId a = Add(MakeRequest("a", 8));
  const JobId b = Add(MakeRequest("b", 3));
  ASSERT_EQ(View().OpenJobs().size(), 2u);
  store_->StartJob(a, kNow);
  store_->EndJob(b, JobState::kCancelled, kNow);
  ASSERT_EQ(View().OpenJobs().size(), 1u);
  EXPECT_EQ(View().OpenJobs()[0].id, a);
}

TEST_P(StoreTest, OpenJobsAreCountedByProjectStateAndPause) {
  EXPECT_TRUE(View().CountOpenJobs().empty());
  const JobId a = Add(MakeRequest("a", 8));
  const JobId b = Add(MakeRequest("b", 3));
  store_->EndJob(Add(MakeRequest("c", 3)), JobState::kCancelled, kNow);
  JobRequest other = MakeRequest("d", 3);
  other.project = "other";
  Add(other);
  store_->StartJob(a, kNow);
  store_->SetPaused(b, true);
  const std::vector<OpenJobCount> expected{{"default", JobState::kPending, true, 1},
                                           {"default", JobState::kRunning, false, 1},
                                           {"other", JobState::kPending, false, 1}};
  EXPECT_EQ(View().CountOpenJobs(), expected);
}

TEST_P(StoreTest, PinsPauseAndRunTimeComeBack) {
  JobRequest request = MakeRequest("r", 4);
  request.spec.placement = {"w1", std::string(64, 'c')};
  request.spec.max_run_seconds = 12.5;
  request.spec.reuse = true;
  const JobId id = Add(request);
  store_->SetPaused(id, true);
  store_->AddRunSeconds(id, 1.5);
  store_->AddRunSeconds(id, 2);
  store_->SetJobError(id, "too long");
  Commit();
  EXPECT_EQ(Get(id).placement, request.spec.placement);
  EXPECT_EQ(View().GetSpec(id, 0, 1).placement, request.spec.placement);
  EXPECT_EQ(Get(id).max_run_seconds, 12.5);
  EXPECT_TRUE(Get(id).reuse);
  EXPECT_TRUE(Get(id).paused);
  EXPECT_EQ(Get(id).run_seconds, 3.5);
  EXPECT_EQ(Get(id).last_error, "too long");
  store_->SetPaused(id, false);
  EXPECT_FALSE(Get(id).paused);
}

TEST_P(StoreTest, ProjectsUsageAndReservationsComeBack) {
  const ProjectRecord project{"p", {2.5, 100, 60.5, 7, "text"}, kNow};
  store_->PutProject(project);
  store_->AddUsage({"p", 10, 1});
  store_->AddUsage({"p", 10, 0.5});
  store_->AddUsage({"p", 12, 4});
  const std::uint64_t late = store_->AddReservation(
      {0, "w", "p", kNow + std::chrono::hours(2), kNow + std::chrono::hours(3), "why"});
  const std::uint64_t soon =
      store_->AddReservation({0, "w", "", kNow, kNow + std::chrono::hours(1), ""});
  Commit();
  ASSERT_EQ(View().Projects().size(), 1u);
  EXPECT_EQ(View().Projects()[0].settings, project.settings);
  EXPECT_EQ(View().Projects()[0].create_time, kNow);
  ASSERT_EQ(View().Usage(10).size(), 2u);
  EXPECT_EQ(View().Usage(10)[0].seconds, 1.5);
  EXPECT_EQ(View().Usage(11).size(), 1u);
  ASSERT_EQ(View().Reservations().size(), 2u);
  EXPECT_EQ(View().Reservations()[0].id, soon) << "in order of the begin";
  EXPECT_EQ(View().Reservations()[1].reason, "why");
  EXPECT_TRUE(store_->DeleteReservation(late));
  EXPECT_FALSE(store_->DeleteReservation(late));
  store_->Trim(11, 1);
  EXPECT_EQ(View().Usage(0).size(), 1u);
}

TEST_P(StoreTest, CanariesAndChecksComeBack) {
  Canary canary{"emulator", MakeRequest("r", 2, 4, 3).spec, 60, 4, 5, 9};
  canary.spec.device = {"chip-x", 5, 6};
  store_->PutCanary(canary);
  store_->AddCheck({"w", "chart", kNow, Verdict::kBaseline, "", "cal", {1, 2}});
  store_->AddCheck({"w", "chart", kNow, Verdict::kGood, "", "cal", {3, 4}});
  store_->AddCheck({"w", "chart", kNow, Verdict::kFailed, "broken", "cal", {}});
  Commit();
  ASSERT_EQ(View().Canaries().size(), 1u);
  const Canary back = View().Canaries()[0];
  EXPECT_EQ(back.spec.sets.codes, canary.spec.sets.codes);
  EXPECT_EQ(back.spec.sets.dimension, 7u);
  EXPECT_EQ(back.spec.protocol, canary.spec.protocol);
  EXPECT_EQ(back.spec.device, canary.spec.device);
  EXPECT_EQ(back.spec.trials, 3u);
  EXPECT_EQ(back.interval_seconds, 60);
  EXPECT_EQ(back.revision, 9u);
  ASSERT_EQ(View().Baseline("chart").size(), 1u);
  EXPECT_EQ(View().Baseline("chart")[0].features, (std::vector<double>{1, 2}));
  ASSERT_EQ(View().Checks("w", 2).size(), 2u);
  EXPECT_EQ(View().Checks("w", 2)[0].message, "broken") << "newest first";
  store_->Trim(0, 1);
  EXPECT_EQ(View().Checks("w", 10).size(), 2u) << "the latest, and the stored value";
  EXPECT_TRUE(store_->DeleteCanary("emulator"));
  EXPECT_FALSE(store_->DeleteCanary("emulator"));
}

TEST_P(StoreTest, SuspectAreTheWorkersResultsAboveAFenceAndTheirCopies) {
  JobRequest request = MakeRequest("r", 12);
  request.spec.reuse = true;
  Job head;
  head.project = "default";
  head.request_id = "r";
  const std::vector<std::string> keys{"k0", "k1", "k2"};
  const JobId id = store_->AddJob(head, request.spec, keys);
  head.request_id = "copy";
  const JobId copy = store_->AddJob(head, request.spec, keys);
  const auto done = [&](JobId job, std::uint64_t first, Fence fence, const char* worker,
                        std::uint64_t offset) {
    const ShardId shard = View().ShardsFrom(job, first, 1).at(0).id;
    store_->LeaseShard(shard, fence, worker);
    EXPECT_TRUE(store_->FinishShard(shard, fence,
                                    {"h", {1, offset, 10}, 1, "cal", std::string(worker).empty()}));
  };
  done(id, 0, 5, "w", 0);
  done(id, 4, 6, "w", 10);
  done(id, 8, 7, "other", 20);
  EXPECT_EQ(View().FindReusable("default", "k1")->location.offset, 10u);
  EXPECT_FALSE(View().FindReusable("elsewhere", "k1"));
  EXPECT_FALSE(View().FindReusable("default", ""));
  done(copy, 4, 8, "", 10);
  EXPECT_EQ(Get(copy).experiments_reused, 4u);
  EXPECT_EQ(store_->MarkSuspect("w", 5), 8u);
  EXPECT_EQ(Get(id).experiments_suspect, 4u);
  EXPECT_EQ(Get(copy).experiments_suspect, 4u);
  EXPECT_FALSE(View().ShardsFrom(id, 0, 1).at(0).suspect);
  EXPECT_TRUE(View().ShardsFrom(id, 4, 1).at(0).suspect);
  EXPECT_EQ(View().ShardsFrom(id, 4, 1).at(0).calibration_id, "cal");
  EXPECT_FALSE(View().FindReusable("default", "k1")) << "suspect results are not taken";
  EXPECT_EQ(store_->MarkSuspect("w", 5), 0u) << "once";
}

TEST_P(StoreTest, PurgeLeavesTheHeadOfTheJob) {
  const JobId id = Add(MakeRequest("r", 4));
  const JobId other = Add(MakeRequest("s", 4));
  for (const JobId job : {id, other}) {
    store_->StartJob(job, kNow);
    store_->LeaseShard(First(job).id, job, "w");
    store_->FinishShard(First(job).id, job, {"h", {static_cast<std::uint32_t>(job), 0, 10}, 1});
    store_->EndJob(job, JobState::kSucceeded, kNow);
  }
  store_->AddEvent({0, kNow, "a", "default", id, "r", ""});
  EXPECT_TRUE(View().Purgeable(kNow, 10).empty()) << "not before it";
  EXPECT_EQ(View().Purgeable(kNow + std::chrono::seconds(1), 10).size(), 2u);
  EXPECT_EQ(View().Purgeable(kNow + std::chrono::seconds(1), 1).at(0).id, id);
  ASSERT_EQ(View().SegmentsOf({id}).size(), 1u);
  EXPECT_FALSE(View().SegmentsOf({id})[0].needed);
  store_->PurgeJob(id, kNow);
  Commit();
  EXPECT_EQ(Get(id).purge_time, kNow);
  EXPECT_EQ(Get(id).experiments_done, 4u);
  EXPECT_TRUE(View().ShardsFrom(id, 0, 1).empty());
  EXPECT_TRUE(View().Events({"", id}, 0, 10).empty());
  EXPECT_EQ(View().SegmentEnds().size(), 1u);
  EXPECT_EQ(View().Purgeable(kNow + std::chrono::seconds(1), 10).size(), 1u);
  EXPECT_EQ(View().FindRequest("default", "r")->id, id) << "its request id stays taken";
}

TEST_P(StoreTest, HeadsOfPurgedJobsAndOldEventsAreForgotten) {
  const auto purge = [&](const std::string& request, WallTime when) {
    const JobId id = Add(MakeRequest(request, 4));
    store_->EndJob(id, JobState::kCancelled, kNow);
    store_->PurgeJob(id, when);
    store_->AddEvent({0, when, "job.purged", "default", id, "r", ""});
    return id;
  };
  const auto second = std::chrono::seconds(1);
  const JobId open = Add(MakeRequest("open", 4));
  store_->AddEvent({0, kNow, "job.created", "default", open, "r", ""});
  const JobId first = purge("first", kNow);
  const JobId next = purge("next", kNow + second);
  const JobId last = purge("last", kNow + 2 * second);
  store_->AddEvent({0, kNow, "worker.offline", "", 0, "w", ""});
  EXPECT_EQ(store_->Forget(kNow, 10), 0u) << "not those of that time";
  EXPECT_EQ(store_->Forget(kNow + 2 * second, 1), 1u) << "oldest first";
  Commit();
  EXPECT_FALSE(View().GetJob(first));
  EXPECT_TRUE(View().GetJob(next));
  EXPECT_FALSE(View().FindRequest("default", "first")) << "its request id is free";
  EXPECT_EQ(store_->Forget(kNow + 2 * second, 10), 1u);
  Commit();
  EXPECT_FALSE(View().GetJob(next));
  EXPECT_TRUE(View().GetJob(last));
  EXPECT_TRUE(View().GetJob(open));
  ASSERT_EQ(View().Events({}, 0, 10).size(), 2u);
  EXPECT_EQ(View().Events({}, 0, 10)[0].job, open) << "an open job keeps its events";
  EXPECT_EQ(View().Events({}, 0, 10)[1].job, last);
}

TEST_P(StoreTest, EpochRisesAndRefencingFreesEveryLease) {
  const JobId id = Add(MakeRequest("r", 8));
  EXPECT_EQ(store_->NextEpoch(), 1u);
  EXPECT_EQ(store_->NextEpoch(), 2u);
  const Shard first = First(id);
  const Shard second = View().ShardsFrom(id, 4, 1).at(0);
  store_->LeaseShard(first.id, 5, "w");
  store_->LeaseShard(second.id, 6, "w");
  store_->ReturnShard(second.id, 6, {1, 1000, "e", true});
  EXPECT_EQ(store_->RefenceAll(100), 1u);
  EXPECT_EQ(View().GetShard(first.id)->state, ShardState::kReady);
  EXPECT_EQ(View().GetShard(first.id)->fence, 100u);
  EXPECT_EQ(View().GetShard(second.id)->not_before_ms, 0);
  EXPECT_EQ(Get(id).shards_leased, 0u);
  EXPECT_FALSE(store_->FinishShard(first.id, 5, {"h", {1, 0, 1}, 0}));
}

TEST_P(StoreTest, EventsAreNumberedAndFiltered) {
  store_->AddEvent({0, kNow, "a", "p", 1, "r1", "m1"});
  store_->AddEvent({0, kNow, "b", "p", 2, "r2", "m2"});
  store_->AddEvent({0, kNow, "c", "p", 1, "r1", "m3"});
  store_->AddEvent({0, kNow, "d", "", 0, "workers/w", ""});
  const auto of_job = View().Events({"p", 1}, 0, 10);
  ASSERT_EQ(of_job.size(), 2u);
  EXPECT_LT(of_job[0].sequence, of_job[1].sequence);
  EXPECT_EQ(of_job[0].message, "m1");
  EXPECT_EQ(of_job[0].time, kNow);
  EXPECT_EQ(View().Events({"p", 1}, of_job[0].sequence, 10).size(), 1u);
  EXPECT_EQ(View().Events({"p", 0}, 0, 10).size(), 3u);
  EXPECT_EQ(View().Events({"p", 0}, 0, 2).size(), 2u);
  EXPECT_EQ(View().Events({"", 0}, 0, 10).size(), 4u) << "everything";
  store_->AddEvent({0, kNow, "e", "p", 3, "r", "m", "alice"});
  EXPECT_EQ(View().Events({"p", 3}, 0, 10).at(0).actor, "alice");
}

TEST_P(StoreTest, WorkersAreReplacedById) {
  WorkerRecord worker{"w",
                      "s",
                      {"emulator", "m", "c", "cal", "v", {3, 4}, {"p", "q"}, 0.25},
                      1,
                      2,
                      0.5,
                      kNow,
                      true,
                      "cleaning",
                      WorkerHealth::kSuspect,
                      3,
                      "odd",
                      kNow,
                      77};
  store_->PutWorker(worker);
  worker.session = "s2";
  store_->PutWorker(worker);
  ASSERT_EQ(View().Workers().size(), 1u);
  EXPECT_EQ(View().Workers()[0].session, "s2");
  EXPECT_EQ(View().Workers()[0].capabilities, worker.capabilities);
  EXPECT_EQ(View().Workers()[0].substrate_seconds, 0.5);
  const WorkerRecord back = View().Workers()[0];
  EXPECT_TRUE(back.drained);
  EXPECT_EQ(back.drain_reason, "cleaning");
  EXPECT_EQ(back.health, WorkerHealth::kSuspect);
  EXPECT_EQ(back.good_checks, 3u);
  EXPECT_EQ(back.health_message, "odd");
  EXPECT_EQ(back.health_time, kNow);
  EXPECT_EQ(back.good_fence, 77u);
}

TEST_P(StoreTest, IllegalMoveOfAJobAborts) {
  GTEST_FLAG_SET(death_test_style, "fast");
  const JobId id = Add(MakeRequest("r", 4));
  EXPECT_DEATH(store_->EndJob(id, JobState::kSucceeded, kNow), "check failed");
  store_->StartJob(id, kNow);
  EXPECT_DEATH(store_->StartJob(id, kNow), "check failed");
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreTest, testing::Values("sqlite", "memory"),
                         [](const auto& one) { return one.param; });

// The triggers of the database allow exactly the arrows of state.h, whoever writes.
class TriggerTest : public testing::Test {
 protected:
  TriggerTest() {
    sqlite::Migrate(database_, SchemaHistory());
    database_.Execute(
        "INSERT INTO job(id, project, request_id, content_sha256, title, state, experiments, "
        "shards, shards_open, create_time, profile_sha256, chip, neuron, run, substrate, seed, "
        "trials, priority, shard_size, dimension, points) "
        "VALUES(1, 'p', 'r', '', '', 1, 1, 1, 1, 0, '', '', 0, 0, '', 0, 1, 0, 1, 1, 1);"
        "INSERT INTO shard(id, job, first, count, state) VALUES(1, 1, 0, 1, 1)");
  }
  bool Accepts(const std::string& sql) {
    try {
      database_.Execute(sql);
      return true;
    } catch (const sqlite::Failure&) {
      return false;
    }
  }
  // Brings a row to a state past the triggers, and tries to move it on.
  template <typename State>
  bool Moves(const char* table, State from, State to) {
    const std::string name(table);
    database_.Execute("SAVEPOINT s; DROP TRIGGER " + name + "_moves");
    database_.Execute("UPDATE " + name + " SET state = " + std::to_string(static_cast<int>(from)) +
                      (name == "shard" ? ", segment = 1, bytes = 1, sha256 = 'h'" : ""));
    RestoreTrigger(name);
    const bool accepted =
        Accepts("UPDATE " + name + " SET state = " + std::to_string(static_cast<int>(to)));
    database_.Execute("ROLLBACK TO s; RELEASE s");
    return accepted;
  }
  void RestoreTrigger(const std::string& name) { database_.Execute(trigger_sql_.at(name)); }

  TemporaryFolder folder_;
  sqlite::Database database_{folder_.path() / "t.db", sqlite::Access::kWrite};
  std::map<std::string, std::string> trigger_sql_ = [this] {
    std::map<std::string, std::string> sql;
    sqlite::Migrate(database_, SchemaHistory());
    sqlite::Statement rows = database_.Prepare(
        "SELECT tbl_name, sql FROM sqlite_schema WHERE type = 'trigger' AND name LIKE '%_moves'");
    while (rows.Step()) sql[rows.Text(0)] = rows.Text(1);
    return sql;
  }();
};

TEST_F(TriggerTest, JobsMoveOnlyAlongTheArrows) {
  for (int from = 1; from <= 5; ++from) {
    for (int to = 1; to <= 5; ++to) {
      const auto a = static_cast<JobState>(from);
      const auto b = static_cast<JobState>(to);
      EXPECT_EQ(Moves("job", a, b), CanMove(a, b)) << from << " -> " << to;
    }
  }
}

TEST_F(TriggerTest, ShardsMoveOnlyAlongTheArrows) {
  for (int from = 1; from <= 4; ++from) {
    for (int to = 1; to <= 4; ++to) {
      const auto a = static_cast<ShardState>(from);
      const auto b = static_cast<ShardState>(to);
      EXPECT_EQ(Moves("shard", a, b), CanMove(a, b)) << from << " -> " << to;
    }
  }
}

TEST_F(TriggerTest, FenceNeverFalls) {
  EXPECT_TRUE(Accepts("UPDATE shard SET fence = 5"));
  EXPECT_FALSE(Accepts("UPDATE shard SET fence = 5"));
  EXPECT_FALSE(Accepts("UPDATE shard SET fence = 4"));
}

TEST_F(TriggerTest, NewRowsBeginAtTheBeginning) {
  EXPECT_FALSE(Accepts("INSERT INTO shard(job, first, count, state) VALUES(1, 1, 1, 2)"));
  EXPECT_FALSE(Accepts("INSERT INTO shard(job, first, count, state) VALUES(99, 1, 1, 1)"));
}

TEST(OpenSqliteStoreTest, NewerSchemaIsRefusedWithAdvice) {
  TemporaryFolder folder;
  const auto file = folder.path() / "store.db";
  ASSERT_TRUE(OpenSqliteStore(file));
  sqlite::Database(file, sqlite::Access::kWrite).SetSchemaVersion(99);
  const auto store = OpenSqliteStore(file);
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_NE(store.error().message.find("schema version 99"), std::string::npos);
  EXPECT_NE(store.error().advice.find("newer inferon-scheduler"), std::string::npos);
  EXPECT_EQ(sqlite::Database(file, sqlite::Access::kWrite).SchemaVersion(), 99);
}

}  // namespace
}  // namespace inferon::scheduler
