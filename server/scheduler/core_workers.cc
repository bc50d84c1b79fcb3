#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>

#include "common/neuron/observation.h"
#include "server/scheduler/core.h"
#include "server/scheduler/validate.h"

namespace inferon::scheduler {
namespace {

auto Stale(const LeaseRef& lease) {
  return Fail(ErrorCode::kAborted,
              fmt::format("the lease of shard {} with fence {} is over", lease.shard, lease.fence),
              "Drop the work on it; the shard belongs to another lease or its job has ended");
}

bool IsHeld(const Shard& shard, const LeaseRef& lease) {
  return shard.state == ShardState::kLeased && shard.fence == lease.fence;
}

Status CheckRequest(const SyncRequest& request, const Limits& limits) {
  if (Status ok = ValidateWorker(request.worker, request.session, request.capabilities); !ok) {
    return ok;
  }
  if (request.wanted > kMaxWanted) {
    return InvalidArgument(fmt::format("wanted is {}, outside 0..{}", request.wanted, kMaxWanted));
  }
  if (request.leases.size() > limits.max_leases_per_worker) {
    return InvalidArgument(fmt::format("{} leases are named, more than the limit of {}",
                                       request.leases.size(), limits.max_leases_per_worker));
  }
  return {};
}

}  // namespace

Result<SyncAnswer> Core::Synchronize(const SyncRequest& request) {
  if (Status ok = CheckRequest(request, limits_); !ok) return tl::unexpected(ok.error());
  return Write([&] { return SynchronizeNow(request); });
}

Result<SyncAnswer> Core::SynchronizeNow(const SyncRequest& request) {
  ExpireLeases();
  const Result<WorkerSession*> worker = Register(request);
  if (!worker) return tl::unexpected(worker.error());
  SyncAnswer answer;
  answer.leases = KeepLeases(request);
  // A lease that the worker does not name was given by an answer that it did not get: it counts
  // against what it wants now.
  const auto unnamed = static_cast<std::uint32_t>(
      std::count_if(answer.leases.begin(), answer.leases.end(), [&](const GivenLease& given) {
        return std::find(request.leases.begin(), request.leases.end(), given.ref) ==
               request.leases.end();
      }));
  const std::uint32_t room =
      limits_.max_leases_per_worker -
      std::min<std::uint32_t>(limits_.max_leases_per_worker,
                              static_cast<std::uint32_t>(answer.leases.size()));
  std::uint32_t missing = request.wanted - std::min(request.wanted, unnamed);
  std::uint32_t give = request.draining ? 0 : std::min(missing, room);
  while (give > 0 && LeaseOne(**worker, answer.leases)) {
    --give;
    --missing;
  }
  answer.next = missing > 0 && !request.draining
                    ? std::min(limits_.poll_interval, limits_.lease_time / 4)
                    : limits_.lease_time / 4;
  return answer;
}

// Finds or makes the worker; a new session takes over from the one before.
Result<WorkerSession*> Core::Register(const SyncRequest& request) {
  const auto found = workers_.find(request.worker);
  if (found == workers_.end() && workers_.size() >= limits_.max_workers) {
    return tl::unexpected(Error{
        ErrorCode::kResourceExhausted,
        fmt::format("{} workers are registered, the limit of this server", workers_.size()),
        "Use the id of a worker that is gone, or raise --max-workers", limits_.queue_retry_after});
  }
  WorkerSession& worker = workers_[request.worker];
  auto& replaced = worker.replaced;
  if (std::find(replaced.begin(), replaced.end(), request.session) != replaced.end()) {
    return Fail(ErrorCode::kAborted,
                fmt::format("another process has taken over the worker id '{}'", request.worker),
                "Stop this process, or start it with another --name");
  }
  WorkerRecord& record = worker.record;
  const bool new_session = record.session != request.session;
  const bool back = worker.offline_told || new_session;
  if (new_session && !record.session.empty()) {
    replaced.push_back(record.session);
    if (replaced.size() > kReplacedSessionsKept) replaced.pop_front();
    for (const HeldLease& lease : leases_.OfWorker(request.worker)) GiveBack(lease);
  }
  worker.last_seen = clock_.Now();
  worker.draining = request.draining;
  worker.offline_told = false;
  if (back || record.capabilities != request.capabilities) {
    record.id = request.worker;
    record.session = request.session;
    record.capabilities = request.capabilities;
    record.last_seen = clock_.WallNow();
    store_->PutWorker(record);
    if (back) TellOfWorker("worker.registered", request.worker, request.capabilities.substrate);
  }
  return &worker;
}

// Renews the leases that the worker names; of the others of its, gives back those that it has
// dropped while it drains, and repeats the rest to it.
std::vector<GivenLease> Core::KeepLeases(const SyncRequest& request) {
  const SteadyTime now = clock_.Now();
  std::vector<GivenLease> kept;
  for (const HeldLease& lease : leases_.OfWorker(request.worker)) {
    const bool named =
        std::find(request.leases.begin(), request.leases.end(), lease.ref) != request.leases.end();
    if (!named && request.draining) {
      GiveBack(lease);
      continue;
    }
    if (named) leases_.Renew(lease.ref.shard, now + limits_.lease_time);
    kept.push_back({lease.ref, named ? limits_.lease_time : lease.deadline - now});
  }
  return kept;
}

// Puts a lease back unused; it is not an attempt.
void Core::GiveBack(const HeldLease& lease) {
  const std::optional<Shard> shard = store_->View().GetShard(lease.ref.shard);
  if (shard && IsHeld(*shard, lease.ref)) {
    store_->ReturnShard(shard->id, shard->fence, {shard->attempts, 0, "", false});
    const Job job = store_->View().GetJob(shard->job).value();
    Tell("shard.retry", job, ShardName(job.project, job.id, shard->first, shard->count),
         fmt::format("given back by {}", WorkerName(lease.worker)));
  }
  Forget(lease.ref);
}

bool Core::LeaseOne(WorkerSession& worker, std::vector<GivenLease>& leases) {
  StoreReader& view = store_->View();
  const std::optional<Candidate> next =
      ChooseCandidate(view.Candidates(NowMs()), worker.record.capabilities, turns_);
  if (!next) return false;
  const Fence fence = epoch_ << 32 | ++leases_given_;
  turns_[next->project] = leases_given_;
  store_->LeaseShard(next->shard, fence, worker.record.id);
  const Job job = view.GetJob(next->job).value();
  const Shard shard = view.GetShard(next->shard).value();
  if (job.state == JobState::kPending) {
    store_->StartJob(job.id, clock_.WallNow());
    Tell("job.running", job, JobName(job.project, job.id), WorkerName(worker.record.id));
  }
  Tell("shard.leased", job, ShardName(job.project, job.id, shard.first, shard.count),
       WorkerName(worker.record.id));
  const LeaseRef ref{shard.id, fence};
  leases_.Add({ref, worker.record.id, clock_.Now() + limits_.lease_time});
  leases.push_back({ref, limits_.lease_time});
  return true;
}

Result<Shard> Core::FindLeased(StoreReader& reader, const LeaseRef& lease) {
  std::optional<Shard> shard = reader.GetShard(lease.shard);
  if (!shard) {
    return Fail(ErrorCode::kNotFound, fmt::format("there is no shard {}", lease.shard),
                "Use the leases that Synchronize gave");
  }
  if (!IsHeld(*shard, lease)) return Stale(lease);
  return *std::move(shard);
}

Result<ShardWork> Core::GetShard(const LeaseRef& lease) {
  return readers_.Read([&](StoreReader& reader) -> Result<ShardWork> {
    const Result<Shard> shard = FindLeased(reader, lease);
    if (!shard) return tl::unexpected(shard.error());
    const Job job = reader.GetJob(shard->job).value();
    const std::uint64_t first_set = shard->first / job.trials;
    const std::uint64_t last_set = (shard->first + shard->count - 1) / job.trials;
    return ShardWork{JobName(job.project, job.id), shard->first, shard->count,
                     reader.GetSpec(job.id, first_set, last_set - first_set + 1)};
  });
}

Result<std::unique_ptr<Upload>> Core::BeginUpload(const LeaseRef& lease, std::uint64_t total_bytes,
                                                  const std::string& sha256) {
  const Result<Shard> shard =
      readers_.Read([&](StoreReader& reader) { return FindLeased(reader, lease); });
  if (!shard) return tl::unexpected(shard.error());
  return staging_.Begin(lease, total_bytes, sha256);
}

Result<bool> Core::CommitShard(const LeaseRef& lease, const std::string& sha256,
                               double substrate_seconds) {
  if (!IsHex(sha256, 64, 64)) return InvalidArgument("sha256 is not 64 lower-case hex digits");
  if (!std::isfinite(substrate_seconds) || substrate_seconds < 0) {
    return InvalidArgument("substrate_seconds is not a number >= 0");
  }
  const std::optional<Shard> shard =
      readers_.Read([&](StoreReader& reader) { return reader.GetShard(lease.shard); });
  std::string frame;
  if (shard && IsHeld(*shard, lease)) {
    Result<std::string> staged = staging_.Read(lease, sha256);
    if (!staged) return tl::unexpected(staged.error());
    if (Status ok = CheckFrame(*shard, *staged); !ok) return tl::unexpected(ok.error());
    frame = std::move(*staged);
  }
  const Result<bool> repeated =
      Write([&] { return FinishNow(lease, sha256, frame, substrate_seconds); });
  if (repeated) staging_.Remove(lease);
  return repeated;
}

Status Core::CheckFrame(const Shard& shard, const std::string& frame) {
  const Job job =
      readers_.Read([&](StoreReader& reader) { return reader.GetJob(shard.job).value(); });
  const Result<ObservationBatch> batch = DecodeObservations(frame);
  if (!batch) {
    return InvalidArgument("the uploaded frame is malformed: " + batch.error().message,
                           "Upload an observation frame (docs/formats.md)");
  }
  if (batch->size() == shard.count && batch->points == job.points) return {};
  return InvalidArgument(
      fmt::format("the uploaded frame has {} observations of {} points; the shard has {} of {}",
                  batch->size(), batch->points, shard.count, job.points),
      "Upload exactly the shard's experiments on the protocol's grid");
}

Result<bool> Core::FinishNow(const LeaseRef& lease, const std::string& sha256,
                             const std::string& frame, double substrate_seconds) {
  ExpireLeases();
  StoreReader& view = store_->View();
  const std::optional<Shard> done = view.GetShard(lease.shard);
  if (done && done->state == ShardState::kDone && done->fence == lease.fence &&
      done->sha256 == sha256) {
    return true;
  }
  const Result<Shard> shard = FindLeased(view, lease);
  if (!shard) return tl::unexpected(shard.error());
  // Leased now, but not when the frame was looked for: the lease is younger than the call.
  if (frame.empty()) return Stale(lease);
  const Location location = segments_->Append(frame);
  if (!store_->FinishShard(lease.shard, lease.fence, {sha256, location, substrate_seconds})) {
    return Stale(lease);
  }
  leases_.Remove(lease.shard);
  const Job job = view.GetJob(shard->job).value();
  Tell("shard.done", job, ShardName(job.project, job.id, shard->first, shard->count),
       WorkerName(shard->worker));
  WorkerRecord& record = workers_[shard->worker].record;
  ++record.shards_done;
  record.experiments_done += shard->count;
  record.substrate_seconds += substrate_seconds;
  store_->PutWorker(record);
  EndIfDone(shard->job);
  return false;
}

Status Core::FailShard(const LeaseRef& lease, const std::string& error, bool retryable) {
  if (error.empty()) return InvalidArgument("the error is empty", "Say what went wrong");
  const std::string text = Shorten(error, kMaxErrorCharacters);
  return Write([&]() -> Status {
    ExpireLeases();
    const std::optional<Shard> before = store_->View().GetShard(lease.shard);
    if (before && lease.fence != 0 && before->failed_fence == lease.fence) return {};
    const Result<Shard> shard = FindLeased(store_->View(), lease);
    if (!shard) return tl::unexpected(shard.error());
    spdlog::warn("shard {} failed on {}: {}", lease.shard, shard->worker, text);
    FailOnce(*shard, text, retryable, true);
    return {};
  });
}

WorkerView Core::View(const WorkerSession& worker) const {
  WorkerView view{worker.record, WorkerState::kOffline,
                  static_cast<std::uint32_t>(leases_.OfWorker(worker.record.id).size())};
  if (!worker.last_seen) return view;
  const auto silent = clock_.Now() - *worker.last_seen;
  view.record.last_seen = clock_.WallNow() - std::chrono::duration_cast<WallTime::duration>(silent);
  if (silent > limits_.lease_time) return view;
  view.state = worker.draining   ? WorkerState::kDraining
               : view.leases > 0 ? WorkerState::kBusy
                                 : WorkerState::kIdle;
  return view;
}

Result<std::vector<WorkerView>> Core::ListWorkers() {
  return Write([&]() -> Result<std::vector<WorkerView>> {
    std::vector<WorkerView> views;
    for (const auto& [id, worker] : workers_) views.push_back(View(worker));
    return views;
  });
}

}  // namespace inferon::scheduler
