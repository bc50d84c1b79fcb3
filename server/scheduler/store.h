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

// End of the committed bytes of a segment file.
struct SegmentEnd {
  std::uint32_t segment = 0;
  std::uint64_t bytes = 0;
};

struct EventFilter {
  std::string project;
  JobId job = 0;  // 0: every job of the project.
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
  virtual QueueSize Queue() = 0;
  virtual std::optional<Shard> GetShard(ShardId shard) = 0;
  // Shards of a job that end behind `index`, in order of their first experiment.
  virtual std::vector<Shard> ShardsFrom(JobId job, std::uint64_t index, std::uint32_t limit) = 0;
  virtual std::vector<Shard> LeasedShards() = 0;
  // Pending and running jobs with a READY shard whose back-off ended by now_ms, in order of the
  // job id.
  virtual std::vector<Candidate> Candidates(std::int64_t now_ms) = 0;
  // Settings of a job with the codes of sets [first_set, first_set + sets) only.
  virtual JobSpec GetSpec(JobId job, std::uint64_t first_set, std::uint64_t sets) = 0;
  // Events after a sequence number, in order.
  virtual std::vector<Event> Events(const EventFilter& filter, std::uint64_t after,
                                    std::uint32_t limit) = 0;
  virtual std::vector<WorkerRecord> Workers() = 0;
  virtual std::vector<SegmentEnd> SegmentEnds() = 0;
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

  // A new PENDING job with its READY shards; `job` carries everything but id and counters.
  virtual JobId AddJob(const Job& job, const JobSpec& spec) = 0;
  // PENDING -> RUNNING.
  virtual void StartJob(JobId job, WallTime now) = 0;
  // RUNNING -> SUCCEEDED, FAILED or CANCELLED, PENDING -> CANCELLED.
  virtual void EndJob(JobId job, JobState state, WallTime now) = 0;

  // READY -> LEASED.
  virtual void LeaseShard(ShardId shard, Fence fence, const std::string& worker) = 0;
  // The following answer false, and change nothing, where the shard is not leased with this fence.
  // LEASED -> DONE.
  virtual bool FinishShard(ShardId shard, Fence fence, const ShardResult& result) = 0;
  // LEASED -> READY.
  virtual bool ReturnShard(ShardId shard, Fence fence, const ShardReturn& how) = 0;
  // LEASED -> READY with its first half; the rest becomes a new READY shard. The second half
  // starts with `rest_attempts`.
  virtual bool SplitShard(ShardId shard, Fence fence, const ShardReturn& how,
                          std::uint32_t rest_attempts) = 0;
  // LEASED -> DEAD.
  virtual bool KillShard(ShardId shard, Fence fence, const ShardReturn& how) = 0;

  // Appends an event; its sequence number is given here.
  virtual void AddEvent(const Event& event) = 0;
  // Adds or replaces.
  virtual void PutWorker(const WorkerRecord& worker) = 0;
};

// Opens or creates scheduler.db. kFailedPrecondition for a schema newer than this program's.
Result<std::unique_ptr<Store>> OpenSqliteStore(const std::filesystem::path& file);
// Keeps everything in memory, for tests: copies its whole state to undo.
std::unique_ptr<Store> MakeMemoryStore();

}  // namespace inferon::scheduler
