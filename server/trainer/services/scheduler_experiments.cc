#include "server/trainer/services/scheduler_experiments.h"

#include <fmt/format.h>

namespace inferon::trainer {
namespace {

class SchedulerExperiments : public Experiments {
 public:
  explicit SchedulerExperiments(rpc::SchedulerClient& client) : client_(client) {}

  Result<std::string> Submit(const ExperimentJob& job, std::stop_token stop) override {
    rpc::JobSubmission submission;
    submission.project = job.project;
    submission.request_id = job.request_id;
    submission.title = job.title;
    submission.sets = job.sets;
    submission.trials = job.trials;
    submission.profile_toml = job.profile_toml;
    submission.protocol = job.protocol;
    submission.device = job.device;
    submission.seed = job.seed;
    submission.substrate = job.substrate;
    submission.priority = job.priority;
    const Result<rpc::JobInfo> info = client_.CreateJob(submission, stop);
    if (!info) return tl::unexpected(info.error());
    return info->name;
  }

  Status Collect(const std::string& job_name, std::uint64_t experiments, std::stop_token stop,
                 const std::function<Status(ExperimentResults)>& take) override {
    std::uint64_t received = 0;
    const Status streamed = client_.StreamResults(
        job_name, 0, /*follow=*/true, stop, [&](rpc::ResultBlock block) -> Status {
          received += block.count;
          return take({block.first_index, block.count, std::move(block.observations),
                       std::move(block.error)});
        });
    if (!streamed) return streamed;
    if (received == experiments) return {};
    const Result<rpc::JobInfo> info = client_.GetJob(job_name, stop);
    if (!info) return tl::unexpected(info.error());
    return Fail(ErrorCode::kFailedPrecondition,
                fmt::format("job {} ended as {} after {} of {} experiments", job_name,
                            rpc::JobStateName(info->state), received, experiments),
                "Start again under a new id");
  }

  Status Cancel(const std::string& job_name, std::stop_token stop) override {
    const Result<rpc::JobInfo> info = client_.CancelJob(job_name, stop);
    if (!info) return tl::unexpected(info.error());
    return {};
  }

 private:
  rpc::SchedulerClient& client_;
};

}  // namespace

std::unique_ptr<Experiments> MakeSchedulerExperiments(rpc::SchedulerClient& client) {
  return std::make_unique<SchedulerExperiments>(client);
}

}  // namespace inferon::trainer
