#include "common/rpc/operator_client.h"

#include <fmt/format.h>

#include <utility>

#include "common/rpc/convert.h"
#include "common/rpc/job_convert.h"
#include "common/rpc/operator_convert.h"
#include "common/rpc/retry.h"
#include "common/rpc/server.h"
#include "inferon/v1/experiments.grpc.pb.h"
#include "inferon/v1/projects.grpc.pb.h"
#include "inferon/v1/workers.grpc.pb.h"

namespace inferon::rpc {
namespace {

// Every element converted.
template <typename Out, typename Messages>
std::vector<Out> All(const Messages& messages) {
  std::vector<Out> all;
  for (const auto& message : messages) all.push_back(FromProto(message));
  return all;
}

// Constant after construction; stubs and channel have their own synchronisation.
class GrpcOperatorClient : public OperatorClient {
 public:
  explicit GrpcOperatorClient(const SchedulerClientOptions& options)
      : channel_(OpenChannel(options.address, options.security)),
        experiments_(v1::ExperimentService::NewStub(channel_)),
        workers_(v1::WorkerService::NewStub(channel_)),
        projects_(v1::ProjectService::NewStub(channel_)),
        user_(options.user),
        settings_{fmt::format("scheduler at {}", options.address), options.retry, options.timeout,
                  options.clock} {}

  Result<JobInfo> PauseJob(const std::string& name, std::stop_token stop) override {
    v1::PauseJobRequest request;
    request.set_name(name);
    v1::PauseJobResponse response;
    const Status done = Call(stop, *experiments_, &Experiments::PauseJob, request, response);
    if (!done) return tl::unexpected(done.error());
    return JobFromProto(response.job());
  }

  Result<JobInfo> ResumeJob(const std::string& name, std::stop_token stop) override {
    v1::ResumeJobRequest request;
    request.set_name(name);
    v1::ResumeJobResponse response;
    const Status done = Call(stop, *experiments_, &Experiments::ResumeJob, request, response);
    if (!done) return tl::unexpected(done.error());
    return JobFromProto(response.job());
  }

  Result<Explanation> ExplainJob(const std::string& name, std::stop_token stop) override {
    v1::ExplainJobRequest request;
    request.set_name(name);
    v1::ExplainJobResponse response;
    const Status done = Call(stop, *experiments_, &Experiments::ExplainJob, request, response);
    if (!done) return tl::unexpected(done.error());
    return FromProto(response);
  }

  Result<ProjectInfo> CreateProject(const std::string& name, const ProjectSettings& settings,
                                    std::stop_token stop) override {
    v1::CreateProjectRequest request;
    request.set_name(name);
    *request.mutable_settings() = ToProto(settings);
    v1::CreateProjectResponse response;
    const Status done = Call(stop, *projects_, &Projects::CreateProject, request, response);
    if (!done) return tl::unexpected(done.error());
    return FromProto(response.project());
  }

  Result<ProjectInfo> UpdateProject(const std::string& name, const ProjectSettings& settings,
                                    std::stop_token stop) override {
    v1::UpdateProjectRequest request;
    request.set_name(name);
    *request.mutable_settings() = ToProto(settings);
    v1::UpdateProjectResponse response;
    const Status done = Call(stop, *projects_, &Projects::UpdateProject, request, response);
    if (!done) return tl::unexpected(done.error());
    return FromProto(response.project());
  }

  Result<ProjectInfo> GetProject(const std::string& name, std::stop_token stop) override {
    v1::GetProjectRequest request;
    request.set_name(name);
    v1::GetProjectResponse response;
    const Status done = Call(stop, *projects_, &Projects::GetProject, request, response);
    if (!done) return tl::unexpected(done.error());
    return FromProto(response.project());
  }

  Result<std::vector<ProjectInfo>> ListProjects(std::stop_token stop) override {
    v1::ListProjectsResponse response;
    const Status done =
        Call(stop, *projects_, &Projects::ListProjects, v1::ListProjectsRequest(), response);
    if (!done) return tl::unexpected(done.error());
    return All<ProjectInfo>(response.projects());
  }

  Result<WorkerDetails> GetWorker(const std::string& name, std::stop_token stop) override {
    v1::GetWorkerRequest request;
    request.set_name(name);
    v1::GetWorkerResponse response;
    const Status done = Call(stop, *workers_, &Workers::GetWorker, request, response);
    if (!done) return tl::unexpected(done.error());
    return FromProto(response);
  }

  Result<WorkerInfo> DrainWorker(const std::string& name, const std::string& reason,
                                 std::stop_token stop) override {
    v1::DrainWorkerRequest request;
    request.set_name(name);
    request.set_reason(reason);
    v1::DrainWorkerResponse response;
    const Status done = Call(stop, *workers_, &Workers::DrainWorker, request, response);
    if (!done) return tl::unexpected(done.error());
    return WorkerFromProto(response.worker());
  }

