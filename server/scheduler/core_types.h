// What the core is asked and answers.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "server/scheduler/types.h"

namespace inferon::scheduler {

// Who asks: written into the events. For people, at most 100 characters.
using Actor = std::string;

struct JobPage {
  std::vector<Job> jobs;        // Newest first.
  std::string next_page_token;  // Empty after the last page.
};

struct EventPage {
  std::vector<Event> events;
  Job job;             // After these events.
  bool ended = false;  // The job has ended and these are its last events.
};

// Results of consecutive experiments, or their error.
struct ResultChunk {
  std::uint64_t first = 0;
  std::uint32_t count = 0;
  std::string frame;
  std::string error;
  std::string worker;  // As are the next two, of results.
  std::string calibration_id;
  bool suspect = false;
};

struct ResultPage {
  std::optional<ResultChunk> chunk;
  bool ended = false;  // Nothing follows. Neither chunk nor ended: wait for a change of the job.
};

struct SyncRequest {
  std::string worker;
  std::string session;
  Capabilities capabilities;
  std::vector<LeaseRef> leases;
  std::uint32_t wanted = 0;
  bool draining = false;
};

struct GivenLease {
  LeaseRef ref;
  std::chrono::nanoseconds left{0};
};

struct SyncAnswer {
  std::vector<GivenLease> leases;
  std::chrono::nanoseconds next{0};
  bool drain = false;  // By an operator.
};

// A leased shard as its worker runs it.
struct ShardWork {
  std::string job;  // Resource name.
  std::uint64_t first = 0;
  std::uint32_t count = 0;
  JobSpec spec;  // With the sets that the shard touches only.
};

// A project with what it has and used.
struct ProjectView {
  ProjectRecord record;
  std::uint64_t open_jobs = 0;
  std::uint64_t queued_experiments = 0;
  std::uint32_t shards_leased = 0;
  double day_seconds = 0;
  double decayed_seconds = 0;
};

struct HeldShard {
  std::string job;  // Resource name.
  std::uint64_t first = 0;
  std::uint32_t count = 0;
  double held_seconds = 0;
};

struct WorkerDetails {
  WorkerView view;
  std::vector<HeldShard> shards;
  std::vector<Reservation> reservations;
  std::vector<HealthCheck> checks;  // Newest first.
};

struct WaitReason {
  std::string code;
  std::string problem;
  std::string advice;
};

// Why a job waits; the fields are those of v1.ExplainJobResponse.
struct Explanation {
  Job job;
  std::vector<WaitReason> reasons;
  std::vector<std::string> workers;
  std::uint64_t experiments_ahead = 0;
  std::optional<WallTime> expected;
  std::optional<WallTime> earliest;
  std::optional<WallTime> latest;
};

struct GarbageReport {
  std::vector<std::string> jobs;  // Resource names.
  std::uint64_t experiments = 0;
  std::uint32_t segments = 0;
  std::uint64_t bytes = 0;
};

}  // namespace inferon::scheduler
