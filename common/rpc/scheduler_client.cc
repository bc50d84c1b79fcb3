#include "common/rpc/scheduler_client.h"

#include <fmt/format.h>

#include <utility>

#include "common/rpc/convert.h"
#include "common/rpc/job_convert.h"
#include "common/rpc/retry.h"
#include "common/rpc/server.h"
#include "inferon/v1/experiments.grpc.pb.h"
#include "inferon/v1/workers.grpc.pb.h"

namespace inferon::rpc {
namespace {

// Constant after construction; stubs and channel have their own synchronisation.
class GrpcSchedulerClient : public SchedulerClient {
 public:
  explicit GrpcSchedulerClient(const SchedulerClientOptions& options)
      : channel_(OpenChannel(options.address, options.security)),
        experiments_(v1::ExperimentService::NewStub(channel_)),
        workers_(v1::WorkerService::NewStub(channel_)),
        user_(options.user),
        unary_{fmt::format("scheduler at {}", options.address), options.retry, options.timeout,
               options.clock},
        stream_{unary_} {
    stream_.timeout = std::chrono::milliseconds(0);
  }

  Result<JobInfo> CreateJob(const JobSubmission& submission, std::stop_token stop) override {
    const v1::CreateJobRequest request = ToProto(submission);
    v1::CreateJobResponse response;
    const Status done = CallWithRetry(unary_, stop, [&](grpc::ClientContext& context) {
      if (!user_.empty()) context.AddMetadata("inferon-user", user_);
      return experiments_->CreateJob(&context, request, &response);
    });
    return JobOf(done, response);
  }

  Result<JobInfo> GetJob(const std::string& name, std::stop_token stop) override {
    v1::GetJobRequest request;
    request.set_name(name);
    v1::GetJobResponse response;
    const Status done = CallWithRetry(unary_, stop, [&](grpc::ClientContext& context) {
      return experiments_->GetJob(&context, request, &response);
    });
    return JobOf(done, response);
  }

  Result<JobInfo> CancelJob(const std::string& name, std::stop_token stop) override {
    v1::CancelJobRequest request;
    request.set_name(name);
    v1::CancelJobResponse response;
    const Status done = CallWithRetry(unary_, stop, [&](grpc::ClientContext& context) {
      if (!user_.empty()) context.AddMetadata("inferon-user", user_);
      return experiments_->CancelJob(&context, request, &response);
    });
    return JobOf(done, response);
  }

  Result<JobPage> ListJobs(const std::string& project, std::uint32_t page_size,
                           const std::string& page_token, std::stop_token stop) override {
    v1::ListJobsRequest request;
    request.set_parent("projects/" + project);
    request.set_page_size(page_size);
    request.set_page_token(page_token);
    v1::ListJobsResponse response;
    const Status done = CallWithRetry(unary_, stop, [&](grpc::ClientContext& context) {
      return experiments_->ListJobs(&context, request, &response);
    });
    if (!done) return tl::unexpected(done.error());
    JobPage page{.next_page_token = response.next_page_token()};
    for (const v1::Job& job : response.jobs()) {
      Result<JobInfo> info = JobFromProto(job);
      if (!info) return tl::unexpected(info.error());
      page.jobs.push_back(std::move(*info));
    }
    return page;
  }

  Result<std::vector<WorkerInfo>> ListWorkers(std::stop_token stop) override {
    v1::ListWorkersResponse response;
    const Status done = CallWithRetry(unary_, stop, [&](grpc::ClientContext& context) {
      return workers_->ListWorkers(&context, v1::ListWorkersRequest(), &response);
    });
    if (!done) return tl::unexpected(done.error());
    std::vector<WorkerInfo> workers;
    for (const v1::Worker& worker : response.workers()) workers.push_back(WorkerFromProto(worker));
    return workers;
  }

  Status StreamResults(const std::string& name, std::uint64_t start_index, bool follow,
                       std::stop_token stop,
                       const std::function<Status(ResultBlock)>& take) override {
    v1::StreamResultsRequest request;
    request.set_name(name);
    request.set_start_index(start_index);
    request.set_follow(follow);
    return ReadStream<v1::StreamResultsResponse>(
        stream_, stop,
        [&](grpc::ClientContext& context) {
          return experiments_->StreamResults(&context, request);
        },
        [&](const v1::StreamResultsResponse& response) -> Status {
          Result<ResultBlock> block = ResultBlockFromProto(response, request.start_index());
          if (!block) return tl::unexpected(block.error());
          const std::uint64_t next = block->first_index + block->count;
          const Status taken = take(std::move(*block));
          if (taken) request.set_start_index(next);
          return taken;
        });
  }

  Status WatchJob(const std::string& name, std::uint64_t after_sequence, std::stop_token stop,
                  const std::function<Status(JobUpdate)>& take) override {
    v1::WatchJobRequest request;
    request.set_name(name);
    request.set_after_sequence(after_sequence);
    return ReadStream<v1::WatchJobResponse>(
        stream_, stop,
        [&](grpc::ClientContext& context) { return experiments_->WatchJob(&context, request); },
        [&](const v1::WatchJobResponse& response) -> Status {
          Result<JobUpdate> update = JobUpdateFromProto(response);
          if (!update) return tl::unexpected(update.error());
          if (!update->events.empty()) {
            request.set_after_sequence(update->events.back().sequence);
          }
          return take(std::move(*update));
        });
  }

 private:
  template <typename Response>
  static Result<JobInfo> JobOf(const Status& done, const Response& response) {
    if (!done) return tl::unexpected(done.error());
    return JobFromProto(response.job());
  }

  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::ExperimentService::Stub> experiments_;
  const std::unique_ptr<v1::WorkerService::Stub> workers_;
  const std::string user_;
  const CallSettings unary_;
  CallSettings stream_;  // Without a deadline.
};

}  // namespace

std::unique_ptr<SchedulerClient> MakeSchedulerClient(const SchedulerClientOptions& options) {
  return std::make_unique<GrpcSchedulerClient>(options);
}

}  // namespace inferon::rpc
