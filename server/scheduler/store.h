// What the scheduler keeps: an interface with two implementations and one suite of tests.
//
// Every moving call is one arrow of state.h and nothing else; those that can meet a stale lease
// take its fence and check it in the statement that moves.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "server/scheduler/policy.h"
#include "server/scheduler/types.h"

namespace inferon::scheduler {

struct QueueSize {
  std::uint64_t jobs = 0;         // Pending or running.
  std::uint64_t experiments = 0;  // Theirs, neither done nor failed.
};

// Open jobs of a project that are alike.
struct OpenJobCount {
  std::string project;
  JobState state = JobState::kPending;
  bool paused = false;
  std::uint64_t jobs = 0;
  bool operator==(const OpenJobCount&) const = default;
};

// End of the committed bytes of a segment file.
struct SegmentEnd {
  std::uint32_t segment = 0;
  std::uint64_t bytes = 0;
};

struct EventFilter {
  std::string project;  // Empty with `job` 0: everything.
  JobId job = 0;        // 0: every job of the project.
};

// A look for a shard to give away.
struct ReadyShard {
  std::optional<Shard> shard;  // The job's first READY one whose back-off is over.
  std::int64_t wait_ms = 0;    // Without one: when the first back-off ends; 0: there is none.
};

// What removing the results of jobs frees.
struct SegmentUse {
  std::uint32_t segment = 0;
  bool needed = false;  // By other jobs.
};

// Reading; every call is its own short transaction. Failures are exceptions.
class StoreReader {
 public:
  virtual ~StoreReader() = default;
  virtual std::optional<Job> GetJob(JobId job) = 0;
  virtual std::optional<Job> FindRequest(const std::string& project,
                                         const std::string& request_id) = 0;
  // Jobs of a project with an id below `before` (0: all), newest first.
  virtual std::vector<Job> ListJobs(const std::string& project, JobId before,
                                    std::uint32_t limit) = 0;
  // Pending and running jobs, in order of the id.
  virtual std::vector<Job> OpenJobs() = 0;
  // How many of them each project has in each state, by project, state and pause.
  virtual std::vector<OpenJobCount> CountOpenJobs() = 0;
  virtual std::optional<Shard> GetShard(ShardId shard) = 0;
  // Shards of a job that end behind `index`, in order of their first experiment.
  virtual std::vector<Shard> ShardsFrom(JobId job, std::uint64_t index, std::uint32_t limit) = 0;
  virtual std::vector<Shard> LeasedShards() = 0;
  virtual ReadyShard NextReady(JobId job, std::int64_t now_ms) = 0;
  // A DONE shard of the project with this key whose results are there and not suspect.
  virtual std::optional<Shard> FindReusable(const std::string& project,
                                            const std::string& reuse_key) = 0;
  // Settings of a job with the codes of sets [first_set, first_set + sets) only.
  virtual JobSpec GetSpec(JobId job, std::uint64_t first_set, std::uint64_t sets) = 0;
  // Events after a sequence number, in order.
  virtual std::vector<Event> Events(const EventFilter& filter, std::uint64_t after,
                                    std::uint32_t limit) = 0;
  virtual std::vector<WorkerRecord> Workers() = 0;
  virtual std::vector<SegmentEnd> SegmentEnds() = 0;
  virtual std::vector<ProjectRecord> Projects() = 0;
  // Charges from an hour on.
  virtual std::vector<UsageRow> Usage(std::int64_t from_hour) = 0;
  // In order of the begin.
  virtual std::vector<Reservation> Reservations() = 0;
  // By substrate.
  virtual std::vector<Canary> Canaries() = 0;
  // Stored values of a chart, oldest first.
  virtual std::vector<HealthCheck> Baseline(const std::string& chart) = 0;
  // Latest checks of a worker, newest first.
  virtual std::vector<HealthCheck> Checks(const std::string& worker, std::uint32_t limit) = 0;
  // Jobs that ended before a time and whose results are there, oldest first.
  virtual std::vector<Job> Purgeable(WallTime ended_before, std::uint32_t limit) = 0;
  // Segments that hold results of these jobs.
  virtual std::vector<SegmentUse> SegmentsOf(const std::vector<JobId>& jobs) = 0;
};

// Reading and writing, by one thread. Changes happen between Begin and Commit; Commit returns when
// they are on disk.
class Store {
 public:
  virtual ~Store() = default;

