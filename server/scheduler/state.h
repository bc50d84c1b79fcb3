// State machines of jobs and shards. Pure. Both stores move states only along these arrows;
// the database's own triggers refuse every other one (a test compares them with these tables).
#pragma once

#include <array>
#include <string_view>
#include <utility>

#include "server/scheduler/types.h"

namespace inferon::scheduler {

// A shard ends only after a lease, so a PENDING job ends by cancellation only.
inline constexpr std::array<std::pair<JobState, JobState>, 5> kJobMoves{{
    {JobState::kPending, JobState::kRunning},
    {JobState::kPending, JobState::kCancelled},
    {JobState::kRunning, JobState::kSucceeded},
    {JobState::kRunning, JobState::kFailed},
    {JobState::kRunning, JobState::kCancelled},
}};

inline constexpr std::array<std::pair<ShardState, ShardState>, 4> kShardMoves{{
    {ShardState::kReady, ShardState::kLeased},
    {ShardState::kLeased, ShardState::kReady},
    {ShardState::kLeased, ShardState::kDone},
    {ShardState::kLeased, ShardState::kDead},
}};

template <typename State, std::size_t n>
constexpr bool Contains(const std::array<std::pair<State, State>, n>& moves, State from, State to) {
  for (const auto& [a, b] : moves) {
    if (a == from && b == to) return true;
  }
  return false;
}

constexpr bool CanMove(JobState from, JobState to) { return Contains(kJobMoves, from, to); }
constexpr bool CanMove(ShardState from, ShardState to) { return Contains(kShardMoves, from, to); }

constexpr bool HasEnded(JobState state) {
  return state != JobState::kPending && state != JobState::kRunning;
}
constexpr bool IsOpen(ShardState state) {
  return state == ShardState::kReady || state == ShardState::kLeased;
}

// State that a running job ends in once no shard is open.
constexpr JobState EndState(std::uint64_t experiments_failed) {
  return experiments_failed == 0 ? JobState::kSucceeded : JobState::kFailed;
}

constexpr std::string_view Name(JobState state) {
  switch (state) {
    case JobState::kPending:
      return "pending";
    case JobState::kRunning:
      return "running";
    case JobState::kSucceeded:
      return "succeeded";
    case JobState::kFailed:
      return "failed";
    case JobState::kCancelled:
      return "cancelled";
  }
  return "unknown";
}

}  // namespace inferon::scheduler
