// Why a job waits and when it is expected to start: a function of a snapshot.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "server/scheduler/core_types.h"
#include "server/scheduler/types.h"

namespace inferon::scheduler {

// Of a worker that has no lease and wants none though nobody drains it: a chip's worker whose
// device is bad.
inline constexpr char kRefusesText[] = "it asks for no work: its device is not ready";

// A worker as the job sees it.
struct WorkerFacts {
  std::string id;
  std::string mismatch;  // What does not fit; empty: it may run the job.
  WorkerState state = WorkerState::kIdle;
  bool drained = false;
  bool untrusted = false;  // It has a canary and is not good.
  bool refuses = false;    // It wants no work.
  std::string health_message;
  std::optional<Reservation> reserved;  // Keeps it from the job now.
  std::uint32_t leases = 0;
  double busy_seconds = 0;  // Expected until its leases end.
};

// Seconds from lease to commit of an experiment, as measured.
struct MeasuredTimes {
  double low = 0;  // One in ten is shorter.
  double mid = 0;
  double high = 0;  // One in ten is longer.
};

struct ExplainFacts {
  Job job;
  WallTime now;
  std::vector<WorkerFacts> workers;
  bool over_quota = false;
  double quota_seconds = 0;
  double day_seconds = 0;
  std::uint64_t own_ahead = 0;              // Experiments of the project's jobs that go first.
  double other_ahead = 0;                   // Of other projects, that fair share serves before it.
  std::string served_before;                // Projects that fair share serves first, for people.
  std::optional<std::int64_t> back_off_ms;  // Until its only ready shards may be tried again.
  std::optional<MeasuredTimes> times;       // Nothing: none measured.
};

Explanation Explain(const ExplainFacts& facts);

}  // namespace inferon::scheduler