  virtual void Begin() = 0;
  virtual void Commit() = 0;
  virtual void Rollback() = 0;
  // A part of the running transaction that can be undone alone.
  virtual void BeginPart() = 0;
  virtual void EndPart() = 0;
  virtual void UndoPart() = 0;

  // Sees the changes of the running transaction.
  virtual StoreReader& View() = 0;
  // Sees only what is committed; for one other thread at a time. Must not outlive the store.
  virtual std::unique_ptr<StoreReader> OpenReader() = 0;

  // Number of this start of the server; rises by one.
  virtual std::uint64_t NextEpoch() = 0;
  // LEASED -> READY for every leased shard, with a new fence; ends every back-off. How many.
  virtual std::uint64_t RefenceAll(Fence fence) = 0;

  // A new PENDING job with its READY shards; `job` carries everything but id and counters. `keys`:
  // the shards' reuse keys in order, or none.
  virtual JobId AddJob(const Job& job, const JobSpec& spec,
                       const std::vector<std::string>& keys = {}) = 0;
  // PENDING -> RUNNING.
  virtual void StartJob(JobId job, WallTime now) = 0;
  // RUNNING -> SUCCEEDED, FAILED or CANCELLED, PENDING -> CANCELLED.
  virtual void EndJob(JobId job, JobState state, WallTime now) = 0;
  virtual void SetPaused(JobId job, bool paused) = 0;
  virtual void SetJobError(JobId job, const std::string& error) = 0;
  virtual void AddRunSeconds(JobId job, double seconds) = 0;
  // Removes shards, codes, spec and events of an ended job; its head stays.
  virtual void PurgeJob(JobId job, WallTime now) = 0;

  // READY -> LEASED.
  virtual void LeaseShard(ShardId shard, Fence fence, const std::string& worker) = 0;
  // The following answer false, and change nothing, where the shard is not leased with this fence.
  // LEASED -> DONE.
  virtual bool FinishShard(ShardId shard, Fence fence, const ShardResult& result) = 0;
  // LEASED -> READY.
  virtual bool ReturnShard(ShardId shard, Fence fence, const ShardReturn& how) = 0;
  // LEASED -> READY with its first half; the second half becomes a new READY shard that starts
  // with `rest`.
  virtual bool SplitShard(ShardId shard, Fence fence, const ShardReturn& how,
                          const ShardCounts& rest) = 0;
  // LEASED -> DEAD.
  virtual bool KillShard(ShardId shard, Fence fence, const ShardReturn& how) = 0;

  // Appends an event; its sequence number is given here.
  virtual void AddEvent(const Event& event) = 0;
  // Marks the results that a worker committed under fences above this one; how many experiments.
  virtual std::uint64_t MarkSuspect(const std::string& worker, Fence above) = 0;
  // The following add or replace.
  virtual void PutWorker(const WorkerRecord& worker) = 0;
  virtual void PutProject(const ProjectRecord& project) = 0;
  virtual void PutCanary(const Canary& canary) = 0;
  // Number of a new reservation.
  virtual std::uint64_t AddReservation(const Reservation& reservation) = 0;
  virtual void AddUsage(const UsageRow& row) = 0;
  virtual void AddCheck(const HealthCheck& check) = 0;
  // The following answer false where there is none.
  virtual bool DeleteCanary(const std::string& substrate) = 0;
  virtual bool DeleteReservation(std::uint64_t id) = 0;
  // Charges before an hour, checks beyond the latest `checks` of each worker that are no stored
  // values.
  virtual void Trim(std::int64_t before_hour, std::uint32_t checks) = 0;
  // Removes the heads of jobs that were purged before a time, and events from before it that are
  // not of an open job; at most `limit` of each, oldest first. Heads removed.
  virtual std::uint32_t Forget(WallTime before, std::uint32_t limit) = 0;
};

// Opens or creates scheduler.db. kFailedPrecondition for a schema newer than this program's.
Result<std::unique_ptr<Store>> OpenSqliteStore(const std::filesystem::path& file);
// Keeps everything in memory, for tests: copies its whole state to undo.
std::unique_ptr<Store> MakeMemoryStore();

}  // namespace inferon::scheduler
