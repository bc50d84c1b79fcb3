// Every limit of the scheduler, with its default. Each is a flag of inferon-scheduler and is tested
// at its edge.
#pragma once

#include <chrono>
#include <cstdint>

#include "server/scheduler/policy.h"

namespace inferon::scheduler {

// Fixed by the API (proto/inferon/v1).
inline constexpr std::uint32_t kMaxTrials = 100'000;
inline constexpr std::uint32_t kMaxShardSize = 10'000;
inline constexpr std::uint32_t kDefaultShardSize = 256;
inline constexpr std::int32_t kMaxPriority = 100;
inline constexpr std::size_t kMaxTitleCharacters = 200;
inline constexpr std::size_t kMaxProfileBytes = 64 << 10;
inline constexpr std::size_t kMaxRequestIdLength = 100;
inline constexpr std::uint32_t kMaxWanted = 16;
inline constexpr std::size_t kMaxErrorCharacters = 2000;
inline constexpr std::size_t kMaxActorCharacters = 100;
inline constexpr double kMaxRunSeconds = 31'536'000;
inline constexpr std::size_t kMaxNeurons = 512;
inline constexpr std::size_t kMaxProfiles = 64;
inline constexpr double kMaxSwitchSeconds = 3600;
inline constexpr double kMinWeight = 0.001;
inline constexpr double kMaxWeight = 1000;
inline constexpr std::uint32_t kMaxCanarySets = 16;
inline constexpr std::uint32_t kMaxCanaryTrials = 1000;
inline constexpr double kMaxCanaryInterval = 604'800;
inline constexpr std::uint32_t kChecksShown = 20;
inline constexpr std::uint32_t kMaxPurgedJobs = 1000;  // In one call.
inline constexpr std::uint32_t kMaxForgotten = 1000;   // Jobs, and events, at one time of upkeep.
inline constexpr std::uint64_t kMaxUploadBytes = 256 << 20;
inline constexpr std::size_t kMaxChunkBytes = 1 << 20;
// Uploads are kept in memory up to here, all together; further ones in files.
inline constexpr std::int64_t kStagingMemoryBytes = 64 << 20;
inline constexpr std::uint64_t kMaxResultBytes = 64 << 20;
inline constexpr std::uint32_t kDefaultPageSize = 50;
inline constexpr std::uint32_t kMaxPageSize = 1000;

struct Limits {
  // Submission.
  std::uint64_t max_experiments_per_job = 10'000'000;
  std::uint64_t max_shards_per_job = 100'000;
  std::uint64_t max_queued_experiments = 20'000'000;  // Neither done nor failed, all jobs.
  std::uint64_t max_queued_jobs = 10'000;             // Pending or running.
  std::chrono::milliseconds queue_retry_after{5000};  // Advice with a full queue.

  // Projects.
  std::uint32_t max_projects = 1000;
  bool closed_projects = false;  // A job does not create its project.
  // After this time a charge counts half in the fair share.
  std::chrono::milliseconds share_half_life{3'600'000};

  // Leases.
  std::chrono::milliseconds lease_time{30'000};
  std::chrono::milliseconds poll_interval{200};  // Between calls of a worker that wants more.
  // Between calls of a worker that holds leases: a cancelled job's substrate runs on for so long.
  std::chrono::milliseconds busy_interval{1000};
  std::uint32_t max_leases_per_worker = 32;
  std::uint32_t max_workers = 1000;
  std::uint32_t max_reservations = 1000;
  std::uint32_t checks_kept = 100;  // Health checks of a worker that are remembered.
  RetryLimits retry;

  // Results.
  std::uint64_t max_upload_bytes = kMaxUploadBytes;
  std::uint32_t max_uploads = 64;                          // At the same time.
  std::uint64_t max_result_bytes = 4 << 20;                // Of a frame in a result stream.
  std::uint64_t segment_bytes = std::uint64_t{256} << 20;  // A segment file that is full.
  std::chrono::seconds retain{0};  // Results of ended jobs are removed after this; 0: never.
  // After this the rest of a job whose results were removed, and old events; 0: never.
  std::chrono::seconds forget{std::chrono::hours(24 * 365)};

  // Writer and streams.
  std::uint32_t max_waiting_writes = 1024;
  std::uint32_t max_group = 256;     // Writes in a transaction.
  std::uint32_t max_streams = 2048;  // Watches and result streams, idle or not.
  std::uint32_t stream_threads = 2;
  std::uint32_t max_readers = 4;  // Reading connections.
  std::uint32_t events_per_message = 500;
};

}  // namespace inferon::scheduler
