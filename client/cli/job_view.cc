#include "client/cli/job_view.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "client/cli/exit_codes.h"
#include "client/cli/format.h"
#include "client/cli/progress.h"

namespace inferon::cli {
namespace {

nlohmann::json TimeJson(const std::optional<WallTime>& time) {
  return time ? nlohmann::json(FormatTimeUtc(*time)) : nlohmann::json(nullptr);
}

double SecondsBetween(WallTime from, WallTime to) {
  return std::chrono::duration<double>(to - from).count();
}

}  // namespace

nlohmann::json JobJson(const rpc::JobInfo& job) {
  return {{"name", job.name},
          {"state", rpc::JobStateName(job.state)},
          {"title", job.title},
          {"experiments", job.experiments},
          {"experiments_done", job.experiments_done},
          {"experiments_failed", job.experiments_failed},
          {"shards", job.shards},
          {"shards_leased", job.shards_leased},
          {"shard_size", job.shard_size},
          {"trials", job.trials},
          {"seed", job.seed},
          {"priority", job.priority},
          {"substrate", job.substrate},
          {"chip", job.device.chip},
          {"neuron", job.device.neuron},
          {"run", job.device.run},
          {"profile_sha256", job.profile_sha256},
          {"substrate_seconds", job.substrate_seconds},
          {"paused", job.paused},
          {"worker", job.pin_worker},
          {"calibration_id", job.pin_calibration},
          {"max_run_seconds", job.max_run_seconds},
          {"run_seconds", job.run_seconds},
          {"experiments_reused", job.experiments_reused},
          {"experiments_suspect", job.experiments_suspect},
          {"results_removed_time", TimeJson(job.results_removed_time)},
          {"create_time", TimeJson(job.create_time)},
          {"start_time", TimeJson(job.start_time)},
          {"end_time", TimeJson(job.end_time)},
          {"last_error", job.last_error}};
}

std::string JobName(const std::string& given, const std::string& project) {
  if (given.find('/') != std::string::npos) return given;
  return fmt::format("projects/{}/jobs/{}", project, given);
}

void PrintJob(Console& console, const rpc::JobInfo& job) {
  Table table{{{"JOB"}, {job.name}}, {}};
  const auto row = [&table](const char* key, std::string value) {
    if (!value.empty()) table.rows.push_back({key, std::move(value)});
  };
  row("state", std::string(rpc::JobStateName(job.state)) + (job.paused ? ", paused" : ""));
  row("title", job.title);
  row("experiments",
      fmt::format("{} of {} done, {} failed", FormatCount(job.experiments_done),
                  FormatCount(job.experiments), FormatCount(job.experiments_failed)));
  row("shards", fmt::format("{} of {} experiments each, {} leased now", job.shards, job.shard_size,
                            job.shards_leased));
  if (job.experiments_reused > 0) row("reused", FormatCount(job.experiments_reused));
  if (job.experiments_suspect > 0) {
    row("suspect", fmt::format("{} experiments: their worker failed its next health check",
                               FormatCount(job.experiments_suspect)));
  }
  row("pinned to", job.pin_worker);
  row("calibration", job.pin_calibration);
  if (job.max_run_seconds > 0) {
    row("run time", fmt::format("{} of at most {}", FormatDuration(job.run_seconds),
                                FormatDuration(job.max_run_seconds)));
  }
  if (job.results_removed_time) row("results", "removed " + FormatTime(*job.results_removed_time));
  row("trials", std::to_string(job.trials));
  row("seed", std::to_string(job.seed));
  row("priority", std::to_string(job.priority));
  row("neuron", fmt::format("{}, chip {}, neuron {}, run {}", job.substrate, job.device.chip,
                            job.device.neuron, job.device.run));
  row("profile", job.profile_sha256);
  row("created", FormatTime(job.create_time));
  if (job.start_time) row("started", FormatTime(*job.start_time));
  if (job.end_time) row("ended", FormatTime(*job.end_time));
  row("substrate time", FormatDuration(job.substrate_seconds));
  row("last error", job.last_error);
  console.Print(table);
  console.PrintJson(JobJson(job));
}

int WatchToEnd(CommandContext& context, rpc::SchedulerClient& scheduler, const std::string& name) {
  // A job that is not there, or a scheduler that is not, shows at once.
  Result<rpc::JobInfo> job = scheduler.GetJob(name, context.stop);
  if (!job) return context.console.FailedCall(job.error());
  rpc::JobInfo last = std::move(*job);
  Progress progress(context.console, context.clock, name, "experiments");
  const Status watched =
      scheduler.WatchJob(name, 0, context.stop, [&](const rpc::JobUpdate& update) -> Status {
        last = update.job;
        const std::string note =
            last.experiments_failed == 0 ? "" : fmt::format("{} failed", last.experiments_failed);
        progress.Update(last.experiments_done + last.experiments_failed, last.experiments, note);
        return {};
      });
  progress.Finish();
  if (!watched && watched.error().code == ErrorCode::kCancelled) {
    return context.console.Failed({ErrorCode::kCancelled,
                                   "interrupted; the job goes on",
                                   fmt::format("Watch it again with 'inferon job watch {}', or end "
                                               "it with 'inferon job cancel {}'",
                                               name, name),
                                   {}},
                                  kInterrupted);
  }
  if (!watched) return context.console.FailedCall(watched.error());
  const WallTime begin = last.start_time.value_or(last.create_time);
  const double seconds = SecondsBetween(begin, last.end_time.value_or(begin));
  context.console.Print(
      fmt::format("{} {} in {}.", name, rpc::JobStateName(last.state), FormatDuration(seconds)));
  if (last.state == rpc::JobState::kSucceeded) {
    context.console.PrintJson(JobJson(last));
    return kOk;
  }
  context.console.PrintJson(JobJson(last));
  if (!last.last_error.empty()) context.console.Note("inferon: last error: " + last.last_error);
  return kEndedBadly;
}

}  // namespace inferon::cli
