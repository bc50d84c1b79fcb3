// Ways of a lease and of a job to an end that nobody wished for.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "common/base/check.h"
#include "server/scheduler/core.h"
#include "server/scheduler/state.h"

namespace inferon::scheduler {
namespace {

double Seconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

// Ends a lease in memory: its upload, its job's run time, what its project was charged for it.
// Without a charge it was given back unused.
void Core::Forget(const LeaseRef& ref, std::optional<double> charge) {
  staging_.Remove(ref);
  const std::optional<HeldLease> lease = leases_.Find(ref);
  if (!lease) return;
  const SteadyTime since = leases_.HeldSince(lease->job).value();
  leases_.Remove(ref.shard);
  if (!leases_.HeldSince(lease->job)) {
    store_->AddRunSeconds(lease->job, Seconds(clock_.Now() - since));
  }
  accounts_.Release(lease->project, lease->expected_seconds + lease->switch_seconds);
  if (!charge || lease->project == kHealthProject || lease->project.empty()) return;
  const double seconds = *charge + lease->switch_seconds;
  accounts_.Charge(lease->project, seconds, Now());
  store_->AddUsage({lease->project, HourOf(clock_.WallNow()), seconds});
}

void Core::FailOnce(const Shard& shard, const std::string& error, bool retryable,
                    double substrate_seconds) {
  const Job job = store_->View().GetJob(shard.job).value();
  const std::string name = ShardName(job.project, job.id, shard.first, shard.count);
  const FailureDecision next = DecideFailure(
      shard.count, shard.attempts + 1, retryable && job.project != kHealthProject, limits_.retry);
  ShardReturn how{next.attempts, 0, error, true, shard.losses};
  bool moved = false;
  switch (next.action) {
    case AfterFailure::kRetry:
      how.not_before_ms = NowMs() + next.backoff.count();
      moved = store_->ReturnShard(shard.id, shard.fence, how);
      Tell("shard.retry", job, name, error);
      break;
    case AfterFailure::kSplit: {
      const std::uint32_t half = FirstHalf(shard.count);
      how.attempts = AttemptsAfterSplit(half, limits_.retry);
      moved =
          store_->SplitShard(shard.id, shard.fence, how,
                             {AttemptsAfterSplit(shard.count - half, limits_.retry), shard.losses});
      Tell("shard.split", job, name, error);
      break;
    }
    case AfterFailure::kDead:
      moved = store_->KillShard(shard.id, shard.fence, how);
      Tell("shard.dead", job, name, error);
      break;
  }
  INFERON_CHECK(moved);
  index_.Wake(job.id);
  // A worker that does not say what it used is taken to have used what was expected, at most.
  const LeaseRef ref{shard.id, shard.fence};
  const std::optional<HeldLease> lease = leases_.Find(ref);
  double charge = substrate_seconds;
  if (charge == 0 && lease) {
    charge = std::min(Seconds(clock_.Now() - lease->since), lease->expected_seconds);
  }
  Forget(ref, charge);
  EndIfDone(job.id);
}

// The worker is gone and with it what it had of the shard; that is no attempt of the shard's.
void Core::LoseOnce(const Shard& shard, const std::string& error) {
  const Job job = store_->View().GetJob(shard.job).value();
  const std::string name = ShardName(job.project, job.id, shard.first, shard.count);
  const bool check = job.project == kHealthProject;
  const std::uint32_t losses = check ? 0 : shard.losses + 1;
  const AfterFailure next =
      check ? AfterFailure::kRetry : DecideLoss(shard.count, losses, limits_.retry);
  ShardReturn how{shard.attempts, 0, error, false, losses};
  bool moved = false;
  Tell("shard.expired", job, name, error);
  switch (next) {
    case AfterFailure::kRetry:
      moved = store_->ReturnShard(shard.id, shard.fence, how);
      break;
    case AfterFailure::kSplit: {
      const std::uint32_t half = FirstHalf(shard.count);
      how.losses = LossesAfterSplit(half, limits_.retry);
      moved =
          store_->SplitShard(shard.id, shard.fence, how,
                             {shard.attempts, LossesAfterSplit(shard.count - half, limits_.retry)});
      Tell("shard.split", job, name, error);
      break;
    }
    case AfterFailure::kDead:
      how.error =
          fmt::format("lost with its worker {} times while it ran alone: {}", losses, error);
      moved = store_->KillShard(shard.id, shard.fence, how);
      Tell("shard.dead", job, name, how.error);
      break;
  }
  INFERON_CHECK(moved);
  index_.Wake(job.id);
  const LeaseRef ref{shard.id, shard.fence};
  const std::optional<HeldLease> lease = leases_.Find(ref);
  Forget(ref, lease ? lease->expected_seconds : 0);
  EndIfDone(job.id);
}

// Puts a lease back unused; it is neither an attempt nor a loss.
void Core::GiveBack(const HeldLease& lease) {
  const std::optional<Shard> shard = store_->View().GetShard(lease.ref.shard);
  if (shard && shard->state == ShardState::kLeased && shard->fence == lease.ref.fence) {
    store_->ReturnShard(shard->id, shard->fence, {shard->attempts, 0, "", false, shard->losses});
    index_.Wake(shard->job);
    const Job job = store_->View().GetJob(shard->job).value();
    Tell("shard.retry", job, ShardName(job.project, job.id, shard->first, shard->count),
         fmt::format("given back by {}", WorkerName(lease.worker)));
  }
  Forget(lease.ref);
}

// Takes back every lease of the job; its workers learn it at their next call and stop. What they
// have used until now is charged.
void Core::StopLeases(const Job& job) {
  for (const HeldLease& lease : leases_.OfJob(job.id)) {
    const std::optional<Shard> shard = store_->View().GetShard(lease.ref.shard);
    INFERON_CHECK(shard.has_value());
    store_->ReturnShard(shard->id, lease.ref.fence, {shard->attempts, 0, "", false, shard->losses});
    const double ran = Seconds(clock_.Now() - lease.since);
    Forget(lease.ref, std::min(ran, lease.expected_seconds));
  }
  index_.Wake(job.id);
}

void Core::End(const Job& job, JobState state, const char* kind, const std::string& message,
               const Actor& actor) {
  store_->EndJob(job.id, state, clock_.WallNow());
  Tell(kind, job, JobName(job.project, job.id), message, actor);
  index_.Put(store_->View().GetJob(job.id).value());
}

void Core::EndIfDone(JobId id) {
  const Job job = store_->View().GetJob(id).value();
  if (HasEnded(job.state) || job.shards_open > 0) {
    if (job.project != kHealthProject) index_.Put(job);
    return;
  }
  const JobState state = EndState(job.experiments_failed);
  End(job, state, state == JobState::kSucceeded ? "job.succeeded" : "job.failed",
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
    LoseOnce(*shard, fmt::format("the lease of {} ran out", WorkerName(lease.worker)));
  }
}

void Core::EndOverdue() {
  for (const JobId id : leases_.Jobs()) {
    const Job job = store_->View().GetJob(id).value();
    if (job.max_run_seconds == 0) continue;
    const double ran = job.run_seconds + Seconds(clock_.Now() - leases_.HeldSince(id).value());
    if (ran <= job.max_run_seconds) continue;
    const std::string error =
        fmt::format("the job has run for {:.1f} s, longer than its limit of {:.1f} s", ran,
                    job.max_run_seconds);
    spdlog::warn("{}: {}", JobName(job.project, id), error);
    StopLeases(job);
    store_->SetJobError(id, error);
    End(job, JobState::kFailed, "job.failed", error);
  }
}

}  // namespace inferon::scheduler
