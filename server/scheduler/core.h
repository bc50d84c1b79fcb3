// The scheduler without its wire: decisions (state, policy, placement, share, health, validate),
// effects (store, segments, staging) and the clock, joined.
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
#include "common/base/disk.h"
#include "common/base/files.h"
#include "common/base/result.h"
#include "common/neuron/observation.h"
#include "server/scheduler/accounts.h"
#include "server/scheduler/change_hub.h"
#include "server/scheduler/core_types.h"
#include "server/scheduler/explain.h"
#include "server/scheduler/lease_table.h"
#include "server/scheduler/limits.h"
#include "server/scheduler/queue_index.h"
#include "server/scheduler/reader_pool.h"
#include "server/scheduler/segments.h"
#include "server/scheduler/shard_times.h"
#include "server/scheduler/share.h"
#include "server/scheduler/staging.h"
#include "server/scheduler/store.h"
#include "server/scheduler/validate.h"
#include "server/scheduler/writer.h"

namespace inferon::scheduler {

// Errors are those that proto/inferon/v1 documents; failures of the disk are exceptions. Names are
// resource names (projects/{project}/jobs/{job}, workers/{worker}) where they are not called ids.
// Thread-safe.
class Core {
 public:
  // Starts on what the store and the folder hold: raises the epoch, re-fences every lease, cuts the
  // segments to their committed ends. `lock` is held for the life of the object.
  Core(std::unique_ptr<Store> store, const std::filesystem::path& folder, const Limits& limits,
       Clock& clock, std::optional<FileLock> lock = std::nullopt, Disk& disk = SystemDisk());

  // Jobs.
  Result<Job> CreateJob(const JobRequest& request, const Actor& actor = {});
  Result<Job> GetJob(const std::string& name);
  Result<JobPage> ListJobs(const std::string& project, std::uint32_t page_size,
                           const std::string& page_token);
  Result<Job> CancelJob(const std::string& name, const Actor& actor = {});
  Result<Job> PauseJob(const std::string& name, const Actor& actor = {});
  Result<Job> ResumeJob(const std::string& name, const Actor& actor = {});
  Result<Explanation> ExplainJob(const std::string& name);
  Result<EventPage> ReadEvents(const std::string& name, std::uint64_t after);
  // The next results from `index` on; without follow the first gap ends them.
  Result<ResultPage> ReadResults(const std::string& name, std::uint64_t index, bool follow);

  // Projects, by id.
  Result<ProjectView> CreateProject(const std::string& id, const ProjectSettings& settings,
                                    const Actor& actor = {});
  Result<ProjectView> UpdateProject(const std::string& id, const ProjectSettings& settings,
                                    const Actor& actor = {});
  Result<ProjectView> GetProject(const std::string& id);
  Result<std::vector<ProjectView>> ListProjects();
  std::vector<OpenJobCount> CountOpenJobs();

  // Workers as themselves.
  Result<SyncAnswer> Synchronize(const SyncRequest& request);
  Result<ShardWork> GetShard(const LeaseRef& lease);
  // Must not outlive the core.
  Result<std::unique_ptr<Upload>> BeginUpload(const LeaseRef& lease, std::uint64_t total_bytes,
                                              const std::string& sha256, std::uint64_t offset = 0);
  // Bytes of an upload that was cut off, where the next one can go on.
  Result<std::uint64_t> ReceivedBytes(const LeaseRef& lease, const std::string& sha256);
  // True where this commit had been made before.
  Result<bool> CommitShard(const LeaseRef& lease, const std::string& sha256,
                           double substrate_seconds);
  Status FailShard(const LeaseRef& lease, const std::string& error, bool retryable,
                   double substrate_seconds = 0);

  // Workers as operators see them, by id.
  Result<std::vector<WorkerView>> ListWorkers();
  Result<WorkerDetails> GetWorker(const std::string& id);
  Result<WorkerView> DrainWorker(const std::string& id, const std::string& reason,
                                 const Actor& actor = {});
  Result<WorkerView> ResumeWorker(const std::string& id, const Actor& actor = {});
  Result<Reservation> CreateReservation(const Reservation& reservation, const Actor& actor = {});
  Result<std::vector<Reservation>> ListReservations();
  Status DeleteReservation(std::uint64_t id, const Actor& actor = {});
  // One without parameter sets takes the substrate's canary away.
  Result<Canary> SetCanary(const Canary& canary, const Actor& actor = {});
  Result<std::vector<Canary>> ListCanaries();

  // Upkeep. Events of the whole server, or of a project (an id).
  Result<std::vector<Event>> ListEvents(const std::string& project, std::uint64_t after,
                                        std::uint32_t limit);
  Result<GarbageReport> CollectGarbage(std::chrono::duration<double> older_than, bool dry_run,
                                       const Actor& actor = {});
  // Expires leases, ends jobs that ran too long, tells of workers that went offline, removes old
  // results; call it every second or so.
  Status Tick();

  ChangeHub& changes() { return changes_; }
  const Limits& limits() const { return limits_; }

 private:
  // core.cc
  template <typename Body>
  std::invoke_result_t<Body> Write(Body&& body);
  void Start();
  void Load();
  void OnUndo(bool whole_group);
  void OnCommit();
  void Reconcile();
  void TellOffline();
  void Upkeep();
  std::int64_t NowMs() const;
  Moment Now() const { return {clock_.Now(), clock_.WallNow()}; }
  void Tell(const char* kind, const Job& job, const std::string& resource,
            const std::string& message, const Actor& actor = {});
  void TellOf(const char* kind, const std::string& resource, const std::string& message,
              const Actor& actor = {}, const std::string& project = {});

