#include "server/scheduler/services/convert.h"

#include <chrono>

#include "common/neuron/profile.h"
#include "common/rpc/convert.h"

namespace inferon::scheduler {
namespace {

double Seconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

v1::WorkerState ToProto(WorkerState state) { return static_cast<v1::WorkerState>(state); }

v1::Placement ToProto(const Placement& placement) {
  v1::Placement message;
  message.set_worker(placement.worker);
  message.set_calibration_id(placement.calibration_id);
  return message;
}

}  // namespace

static_assert(static_cast<int>(JobState::kPending) == v1::JOB_STATE_PENDING);
static_assert(static_cast<int>(JobState::kRunning) == v1::JOB_STATE_RUNNING);
static_assert(static_cast<int>(JobState::kSucceeded) == v1::JOB_STATE_SUCCEEDED);
static_assert(static_cast<int>(JobState::kFailed) == v1::JOB_STATE_FAILED);
static_assert(static_cast<int>(JobState::kCancelled) == v1::JOB_STATE_CANCELLED);
static_assert(static_cast<int>(WorkerState::kIdle) == v1::WORKER_STATE_IDLE);
static_assert(static_cast<int>(WorkerState::kBusy) == v1::WORKER_STATE_BUSY);
static_assert(static_cast<int>(WorkerState::kDraining) == v1::WORKER_STATE_DRAINING);
static_assert(static_cast<int>(WorkerState::kOffline) == v1::WORKER_STATE_OFFLINE);
static_assert(static_cast<int>(WorkerHealth::kUnknown) == v1::WORKER_HEALTH_UNSPECIFIED);
static_assert(static_cast<int>(WorkerHealth::kGood) == v1::WORKER_HEALTH_GOOD);
static_assert(static_cast<int>(WorkerHealth::kSuspect) == v1::WORKER_HEALTH_SUSPECT);
static_assert(static_cast<int>(WorkerHealth::kBad) == v1::WORKER_HEALTH_BAD);

v1::JobSpec SpecToProto(const JobSpec& spec) {
  v1::JobSpec message;
  *message.mutable_parameter_sets() = rpc::ToProto(spec.sets);
  message.set_trials(spec.trials);
  message.set_profile_toml(spec.profile_toml);
  *message.mutable_protocol() = rpc::ToProto(spec.protocol);
  *message.mutable_device() = rpc::ToProto(spec.device);
  message.set_seed(spec.seed);
  message.set_substrate(spec.substrate);
  message.set_shard_size(spec.shard_size);
  message.set_priority(spec.priority);
  *message.mutable_placement() = ToProto(spec.placement);
  message.set_max_run_seconds(spec.max_run_seconds);
  message.set_reuse(spec.reuse);
  return message;
}

Result<JobSpec> SpecFromProto(const v1::JobSpec& message) {
  JobSpec spec;
  Result<ParameterSets> sets = rpc::ParameterSetsFromProto(message.parameter_sets());
  if (!sets) return tl::unexpected(sets.error());
  Result<Protocol> protocol =
      rpc::FromProto(message.protocol(), [&] { return DefaultProtocol(message.profile_toml()); });
  if (!protocol) return tl::unexpected(protocol.error());
  Result<DeviceId> device = rpc::FromProto(message.device());
  if (!device) return tl::unexpected(device.error());
  spec.sets = std::move(*sets);
  spec.protocol = std::move(*protocol);
  spec.device = std::move(*device);
  if (message.trials() != 0) spec.trials = message.trials();
  if (message.shard_size() != 0) spec.shard_size = message.shard_size();
  if (!message.substrate().empty()) spec.substrate = message.substrate();
  spec.profile_toml = message.profile_toml();
  spec.seed = message.seed();
  spec.priority = message.priority();
  spec.placement = {message.placement().worker(), message.placement().calibration_id()};
  spec.max_run_seconds = message.max_run_seconds();
  spec.reuse = message.reuse();
  return spec;
}

Result<std::string> ProjectFromParent(const std::string& parent) {
  if (parent.empty()) return std::string("default");
  return rpc::ParseName(parent, "projects");
}

Result<JobRequest> FromProto(const v1::CreateJobRequest& message) {
  Result<std::string> project = ProjectFromParent(message.parent());
  if (!project) return tl::unexpected(project.error());
  Result<JobSpec> spec = SpecFromProto(message.spec());
  if (!spec) return tl::unexpected(spec.error());
  return JobRequest{std::move(*project), message.request_id(), message.title(), std::move(*spec)};
}

LeaseRef FromProto(const v1::LeaseRef& lease) { return {lease.shard(), lease.fence()}; }

SyncRequest FromProto(const v1::SynchronizeRequest& message) {
  const v1::Capabilities& can = message.capabilities();
  SyncRequest request;
  request.worker = message.worker();
  request.session = message.session();
  request.capabilities = {can.substrate(),
                          can.mode(),
                          can.chip(),
                          can.calibration_id(),
                          can.version(),
                          {can.neurons().begin(), can.neurons().end()},
                          {can.profile_sha256().begin(), can.profile_sha256().end()},
                          can.switch_seconds()};
  for (const v1::LeaseRef& lease : message.leases()) request.leases.push_back(FromProto(lease));
  request.wanted = message.wanted();
  request.draining = message.draining();
  return request;
}

v1::Job ToProto(const Job& job) {
  v1::Job message;
  message.set_name(JobName(job.project, job.id));
  message.set_state(static_cast<v1::JobState>(job.state));
  message.set_title(job.title);
  message.set_experiments(job.experiments);
  message.set_experiments_done(job.experiments_done);
  message.set_experiments_failed(job.experiments_failed);
  message.set_shards(job.shards);
  message.set_shards_leased(job.shards_leased);
  *message.mutable_create_time() = rpc::ToProto(job.create_time);
  if (job.start_time) *message.mutable_start_time() = rpc::ToProto(*job.start_time);
  if (job.end_time) *message.mutable_end_time() = rpc::ToProto(*job.end_time);
  message.set_last_error(job.last_error);
  message.set_profile_sha256(job.profile_sha256);
  *message.mutable_device() = rpc::ToProto(job.device);
  message.set_substrate(job.substrate);
  message.set_substrate_seconds(job.substrate_seconds);
  message.set_seed(job.seed);
  message.set_trials(job.trials);
  message.set_priority(job.priority);
  message.set_shard_size(job.shard_size);
  *message.mutable_placement() = ToProto(job.placement);
  message.set_paused(job.paused);
  message.set_max_run_seconds(job.max_run_seconds);
  message.set_run_seconds(job.run_seconds);
  message.set_experiments_reused(job.experiments_reused);
  message.set_experiments_suspect(job.experiments_suspect);
  if (job.purge_time) {
    *message.mutable_results_removed_time() = rpc::ToProto(*job.purge_time);
  }
  return message;
}

v1::Event ToProto(const Event& event) {
  v1::Event message;
  message.set_sequence(event.sequence);
  *message.mutable_time() = rpc::ToProto(event.time);
  message.set_kind(event.kind);
  message.set_resource(event.resource);
  message.set_message(event.message);
  message.set_actor(event.actor);
  return message;
}

v1::SynchronizeResponse ToProto(const SyncAnswer& answer) {
  v1::SynchronizeResponse message;
  for (const GivenLease& given : answer.leases) {
    v1::Lease* lease = message.add_leases();
    lease->set_shard(given.ref.shard);
    lease->set_fence(given.ref.fence);
    lease->set_seconds_left(Seconds(given.left));
  }
  message.set_next_seconds(Seconds(answer.next));
  message.set_drain(answer.drain);
  return message;
}

v1::GetShardResponse ToProto(const ShardWork& work) {
  v1::GetShardResponse message;
  message.set_job(work.job);
  message.set_first_index(work.first);
  message.set_count(work.count);
  *message.mutable_spec() = SpecToProto(work.spec);
  return message;
}

v1::Worker ToProto(const WorkerView& worker) {
  v1::Worker message;
  const WorkerRecord& record = worker.record;
  message.set_name(WorkerName(record.id));
  message.set_state(ToProto(worker.state));
  v1::Capabilities* can = message.mutable_capabilities();
  can->set_substrate(record.capabilities.substrate);
  can->set_mode(record.capabilities.mode);
  can->set_chip(record.capabilities.chip);
  can->set_calibration_id(record.capabilities.calibration_id);
  can->set_version(record.capabilities.version);
  for (const std::uint32_t neuron : record.capabilities.neurons) can->add_neurons(neuron);
  for (const std::string& hash : record.capabilities.profile_sha256) can->add_profile_sha256(hash);
  can->set_switch_seconds(record.capabilities.switch_seconds);
  message.set_health(static_cast<v1::WorkerHealth>(record.health));
  message.set_health_message(record.health_message);
  if (record.health_time) {
    *message.mutable_health_time() = rpc::ToProto(*record.health_time);
  }
  message.set_drained(record.drained);
  message.set_drain_reason(record.drain_reason);
  message.set_leases(worker.leases);
  message.set_shards_done(record.shards_done);
  message.set_experiments_done(record.experiments_done);
  *message.mutable_last_seen_time() = rpc::ToProto(record.last_seen);
  message.set_substrate_seconds(record.substrate_seconds);
  return message;
}

}  // namespace inferon::scheduler
