// The scheduler without its wire: decisions (state, policy, validate), effects (store, segments,
// staging) and the clock, joined.
//
// Threads: every change runs on the writer's thread, one after another, and an answer means that it
// is on disk; reads run on the caller's thread through the pool of readers. Members below
// "Of the writer's thread" are touched by nothing else once the constructor is done.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/files.h"
#include "common/base/result.h"
#include "server/scheduler/change_hub.h"
#include "server/scheduler/lease_table.h"
#include "server/scheduler/limits.h"
#include "server/scheduler/reader_pool.h"
#include "server/scheduler/segments.h"
#include "server/scheduler/staging.h"
#include "server/scheduler/store.h"
#include "server/scheduler/types.h"
#include "server/scheduler/writer.h"

namespace inferon::scheduler {

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
};

// A leased shard as its worker runs it.
struct ShardWork {
  std::string job;  // Resource name.
  std::uint64_t first = 0;
  std::uint32_t count = 0;
  JobSpec spec;  // With the sets that the shard touches only.
};

// Errors are those that proto/inferon/v1 documents; failures of the disk are exceptions.
// Thread-safe.
class Core {
 public:
  // Starts on what the store and the folder hold: raises the epoch, re-fences every lease, cuts the
  // segments to their committed ends. `lock` is held for the life of the object.
  Core(std::unique_ptr<Store> store, const std::filesystem::path& folder, const Limits& limits,
       Clock& clock, std::optional<FileLock> lock = std::nullopt);

  // Jobs. `name` is projects/{project}/jobs/{job}.
  Result<Job> CreateJob(const JobRequest& request);
  Result<Job> GetJob(const std::string& name);
  Result<JobPage> ListJobs(const std::string& project, std::uint32_t page_size,
                           const std::string& page_token);
  Result<Job> CancelJob(const std::string& name);
  Result<EventPage> ReadEvents(const std::string& name, std::uint64_t after);
  // The next results from `index` on; without follow the first gap ends them.
  Result<ResultPage> ReadResults(const std::string& name, std::uint64_t index, bool follow);

  // Workers.
  Result<SyncAnswer> Synchronize(const SyncRequest& request);
  Result<ShardWork> GetShard(const LeaseRef& lease);
  // Must not outlive the core.
  Result<std::unique_ptr<Upload>> BeginUpload(const LeaseRef& lease, std::uint64_t total_bytes,
                                              const std::string& sha256);
  // True where this commit had been made before.
  Result<bool> CommitShard(const LeaseRef& lease, const std::string& sha256,
                           double substrate_seconds);
  Status FailShard(const LeaseRef& lease, const std::string& error, bool retryable);
  Result<std::vector<WorkerView>> ListWorkers();

  // Expires leases and tells of workers that went offline; call it every second or so.
  Status Tick();

  ChangeHub& changes() { return changes_; }
  const Limits& limits() const { return limits_; }

 private:
  // core.cc
  template <typename Body>
  std::invoke_result_t<Body> Write(Body&& body);
  void Start();
  void OnUndo(bool whole_group);
  void OnCommit();
  void Reconcile();
  void ExpireLeases();
  void TellOffline();
  std::int64_t NowMs() const;
  void Tell(const char* kind, const Job& job, const std::string& resource,
            const std::string& message);
  void TellOfWorker(const char* kind, const std::string& worker, const std::string& message);
  // The shard fails once more (its worker says so, or its lease ran out): retry, split or dead.
  void FailOnce(const Shard& shard, const std::string& error, bool retryable, bool reported);
  void EndIfDone(JobId job);
  void Forget(const LeaseRef& lease);

  // core_jobs.cc
  Result<Job> AcceptJob(const JobRequest& request, const std::string& content_sha256);
  Status CheckQueue(std::uint64_t experiments);
  Result<Job> EndByUser(const std::string& name);

  // core_workers.cc
  Result<SyncAnswer> SynchronizeNow(const SyncRequest& request);
  Result<WorkerSession*> Register(const SyncRequest& request);
  std::vector<GivenLease> KeepLeases(const SyncRequest& request);
  bool LeaseOne(WorkerSession& worker, std::vector<GivenLease>& leases);
  void GiveBack(const HeldLease& lease);
  Result<bool> FinishNow(const LeaseRef& lease, const std::string& sha256, const std::string& frame,
                         double substrate_seconds);
  Status CheckFrame(const Shard& shard, const std::string& frame);
  WorkerView View(const WorkerSession& worker) const;
  Result<Shard> FindLeased(StoreReader& reader, const LeaseRef& lease);

  // core_results.cc
  Result<ResultChunk> ReadChunk(const Shard& shard, std::uint64_t index);

  const std::optional<FileLock> lock_;
  const Limits limits_;
  Clock& clock_;
  const SteadyTime started_;
  const std::filesystem::path segment_folder_;
  const std::unique_ptr<Store> store_;
  ReaderPool readers_;
  Staging staging_;
  ChangeHub changes_;

  // Of the writer's thread.
  std::optional<SegmentWriter> segments_;
  LeaseTable leases_;
  std::map<std::string, WorkerSession> workers_;
  Turns turns_;
  std::uint64_t leases_given_ = 0;
  std::uint64_t epoch_ = 0;
  std::set<JobId> changed_;
  bool reconcile_ = false;  // An undo may have left memory and disk different.

  Writer writer_;  // Last: its thread uses all of the above.
};

// Takes the folder's lock, opens its database. kFailedPrecondition where another process holds the
// folder or its schema is newer than this program's.
Result<std::unique_ptr<Core>> OpenCore(const std::filesystem::path& folder, const Limits& limits,
                                       Clock& clock);

// projects/{project}/jobs/{job} in its parts. kInvalidArgument where it is none.
struct JobKey {
  std::string project;
  JobId job = 0;
};
Result<JobKey> ParseJobName(const std::string& name);

// Runs body on the writer's thread, in a transaction, with memory and disk in agreement.
template <typename Body>
std::invoke_result_t<Body> Core::Write(Body&& body) {
  return writer_.Run([&] {
    if (reconcile_) Reconcile();
    return body();
  });
}

}  // namespace inferon::scheduler
