// Which shard a worker gets next, and what becomes of one that failed: functions of a snapshot.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "server/scheduler/types.h"

namespace inferon::scheduler {

// A job that has a shard to give away.
struct Candidate {
  JobId job = 0;
  std::string project;
  std::int32_t priority = 0;
  std::string substrate;
  std::string chip;
  ShardId shard = 0;  // The job's first READY shard whose back-off is over.
};

// When each project was served last: a number that rises with every lease; absent: never.
using Turns = std::map<std::string, std::uint64_t>;

// True where the worker can run the job: the same kind of substrate, and the same chip where the
// worker is bound to one.
bool CanRun(const Capabilities& worker, const Candidate& candidate);

// The candidate to lease: the project served longest ago; in it the highest priority, then the
// oldest job. Candidates are in order of the job id. Nothing where the worker can run none.
std::optional<Candidate> ChooseCandidate(std::span<const Candidate> candidates,
                                         const Capabilities& worker, const Turns& turns);

struct RetryLimits {
  std::uint32_t max_attempts = 3;
  std::chrono::milliseconds first_backoff{1000};
  std::chrono::milliseconds max_backoff{60'000};
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

// The first half of a split shard.
constexpr std::uint32_t FirstHalf(std::uint32_t count) { return count / 2; }

// Attempts that a part of a split shard starts with.
std::uint32_t AttemptsAfterSplit(std::uint32_t count, const RetryLimits& limits);

// Experiments [first, first + count) of a job.
struct Range {
  std::uint64_t first = 0;
  std::uint32_t count = 0;
};

// The shards that a new job is cut into; all but the last have shard_size experiments.
std::vector<Range> CutIntoShards(std::uint64_t experiments, std::uint32_t shard_size);

}  // namespace inferon::scheduler
