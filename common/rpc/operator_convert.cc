#include "common/rpc/operator_convert.h"

#include "common/rpc/convert.h"
#include "common/rpc/job_convert.h"

namespace inferon::rpc {

v1::ProjectSettings ToProto(const ProjectSettings& settings) {
  v1::ProjectSettings message;
  message.set_weight(settings.weight);
  message.set_max_queued_experiments(settings.max_queued_experiments);
  message.set_max_substrate_seconds_per_day(settings.max_substrate_seconds_per_day);
  message.set_max_submits_per_minute(settings.max_submits_per_minute);
  message.set_description(settings.description);
  return message;
}

ProjectInfo FromProto(const v1::Project& project) {
  const v1::ProjectSettings& settings = project.settings();
  return {.name = project.name(),
          .settings = {.weight = settings.weight(),
                       .max_queued_experiments = settings.max_queued_experiments(),
                       .max_substrate_seconds_per_day = settings.max_substrate_seconds_per_day(),
                       .max_submits_per_minute = settings.max_submits_per_minute(),
                       .description = settings.description()},
          .create_time = FromProto(project.create_time()),
          .open_jobs = project.open_jobs(),
          .queued_experiments = project.queued_experiments(),
          .shards_leased = project.shards_leased(),
          .substrate_seconds_day = project.substrate_seconds_day(),
          .decayed_seconds = project.decayed_seconds()};
}

v1::Reservation ToProto(const ReservationInfo& reservation) {
  v1::Reservation message;
  message.set_id(reservation.id);
  message.set_worker(reservation.worker);
  message.set_project(reservation.project);
  *message.mutable_start_time() = ToProto(reservation.start);
  *message.mutable_end_time() = ToProto(reservation.end);
  message.set_reason(reservation.reason);
  return message;
}

ReservationInfo FromProto(const v1::Reservation& reservation) {
  return {.id = reservation.id(),
          .worker = reservation.worker(),
          .project = reservation.project(),
          .start = FromProto(reservation.start_time()),
          .end = FromProto(reservation.end_time()),
          .reason = reservation.reason()};
}

v1::Canary ToProto(const CanaryInfo& canary) {
  v1::Canary message;
  message.set_substrate(canary.substrate);
  if (canary.spec.sets.size() > 0) *message.mutable_spec() = ToProto(canary.spec).spec();
  message.set_interval_seconds(canary.interval_seconds);
  message.set_baseline_checks(canary.baseline_checks);
  message.set_limit_sigmas(canary.limit_sigmas);
  return message;
}

Result<CanaryInfo> FromProto(const v1::Canary& message) {
  CanaryInfo canary{.substrate = message.substrate(),
                    .interval_seconds = message.interval_seconds(),
                    .baseline_checks = message.baseline_checks(),
                    .limit_sigmas = message.limit_sigmas(),
                    .revision = message.revision()};
  if (!message.has_spec()) return canary;
  Result<ParameterSets> sets = ParameterSetsFromProto(message.spec().parameter_sets());
  if (!sets) return tl::unexpected(sets.error());
  Result<Protocol> protocol = FromProto(message.spec().protocol());
  if (!protocol) return tl::unexpected(protocol.error());
  Result<DeviceId> device = FromProto(message.spec().device());
  if (!device) return tl::unexpected(device.error());
  canary.spec.sets = std::move(*sets);
  canary.spec.protocol = std::move(*protocol);
  canary.spec.device = std::move(*device);
  canary.spec.trials = message.spec().trials();
  canary.spec.profile_toml = message.spec().profile_toml();
  canary.spec.seed = message.spec().seed();
  canary.spec.substrate = message.substrate();
  return canary;
}

WorkerDetails FromProto(const v1::GetWorkerResponse& response) {
  WorkerDetails details{.worker = WorkerFromProto(response.worker())};
  for (const v1::HeldShard& shard : response.shards()) {
    details.shards.push_back(
        {shard.job(), shard.first_index(), shard.count(), shard.held_seconds()});
  }
  for (const v1::Reservation& one : response.reservations()) {
    details.reservations.push_back(FromProto(one));
  }
  for (const v1::HealthCheck& check : response.checks()) {
    details.checks.push_back(
        {FromProto(check.time()), check.verdict(), check.message(), check.calibration_id()});
  }
  return details;
}

Result<Explanation> FromProto(const v1::ExplainJobResponse& response) {
  Result<JobInfo> job = JobFromProto(response.job());
  if (!job) return tl::unexpected(job.error());
  Explanation explanation{.job = std::move(*job)};
  for (const v1::WaitReason& reason : response.reasons()) {
    explanation.reasons.push_back({reason.code(), reason.problem(), reason.advice()});
  }
  explanation.workers = {response.workers().begin(), response.workers().end()};
  explanation.experiments_ahead = response.experiments_ahead();
  if (response.has_expected_start_time()) {
    explanation.expected_start = FromProto(response.expected_start_time());
    explanation.earliest_start = FromProto(response.earliest_start_time());
    explanation.latest_start = FromProto(response.latest_start_time());
  }
  return explanation;
}

GarbageReport FromProto(const v1::CollectGarbageResponse& response) {
  return {.jobs = {response.jobs().begin(), response.jobs().end()},
          .experiments = response.experiments(),
          .segments = response.segments(),
          .bytes = response.bytes()};
}

}  // namespace inferon::rpc
