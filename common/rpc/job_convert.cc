#include "common/rpc/job_convert.h"

#include <fmt/format.h>

#include <utility>

#include "common/rpc/convert.h"

namespace inferon::rpc {
namespace {

Result<JobState> FromProto(v1::JobState state) {
  switch (state) {
    case v1::JOB_STATE_PENDING:
      return JobState::kPending;
    case v1::JOB_STATE_RUNNING:
      return JobState::kRunning;
    case v1::JOB_STATE_SUCCEEDED:
      return JobState::kSucceeded;
    case v1::JOB_STATE_FAILED:
      return JobState::kFailed;
    case v1::JOB_STATE_CANCELLED:
      return JobState::kCancelled;
    default:
      return Fail(ErrorCode::kDataLoss,
                  fmt::format("the scheduler sent job state {}", static_cast<int>(state)),
                  "Use a client of the scheduler's version");
  }
}

std::string WorkerStateName(v1::WorkerState state) {
  switch (state) {
    case v1::WORKER_STATE_IDLE:
      return "idle";
    case v1::WORKER_STATE_BUSY:
      return "busy";
    case v1::WORKER_STATE_DRAINING:
      return "draining";
    case v1::WORKER_STATE_OFFLINE:
      return "offline";
    default:
      return "unknown";
  }
}

std::string HealthName(v1::WorkerHealth health) {
  switch (health) {
    case v1::WORKER_HEALTH_GOOD:
      return "good";
    case v1::WORKER_HEALTH_SUSPECT:
      return "suspect";
    case v1::WORKER_HEALTH_BAD:
      return "bad";
    default:
      return "unknown";
  }
}

}  // namespace

std::string_view JobStateName(JobState state) {
  switch (state) {
    case JobState::kPending:
      return "pending";
    case JobState::kRunning:
      return "running";
    case JobState::kSucceeded:
      return "succeeded";
    case JobState::kFailed:
      return "failed";
    case JobState::kCancelled:
      return "cancelled";
  }
  return "unknown";
}

v1::CreateJobRequest ToProto(const JobSubmission& submission) {
  v1::CreateJobRequest request;
  request.set_parent("projects/" + submission.project);
  request.set_request_id(submission.request_id);
  request.set_title(submission.title);
  v1::JobSpec& spec = *request.mutable_spec();
  *spec.mutable_parameter_sets() = ToProto(submission.sets);
  spec.set_trials(submission.trials);
  spec.set_profile_toml(submission.profile_toml);
  *spec.mutable_protocol() = ToProto(submission.protocol);
  *spec.mutable_device() = ToProto(submission.device);
  spec.set_seed(submission.seed);
  spec.set_substrate(submission.substrate);
  spec.set_shard_size(submission.shard_size);
  spec.set_priority(submission.priority);
  spec.mutable_placement()->set_worker(submission.pin_worker);
  spec.mutable_placement()->set_calibration_id(submission.pin_calibration);
  spec.set_max_run_seconds(submission.max_run_seconds);
  spec.set_reuse(submission.reuse);
  return request;
}

Result<JobInfo> JobFromProto(const v1::Job& job) {
  const Result<JobState> state = FromProto(job.state());
  if (!state) return tl::unexpected(state.error());
  Result<DeviceId> device = FromProto(job.device());
  if (!device) return tl::unexpected(device.error());
  JobInfo info;
  info.name = job.name();
  info.state = *state;
  info.title = job.title();
  info.experiments = job.experiments();
  info.experiments_done = job.experiments_done();
  info.experiments_failed = job.experiments_failed();
  info.shards = job.shards();
  info.shards_leased = job.shards_leased();
  info.create_time = FromProto(job.create_time());
  if (job.has_start_time()) info.start_time = FromProto(job.start_time());
  if (job.has_end_time()) info.end_time = FromProto(job.end_time());
  info.last_error = job.last_error();
  info.profile_sha256 = job.profile_sha256();
  info.device = std::move(*device);
  info.substrate = job.substrate();
  info.substrate_seconds = job.substrate_seconds();
  info.seed = job.seed();
  info.trials = job.trials();
  info.priority = job.priority();
  info.shard_size = job.shard_size();
  info.pin_worker = job.placement().worker();
  info.pin_calibration = job.placement().calibration_id();
  info.paused = job.paused();
  info.max_run_seconds = job.max_run_seconds();
  info.run_seconds = job.run_seconds();
  info.experiments_reused = job.experiments_reused();
  info.experiments_suspect = job.experiments_suspect();
  if (job.has_results_removed_time()) {
    info.results_removed_time = FromProto(job.results_removed_time());
  }
  return info;
}

Result<ResultBlock> ResultBlockFromProto(const v1::StreamResultsResponse& response,
                                         std::uint64_t expected_index) {
  ResultBlock block;
  block.first_index = response.first_index();
  block.count = response.count();
  block.error = response.error();
  block.worker = response.worker();
  block.calibration_id = response.calibration_id();
  block.suspect = response.suspect();
  if (block.first_index != expected_index || block.count == 0) {
    return Fail(ErrorCode::kDataLoss,
                fmt::format("the scheduler sent {} results from index {} where index {} was next",
                            block.count, block.first_index, expected_index));
  }
  if (!block.error.empty()) return block;
  Result<ObservationBatch> batch = DecodeObservations(response.frame());
  if (!batch) return tl::unexpected(batch.error());
  if (batch->size() != block.count) {
    return Fail(ErrorCode::kDataLoss,
                fmt::format("the frame at index {} holds {} observations instead of {}",
                            block.first_index, batch->size(), block.count));
  }
  block.observations = std::move(*batch);
  return block;
}

Result<JobUpdate> JobUpdateFromProto(const v1::WatchJobResponse& response) {
  Result<JobInfo> job = JobFromProto(response.job());
  if (!job) return tl::unexpected(job.error());
  JobUpdate update{.job = std::move(*job)};
  for (const v1::Event& event : response.events()) {
    update.events.push_back(EventFromProto(event));
  }
  return update;
}

JobEvent EventFromProto(const v1::Event& event) {
  return {event.sequence(), FromProto(event.time()), event.kind(),
          event.resource(), event.message(),         event.actor()};
}

WorkerInfo WorkerFromProto(const v1::Worker& worker) {
  const v1::Capabilities& capabilities = worker.capabilities();
  return {.name = worker.name(),
          .state = WorkerStateName(worker.state()),
          .substrate = capabilities.substrate(),
          .mode = capabilities.mode(),
          .chip = capabilities.chip(),
          .version = capabilities.version(),
          .leases = worker.leases(),
          .shards_done = worker.shards_done(),
          .experiments_done = worker.experiments_done(),
          .last_seen = FromProto(worker.last_seen_time()),
          .substrate_seconds = worker.substrate_seconds(),
          .calibration_id = capabilities.calibration_id(),
          .health = HealthName(worker.health()),
          .health_message = worker.health_message(),
          .health_time = worker.has_health_time()
                             ? std::optional<WallTime>(FromProto(worker.health_time()))
                             : std::nullopt,
          .drained = worker.drained(),
          .drain_reason = worker.drain_reason()};
}

}  // namespace inferon::rpc