  Result<WorkerInfo> ResumeWorker(const std::string& name, std::stop_token stop) override {
    v1::ResumeWorkerRequest request;
    request.set_name(name);
    v1::ResumeWorkerResponse response;
    const Status done = Call(stop, *workers_, &Workers::ResumeWorker, request, response);
    if (!done) return tl::unexpected(done.error());
    return WorkerFromProto(response.worker());
  }

  Result<ReservationInfo> CreateReservation(const ReservationInfo& reservation,
                                            std::stop_token stop) override {
    v1::CreateReservationRequest request;
    *request.mutable_reservation() = ToProto(reservation);
    v1::CreateReservationResponse response;
    const Status done = Call(stop, *workers_, &Workers::CreateReservation, request, response);
    if (!done) return tl::unexpected(done.error());
    return FromProto(response.reservation());
  }

  Result<std::vector<ReservationInfo>> ListReservations(std::stop_token stop) override {
    v1::ListReservationsResponse response;
    const Status done =
        Call(stop, *workers_, &Workers::ListReservations, v1::ListReservationsRequest(), response);
    if (!done) return tl::unexpected(done.error());
    return All<ReservationInfo>(response.reservations());
  }

  Status DeleteReservation(std::uint64_t id, std::stop_token stop) override {
    v1::DeleteReservationRequest request;
    request.set_id(id);
    v1::DeleteReservationResponse response;
    return Call(stop, *workers_, &Workers::DeleteReservation, request, response);
  }

  Result<CanaryInfo> SetCanary(const CanaryInfo& canary, std::stop_token stop) override {
    v1::SetCanaryRequest request;
    *request.mutable_canary() = ToProto(canary);
    v1::SetCanaryResponse response;
    const Status done = Call(stop, *workers_, &Workers::SetCanary, request, response);
    if (!done) return tl::unexpected(done.error());
    return FromProto(response.canary());
  }

  Result<std::vector<CanaryInfo>> ListCanaries(std::stop_token stop) override {
    v1::ListCanariesResponse response;
    const Status done =
        Call(stop, *workers_, &Workers::ListCanaries, v1::ListCanariesRequest(), response);
    if (!done) return tl::unexpected(done.error());
    std::vector<CanaryInfo> all;
    for (const v1::Canary& message : response.canaries()) {
      Result<CanaryInfo> canary = FromProto(message);
      if (!canary) return tl::unexpected(canary.error());
      all.push_back(std::move(*canary));
    }
    return all;
  }

  Result<std::vector<JobEvent>> ListEvents(const std::string& project, std::uint64_t after_sequence,
                                           std::uint32_t page_size, std::stop_token stop) override {
    v1::ListEventsRequest request;
    request.set_project(project);
    request.set_after_sequence(after_sequence);
    request.set_page_size(page_size);
    v1::ListEventsResponse response;
    const Status done = Call(stop, *projects_, &Projects::ListEvents, request, response);
    if (!done) return tl::unexpected(done.error());
    std::vector<JobEvent> events;
    for (const v1::Event& event : response.events()) events.push_back(EventFromProto(event));
    return events;
  }

  Result<GarbageReport> CollectGarbage(double older_than_seconds, bool dry_run,
                                       std::stop_token stop) override {
    v1::CollectGarbageRequest request;
    request.set_older_than_seconds(older_than_seconds);
    request.set_dry_run(dry_run);
    v1::CollectGarbageResponse response;
    const Status done = Call(stop, *projects_, &Projects::CollectGarbage, request, response);
    if (!done) return tl::unexpected(done.error());
    return FromProto(response);
  }

 private:
  using Experiments = v1::ExperimentService::Stub;
  using Workers = v1::WorkerService::Stub;
  using Projects = v1::ProjectService::Stub;

  template <typename Stub, typename Request, typename Response>
  Status Call(std::stop_token stop, Stub& stub,
              grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
              const Request& request, Response& response) {
    return CallWithRetry(settings_, stop, [&](grpc::ClientContext& context) {
      if (!user_.empty()) context.AddMetadata("inferon-user", user_);
      return (stub.*method)(&context, request, &response);
    });
  }

  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<Experiments> experiments_;
  const std::unique_ptr<Workers> workers_;
  const std::unique_ptr<Projects> projects_;
  const std::string user_;
  const CallSettings settings_;
};

}  // namespace

std::unique_ptr<OperatorClient> MakeOperatorClient(const SchedulerClientOptions& options) {
  return std::make_unique<GrpcOperatorClient>(options);
}

}  // namespace inferon::rpc
