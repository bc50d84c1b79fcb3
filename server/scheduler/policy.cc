#include "server/scheduler/policy.h"

#include <algorithm>

namespace inferon::scheduler {

std::uint32_t AttemptsAfterSplit(std::uint32_t count, const RetryLimits& limits) {
  return count > 1 ? limits.max_attempts - 1 : 0;
}

std::uint32_t LossesAfterSplit(std::uint32_t count, const RetryLimits& limits) {
  return count > 1 ? std::max(limits.max_losses - 1, 1u) : 1;
}

AfterFailure DecideLoss(std::uint32_t count, std::uint32_t losses, const RetryLimits& limits) {
  if (count == 1) {
    return losses >= limits.max_losses_alone ? AfterFailure::kDead : AfterFailure::kRetry;
  }
  return losses >= limits.max_losses ? AfterFailure::kSplit : AfterFailure::kRetry;
}

FailureDecision DecideFailure(std::uint32_t count, std::uint32_t attempts, bool retryable,
                              const RetryLimits& limits) {
  if (!retryable) return {AfterFailure::kDead, {}, attempts};
  if (attempts < limits.max_attempts) {
    const auto doublings = std::min(attempts - 1, 30u);
    const std::chrono::milliseconds backoff = limits.first_backoff * (std::int64_t{1} << doublings);
    return {AfterFailure::kRetry, std::min(backoff, limits.max_backoff), attempts};
  }
  if (count > 1) return {AfterFailure::kSplit, {}, 0};
  return {AfterFailure::kDead, {}, attempts};
}

std::vector<Range> CutIntoShards(std::uint64_t experiments, std::uint32_t shard_size) {
  std::vector<Range> shards;
  for (std::uint64_t first = 0; first < experiments; first += shard_size) {
    const std::uint64_t left = experiments - first;
    shards.push_back(
        {first, static_cast<std::uint32_t>(std::min<std::uint64_t>(shard_size, left))});
  }
  return shards;
}

}  // namespace inferon::scheduler
