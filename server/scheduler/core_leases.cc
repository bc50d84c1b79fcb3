// Leases from the choice of a shard to its commit.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>

#include "server/scheduler/core.h"
#include "server/scheduler/health.h"
#include "server/scheduler/validate.h"

namespace inferon::scheduler {
namespace {

// Seconds of substrate time that an experiment is taken to need before any was measured.
constexpr double kFirstGuess = 0.001;

auto Stale(const LeaseRef& lease) {
  return Fail(ErrorCode::kAborted,
              fmt::format("the lease of shard {} with fence {} is over", lease.shard, lease.fence),
              "Drop the work on it; the shard belongs to another lease or its job has ended");
}

bool IsHeld(const Shard& shard, const LeaseRef& lease) {
  return shard.state == ShardState::kLeased && shard.fence == lease.fence;
}

Status CheckSeconds(double substrate_seconds) {
  if (std::isfinite(substrate_seconds) && substrate_seconds >= 0) return {};
  return InvalidArgument("substrate_seconds is not a number >= 0");
}

auto Fits(const WorkerSession& worker) {
  return [&worker](const Requirement& wants) {
    return !Mismatch(worker.record.id, worker.record.capabilities, wants);
  };
}

// What a worker is set up for: another user, neuron or profile costs a switch.
std::string SetUp(const std::string& project, const Requirement& wants) {
  return fmt::format("{} {} {} {}", project, wants.chip, wants.neuron, wants.profile_sha256);
}

}  // namespace

// Gives the worker one more shard, where there is one that it may have.
bool Core::LeaseOne(WorkerSession& worker, std::vector<GivenLease>& leases) {
  const std::string& id = worker.record.id;
  if (worker.record.drained) return false;
  const std::vector<HeldLease> held = leases_.OfWorker(id);
  if (std::any_of(held.begin(), held.end(), [](const HeldLease& lease) { return lease.alone; })) {
    return false;
  }
  std::optional<Shard> next;
  if (const Canary* canary = CanaryOf(worker)) {
    const auto since =
        worker.checked
            ? std::optional<std::chrono::duration<double>>(clock_.Now() - *worker.checked)
            : std::nullopt;
    const HealthStep step{worker.record.health, worker.record.good_checks};
    if (worker.check != 0 || CheckIsDue(step, since, *canary)) {
      next = NextCheck(worker, *canary);
      if (!next) return false;
    } else if (!MayServe(worker.record.health)) {
      return false;
    }
  }
  if (!next) next = Choose(worker);
  if (!next || (RunsAlone(next->losses) && !held.empty())) return false;
  leases.push_back({Give(worker, *next), limits_.lease_time});
  return true;
}

LeaseRef Core::Give(WorkerSession& worker, const Shard& shard) {
  const std::string& id = worker.record.id;
  const Fence fence = NextFence();
  const Job job = store_->View().GetJob(shard.job).value();
  store_->LeaseShard(shard.id, fence, id);
  if (job.state == JobState::kPending) {
    store_->StartJob(job.id, clock_.WallNow());
    Tell("job.running", job, JobName(job.project, job.id), WorkerName(id));
  }
  Tell("shard.leased", job, ShardName(job.project, job.id, shard.first, shard.count),
       WorkerName(id));
  const std::string set_up = SetUp(job.project, RequirementOf(job));
  const bool switches = worker.set_up != set_up;
  worker.set_up = set_up;
  const SteadyTime now = clock_.Now();
  const bool check = job.project == kHealthProject;
  const HeldLease lease{
      .ref = {shard.id, fence},
      .worker = id,
      .deadline = now + limits_.lease_time,
      .job = job.id,
      .project = job.project,
      .since = now,
      .expected_seconds = check ? 0 : ExpectedSeconds(job.substrate, shard.count),
      .switch_seconds = switches && !check ? worker.record.capabilities.switch_seconds : 0,
      .alone = RunsAlone(shard.losses)};
  leases_.Add(lease);
  if (check) return lease.ref;
  accounts_.Hold(job.project, lease.expected_seconds + lease.switch_seconds);
  accounts_.Serve(job.project, leases_given_);
  return lease.ref;
}

// The shard of a user that fair share gives to the worker next.
std::optional<Shard> Core::Choose(const WorkerSession& worker) {
  const std::int64_t now_ms = NowMs();
  index_.WakeDue(now_ms);
  for (const std::string& project : RankByShare(Shares(worker))) {
    while (const std::optional<JobId> job = index_.First(project, Fits(worker))) {
      ReadyShard ready = store_->View().NextReady(*job, now_ms);
      if (!ready.shard) {
        index_.Park(*job, ready.wait_ms);
        continue;
      }
      const double seconds =
          ExpectedSeconds(worker.record.capabilities.substrate, ready.shard->count);
      if (BlockedBy(reservations_, worker.record.id, project, clock_.WallNow(),
                    std::chrono::duration<double>(seconds))) {
        break;
      }
      return ready.shard;
    }
  }
  return std::nullopt;
}

std::vector<ShareEntry> Core::Shares(const WorkerSession& worker) const {
  const Moment now = Now();
  std::vector<ShareEntry> shares;
  for (const std::string& project : index_.ReadyProjects()) {
    const std::optional<QueuedJob> first = index_.FirstJob(project, Fits(worker));
    if (!first) continue;
    const ProjectRecord* record = accounts_.Find(project);
    const bool switches = worker.set_up != SetUp(project, *first->requirement);
    shares.push_back({project, record == nullptr ? 1 : record->settings.weight,
                      accounts_.DecayedSeconds(project, now.steady) + accounts_.Held(project),
                      switches ? worker.record.capabilities.switch_seconds : 0,
                      accounts_.LastTurn(project), accounts_.OverQuota(project, now.wall)});
  }
  return shares;
}

// By the latest shards on this kind of substrate; nothing measured: kFirstGuess an experiment.
double Core::ExpectedSeconds(const std::string& substrate, std::uint32_t count) const {
  return times_.SubstrateSeconds(substrate).value_or(kFirstGuess) * count;
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
                                                  const std::string& sha256, std::uint64_t offset) {
  const Result<Shard> shard =
      readers_.Read([&](StoreReader& reader) { return FindLeased(reader, lease); });
  if (!shard) return tl::unexpected(shard.error());
  return staging_.Begin(lease, total_bytes, sha256, offset);
}

Result<std::uint64_t> Core::ReceivedBytes(const LeaseRef& lease, const std::string& sha256) {
  const Result<Shard> shard =
      readers_.Read([&](StoreReader& reader) { return FindLeased(reader, lease); });
  if (!shard) return tl::unexpected(shard.error());
  return staging_.Received(lease, sha256);
}

Result<bool> Core::CommitShard(const LeaseRef& lease, const std::string& sha256,
                               double substrate_seconds) {
  if (!IsHex(sha256, 64, 64)) return InvalidArgument("sha256 is not 64 lower-case hex digits");
  if (Status ok = CheckSeconds(substrate_seconds); !ok) return tl::unexpected(ok.error());
  const std::optional<Shard> shard =
      readers_.Read([&](StoreReader& reader) { return reader.GetShard(lease.shard); });
  std::shared_ptr<const std::string> frame;
  std::vector<double> features;
  if (shard && IsHeld(*shard, lease)) {
    const std::optional<Job> job =
        readers_.Read([&](StoreReader& reader) { return reader.GetJob(shard->job); });
    auto staged = staging_.Read(lease, sha256);
    if (!staged) return tl::unexpected(staged.error());
    const Result<ObservationBatch> batch = CheckFrame(*job, *shard, **staged);
    if (!batch) return tl::unexpected(batch.error());
    if (job->project == kHealthProject) {
      const JobSpec spec =
          readers_.Read([&](StoreReader& reader) { return reader.GetSpec(job->id, 0, 0); });
      features = CanaryFeatures(*batch, spec.protocol, job->trials);
    }
    frame = std::move(*staged);
  }
  const Result<bool> repeated =
      Write([&] { return FinishNow(lease, sha256, frame.get(), substrate_seconds, features); });
  if (repeated) staging_.Remove(lease);
  return repeated;
}

Result<ObservationBatch> Core::CheckFrame(const Job& job, const Shard& shard,
                                          const std::string& frame) {
  Result<ObservationBatch> batch = DecodeObservations(frame);
  if (!batch) {
    return InvalidArgument("the uploaded frame is malformed: " + batch.error().message,
                           "Upload an observation frame (docs/formats.md)");
  }
  if (batch->size() == shard.count && batch->points == job.points) return batch;
  return InvalidArgument(
      fmt::format("the uploaded frame has {} observations of {} points; the shard has {} of {}",
                  batch->size(), batch->points, shard.count, job.points),
      "Upload exactly the shard's experiments on the protocol's grid");
}

Result<bool> Core::FinishNow(const LeaseRef& lease, const std::string& sha256,
                             const std::string* frame, double substrate_seconds,
                             const std::vector<double>& features) {
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
  if (frame == nullptr) return Stale(lease);
  const Location location = segments_->Append(*frame);
  const std::string calibration = workers_[shard->worker].record.capabilities.calibration_id;
  if (!store_->FinishShard(lease.shard, lease.fence,
                           {sha256, location, substrate_seconds, calibration})) {
    return Stale(lease);
  }
  const Job job = view.GetJob(shard->job).value();
  Tell("shard.done", job, ShardName(job.project, job.id, shard->first, shard->count),
       WorkerName(shard->worker));
  CountDone(*shard, job, substrate_seconds);
  EndIfDone(shard->job);
  if (job.project == kHealthProject) EndCheck(job, lease.fence, features, "");
  return false;
}

void Core::CountDone(const Shard& shard, const Job& job, double substrate_seconds) {
  const LeaseRef ref{shard.id, shard.fence};
  if (const std::optional<HeldLease> held = leases_.Find(ref)) {
    const std::chrono::duration<double> time = clock_.Now() - held->since;
    times_.Add(job.substrate, substrate_seconds / shard.count, time.count() / shard.count);
  }
  Forget(ref, substrate_seconds);
  WorkerRecord& record = workers_[shard.worker].record;
  ++record.shards_done;
  record.experiments_done += shard.count;
  record.substrate_seconds += substrate_seconds;
  store_->PutWorker(record);
}

Status Core::FailShard(const LeaseRef& lease, const std::string& error, bool retryable,
                       double substrate_seconds) {
  if (error.empty()) return InvalidArgument("the error is empty", "Say what went wrong");
  if (Status ok = CheckSeconds(substrate_seconds); !ok) return ok;
  const std::string text = Shorten(error, kMaxErrorCharacters);
  return Write([&]() -> Status {
    ExpireLeases();
    const std::optional<Shard> before = store_->View().GetShard(lease.shard);
    if (before && lease.fence != 0 && before->failed_fence == lease.fence) return {};
    const Result<Shard> shard = FindLeased(store_->View(), lease);
    if (!shard) return tl::unexpected(shard.error());
    spdlog::warn("shard {} failed on {}: {}", lease.shard, shard->worker, text);
    FailOnce(*shard, text, retryable, substrate_seconds);
    const Job job = store_->View().GetJob(shard->job).value();
    if (job.project == kHealthProject) EndCheck(job, lease.fence, {}, text);
    return {};
  });
}

}  // namespace inferon::scheduler
