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

TEST(LossTest, ShardIsSplitAfterItsLossesAndASingleExperimentHasMore) {
  const RetryLimits limits{.max_losses = 3, .max_losses_alone = 10};
  EXPECT_EQ(DecideLoss(8, 2, limits), AfterFailure::kRetry);
  EXPECT_EQ(DecideLoss(8, 3, limits), AfterFailure::kSplit);
  EXPECT_EQ(DecideLoss(1, 9, limits), AfterFailure::kRetry);
  EXPECT_EQ(DecideLoss(1, 10, limits), AfterFailure::kDead);
}

TEST(LossTest, EachFurtherLossOfAPartSplitsItAgain) {
  const RetryLimits limits{.max_losses = 3, .max_losses_alone = 10};
  EXPECT_EQ(DecideLoss(4, LossesAfterSplit(4, limits) + 1, limits), AfterFailure::kSplit);
  EXPECT_TRUE(RunsAlone(LossesAfterSplit(4, limits)));
  EXPECT_TRUE(RunsAlone(LossesAfterSplit(1, limits)));
  EXPECT_FALSE(RunsAlone(0));
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
