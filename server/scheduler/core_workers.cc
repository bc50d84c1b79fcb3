#include <fmt/format.h>

#include <algorithm>

#include "server/scheduler/core.h"
#include "server/scheduler/validate.h"

namespace inferon::scheduler {
namespace {

auto NoSuchWorker(const std::string& id) {
  return Fail(ErrorCode::kNotFound, fmt::format("there is no worker {}", id),
              "List the workers; one that has never called is not known");
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
  answer.drain = (*worker)->record.drained;
  answer.next = NextCall(answer, missing > 0 && !request.draining);
  return answer;
}

std::chrono::nanoseconds Core::NextCall(const SyncAnswer& answer, bool wants_more) const {
  const std::chrono::nanoseconds lease = limits_.lease_time / 4;
  if (wants_more) return std::min<std::chrono::nanoseconds>(limits_.poll_interval, lease);
  if (answer.leases.empty()) return lease;
  return std::min<std::chrono::nanoseconds>(limits_.busy_interval, lease);
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
    Replace(worker);
  }
  worker.last_seen = clock_.Now();
  worker.draining = request.draining;
  worker.refuses = request.wanted == 0 && request.leases.empty() && !request.draining;
  worker.offline_told = false;
  if (back || record.capabilities.calibration_id != request.capabilities.calibration_id) {
    worker.checked.reset();
    worker.set_up.clear();
  }
  if (back || record.capabilities != request.capabilities) {
    record.id = request.worker;
    record.session = request.session;
    record.capabilities = request.capabilities;
    record.last_seen = clock_.WallNow();
    store_->PutWorker(record);
    if (back) {
      TellOf("worker.registered", WorkerName(request.worker), request.capabilities.substrate);
    }
  }
  return &worker;
}

// Another process has taken over: the one before, and what it ran, is lost.
void Core::Replace(WorkerSession& worker) {
  worker.replaced.push_back(worker.record.session);
  if (worker.replaced.size() > kReplacedSessionsKept) worker.replaced.pop_front();
  for (const HeldLease& lease : leases_.OfWorker(worker.record.id)) {
    const std::optional<Shard> shard = store_->View().GetShard(lease.ref.shard);
    const bool held =
        shard && shard->state == ShardState::kLeased && shard->fence == lease.ref.fence;
    if (held) {
      LoseOnce(*shard, fmt::format("{} started again", WorkerName(lease.worker)));
    } else {
      Forget(lease.ref);
    }
  }
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

WorkerView Core::View(const WorkerSession& worker) const {
  WorkerView view{worker.record, WorkerState::kOffline, leases_.CountOfWorker(worker.record.id)};
  if (!worker.last_seen) return view;
  const auto silent = clock_.Now() - *worker.last_seen;
  view.record.last_seen = clock_.WallNow() - std::chrono::duration_cast<WallTime::duration>(silent);
  if (silent > limits_.lease_time) return view;
  const bool drains = worker.draining || worker.record.drained;
  view.state = drains            ? WorkerState::kDraining
               : view.leases > 0 ? WorkerState::kBusy
                                 : WorkerState::kIdle;
  if (view.state == WorkerState::kIdle && worker.refuses &&
      view.record.health == WorkerHealth::kUnknown) {
    view.record.health = WorkerHealth::kBad;
    view.record.health_message = kRefusesText;
  }
  return view;
}

Result<std::vector<WorkerView>> Core::ListWorkers() {
  return Write([&]() -> Result<std::vector<WorkerView>> {
    std::vector<WorkerView> views;
    for (const auto& [id, worker] : workers_) views.push_back(View(worker));
    return views;
  });
}

Result<WorkerSession*> Core::FindWorker(const std::string& id) {
  const auto found = workers_.find(id);
  if (found == workers_.end()) return NoSuchWorker(id);
  return &found->second;
}

Result<WorkerDetails> Core::GetWorker(const std::string& id) {
  return Write([&]() -> Result<WorkerDetails> {
    const Result<WorkerSession*> worker = FindWorker(id);
    if (!worker) return tl::unexpected(worker.error());
    WorkerDetails details{View(**worker), {}, {}, store_->View().Checks(id, kChecksShown)};
    for (const HeldLease& lease : leases_.OfWorker(id)) {
      const Shard shard = store_->View().GetShard(lease.ref.shard).value();
      const std::chrono::duration<double> held = clock_.Now() - lease.since;
      details.shards.push_back(
          {JobName(lease.project, lease.job), shard.first, shard.count, held.count()});
    }
    for (const Reservation& reservation : reservations_) {
      const bool ahead = reservation.end > clock_.WallNow();
      if (reservation.worker == id && ahead) details.reservations.push_back(reservation);
    }
    return details;
  });
}

Result<WorkerView> Core::DrainWorker(const std::string& id, const std::string& reason,
                                     const Actor& actor) {
  if (Status ok = ValidateReason(reason); !ok) return tl::unexpected(ok.error());
  return Write([&]() -> Result<WorkerView> {
    const Result<WorkerSession*> worker = FindWorker(id);
    if (!worker) return tl::unexpected(worker.error());
    WorkerRecord& record = (*worker)->record;
    if (record.drained && record.drain_reason == reason) return View(**worker);
    record.drained = true;
    record.drain_reason = reason;
    store_->PutWorker(record);
    TellOf("worker.drained", WorkerName(id), reason, actor);
    return View(**worker);
  });
}

Result<WorkerView> Core::ResumeWorker(const std::string& id, const Actor& actor) {
  return Write([&]() -> Result<WorkerView> {
    const Result<WorkerSession*> worker = FindWorker(id);
    if (!worker) return tl::unexpected(worker.error());
    WorkerRecord& record = (*worker)->record;
    if (!record.drained) return View(**worker);
    record.drained = false;
    record.drain_reason.clear();
    (*worker)->refuses =
        false;  // Drained, it wanted nothing; its next call says what it wants now.
    store_->PutWorker(record);
    TellOf("worker.resumed", WorkerName(id), "", actor);
    return View(**worker);
  });
}

}  // namespace inferon::scheduler
