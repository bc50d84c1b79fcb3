// Many callers at once: for the thread sanitizer, and for results that do not depend on the order.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/scheduler/scheduler_fixture.h"

namespace inferon::scheduler {
namespace {

constexpr int kJobs = 4;
constexpr std::size_t kSets = 40;

TEST(CoreThreadsTest, ManyCallersAtOnceLoseAndDoubleNothing) {
  TemporaryFolder folder;
  const auto core = OpenCore(folder.path(), {}, SystemClock()).value();
  std::atomic<int> committed{0};
  std::atomic<int> woken{0};
  const auto subscription = core->changes().Subscribe(1, [&] { ++woken; });
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kJobs; ++i) {
      threads.emplace_back([&, i] {
        EXPECT_TRUE(core->CreateJob(MakeRequest(fmt::format("job-{}", i % 2), kSets)));
        EXPECT_TRUE(core->CreateJob(MakeRequest(fmt::format("job-{}", i), kSets)));
      });
    }
    for (const char* id : {"w1", "w2", "w3"}) {
      threads.emplace_back([&, id] {
        FakeWorker worker(id, std::string(16, 'a'));
        while (committed < kJobs * static_cast<int>(kSets) / 4) {
          ASSERT_TRUE(worker.Beat(*core, 2));
          for (const LeaseRef& lease : std::vector(worker.held())) {
            const Result<bool> repeated = RunShard(*core, lease);
            ASSERT_TRUE(repeated) << repeated.error().Text();
            committed += *repeated ? 0 : 1;
            worker.Drop(lease);
          }
        }
      });
    }
    threads.emplace_back([&] {
      while (committed < kJobs * static_cast<int>(kSets) / 4) {
        EXPECT_TRUE(core->ListJobs("default", 0, ""));
        EXPECT_TRUE(core->ListWorkers());
        EXPECT_TRUE(core->Tick());
        if (core->GetJob("projects/default/jobs/1")) {
          EXPECT_TRUE(core->ReadEvents("projects/default/jobs/1", 0));
          EXPECT_TRUE(core->ReadResults("projects/default/jobs/1", 0, true));
        }
      }
    });
  }
  core->changes().Unsubscribe(subscription);
  EXPECT_GT(woken, 0);
  const JobPage page = core->ListJobs("default", 0, "").value();
  ASSERT_EQ(page.jobs.size(), static_cast<std::size_t>(kJobs));
  for (const Job& job : page.jobs) {
    EXPECT_EQ(job.state, JobState::kSucceeded);
    std::uint64_t next = 0;
    for (const ResultChunk& chunk : ReadAll(*core, JobName("default", job.id))) next += chunk.count;
    EXPECT_EQ(next, kSets);
  }
}

}  // namespace
}  // namespace inferon::scheduler
