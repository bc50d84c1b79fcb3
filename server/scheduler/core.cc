#include "server/scheduler/core.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "common/base/check.h"
#include "server/scheduler/state.h"

namespace inferon::scheduler {

Core::Core(std::unique_ptr<Store> store, const std::filesystem::path& folder, const Limits& limits,
           Clock& clock, std::optional<FileLock> lock)
    : lock_(std::move(lock)),
      limits_(limits),
      clock_(clock),
      started_(clock.Now()),
      segment_folder_(folder / "segments"),
      store_(std::move(store)),
      readers_(*store_, limits.max_readers),
      staging_(folder / "staging", limits),
      writer_(*store_,
              {[this] { segments_->Sync(); }, [this] { OnCommit(); },
               [this](bool whole_group) { OnUndo(whole_group); }},
              limits.max_waiting_writes, limits.max_group) {
  const Status started = writer_.Run([this]() -> Status {
    Start();
    return {};
  });
  INFERON_CHECK(started.has_value());
}

void Core::Start() {
  segments_.emplace(segment_folder_, limits_.segment_bytes, store_->View().SegmentEnds());
  epoch_ = store_->NextEpoch();
  const std::uint64_t count = store_->RefenceAll(epoch_ << 32);
  for (const WorkerRecord& record : store_->View().Workers()) workers_[record.id].record = record;
  spdlog::info("start {}: {} leases of the start before are void", epoch_, count);
}

void Core::OnCommit() {
  if (changed_.empty()) return;
  changes_.Notify(changed_);
  changed_.clear();
}

void Core::OnUndo(bool whole_group) {
  reconcile_ = true;
  if (whole_group && segments_) segments_->Abandon();
}

void Core::Reconcile() {
  leases_.Match(store_->View().LeasedShards(), clock_.Now() + limits_.lease_time);
  std::map<std::string, WorkerRecord> on_disk;
  for (const WorkerRecord& record : store_->View().Workers()) on_disk[record.id] = record;
  for (auto at = workers_.begin(); at != workers_.end();) {
    const auto found = on_disk.find(at->first);
    if (found == on_disk.end()) {
      at = workers_.erase(at);
    } else {
      at->second.record = found->second;
      ++at;
    }
  }
  reconcile_ = false;
}

std::int64_t Core::NowMs() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(clock_.Now() - started_).count();
}

void Core::Tell(const char* kind, const Job& job, const std::string& resource,
                const std::string& message) {
  store_->AddEvent({0, clock_.WallNow(), kind, job.project, job.id, resource, message});
  changed_.insert(job.id);
}

void Core::TellOfWorker(const char* kind, const std::string& worker, const std::string& message) {
  store_->AddEvent({0, clock_.WallNow(), kind, "", 0, WorkerName(worker), message});
}

void Core::Forget(const LeaseRef& lease) {
  leases_.Remove(lease.shard);
  staging_.Remove(lease);
}

void Core::FailOnce(const Shard& shard, const std::string& error, bool retryable, bool reported) {
  const LeaseRef lease{shard.id, shard.fence};
  const Job job = store_->View().GetJob(shard.job).value();
  const std::string name = ShardName(job.project, job.id, shard.first, shard.count);
  const FailureDecision next =
      DecideFailure(shard.count, shard.attempts + 1, retryable, limits_.retry);
  ShardReturn how{next.attempts, 0, error, reported};
  bool moved = false;
  if (!reported) Tell("shard.expired", job, name, error);
  switch (next.action) {
    case AfterFailure::kRetry:
      // A lease that ran out says nothing against the shard: no back-off.
      if (reported) how.not_before_ms = NowMs() + next.backoff.count();
      moved = store_->ReturnShard(shard.id, shard.fence, how);
      if (reported) Tell("shard.retry", job, name, error);
      break;
    case AfterFailure::kSplit: {
      const std::uint32_t half = FirstHalf(shard.count);
      how.attempts = AttemptsAfterSplit(half, limits_.retry);
      moved = store_->SplitShard(shard.id, shard.fence, how,
                                 AttemptsAfterSplit(shard.count - half, limits_.retry));
      Tell("shard.split", job, name, error);
      break;
    }
    case AfterFailure::kDead:
      moved = store_->KillShard(shard.id, shard.fence, how);
      Tell("shard.dead", job, name, error);
      break;
  }
  INFERON_CHECK(moved);
  Forget(lease);
  EndIfDone(job.id);
}

void Core::EndIfDone(JobId id) {
  const Job job = store_->View().GetJob(id).value();
  if (HasEnded(job.state) || job.shards_open > 0) return;
  const JobState state = EndState(job.experiments_failed);
  store_->EndJob(id, state, clock_.WallNow());
  Tell(state == JobState::kSucceeded ? "job.succeeded" : "job.failed", job,
       JobName(job.project, id),
       fmt::format("{} done, {} failed", job.experiments_done, job.experiments_failed));
}

void Core::ExpireLeases() {
  for (const HeldLease& lease : leases_.Expired(clock_.Now())) {
    const std::optional<Shard> shard = store_->View().GetShard(lease.ref.shard);
    const bool held =
        shard && shard->state == ShardState::kLeased && shard->fence == lease.ref.fence;
    if (!held) {
      Forget(lease.ref);
      continue;
    }
    spdlog::warn("shard {}: the lease of {} ran out", shard->id, lease.worker);
    FailOnce(*shard, fmt::format("the lease of {} ran out", WorkerName(lease.worker)), true, false);
  }
}

void Core::TellOffline() {
  for (auto& [id, worker] : workers_) {
    if (worker.offline_told || View(worker).state != WorkerState::kOffline) continue;
    worker.offline_told = true;
    worker.record.last_seen = clock_.WallNow() - std::chrono::duration_cast<WallTime::duration>(
                                                     clock_.Now() - *worker.last_seen);
    store_->PutWorker(worker.record);
    TellOfWorker("worker.offline", id, "not heard of for longer than the lease time");
  }
}

Status Core::Tick() {
  return Write([this]() -> Status {
    ExpireLeases();
    TellOffline();
    return {};
  });
}

Result<std::unique_ptr<Core>> OpenCore(const std::filesystem::path& folder, const Limits& limits,
                                       Clock& clock) {
  std::filesystem::create_directories(folder);
  Result<FileLock> lock = FileLock::Acquire(folder / "lock");
  if (!lock) {
    return Fail(lock.error().code,
                fmt::format("another scheduler uses the data folder {}", folder.string()),
                "Stop it, or choose another folder");
  }
  Result<std::unique_ptr<Store>> store = OpenSqliteStore(folder / "scheduler.db");
  if (!store) return tl::unexpected(store.error());
  return std::make_unique<Core>(std::move(*store), folder, limits, clock, std::move(*lock));
}

}  // namespace inferon::scheduler
