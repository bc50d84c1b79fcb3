// Databases of earlier versions: data/schema-N holds what the scheduler of that version wrote.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "common/base/files.h"
#include "common/sqlite/sqlite.h"
#include "server/scheduler/store_sqlite_schema.h"
#include "tests/scheduler/scheduler_fixture.h"

namespace inferon::scheduler {
namespace {

using testing::ElementsAre;

const std::filesystem::path kData = INFERON_SCHEDULER_TEST_DATA;

// A data folder as the scheduler of schema version 1 left it: a job that is done, one half done
// with a shard leased, a cancelled one, one with dead experiments, a pending one.
class MigrationTest : public CoreTest, public testing::WithParamInterface<int> {
 protected:
  void SetUp() override {
    const auto fixture = kData / fmt::format("schema-{}", GetParam());
    {
      sqlite::Database database(folder_.path() / "scheduler.db", sqlite::Access::kWrite);
      database.Execute(ReadFile(fixture / "scheduler.sql").value());
      ASSERT_EQ(database.SchemaVersion(), GetParam());
      sqlite::Statement row = database.Prepare(
          GetParam() < 3
              ? "SELECT profile_toml FROM job_spec WHERE job = 1"
              : "SELECT toml FROM profile JOIN job ON profile_sha256 = sha256 AND id = 1");
      ASSERT_TRUE(row.Step());
      profile_ = row.Text(0);
    }
    std::filesystem::create_directories(folder_.path() / "segments");
    std::filesystem::copy_file(kData / "schema-1/seg-000001.dat",
                               folder_.path() / "segments/seg-000001.dat");
    clock_.Advance(std::chrono::seconds(1'700'000'100));
    CoreTest::SetUp();
  }
  Job At(const std::string& name) { return core_->GetJob(name).value(); }
  std::string profile_;  // As it was then.
};

TEST_P(MigrationTest, EveryJobIsAsItWas) {
  EXPECT_EQ(At("projects/default/jobs/1").state, JobState::kSucceeded);
  EXPECT_EQ(At("projects/default/jobs/2").state, JobState::kRunning);
  EXPECT_EQ(At("projects/default/jobs/2").experiments_done, 4u);
  EXPECT_EQ(At("projects/default/jobs/3").state, JobState::kCancelled);
  EXPECT_EQ(At("projects/other/jobs/4").experiments_failed, 4u);
  const Job pending = At("projects/default/jobs/5");
  EXPECT_EQ(pending.state, JobState::kPending);
  EXPECT_EQ(pending.seed, ~std::uint64_t{0});
  EXPECT_EQ(pending.priority, 5);
  EXPECT_FALSE(pending.paused);
  EXPECT_EQ(pending.max_run_seconds, 0);
}

TEST_P(MigrationTest, ResultsAreReadAndTheRestIsRun) {
  for (const ResultChunk& chunk : ReadAll(*core_, "projects/default/jobs/1")) {
    EXPECT_EQ(chunk.frame, EncodeObservations(ResultOf(7, chunk.first, chunk.count, 20)));
  }
  for (int i = 0; i < 20 && !At("projects/default/jobs/2").end_time; ++i) {
    clock_.Advance(std::chrono::seconds(2));
    ASSERT_TRUE(worker_.Beat(*core_, 4));
    for (const LeaseRef& lease : std::vector(worker_.held())) {
      ASSERT_TRUE(RunShard(*core_, lease));
      worker_.Drop(lease);
    }
  }
  EXPECT_EQ(At("projects/default/jobs/2").state, JobState::kSucceeded);
  EXPECT_EQ(ReadAll(*core_, "projects/default/jobs/2").size(), 3u);
  EXPECT_EQ(At("projects/default/jobs/5").experiments_done, 12u);
}

TEST_P(MigrationTest, SameSubmissionIsTheSameJob) {
  JobRequest request = MakeRequest("done", 8);
  request.spec.profile_toml = profile_;
  EXPECT_EQ(Submit(request).id, 1u) << "its hash is that of before";
}

TEST_P(MigrationTest, ProjectsOfTheJobsAreThere) {
  std::vector<std::string> ids;
  const std::vector<ProjectView> views = core_->ListProjects().value();
  for (const ProjectView& view : views) ids.push_back(view.record.id);
  EXPECT_THAT(ids, ElementsAre("default", "other"));
  EXPECT_EQ(core_->GetProject("other")->record.settings, ProjectSettings{});
}

TEST_P(MigrationTest, WorkersAndEventsAreThere) {
  EXPECT_EQ(core_->ListWorkers()->size(), 2u);
  EXPECT_FALSE(core_->ListWorkers()->at(0).record.drained);
  EXPECT_EQ(core_->ListWorkers()->at(0).record.shards_done, 3u);
  EXPECT_GE(core_->ListEvents("", 0, 1000)->size(), 15u);
}

INSTANTIATE_TEST_SUITE_P(Versions, MigrationTest, testing::Values(1, 2, 3));

TEST(SchemaTest, HistoryHasNoGaps) {
  int version = 0;
  for (const sqlite::Migration& step : SchemaHistory()) EXPECT_EQ(step.version, ++version);
}

TEST_F(CoreTest, ProfileIsKeptOnceAndGoesWithItsLastJob) {
  const auto profiles = [&] {
    sqlite::Database database(folder_.path() / "scheduler.db", sqlite::Access::kRead);
    sqlite::Statement count = database.Prepare("SELECT count(*) FROM profile");
    count.Step();
    return count.Int(0);
  };
  Submit(MakeRequest("a", 4));
  const Job last = Submit(MakeRequest("b", 4));
  EXPECT_EQ(profiles(), 1);
  ASSERT_TRUE(core_->CancelJob("projects/default/jobs/1"));
  clock_.Advance(std::chrono::hours(1));
  EXPECT_EQ(core_->CollectGarbage(std::chrono::seconds(1), false)->jobs.size(), 1u);
  EXPECT_FALSE(RunShard(*core_, worker_.LeaseOne(*core_)).value()) << "it needs the profile";
  EXPECT_EQ(profiles(), 1);
  EXPECT_EQ(Get(last).state, JobState::kSucceeded);
  clock_.Advance(std::chrono::hours(1));
  EXPECT_EQ(core_->CollectGarbage(std::chrono::seconds(1), false)->jobs.size(), 1u);
  EXPECT_EQ(profiles(), 0);
}

}  // namespace
}  // namespace inferon::scheduler
