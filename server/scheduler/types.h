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
  Fence fence = 0;         // Of the last lease or start; 0 before the first.
  Fence failed_fence = 0;  // Of the last lease whose worker reported a failure.
  std::uint32_t attempts = 0;
  std::int64_t not_before_ms = 0;  // Back-off, ms since this start of the server.
  std::string worker;              // Of the last lease.
  std::string sha256;              // Of the frame; empty unless DONE.
  Location location;               // Of the frame; meaningful when DONE.
  std::string error;               // Last error.
};

// Result of a shard on its way to DONE.
struct ShardResult {
  std::string sha256;
  Location location;
  double substrate_seconds = 0;
};

// Way of a leased shard back to READY or on to DEAD.
struct ShardReturn {
  std::uint32_t attempts = 0;
  std::int64_t not_before_ms = 0;
  std::string error;      // Empty: none, the one before stays.
  bool reported = false;  // A worker reported it (remembers the fence as failed).
};

struct Event {
  std::uint64_t sequence = 0;  // Given by the store.
  WallTime time;
  std::string kind;
  std::string project;  // Empty for workers.
  JobId job = 0;        // 0 for workers.
  std::string resource;
  std::string message;
};

struct Capabilities {
  std::string substrate;
  std::string mode;
  std::string chip;  // Empty: any.
  std::string calibration_id;
  std::string version;
  bool operator==(const Capabilities&) const = default;
};

// What is on disk about a worker.
struct WorkerRecord {
  std::string id;
  std::string session;
  Capabilities capabilities;
  std::uint64_t shards_done = 0;
  std::uint64_t experiments_done = 0;
  double substrate_seconds = 0;
  WallTime last_seen;
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

}  // namespace inferon::scheduler
