// A disk that refuses a commit: nobody is told what is not on disk, and memory follows the disk.
#include <gmock/gmock.h>

#include <atomic>
#include <cerrno>
#include <system_error>

#include "tests/scheduler/faulty_store.h"
#include "tests/scheduler/scheduler_fixture.h"

namespace inferon::scheduler {
namespace {

using testing::Contains;

// On both stores.
class FaultTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    auto store = GetParam() == "memory" ? MakeMemoryStore()
                                        : OpenSqliteStore(folder_.path() / "store.db").value();
    const auto commit = [this] {
      if (broken_) throw std::system_error(ENOSPC, std::generic_category(), "commit");
    };
    core_ = std::make_unique<Core>(std::make_unique<FaultyStore>(std::move(store), commit),
                                   folder_.path(), limits_, clock_);
    ASSERT_TRUE(core_->CreateJob(MakeRequest("r", 4)));
  }
  Job Get() { return core_->GetJob("projects/default/jobs/1").value(); }

  TemporaryFolder folder_;
  FakeClock clock_;
  Limits limits_;
  std::atomic<bool> broken_{false};
  std::unique_ptr<Core> core_;
  FakeWorker worker_{"w1", "aaaaaaaaaaaaaaaa"};
};

TEST_P(FaultTest, JobThatIsNotOnDiskIsNotAccepted) {
  broken_ = true;
  EXPECT_THROW(static_cast<void>(core_->CreateJob(MakeRequest("s", 4))), std::system_error);
  broken_ = false;
  EXPECT_EQ(core_->ListJobs("default", 0, "")->jobs.size(), 1u);
  EXPECT_TRUE(core_->CreateJob(MakeRequest("s", 4)));
}

TEST_P(FaultTest, LeaseOfACommitThatFailedIsStillHeldAndWatched) {
  const LeaseRef lease = worker_.LeaseOne(*core_);
  broken_ = true;
  EXPECT_THROW(static_cast<void>(RunShard(*core_, lease)), std::system_error);
  broken_ = false;
  EXPECT_EQ(Get().experiments_done, 0u);
  ASSERT_TRUE(worker_.Beat(*core_, 0));
  EXPECT_THAT(worker_.held(), Contains(lease));
  clock_.Advance(limits_.lease_time);
  ASSERT_TRUE(core_->Tick());
  EXPECT_EQ(Get().shards_leased, 0u);
  EXPECT_FALSE(RunShard(*core_, worker_.LeaseOne(*core_)).value());
  EXPECT_EQ(Get().state, JobState::kSucceeded);
  EXPECT_EQ(core_->ListWorkers()->at(0).record.shards_done, 1u);
}

TEST_P(FaultTest, LeaseThatIsNotOnDiskIsGivenAgain) {
  broken_ = true;
  EXPECT_THROW(static_cast<void>(worker_.Beat(*core_, 1)), std::system_error);
  broken_ = false;
  EXPECT_EQ(Get().state, JobState::kPending);
  EXPECT_FALSE(RunShard(*core_, worker_.LeaseOne(*core_)).value());
  EXPECT_EQ(Get().state, JobState::kSucceeded);
}

INSTANTIATE_TEST_SUITE_P(Stores, FaultTest, testing::Values("sqlite", "memory"),
                         [](const auto& one) { return one.param; });

}  // namespace
}  // namespace inferon::scheduler
