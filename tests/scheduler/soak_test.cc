// Hours of work in short: jobs come, run, are fetched and removed by retention; memory, descriptors
// and disk stay where they were. INFERON_SOAK_SECONDS runs it for as long as that.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <cstdlib>
#include <fstream>

#include "tests/scheduler/scheduler_fixture.h"

namespace inferon::scheduler {
namespace {

struct Use {
  std::uint64_t memory_kb = 0;
  std::int64_t descriptors = 0;
  std::uint64_t segment_bytes = 0;
  std::uint64_t database_bytes = 0;
  std::int64_t staged = 0;
};

class SoakTest : public CoreTest {
 protected:
  void SetUp() override {
    spdlog::set_level(spdlog::level::off);
    limits_.retain = std::chrono::seconds(60);
    limits_.forget = std::chrono::hours(1);  // Six rounds.
    limits_.segment_bytes = 1 << 20;
    CoreTest::SetUp();
  }

  // A job, half of it run twice or lost, fetched, and ten minutes.
  void Round(int round) {
    const Job job = Submit(MakeRequest(fmt::format("r{}", round), 200, 50));
    const auto subscription = core_->changes().Subscribe(job.id, [] {});
    FakeWorker lost("lost", fmt::format("{:016x}", round));
    lost.LeaseOne(*core_);
    while (!Get(job).end_time) {
      ASSERT_TRUE(worker_.Beat(*core_, 4));
      clock_.Advance(std::chrono::seconds(3));
      ASSERT_TRUE(core_->Tick());
      for (const LeaseRef& lease : std::vector(worker_.held())) {
        ASSERT_TRUE(RunShard(*core_, lease));
        worker_.Drop(lease);
      }
    }
    EXPECT_EQ(ReadAll(*core_, NameOf(job)).size(), 4u);
    core_->changes().Unsubscribe(subscription);
    for (int i = 0; i < 10; ++i) {
      clock_.Advance(std::chrono::minutes(1));
      ASSERT_TRUE(core_->Tick());
    }
  }

  static std::uint64_t BytesOf(const std::filesystem::path& folder, const std::string& begin) {
    std::uint64_t bytes = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      const bool wanted = entry.path().filename().string().rfind(begin, 0) == 0;
      if (wanted && entry.is_regular_file()) bytes += entry.file_size();
    }
    return bytes;
  }

  Use Now() {
    Use use;
    std::ifstream status("/proc/self/status");
    for (std::string word; status >> word;) {
      if (word == "VmRSS:") status >> use.memory_kb;
    }
    const auto count = [](const std::filesystem::path& path) {
      const std::filesystem::directory_iterator entries(path);
      return std::distance(begin(entries), end(entries));
    };
    use.descriptors = count("/proc/self/fd");
    use.staged = count(folder_.path() / "staging");
    use.segment_bytes = BytesOf(folder_.path() / "segments", "seg-");
    use.database_bytes = BytesOf(folder_.path(), "scheduler.db");
    return use;
  }
};

TEST_F(SoakTest, NothingGrowsWithRetention) {
  const char* wanted = std::getenv("INFERON_SOAK_SECONDS");
  const SteadyTime end =
      SystemClock().Now() + std::chrono::seconds(wanted == nullptr ? 0 : std::atoi(wanted));
  int round = 0;
  while (round < 60) Round(round++);
  const Use before = Now();
  while (round < 300 || SystemClock().Now() < end) {
    Round(round++);
    if (HasFatalFailure()) return;
  }
  const Use after = Now();
  RecordProperty("rounds", round);
  EXPECT_LE(after.memory_kb, before.memory_kb + 8'000);
  EXPECT_EQ(after.descriptors, before.descriptors);
  EXPECT_EQ(after.staged, 0);
  EXPECT_LE(after.segment_bytes, before.segment_bytes + limits_.segment_bytes);
  EXPECT_LE(after.database_bytes, before.database_bytes + 5'000'000) << "the log grows to 4 MB";
  EXPECT_LE(core_->ListEvents("", 0, 100'000)->size(), 200u);
}

// The soak found that it stayed until the next start.
TEST_F(CoreTest, FullSegmentGoesWithTheLastJobInIt) {
  limits_.segment_bytes = 1;
  Restart();
  Submit(MakeRequest("r", 4));
  ASSERT_TRUE(RunShard(*core_, worker_.LeaseOne(*core_)));
  const std::filesystem::path file = folder_.path() / "segments" / "seg-000001.dat";
  EXPECT_TRUE(std::filesystem::exists(file));
  clock_.Advance(std::chrono::hours(1));
  EXPECT_EQ(core_->CollectGarbage(std::chrono::seconds(1), false)->segments, 1u);
  EXPECT_FALSE(std::filesystem::exists(file));
}

}  // namespace
}  // namespace inferon::scheduler
