// Health checks: jobs of the scheduler's own that are pinned to one worker and judged when they
// end.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "common/base/check.h"
#include "common/base/hash.h"
#include "server/scheduler/core.h"
#include "server/scheduler/health.h"
#include "server/scheduler/state.h"
#include "server/scheduler/validate.h"

namespace inferon::scheduler {
namespace {

const char* HealthName(WorkerHealth health) {
  switch (health) {
    case WorkerHealth::kUnknown:
      return "unknown";
    case WorkerHealth::kGood:
      return "good";
    case WorkerHealth::kSuspect:
      return "suspect";
    case WorkerHealth::kBad:
      return "bad";
  }
  return "unknown";
}

}  // namespace

const Canary* Core::CanaryOf(const WorkerSession& worker) const {
  const auto found = canaries_.find(worker.record.capabilities.substrate);
  return found == canaries_.end() ? nullptr : &found->second;
}

// The shard of the worker's check, one that is begun if need be; nothing while it runs or waits.
std::optional<Shard> Core::NextCheck(WorkerSession& worker, const Canary& canary) {
  if (worker.check == 0) worker.check = StartCheck(worker, canary);
  const Shard shard = store_->View().ShardsFrom(worker.check, 0, 1).at(0);
  if (shard.state != ShardState::kReady) return std::nullopt;
  return shard;
}

JobId Core::StartCheck(const WorkerSession& worker, const Canary& canary) {
  JobSpec spec = canary.spec;
  const std::string& chip = worker.record.capabilities.chip;
  if (!chip.empty()) spec.device.chip = chip;
  spec.substrate = canary.substrate;
  spec.placement = {worker.record.id, ""};
  spec.shard_size = static_cast<std::uint32_t>(spec.Experiments());
  Job job;
  job.project = kHealthProject;
  job.request_id = fmt::format("{}-{}-{}", worker.record.id, epoch_, NextFence());
  job.content_sha256 = ChartName(canary, worker.record.capabilities);
  job.title = fmt::format("check of {}", WorkerName(worker.record.id));
  job.create_time = clock_.WallNow();
  job.profile_sha256 = Sha256Hex(spec.profile_toml);
  job = store_->View().GetJob(store_->AddJob(job, spec)).value();
  Tell("job.created", job, JobName(job.project, job.id), job.title);
  return job.id;
}

// Judges a check that has run, or could not.
void Core::EndCheck(const Job& job, Fence fence, const std::vector<double>& features,
                    const std::string& error) {
  const auto found = workers_.find(job.placement.worker);
  if (found == workers_.end() || found->second.check != job.id) return;
  WorkerSession& worker = found->second;
  worker.check = 0;
  const Canary* canary = CanaryOf(worker);
  if (canary == nullptr) return;
  WorkerRecord& record = worker.record;
  const std::string chart = ChartName(*canary, record.capabilities);
  // The chart that it was begun for: canary or calibration may have changed meanwhile.
  if (job.content_sha256 != chart) return;
  Judgement judged{Verdict::kFailed, error};
  bool more = false;
  if (error.empty()) {
    std::vector<std::vector<double>> stored;
    for (HealthCheck& check : store_->View().Baseline(chart)) {
      stored.push_back(std::move(check.features));
    }
    judged = Judge(stored, features, *canary);
    more = judged.verdict == Verdict::kBaseline && stored.size() + 1 < canary->baseline_checks;
  }
  const WorkerHealth before = record.health;
  const HealthStep step = AfterCheck({record.health, record.good_checks}, judged.verdict);
  record.health = step.health;
  record.good_checks = step.good_checks;
  record.health_message = judged.message;
  record.health_time = clock_.WallNow();
  if (record.health == WorkerHealth::kGood) record.good_fence = fence;
  worker.checked = clock_.Now();
  if (more) worker.checked.reset();
  // The check has its row; its traces are of no further use.
  store_->PurgeJob(job.id, clock_.WallNow());
  store_->AddCheck({record.id, chart, *record.health_time, judged.verdict, judged.message,
                    record.capabilities.calibration_id, features});
  if (record.health == WorkerHealth::kBad && before != WorkerHealth::kBad) Distrust(worker);
  store_->PutWorker(record);
  if (record.health != before) {
    TellOf("worker.health", WorkerName(record.id),
           fmt::format("{}{}{}", HealthName(record.health), judged.message.empty() ? "" : ": ",
                       judged.message));
  }
}

// Takes a worker out: what it holds goes back, what it did since its last good check is marked.
void Core::Distrust(WorkerSession& worker) {
  for (const HeldLease& lease : leases_.OfWorker(worker.record.id)) GiveBack(lease);
  const std::uint64_t marked = store_->MarkSuspect(worker.record.id, worker.record.good_fence);
  spdlog::error("worker {} is taken out: {}; {} experiments since its last good check are suspect",
                worker.record.id, worker.record.health_message, marked);
  TellOf("worker.health", WorkerName(worker.record.id),
         fmt::format("{} experiments since the last good check are suspect", marked));
}

Result<Canary> Core::SetCanary(const Canary& canary, const Actor& actor) {
  if (!IsKnownSubstrate(canary.substrate)) {
    return InvalidArgument(fmt::format("'{}' is not a kind of substrate", canary.substrate));
  }
  const bool remove = canary.spec.sets.codes.empty();
  if (!remove) {
    if (Status ok = ValidateCanary(canary, limits_); !ok) return tl::unexpected(ok.error());
  }
  return Write([&]() -> Result<Canary> {
    const auto before = canaries_.find(canary.substrate);
    Canary set = canary;
    // Seconds since 1970: higher than that of a canary that was taken away before.
    set.revision = static_cast<std::uint32_t>(
        std::chrono::floor<std::chrono::seconds>(clock_.WallNow().time_since_epoch()).count());
    if (before != canaries_.end()) {
      set.revision = std::max(set.revision, before->second.revision + 1);
    }
    if (remove) {
      store_->DeleteCanary(canary.substrate);
      canaries_.erase(canary.substrate);
    } else {
      store_->PutCanary(set);
      canaries_[canary.substrate] = set;
    }
    for (auto& [id, worker] : workers_) {
      if (worker.record.capabilities.substrate != canary.substrate) continue;
      worker.record.health = WorkerHealth::kUnknown;
      worker.record.good_checks = 0;
      worker.record.health_message.clear();
      worker.checked.reset();
      if (worker.check != 0) {
        const Job check = store_->View().GetJob(worker.check).value();
        StopLeases(check);
        End(check, JobState::kCancelled, "job.cancelled", "the canary has changed");
        worker.check = 0;
      }
      store_->PutWorker(worker.record);
    }
    TellOf("canary.changed", canary.substrate,
           remove ? "taken away"
                  : fmt::format("revision {}, every {} s", set.revision, set.interval_seconds),
           actor);
    return set;
  });
}

Result<std::vector<Canary>> Core::ListCanaries() {
  return readers_.Read(
      [](StoreReader& reader) -> Result<std::vector<Canary>> { return reader.Canaries(); });
}

}  // namespace inferon::scheduler
