// Domain types of the scheduler. Wire messages and SQL rows become these in one converter each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/neuron/device.h"
#include "common/neuron/parameters.h"
#include "common/neuron/protocol.h"

namespace inferon::scheduler {

using JobId = std::uint64_t;
using ShardId = std::uint64_t;
// Fencing token: the server's start number in the upper, the number of the lease in the lower 32
// bits, so that it rises with every lease and with every start.
using Fence = std::uint64_t;

enum class JobState { kPending = 1, kRunning, kSucceeded, kFailed, kCancelled };
enum class ShardState { kReady = 1, kLeased, kDone, kDead };
enum class WorkerState { kIdle = 1, kBusy, kDraining, kOffline };

// Pins of a job beside its device and profile; empty: any.
struct Placement {
  std::string worker;
  std::string calibration_id;
  auto operator<=>(const Placement&) const = default;
};

// What to run. Ranges: proto/inferon/v1/experiments.proto, message JobSpec.
struct JobSpec {
  ParameterSets sets;
  std::uint32_t trials = 1;
  std::string profile_toml;
  Protocol protocol;
  DeviceId device;
  std::uint64_t seed = 0;
  std::string substrate = "emulator";
  std::uint32_t shard_size = 256;  // Experiments.
  std::int32_t priority = 0;
  Placement placement;
  double max_run_seconds = 0;  // 0: no limit.
  bool reuse = false;          // Of results of identical experiments, and by them.

