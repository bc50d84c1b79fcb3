// A backup beside a running server, and what a server makes of it.
#include "server/scheduler/backup.h"

#include <gmock/gmock.h>

#include "common/sqlite/sqlite.h"
#include "tests/scheduler/scheduler_fixture.h"

namespace inferon::scheduler {
namespace {

using testing::HasSubstr;

class BackupTest : public CoreTest {
 protected:
  void RestoreFrom(const std::filesystem::path& backup) {
    core_.reset();
    std::filesystem::remove_all(folder_.path());
    std::filesystem::copy(backup, folder_.path(), std::filesystem::copy_options::recursive);
    Restart();
  }
  TemporaryFolder elsewhere_;
  std::filesystem::path target_ = elsewhere_.path() / "backup";
};

TEST_F(BackupTest, RestoredServerHasEverythingUpToTheBackupAndRunsTheRest) {
  const Job job = Submit(MakeRequest("r", 12));
  ASSERT_TRUE(RunShard(*core_, worker_.LeaseOne(*core_)));
  const Result<BackupReport> report = Backup(folder_.path(), target_);
  ASSERT_TRUE(report) << report.error().Text();
  EXPECT_EQ(report->jobs, 1u);
  EXPECT_EQ(report->shards, 1u);
  EXPECT_GT(report->bytes, 100u);
  ASSERT_TRUE(RunShard(*core_, worker_.LeaseOne(*core_))) << "the server goes on";
  Submit(MakeRequest("later", 4));
  RestoreFrom(target_);
  EXPECT_EQ(Get(job).experiments_done, 4u);
  EXPECT_EQ(core_->ListJobs("default", 0, "")->jobs.size(), 1u);
  EXPECT_EQ(Submit(MakeRequest("r", 12)).id, job.id);
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(RunShard(*core_, worker_.LeaseOne(*core_)));
  EXPECT_EQ(Get(job).state, JobState::kSucceeded);
  std::uint64_t next = 0;
  for (const ResultChunk& chunk : ReadAll(*core_, NameOf(job))) {
    EXPECT_EQ(chunk.frame, EncodeObservations(ResultOf(7, chunk.first, chunk.count, 20)));
    next += chunk.count;
  }
  EXPECT_EQ(next, 12u);
}

// The lost server has started again after the backup: a lease of it must not look like one of the
// restored server.
TEST_F(BackupTest, LeaseOfTheLostServerIsRefused) {
  Submit(MakeRequest("r", 4));
  ASSERT_TRUE(Backup(folder_.path(), target_));
  Restart();
  const LeaseRef old = worker_.LeaseOne(*core_);
  RestoreFrom(target_);
  FakeWorker other("w2", "bbbbbbbbbbbbbbbb");
  const LeaseRef lease = other.LeaseOne(*core_);
  EXPECT_EQ(lease.shard, old.shard);
  EXPECT_GT(lease.fence, old.fence);
  EXPECT_EQ(core_->GetShard(old).error().code, ErrorCode::kAborted);
}

TEST_F(BackupTest, NothingIsOverwrittenAndNothingHalfDoneIsLeft) {
  EXPECT_EQ(Backup(elsewhere_.path() / "nowhere", target_).error().code, ErrorCode::kNotFound);
  std::filesystem::create_directories(target_);
  EXPECT_EQ(Backup(folder_.path(), target_).error().code, ErrorCode::kFailedPrecondition);
  std::filesystem::remove(target_);
  Submit(MakeRequest("r", 4));
  ASSERT_TRUE(RunShard(*core_, worker_.LeaseOne(*core_)));
  const auto segment = folder_.path() / "segments/seg-000001.dat";
  const std::string whole = ReadFile(segment).value();
  std::string damaged = whole;
  damaged[20] ^= 1;
  WriteFileAtomically(segment, damaged);
  EXPECT_EQ(Backup(folder_.path(), target_).error().code, ErrorCode::kDataLoss);
  WriteFileAtomically(segment, whole.substr(0, 20));
  EXPECT_EQ(Backup(folder_.path(), target_).error().code, ErrorCode::kUnavailable);
  EXPECT_TRUE(std::filesystem::is_empty(elsewhere_.path()));
  WriteFileAtomically(segment, whole);
  EXPECT_TRUE(Backup(folder_.path(), target_));
}

TEST_F(BackupTest, NewerDatabaseIsRefused) {
  core_.reset();
  sqlite::Database(folder_.path() / "scheduler.db", sqlite::Access::kWrite).SetSchemaVersion(99);
  const auto refused = Backup(folder_.path(), target_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_THAT(refused.error().message, HasSubstr("schema version 99"));
}

}  // namespace
}  // namespace inferon::scheduler
