#include <gmock/gmock.h>

#include <fstream>

#include "common/base/hash.h"
#include "tests/scheduler/scheduler_fixture.h"

namespace inferon::scheduler {
namespace {

using std::chrono::milliseconds;
using testing::Contains;
using testing::HasSubstr;

ErrorCode CodeOf(const Result<bool>& result) {
  return result ? ErrorCode::kUnimplemented : result.error().code;
}

TEST_F(CoreTest, LowestIndexIsLeasedFirstAndOnlyOnce) {
  Submit(MakeRequest("r", 12));
  FakeWorker other("w2", "bbbbbbbbbbbbbbbb");
  const LeaseRef a = worker_.LeaseOne(*core_);
  const LeaseRef b = other.LeaseOne(*core_);
  EXPECT_EQ(core_->GetShard(a)->first, 0u);
  EXPECT_EQ(core_->GetShard(b)->first, 4u);
  EXPECT_LT(a.fence, b.fence);
}

TEST_F(CoreTest, ShardCarriesTheSetsThatItTouches) {
  const JobRequest request = MakeRequest("r", 5, 4, 3);  // Experiments 4..7: sets 1 and 2.
  const Job job = Submit(request);
  worker_.LeaseOne(*core_);
  const ShardWork work = core_->GetShard(worker_.LeaseOne(*core_)).value();
  EXPECT_EQ(work.job, NameOf(job));
  EXPECT_EQ(work.first, 4u);
  EXPECT_EQ(work.count, 4u);
  ASSERT_EQ(work.spec.sets.size(), 2u);
  EXPECT_EQ(work.spec.sets.codes[0], request.spec.sets[1][0]);
  EXPECT_EQ(work.spec.seed, request.spec.seed);
  EXPECT_EQ(work.spec.profile_toml, request.spec.profile_toml);
}

TEST_F(CoreTest, JobRunsToItsEnd) {
  const Job job = Submit(MakeRequest("r", 8));
  const LeaseRef first = worker_.LeaseOne(*core_);
  EXPECT_EQ(Get(job).state, JobState::kRunning);
  EXPECT_TRUE(Get(job).start_time.has_value());
  EXPECT_FALSE(RunShard(*core_, first).value()) << "not repeated";
  EXPECT_EQ(Get(job).experiments_done, 4u);
  ASSERT_TRUE(RunShard(*core_, worker_.LeaseOne(*core_)));
  EXPECT_EQ(Get(job).state, JobState::kSucceeded);
  EXPECT_EQ(Get(job).substrate_seconds, 1.0);
}

TEST_F(CoreTest, HeartbeatKeepsTheLease) {
  Submit(MakeRequest("r", 4));
  const LeaseRef lease = worker_.LeaseOne(*core_);
  for (int i = 0; i < 5; ++i) {
    clock_.Advance(limits_.lease_time - milliseconds(1));
    ASSERT_TRUE(worker_.Beat(*core_, 0));
    ASSERT_THAT(worker_.held(), Contains(lease));
  }
  EXPECT_TRUE(RunShard(*core_, lease));
}

TEST_F(CoreTest, LeaseEndsExactlyAtItsDeadline) {
  const Job job = Submit(MakeRequest("r", 4));
  worker_.LeaseOne(*core_);
  clock_.Advance(limits_.lease_time - milliseconds(1));
  ASSERT_TRUE(core_->Tick());
  EXPECT_EQ(Get(job).shards_leased, 1u);
  clock_.Advance(milliseconds(1));
  ASSERT_TRUE(core_->Tick());
  EXPECT_EQ(Get(job).shards_leased, 0u);
  EXPECT_THAT(EventKinds(job), Contains("shard.expired"));
  EXPECT_THAT(Get(job).last_error, HasSubstr("workers/w1"));
}

TEST_F(CoreTest, LateResultIsRefusedEvenBeforeTheTick) {
  Submit(MakeRequest("r", 4));
  const LeaseRef lease = worker_.LeaseOne(*core_);
  const std::string frame = FrameOf(core_->GetShard(lease).value());
  ASSERT_TRUE(Stage(*core_, lease, frame));
  clock_.Advance(limits_.lease_time);
  EXPECT_EQ(CodeOf(core_->CommitShard(lease, Sha256Hex(frame), 0)), ErrorCode::kAborted);
  const LeaseRef again = worker_.LeaseOne(*core_);
  EXPECT_EQ(again.shard, lease.shard);
  EXPECT_GT(again.fence, lease.fence);
  EXPECT_EQ(core_->GetShard(lease).error().code, ErrorCode::kAborted);
  EXPECT_EQ(Stage(*core_, lease, frame).error().code, ErrorCode::kAborted);
  EXPECT_TRUE(RunShard(*core_, again));
}

TEST_F(CoreTest, RestartRefencesEveryLease) {
  Submit(MakeRequest("r", 4));
  const LeaseRef lease = worker_.LeaseOne(*core_);
  const std::string frame = FrameOf(core_->GetShard(lease).value());
  Restart();
  EXPECT_EQ(Stage(*core_, lease, frame).error().code, ErrorCode::kAborted);
  EXPECT_EQ(CodeOf(core_->CommitShard(lease, Sha256Hex(frame), 0)), ErrorCode::kAborted);
  ASSERT_TRUE(worker_.Beat(*core_, 0));
  EXPECT_TRUE(worker_.held().empty()) << "the old lease is lost";
  const LeaseRef again = worker_.LeaseOne(*core_);
  EXPECT_EQ(again.shard, lease.shard);
  EXPECT_GT(again.fence, lease.fence);
}

TEST_F(CoreTest, CommitIsIdempotentAcrossARestart) {
  const Job job = Submit(MakeRequest("r", 8));
  const LeaseRef lease = worker_.LeaseOne(*core_);
  const std::string sha = Sha256Hex(FrameOf(core_->GetShard(lease).value()));
  EXPECT_FALSE(RunShard(*core_, lease).value());
  EXPECT_TRUE(core_->CommitShard(lease, sha, 0.5).value());
  Restart();
  EXPECT_TRUE(core_->CommitShard(lease, sha, 0.5).value());
  EXPECT_EQ(Get(job).experiments_done, 4u);
  EXPECT_EQ(Get(job).substrate_seconds, 0.5);
  EXPECT_EQ(CodeOf(core_->CommitShard(lease, std::string(64, 'a'), 0)), ErrorCode::kAborted);
}

TEST_F(CoreTest, CommitNeedsItsUpload) {
  Submit(MakeRequest("r", 4));
  const LeaseRef lease = worker_.LeaseOne(*core_);
  EXPECT_EQ(CodeOf(core_->CommitShard(lease, std::string(64, 'a'), 0)),
            ErrorCode::kFailedPrecondition);
  EXPECT_EQ(CodeOf(core_->CommitShard(lease, "xyz", 0)), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(core_->CommitShard(lease, std::string(64, 'a'), -1)),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(core_->CommitShard(lease, std::string(64, 'a'), std::nan(""))),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(core_->CommitShard({999, 1}, std::string(64, 'a'), 0)), ErrorCode::kNotFound);
  EXPECT_TRUE(RunShard(*core_, lease)) << "nothing was changed";
}

TEST_F(CoreTest, FrameMustBeTheShards) {
  Submit(MakeRequest("r", 4));
  const LeaseRef lease = worker_.LeaseOne(*core_);
  for (const std::string& frame :
       {std::string("garbage"), EncodeObservations(ResultOf(7, 0, 3, 20)),
        EncodeObservations(ResultOf(7, 0, 4, 21))}) {
    ASSERT_TRUE(Stage(*core_, lease, frame));
    EXPECT_EQ(CodeOf(core_->CommitShard(lease, Sha256Hex(frame), 0)), ErrorCode::kInvalidArgument);
  }
  EXPECT_TRUE(RunShard(*core_, lease));
}

TEST_F(CoreTest, UploadIsChecked) {
  Submit(MakeRequest("r", 4));
  const LeaseRef lease = worker_.LeaseOne(*core_);
  const std::string sha = Sha256Hex("hello");
  const auto upload = [&] { return core_->BeginUpload(lease, 5, sha).value(); };
  EXPECT_EQ(upload()->Append(1, "hello", Crc32("hello")).error().code, ErrorCode::kInvalidArgument)
      << "a gap";
  EXPECT_FALSE(upload()->Append(0, "hello", 1)) << "wrong checksum";
  EXPECT_FALSE(upload()->Append(0, "hello!", Crc32("hello!"))) << "too long";
  const std::string chunk(kMaxChunkBytes + 1, 'x');
  EXPECT_FALSE(core_->BeginUpload(lease, 2 << 20, sha).value()->Append(0, chunk, Crc32(chunk)));
  EXPECT_FALSE(upload()->Finish()) << "too short";
  auto other = upload();
  ASSERT_TRUE(other->Append(0, "jello", Crc32("jello")));
  EXPECT_FALSE(other->Finish()) << "wrong digest";
  EXPECT_FALSE(core_->BeginUpload(lease, 0, sha));
  EXPECT_FALSE(core_->BeginUpload(lease, kMaxUploadBytes + 1, sha));
  EXPECT_FALSE(core_->BeginUpload(lease, 5, "short"));
}

TEST_F(CoreTest, UploadThatWasCutOffGoesOnWhereItStopped) {
  Submit(MakeRequest("r", 4));
  const LeaseRef lease = worker_.LeaseOne(*core_);
  const std::string frame = FrameOf(core_->GetShard(lease).value());
  const std::string sha = Sha256Hex(frame);
  const auto append = [](Upload& upload, std::uint64_t offset, std::string_view bytes) {
    return upload.Append(offset, bytes, Crc32(bytes)).has_value();
  };
  {
    auto first = core_->BeginUpload(lease, frame.size(), sha).value();
    ASSERT_TRUE(append(*first, 0, frame.substr(0, 100)));
    EXPECT_FALSE(append(*first, 150, frame.substr(150, 10)));
  }
  EXPECT_EQ(core_->ReceivedBytes(lease, sha), 100u);
  EXPECT_EQ(core_->ReceivedBytes(lease, std::string(64, 'a')), 0u) << "another frame";
  EXPECT_EQ(core_->BeginUpload(lease, frame.size(), sha, 99).error().code,
            ErrorCode::kFailedPrecondition);
  EXPECT_EQ(core_->BeginUpload(lease, frame.size() + 1, sha, 100).error().code,
            ErrorCode::kFailedPrecondition);
  {
    auto second = core_->BeginUpload(lease, frame.size(), sha, 100).value();
    ASSERT_TRUE(append(*second, 100, frame.substr(100)));
    EXPECT_EQ(second->Finish(), frame.size());
  }
  EXPECT_EQ(core_->ReceivedBytes(lease, sha), 0u) << "it is complete";
  EXPECT_FALSE(core_->CommitShard(lease, sha, 0.5).value());
  EXPECT_EQ(core_->ReceivedBytes(lease, sha).error().code, ErrorCode::kAborted);
}

TEST_F(CoreTest, UploadWithAWrongDigestIsNotKept) {
  Submit(MakeRequest("r", 4));
  const LeaseRef lease = worker_.LeaseOne(*core_);
  const std::string sha = Sha256Hex("hello");
  {
    auto upload = core_->BeginUpload(lease, 5, sha).value();
    ASSERT_TRUE(upload->Append(0, "jello", Crc32("jello")));
    EXPECT_FALSE(upload->Finish());
  }
  EXPECT_EQ(core_->ReceivedBytes(lease, sha), 0u);
}

TEST_F(CoreTest, CutOffUploadsHaveALimitAndGoWithTheirLease) {
  limits_.max_uploads = 2;
  Restart();
  Submit(MakeRequest("r", 12));
  ASSERT_TRUE(worker_.Beat(*core_, 3));
  const std::string sha = Sha256Hex("hello");
  for (const LeaseRef& lease : worker_.held()) {
    // Too large for memory, so that the folder shows it.
    const auto upload = core_->BeginUpload(lease, kStagingMemoryBytes + 1, sha).value();
    ASSERT_TRUE(upload->Append(0, "hel", Crc32("hel")));
  }
  const auto parts = [&] {
    const std::filesystem::directory_iterator staged(folder_.path() / "staging");
    return std::distance(begin(staged), end(staged));
  };
  EXPECT_EQ(parts(), 2);
  ASSERT_TRUE(core_->CancelJob("projects/default/jobs/1"));
  EXPECT_EQ(parts(), 0);
}

TEST_F(CoreTest, UploadsAtTheSameTimeHaveALimit) {
  limits_.max_uploads = 1;
  Restart();
  Submit(MakeRequest("r", 4));
  const LeaseRef lease = worker_.LeaseOne(*core_);
  auto first = core_->BeginUpload(lease, 5, Sha256Hex("hello"));
  ASSERT_TRUE(first);
  EXPECT_EQ(core_->BeginUpload(lease, 5, Sha256Hex("hello")).error().code,
            ErrorCode::kResourceExhausted);
  first->reset();
  EXPECT_TRUE(core_->BeginUpload(lease, 5, Sha256Hex("hello")));
}

TEST_F(CoreTest, SecondSessionTakesOverAndTheFirstIsTold) {
  Submit(MakeRequest("r", 4));
  const LeaseRef lease = worker_.LeaseOne(*core_);
  FakeWorker second("w1", "bbbbbbbbbbbbbbbb");
  const LeaseRef again = second.LeaseOne(*core_);
  EXPECT_EQ(again.shard, lease.shard) << "given back at once";
  EXPECT_EQ(worker_.Beat(*core_, 0).error().code, ErrorCode::kAborted);
  EXPECT_EQ(core_->GetShard(lease).error().code, ErrorCode::kAborted);
  EXPECT_TRUE(second.Beat(*core_, 0));
}

TEST_F(CoreTest, DrainingReturnsWhatIsNotNamedAndGetsNothing) {
  const Job job = Submit(MakeRequest("r", 12));
  ASSERT_TRUE(worker_.Beat(*core_, 2));
  const std::vector<LeaseRef> leases = worker_.held();
  worker_.Drop(leases[1]);
  ASSERT_TRUE(worker_.Beat(*core_, 1, true));
  EXPECT_EQ(worker_.held(), std::vector<LeaseRef>{leases[0]});
  EXPECT_EQ(Get(job).shards_leased, 1u);
  EXPECT_EQ(core_->ListWorkers()->at(0).state, WorkerState::kDraining);
  EXPECT_TRUE(RunShard(*core_, leases[0])) << "what it holds it may finish";
}

TEST_F(CoreTest, LeaseOfALostAnswerIsRepeatedAndNotDoubled) {
  const Job job = Submit(MakeRequest("r", 12));
  const LeaseRef lease = worker_.LeaseOne(*core_);
  worker_.Drop(lease);  // The answer never arrived.
  ASSERT_TRUE(worker_.Beat(*core_, 1));
  EXPECT_EQ(worker_.held(), std::vector<LeaseRef>{lease});
  EXPECT_EQ(Get(job).shards_leased, 1u);
}

TEST_F(CoreTest, FailedShardIsRetriedAfterItsBackOff) {
  const Job job = Submit(MakeRequest("r", 4));
  const LeaseRef lease = worker_.LeaseOne(*core_);
  ASSERT_TRUE(core_->FailShard(lease, "no link", true));
  EXPECT_EQ(Get(job).last_error, "no link");
  clock_.Advance(limits_.retry.first_backoff - milliseconds(1));
  ASSERT_TRUE(worker_.Beat(*core_, 1));
  EXPECT_TRUE(worker_.held().empty());
  clock_.Advance(milliseconds(1));
  EXPECT_EQ(worker_.LeaseOne(*core_).shard, lease.shard);
}

TEST_F(CoreTest, FailureIsReportedOnce) {
  const Job job = Submit(MakeRequest("r", 4));
  const LeaseRef lease = worker_.LeaseOne(*core_);
  ASSERT_TRUE(core_->FailShard(lease, "no link", true));
  EXPECT_TRUE(core_->FailShard(lease, "no link", true));
  const auto kinds = EventKinds(job);
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), "shard.retry"), 1);
  EXPECT_EQ(core_->FailShard({lease.shard, lease.fence + 1}, "x", true).error().code,
            ErrorCode::kAborted);
  EXPECT_EQ(core_->FailShard({999, 1}, "x", true).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(core_->FailShard(lease, "", true).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(CoreTest, PoisonousExperimentIsIsolatedAndTheRestDelivered) {
  const Job job = Submit(MakeRequest("r", 16, 8));
  constexpr std::uint64_t kPoison = 5;
  for (int i = 0; i < 100 && !Get(job).end_time; ++i) {
    clock_.Advance(limits_.retry.max_backoff);
    ASSERT_TRUE(worker_.Beat(*core_, 1));
    for (const LeaseRef& lease : std::vector(worker_.held())) {
      const ShardWork work = core_->GetShard(lease).value();
      if (work.first <= kPoison && kPoison < work.first + work.count) {
        ASSERT_TRUE(core_->FailShard(lease, "diverged", true));
      } else {
        ASSERT_TRUE(RunShard(*core_, lease));
      }
      worker_.Drop(lease);
    }
  }
  EXPECT_EQ(Get(job).state, JobState::kFailed);
  EXPECT_EQ(Get(job).experiments_done, 15u);
  EXPECT_EQ(Get(job).experiments_failed, 1u);
  std::uint64_t next = 0;
  for (const ResultChunk& chunk : ReadAll(*core_, NameOf(job))) {
    EXPECT_EQ(chunk.first, next);
    next += chunk.count;
    EXPECT_EQ(chunk.error, chunk.first == kPoison ? "diverged" : "");
    EXPECT_EQ(chunk.frame.empty(), chunk.first == kPoison);
  }
  EXPECT_EQ(next, 16u);
  EXPECT_THAT(EventKinds(job), Contains("shard.split"));
  EXPECT_THAT(EventKinds(job), Contains("shard.dead"));
}

TEST_F(CoreTest, WhatCannotHelpIsDeadAtOnce) {
  const Job job = Submit(MakeRequest("r", 4));
  ASSERT_TRUE(core_->FailShard(worker_.LeaseOne(*core_), "settings refused", false));
  EXPECT_EQ(Get(job).state, JobState::kFailed);
  EXPECT_EQ(Get(job).experiments_failed, 4u);
  const auto chunks = ReadAll(*core_, NameOf(job));
  ASSERT_EQ(chunks.size(), 1u);
  EXPECT_EQ(chunks[0].count, 4u);
  EXPECT_EQ(chunks[0].error, "settings refused");
}

TEST_F(CoreTest, JobsGoWhereTheyCanRun) {
  JobRequest pinned = MakeRequest("r", 4);
  pinned.spec.device.chip = "chip-b";
  Submit(pinned);
  worker_.capabilities.chip = "chip-a";
  ASSERT_TRUE(worker_.Beat(*core_, 1));
  EXPECT_TRUE(worker_.held().empty());
  worker_.capabilities.chip = "chip-b";
  worker_.LeaseOne(*core_);
}

TEST_F(CoreTest, WorkersAreListedWithStateAndWork) {
  Submit(MakeRequest("r", 4));
  ASSERT_TRUE(worker_.Beat(*core_, 0));
  const auto state = [&] { return core_->ListWorkers()->at(0).state; };
  EXPECT_EQ(state(), WorkerState::kIdle);
  const LeaseRef lease = worker_.LeaseOne(*core_);
  EXPECT_EQ(state(), WorkerState::kBusy);
  ASSERT_TRUE(RunShard(*core_, lease));
  clock_.Advance(limits_.lease_time);
  EXPECT_EQ(state(), WorkerState::kIdle);
  clock_.Advance(milliseconds(1));
  EXPECT_EQ(state(), WorkerState::kOffline);
  ASSERT_TRUE(core_->Tick());
  Restart();
  const WorkerView after = core_->ListWorkers()->at(0);
  EXPECT_EQ(after.state, WorkerState::kOffline);
  EXPECT_EQ(after.record.shards_done, 1u);
  EXPECT_EQ(after.record.experiments_done, 4u);
  EXPECT_EQ(after.record.substrate_seconds, 0.5);
}

TEST_F(CoreTest, RequestsOfWorkersHaveLimits) {
  limits_.max_workers = 1;
  limits_.max_leases_per_worker = 2;
  Restart();
  Submit(MakeRequest("r", 100));
  EXPECT_EQ(worker_.Beat(*core_, kMaxWanted + 1).error().code, ErrorCode::kInvalidArgument);
  ASSERT_TRUE(worker_.Beat(*core_, kMaxWanted));
  EXPECT_EQ(worker_.held().size(), 2u);
  FakeWorker second("w2", "bbbbbbbbbbbbbbbb");
  EXPECT_EQ(second.Beat(*core_, 0).error().code, ErrorCode::kResourceExhausted);
  const SyncRequest many{
      "w1", "aaaaaaaaaaaaaaaa", EmulatorCapabilities(), {{1, 1}, {2, 2}, {3, 3}}, 0, false};
  EXPECT_EQ(core_->Synchronize(many).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(CoreTest, PollIsQuickOnlyForThoseWhoWait) {
  EXPECT_EQ(worker_.Beat(*core_, 1)->next, limits_.poll_interval);
  EXPECT_EQ(worker_.Beat(*core_, 0)->next, limits_.lease_time / 4);
}

// A disk that fails in the middle of a commit must not leave a lease that nobody watches.
TEST_F(CoreTest, LeaseIsStillWatchedAfterTheDiskFailed) {
  const Job job = Submit(MakeRequest("r", 4));
  const LeaseRef lease = worker_.LeaseOne(*core_);
  const auto segments = folder_.path() / "segments";
  std::filesystem::remove_all(segments);
  std::ofstream(segments) << "in the way";
  EXPECT_THROW(static_cast<void>(RunShard(*core_, lease)), std::system_error);
  std::filesystem::remove(segments);
  std::filesystem::create_directories(segments);
  EXPECT_EQ(Get(job).experiments_done, 0u);
  ASSERT_TRUE(worker_.Beat(*core_, 0));
  EXPECT_THAT(worker_.held(), Contains(lease));
  clock_.Advance(limits_.lease_time);
  ASSERT_TRUE(core_->Tick());
  EXPECT_EQ(Get(job).shards_leased, 0u);
  EXPECT_FALSE(RunShard(*core_, worker_.LeaseOne(*core_)).value());
  EXPECT_EQ(Get(job).state, JobState::kSucceeded);
}

}  // namespace
}  // namespace inferon::scheduler
