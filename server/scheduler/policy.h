// What becomes of a shard that failed or was lost, and how jobs are cut: functions of a snapshot.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "server/scheduler/types.h"

namespace inferon::scheduler {

struct RetryLimits {
  std::uint32_t max_attempts = 3;
  std::chrono::milliseconds first_backoff{1000};
  std::chrono::milliseconds max_backoff{60'000};
  // Workers that may be lost while they hold a shard before it is split, and while they hold a
  // single experiment before that is given up.
  std::uint32_t max_losses = 3;
  std::uint32_t max_losses_alone = 10;
};

enum class AfterFailure { kRetry, kSplit, kDead };

struct FailureDecision {
  AfterFailure action = AfterFailure::kRetry;
  std::chrono::milliseconds backoff{0};  // For kRetry.
  std::uint32_t attempts = 0;            // The shard's (after a split: each half's) from now on.
};

// What becomes of a shard of `count` experiments whose attempt number `attempts` (the first is 1)
// failed. Retried with doubling back-off up to max_attempts; then split; a half with more than one
// experiment has one attempt, so that a poisonous set is found in log2(count) steps; a single
// experiment has all its attempts before it is dead.
FailureDecision DecideFailure(std::uint32_t count, std::uint32_t attempts, bool retryable,
                              const RetryLimits& limits);

// What becomes of a shard whose worker was lost for the time number `losses` (the first is 1). A
// loss is no attempt: mostly the worker is to blame. It is given away again without back-off; after
// max_losses it is split, and each loss of a part splits that again, so that an experiment which
// kills its workers is found; alone it has max_losses_alone before it is dead.
AfterFailure DecideLoss(std::uint32_t count, std::uint32_t losses, const RetryLimits& limits);

// A shard that has lost a worker is held by one that holds nothing else, so that the next loss
// counts against it alone and not against its neighbours.
constexpr bool RunsAlone(std::uint32_t losses) { return losses > 0; }

// The first half of a split shard.
constexpr std::uint32_t FirstHalf(std::uint32_t count) { return count / 2; }

// Attempts that a part of a split shard starts with.
std::uint32_t AttemptsAfterSplit(std::uint32_t count, const RetryLimits& limits);
// Losses that a part of a shard starts with which was split for its losses.
std::uint32_t LossesAfterSplit(std::uint32_t count, const RetryLimits& limits);

// Experiments [first, first + count) of a job.
struct Range {
  std::uint64_t first = 0;
  std::uint32_t count = 0;
};

// The shards that a new job is cut into; all but the last have shard_size experiments.
std::vector<Range> CutIntoShards(std::uint64_t experiments, std::uint32_t shard_size);

}  // namespace inferon::scheduler