  std::uint64_t Experiments() const { return std::uint64_t{sets.size()} * trials; }
};

// A submission as a client makes it.
struct JobRequest {
  std::string project = "default";
  std::string request_id;
  std::string title;
  JobSpec spec;
};

struct Job {
  JobId id = 0;
  std::string project;
  std::string request_id;
  std::string content_sha256;  // Of everything in the request that changes what is run.
  std::string title;
  JobState state = JobState::kPending;
  std::uint64_t experiments = 0;
  std::uint64_t experiments_done = 0;
  std::uint64_t experiments_failed = 0;
  std::uint32_t shards = 0;
  std::uint32_t shards_open = 0;  // READY or LEASED.
  std::uint32_t shards_leased = 0;
  WallTime create_time;
  std::optional<WallTime> start_time;
  std::optional<WallTime> end_time;
  std::string last_error;
  std::string profile_sha256;
  DeviceId device;
  std::string substrate;
  double substrate_seconds = 0;
  std::uint64_t seed = 0;
  std::uint32_t trials = 1;
  std::int32_t priority = 0;
  std::uint32_t shard_size = 0;
  std::uint32_t dimension = 0;  // Codes in a parameter set.
  std::uint32_t points = 0;     // Points of a trace.
  Placement placement;
  bool paused = false;
  double max_run_seconds = 0;  // 0: no limit.
  double run_seconds = 0;      // Time with at least one lease, up to the last one that ended.
  bool reuse = false;
  std::uint64_t experiments_reused = 0;
  std::uint64_t experiments_suspect = 0;
  std::optional<WallTime> purge_time;  // When retention removed the results.
};

// A place in the segment files.
struct Location {
  std::uint32_t segment = 0;  // >= 1.
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  bool operator==(const Location&) const = default;
};

// Experiments [first, first + count) of a job, leased as one.
struct Shard {
  ShardId id = 0;
  JobId job = 0;
  std::uint64_t first = 0;
  std::uint32_t count = 0;
  ShardState state = ShardState::kReady;
  Fence fence = 0;                 // Of the last lease or start; 0 before the first.
  Fence failed_fence = 0;          // Of the last lease whose worker reported a failure.
  std::uint32_t attempts = 0;      // Failures that workers reported.
  std::uint32_t losses = 0;        // Workers that were lost while they held it.
  std::int64_t not_before_ms = 0;  // Back-off, ms since this start of the server.
  std::string worker;              // Of the last lease; of the result where it was reused.
  std::string sha256;              // Of the frame; empty unless DONE.
  Location location;               // Of the frame; meaningful when DONE.
  std::string error;               // Last error.
  std::string calibration_id;      // Of the worker that ran it; empty unless DONE.
  bool suspect = false;            // Its worker failed the next health check.
  std::string reuse_key;           // Of what is run; empty: no reuse.
};

// Result of a shard on its way to DONE.
struct ShardResult {
  std::string sha256;
  Location location;
  double substrate_seconds = 0;
  std::string calibration_id;
  bool reused = false;  // Taken from an earlier job.
};

// Way of a leased shard back to READY or on to DEAD.
struct ShardReturn {
  std::uint32_t attempts = 0;
  std::int64_t not_before_ms = 0;
  std::string error;      // Empty: none, the one before stays.
  bool reported = false;  // A worker reported it (remembers the fence as failed).
  std::uint32_t losses = 0;
};

// What the second half of a split shard starts with.
struct ShardCounts {
  std::uint32_t attempts = 0;
  std::uint32_t losses = 0;
};

struct Event {
  std::uint64_t sequence = 0;  // Given by the store.
  WallTime time;
  std::string kind;
  std::string project;  // Empty for workers.
  JobId job = 0;        // 0 for workers.
  std::string resource;
  std::string message;
  std::string actor = {};  // Who did it; empty: the scheduler.
};

struct Capabilities {
  std::string substrate;
  std::string mode;
  std::string chip;  // Empty: any.
  std::string calibration_id;
  std::string version;
  std::vector<std::uint32_t> neurons = {};       // Empty: any.
  std::vector<std::string> profile_sha256 = {};  // Empty: any.
  double switch_seconds = 0;  // Substrate time that changing to another set-up costs.
  bool operator==(const Capabilities&) const = default;
};

// Whether a worker's results can be trusted; apart from its state.
enum class WorkerHealth { kUnknown = 0, kGood, kSuspect, kBad };

// What is on disk about a worker.
struct WorkerRecord {
  std::string id;
  std::string session;
  Capabilities capabilities;
  std::uint64_t shards_done = 0;
  std::uint64_t experiments_done = 0;
  double substrate_seconds = 0;
  WallTime last_seen;
  bool drained = false;  // By an operator.
  std::string drain_reason;
  WorkerHealth health = WorkerHealth::kUnknown;
  std::uint32_t good_checks = 0;  // In a row.
  std::string health_message;
  std::optional<WallTime> health_time;
  Fence good_fence = 0;  // Of the last check that was good: later results are not vouched for.
};

// An operator's decisions about a project. Ranges: proto/inferon/v1/projects.proto.
struct ProjectSettings {
  double weight = 1;
  std::uint64_t max_queued_experiments = 0;  // 0: no limit, as below.
  double max_seconds_per_day = 0;
  std::uint32_t max_submits_per_minute = 0;
  std::string description;
  bool operator==(const ProjectSettings&) const = default;
};

struct ProjectRecord {
  std::string id;
  ProjectSettings settings;
  WallTime create_time;
};

// Substrate time charged to a project in an hour since 1970.
struct UsageRow {
  std::string project;
  std::int64_t hour = 0;
  double seconds = 0;
};

// A worker set apart for a project, or for nobody (maintenance), in [start, end).
struct Reservation {
  std::uint64_t id = 0;
  std::string worker;
  std::string project;  // Empty: maintenance.
  WallTime start;
  WallTime end;
  std::string reason;
};

// Parameter sets with known features, by the kind of substrate. Of the spec only sets, trials,
// profile, protocol, device and seed count.
struct Canary {
  std::string substrate;
  JobSpec spec;
  double interval_seconds = 3600;
  std::uint32_t baseline_checks = 5;
  double limit_sigmas = 4;
  std::uint32_t revision = 0;
};

enum class Verdict { kBaseline = 1, kGood, kOutlier, kFailed };

// A health check that was run.
struct HealthCheck {
  std::string worker;
  std::string chart;  // Which checks are compared with each other.
  WallTime time;
  Verdict verdict = Verdict::kFailed;
  std::string message;
  std::string calibration_id;
  std::vector<double> features;  // Mean over the trials, set after set; NaN: missing.
};

struct WorkerView {
  WorkerRecord record;
  WorkerState state = WorkerState::kOffline;
  std::uint32_t leases = 0;
};

struct LeaseRef {
  ShardId shard = 0;
  Fence fence = 0;
  bool operator==(const LeaseRef&) const = default;
};

// Resource names.
std::string JobName(const std::string& project, JobId job);
std::string ShardName(const std::string& project, JobId job, std::uint64_t first,
                      std::uint32_t count);
std::string WorkerName(const std::string& id);
std::string ProjectName(const std::string& id);

// Project of the jobs that check workers; nobody else submits to it.
inline constexpr char kHealthProject[] = "inferon-health";

}  // namespace inferon::scheduler
