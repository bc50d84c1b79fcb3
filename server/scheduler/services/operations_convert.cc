#include "server/scheduler/services/operations_convert.h"

#include <fmt/format.h>

#include "common/rpc/convert.h"
#include "server/scheduler/limits.h"
#include "server/scheduler/services/convert.h"
#include "server/scheduler/validate.h"

namespace inferon::scheduler {
namespace {

const char* VerdictName(Verdict verdict) {
  switch (verdict) {
    case Verdict::kBaseline:
      return "baseline";
    case Verdict::kGood:
      return "good";
    case Verdict::kOutlier:
      return "outlier";
    case Verdict::kFailed:
      return "failed";
  }
  return "failed";
}

}  // namespace

Actor ActorOf(const grpc::ServerContextBase& context, const rpc::Caller& caller) {
  std::string user = Shorten(caller.Name(), kMaxActorCharacters / 2);
  const auto found = context.client_metadata().find("inferon-user");
  if (user.empty() && found != context.client_metadata().end()) {
    user = Shorten({found->second.data(), found->second.size()}, kMaxActorCharacters / 2);
  }
  const std::string peer = Shorten(context.peer(), kMaxActorCharacters / 2);
  return user.empty() ? peer : fmt::format("{} ({})", user, peer);
}

ProjectSettings FromProto(const v1::ProjectSettings& message) {
  ProjectSettings settings;
  if (message.weight() != 0) settings.weight = message.weight();
  settings.max_queued_experiments = message.max_queued_experiments();
  settings.max_seconds_per_day = message.max_substrate_seconds_per_day();
  settings.max_submits_per_minute = message.max_submits_per_minute();
  settings.description = message.description();
  return settings;
}

v1::Project ToProto(const ProjectView& view) {
  v1::Project message;
  const ProjectSettings& settings = view.record.settings;
  message.set_name(ProjectName(view.record.id));
  v1::ProjectSettings* out = message.mutable_settings();
  out->set_weight(settings.weight);
  out->set_max_queued_experiments(settings.max_queued_experiments);
  out->set_max_substrate_seconds_per_day(settings.max_seconds_per_day);
  out->set_max_submits_per_minute(settings.max_submits_per_minute);
  out->set_description(settings.description);
  *message.mutable_create_time() = rpc::ToProto(view.record.create_time);
  message.set_open_jobs(view.open_jobs);
  message.set_queued_experiments(view.queued_experiments);
  message.set_shards_leased(view.shards_leased);
  message.set_substrate_seconds_day(view.day_seconds);
  message.set_decayed_seconds(view.decayed_seconds);
  return message;
}

Result<Reservation> FromProto(const v1::Reservation& message) {
  Reservation reservation;
  const Result<std::string> worker = rpc::ParseName(message.worker(), "workers");
  if (!worker) return tl::unexpected(worker.error());
  reservation.worker = *worker;
  if (!message.project().empty()) {
    const Result<std::string> project = rpc::ParseName(message.project(), "projects");
    if (!project) return tl::unexpected(project.error());
    reservation.project = *project;
  }
  reservation.start = rpc::FromProto(message.start_time());
  reservation.end = rpc::FromProto(message.end_time());
  reservation.reason = message.reason();
  return reservation;
}

v1::Reservation ToProto(const Reservation& reservation) {
  v1::Reservation message;
  message.set_id(reservation.id);
  message.set_worker(WorkerName(reservation.worker));
  if (!reservation.project.empty()) message.set_project(ProjectName(reservation.project));
  *message.mutable_start_time() = rpc::ToProto(reservation.start);
  *message.mutable_end_time() = rpc::ToProto(reservation.end);
  message.set_reason(reservation.reason);
  return message;
}

Result<Canary> FromProto(const v1::Canary& message) {
  Canary canary;
  canary.substrate = message.substrate();
  if (message.has_spec()) {
    Result<JobSpec> spec = SpecFromProto(message.spec());
    if (!spec) return tl::unexpected(spec.error());
    canary.spec = std::move(*spec);
    canary.spec.substrate = canary.substrate;
  }
  if (message.interval_seconds() != 0) canary.interval_seconds = message.interval_seconds();
  if (message.baseline_checks() != 0) canary.baseline_checks = message.baseline_checks();
  if (message.limit_sigmas() != 0) canary.limit_sigmas = message.limit_sigmas();
  return canary;
}

v1::Canary ToProto(const Canary& canary) {
  v1::Canary message;
  message.set_substrate(canary.substrate);
  if (!canary.spec.sets.codes.empty()) *message.mutable_spec() = SpecToProto(canary.spec);
  message.set_interval_seconds(canary.interval_seconds);
  message.set_baseline_checks(canary.baseline_checks);
  message.set_limit_sigmas(canary.limit_sigmas);
  message.set_revision(canary.revision);
  return message;
}

v1::GetWorkerResponse ToProto(const WorkerDetails& details) {
  v1::GetWorkerResponse message;
  *message.mutable_worker() = ToProto(details.view);
  for (const HeldShard& held : details.shards) {
    v1::HeldShard* shard = message.add_shards();
    shard->set_job(held.job);
    shard->set_first_index(held.first);
    shard->set_count(held.count);
    shard->set_held_seconds(held.held_seconds);
  }
  for (const Reservation& one : details.reservations) *message.add_reservations() = ToProto(one);
  for (const HealthCheck& one : details.checks) {
    v1::HealthCheck* check = message.add_checks();
    *check->mutable_time() = rpc::ToProto(one.time);
    check->set_verdict(VerdictName(one.verdict));
    check->set_message(one.message);
    check->set_calibration_id(one.calibration_id);
  }
  return message;
}

v1::ExplainJobResponse ToProto(const Explanation& explanation) {
  v1::ExplainJobResponse message;
  *message.mutable_job() = ToProto(explanation.job);
  for (const WaitReason& one : explanation.reasons) {
    v1::WaitReason* reason = message.add_reasons();
    reason->set_code(one.code);
    reason->set_problem(one.problem);
    reason->set_advice(one.advice);
  }
  for (const std::string& worker : explanation.workers) message.add_workers(worker);
  message.set_experiments_ahead(explanation.experiments_ahead);
  if (explanation.expected) {
    *message.mutable_expected_start_time() = rpc::ToProto(*explanation.expected);
    *message.mutable_earliest_start_time() = rpc::ToProto(*explanation.earliest);
    *message.mutable_latest_start_time() = rpc::ToProto(*explanation.latest);
  }
  return message;
}

v1::CollectGarbageResponse ToProto(const GarbageReport& report) {
  v1::CollectGarbageResponse message;
  for (const std::string& job : report.jobs) message.add_jobs(job);
  message.set_experiments(report.experiments);
  message.set_segments(report.segments);
  message.set_bytes(report.bytes);
  return message;
}

}  // namespace inferon::scheduler