  // core_failures.cc
  void ExpireLeases();
  void EndOverdue();
  void FailOnce(const Shard& shard, const std::string& error, bool retryable,
                double substrate_seconds);
  void LoseOnce(const Shard& shard, const std::string& error);
  void GiveBack(const HeldLease& lease);
  void StopLeases(const Job& job);
  void EndIfDone(JobId job);
  void End(const Job& job, JobState state, const char* kind, const std::string& message,
           const Actor& actor = {});
  void Forget(const LeaseRef& lease, std::optional<double> charge = std::nullopt);

  // core_jobs.cc
  // Of a submission; made on the caller's thread.
  struct Digests {
    std::string content;
    std::string profile;
    std::vector<std::string> reuse_keys;
  };
  Result<Job> AcceptJob(const JobRequest& request, const Digests& digests, const Actor& actor);
  Status CheckQueue(const std::string& project, std::uint64_t experiments);
  void TakeReusable(const Job& job, const std::vector<std::string>& keys);
  Result<Job> SetPaused(const std::string& name, bool paused, const Actor& actor);

  // core_projects.cc
  Status EnsureProject(const std::string& id, const Actor& actor);
  ProjectView View(const ProjectRecord& project) const;

  // core_workers.cc
  Result<SyncAnswer> SynchronizeNow(const SyncRequest& request);
  Result<WorkerSession*> Register(const SyncRequest& request);
  void Replace(WorkerSession& worker);
  std::vector<GivenLease> KeepLeases(const SyncRequest& request);
  std::chrono::nanoseconds NextCall(const SyncAnswer& answer, bool wants_more) const;
  WorkerView View(const WorkerSession& worker) const;
  Result<WorkerSession*> FindWorker(const std::string& id);

  // core_leases.cc
  bool LeaseOne(WorkerSession& worker, std::vector<GivenLease>& leases);
  LeaseRef Give(WorkerSession& worker, const Shard& shard);
  std::optional<Shard> Choose(const WorkerSession& worker);
  std::vector<ShareEntry> Shares(const WorkerSession& worker) const;
  double ExpectedSeconds(const std::string& substrate, std::uint32_t count) const;
  Fence NextFence() { return epoch_ << 32 | ++leases_given_; }
  Result<Shard> FindLeased(StoreReader& reader, const LeaseRef& lease);
  // `frame` is null where no lease was found to fit it.
  Result<bool> FinishNow(const LeaseRef& lease, const std::string& sha256, const std::string* frame,
                         double substrate_seconds, const std::vector<double>& features);
  Result<ObservationBatch> CheckFrame(const Job& job, const Shard& shard, const std::string& frame);
  void CountDone(const Shard& shard, const Job& job, double substrate_seconds);

  // core_health.cc
  const Canary* CanaryOf(const WorkerSession& worker) const;
  std::optional<Shard> NextCheck(WorkerSession& worker, const Canary& canary);
  JobId StartCheck(const WorkerSession& worker, const Canary& canary);
  void EndCheck(const Job& job, Fence fence, const std::vector<double>& features,
                const std::string& error);
  void Distrust(WorkerSession& worker);

  // core_explain.cc
  WorkerFacts FactsOf(const WorkerSession& worker, const Job& job) const;
  void AddShareFacts(ExplainFacts& facts) const;

  // core_reservations.cc
  void ForgetReservations();

  // core_results.cc
  Result<ResultChunk> ReadChunk(const Shard& shard, std::uint64_t index);
  GarbageReport Purge(std::chrono::duration<double> older_than, bool dry_run, const Actor& actor);

  const std::optional<FileLock> lock_;
  const Limits limits_;
  Clock& clock_;
  Disk& disk_;
  const SteadyTime started_;
  const std::filesystem::path segment_folder_;
  const std::unique_ptr<Store> store_;
  ReaderPool readers_;
  Staging staging_;
  ProfileMemo profiles_;
  ChangeHub changes_;

  // Of the writer's thread.
  std::optional<SegmentWriter> segments_;
  LeaseTable leases_;
  QueueIndex index_;
  Accounts accounts_;
  ShardTimes times_;
  std::map<std::string, WorkerSession> workers_;
  std::vector<Reservation> reservations_;
  std::map<std::string, Canary> canaries_;
  std::uint64_t leases_given_ = 0;
  std::uint64_t epoch_ = 0;
  SteadyTime next_upkeep_;
  std::set<JobId> changed_;
  std::set<std::uint32_t> free_segments_;  // Removed once the rows that named them are gone.
  bool reconcile_ = false;                 // An undo may have left memory and disk different.

  Writer writer_;  // Last: its thread uses all of the above.
};

// Takes the folder's lock, opens its database. kFailedPrecondition where another process holds the
// folder, its schema is newer than this program's, it is damaged, cannot be written, or its disk is
// full.
Result<std::unique_ptr<Core>> OpenCore(const std::filesystem::path& folder, const Limits& limits,
                                       Clock& clock, Disk& disk = SystemDisk());

// projects/{project}/jobs/{job} in its parts. kInvalidArgument where it is none.
struct JobKey {
  std::string project;
  JobId job = 0;
};
Result<JobKey> ParseJobName(const std::string& name);
// The job; kNotFound where there is none.
Result<Job> FindJob(StoreReader& reader, const std::string& name);

// Runs body on the writer's thread, in a transaction, with memory and disk in agreement.
template <typename Body>
std::invoke_result_t<Body> Core::Write(Body&& body) {
  return writer_.Run([&] {
    if (reconcile_) Reconcile();
    return body();
  });
}

}  // namespace inferon::scheduler
