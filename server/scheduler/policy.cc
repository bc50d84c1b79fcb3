#include "server/scheduler/policy.h"

#include <algorithm>
#include <tuple>

namespace inferon::scheduler {

bool CanRun(const Capabilities& worker, const Candidate& candidate) {
  return worker.substrate == candidate.substrate &&
         (worker.chip.empty() || worker.chip == candidate.chip);
}

std::optional<Candidate> ChooseCandidate(std::span<const Candidate> candidates,
                                         const Capabilities& worker, const Turns& turns) {
  const auto rank = [&](const Candidate& candidate) {
    const auto turn = turns.find(candidate.project);
    const std::uint64_t served = turn == turns.end() ? 0 : turn->second;
    return std::make_tuple(served, candidate.project, -std::int64_t{candidate.priority},
                           candidate.job);
  };
  const Candidate* best = nullptr;
  for (const Candidate& candidate : candidates) {
    if (!CanRun(worker, candidate)) continue;
    if (best == nullptr || rank(candidate) < rank(*best)) best = &candidate;
  }
  if (best == nullptr) return std::nullopt;
  return *best;
}

std::uint32_t AttemptsAfterSplit(std::uint32_t count, const RetryLimits& limits) {
  return count > 1 ? limits.max_attempts - 1 : 0;
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
