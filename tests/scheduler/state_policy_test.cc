#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/scheduler/policy.h"
#include "server/scheduler/state.h"

namespace inferon::scheduler {
namespace {

using std::chrono::milliseconds;

TEST(StateTest, EndedJobsAndShardsNeverMoveAgain) {
  for (int from = 1; from <= 5; ++from) {
    for (int to = 1; to <= 5; ++to) {
      if (HasEnded(static_cast<JobState>(from))) {
        EXPECT_FALSE(CanMove(static_cast<JobState>(from), static_cast<JobState>(to)));
      }
    }
  }
  for (const ShardState from : {ShardState::kDone, ShardState::kDead}) {
    for (int to = 1; to <= 4; ++to) EXPECT_FALSE(CanMove(from, static_cast<ShardState>(to)));
  }
}

TEST(StateTest, NothingIsDoneOrDeadWithoutALease) {
  EXPECT_FALSE(CanMove(ShardState::kReady, ShardState::kDone));
  EXPECT_FALSE(CanMove(ShardState::kReady, ShardState::kDead));
  EXPECT_FALSE(CanMove(JobState::kPending, JobState::kSucceeded));
  EXPECT_FALSE(CanMove(JobState::kPending, JobState::kFailed));
}

TEST(StateTest, OneFailedExperimentMakesTheJobFailed) {
  EXPECT_EQ(EndState(0), JobState::kSucceeded);
  EXPECT_EQ(EndState(1), JobState::kFailed);
}

Candidate Of(JobId job, const std::string& project, std::int32_t priority = 0) {
  return {job, project, priority, "emulator", "chip-a", job * 10};
}

const Capabilities kWorker{"emulator", "emulator", "", "", ""};

JobId Choose(const std::vector<Candidate>& candidates, const Turns& turns = {},
             const Capabilities& worker = kWorker) {
  const auto chosen = ChooseCandidate(candidates, worker, turns);
  return chosen ? chosen->job : 0;
}

TEST(PolicyTest, OldestJobFirstWithinAProject) { EXPECT_EQ(Choose({Of(1, "a"), Of(2, "a")}), 1u); }

TEST(PolicyTest, PriorityGoesBeforeAge) {
  EXPECT_EQ(Choose({Of(1, "a"), Of(2, "a", 1), Of(3, "a", 1), Of(4, "a", -1)}), 2u);
}

TEST(PolicyTest, ProjectServedLongestAgoGoesFirst) {
  const std::vector<Candidate> jobs{Of(1, "a"), Of(2, "b"), Of(3, "c")};
  EXPECT_EQ(Choose(jobs, {{"a", 5}, {"b", 4}, {"c", 6}}), 2u);
  EXPECT_EQ(Choose(jobs, {{"a", 5}, {"b", 4}}), 3u) << "never served";
}

TEST(PolicyTest, PriorityDoesNotReachAcrossProjects) {
  EXPECT_EQ(Choose({Of(1, "a", 100), Of(2, "b", -100)}, {{"a", 2}, {"b", 1}}), 2u);
}

TEST(PolicyTest, SubstrateAndChipMustFit) {
  const std::vector<Candidate> jobs{Of(1, "a")};
  EXPECT_EQ(Choose(jobs, {}, {"brainscales2", "hardware", "", "", ""}), 0u);
  EXPECT_EQ(Choose(jobs, {}, {"emulator", "emulator", "chip-b", "", ""}), 0u);
  EXPECT_EQ(Choose(jobs, {}, {"emulator", "emulator", "chip-a", "", ""}), 1u);
  EXPECT_EQ(Choose({}), 0u);
}

const RetryLimits kLimits{3, milliseconds(100), milliseconds(150)};

TEST(RetryTest, BackOffDoublesUpToItsLimit) {
  const FailureDecision first = DecideFailure(8, 1, true, kLimits);
  EXPECT_EQ(first.action, AfterFailure::kRetry);
  EXPECT_EQ(first.backoff, milliseconds(100));
  EXPECT_EQ(DecideFailure(8, 2, true, kLimits).backoff, milliseconds(150));
}

TEST(RetryTest, LastAttemptSplitsOrKills) {
  EXPECT_EQ(DecideFailure(2, 3, true, kLimits).action, AfterFailure::kSplit);
  EXPECT_EQ(DecideFailure(1, 3, true, kLimits).action, AfterFailure::kDead);
  EXPECT_EQ(DecideFailure(1, 2, true, kLimits).action, AfterFailure::kRetry);
}

TEST(RetryTest, WhatCannotHelpIsNotTriedAgain) {
  EXPECT_EQ(DecideFailure(100, 1, false, kLimits).action, AfterFailure::kDead);
}

TEST(RetryTest, ManyAttemptsDoNotOverflowTheBackOff) {
  const RetryLimits limits{100, milliseconds(1000), milliseconds(60'000)};
  EXPECT_EQ(DecideFailure(1, 99, true, limits).backoff, milliseconds(60'000));
}

TEST(RetryTest, PartOfASplitHasOneAttemptUnlessItIsSingle) {
  EXPECT_EQ(AttemptsAfterSplit(4, kLimits), 2u);
  EXPECT_EQ(AttemptsAfterSplit(1, kLimits), 0u);
  EXPECT_EQ(FirstHalf(5), 2u);
}

TEST(CutTest, ShardsCoverTheJobWithoutGapOrOverlap) {
  const std::vector<Range> shards = CutIntoShards(10, 4);
  ASSERT_EQ(shards.size(), 3u);
  EXPECT_EQ(shards[1].first, 4u);
  EXPECT_EQ(shards[2].first, 8u);
  EXPECT_EQ(shards[2].count, 2u);
  EXPECT_EQ(CutIntoShards(8, 4).size(), 2u);
}

}  // namespace
}  // namespace inferon::scheduler
