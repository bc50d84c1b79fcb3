#include "tests/simulation/outcome.h"

namespace inferon::scheduler {
namespace {

void CheckChunk(const ExpectedJob& expected, JobId job, const ResultChunk& chunk,
                const History& history) {
  const bool harmful = HoldsOne(expected.harmful, chunk.first, chunk.count);
  if (chunk.error.empty()) {
    EXPECT_FALSE(harmful);
    EXPECT_TRUE(history.IsDone(job, chunk.first));
    EXPECT_TRUE(chunk.frame == EncodeObservations(ResultOf(7, chunk.first, chunk.count, 20)));
    return;
  }
  EXPECT_EQ(chunk.count, 1u) << "only what does harm is dead, and it alone";
  EXPECT_TRUE(harmful) << chunk.first << ": " << chunk.error;
  EXPECT_TRUE(chunk.frame.empty());
  EXPECT_FALSE(history.IsDone(job, chunk.first));
}

}  // namespace

bool HoldsOne(const std::set<std::uint64_t>& experiments, std::uint64_t first,
              std::uint32_t count) {
  const auto found = experiments.lower_bound(first);
  return found != experiments.end() && *found < first + count;
}

void CheckOutcome(Core& core, const ExpectedJob& expected, const History& history) {
  const Job job = core.GetJob(expected.name).value();
  ASSERT_TRUE(job.end_time) << expected.name << " has not ended";
  EXPECT_EQ(history.DoneOf(job.id), job.experiments_done);
  EXPECT_EQ(job.shards_leased, 0u);
  if (expected.cancelled) {
    EXPECT_EQ(job.state, JobState::kCancelled);
    return;
  }
  EXPECT_EQ(job.experiments_done + job.experiments_failed, expected.experiments);
  EXPECT_EQ(job.state, job.experiments_failed == 0 ? JobState::kSucceeded : JobState::kFailed);
  EXPECT_EQ(job.shards_open, 0u);
  std::uint64_t next = 0;
  for (const ResultChunk& chunk : ReadAll(core, expected.name)) {
    ASSERT_EQ(chunk.first, next);
    CheckChunk(expected, job.id, chunk, history);
    next += chunk.count;
  }
  EXPECT_EQ(next, expected.experiments);
}

}  // namespace inferon::scheduler
