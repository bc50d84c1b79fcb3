#include "common/rpc/call_guard.h"
#include "common/rpc/convert.h"
#include "common/rpc/status.h"
#include "inferon/v1/projects.grpc.pb.h"
#include "server/scheduler/services/convert.h"
#include "server/scheduler/services/operations_convert.h"
#include "server/scheduler/services/services.h"

namespace inferon::scheduler {
namespace {

constexpr std::uint32_t kDefaultEvents = 100;

class ProjectServiceImpl : public v1::ProjectService::Service {
 public:
  ProjectServiceImpl(Core& core, const rpc::CallGuard& guard) : core_(core), guard_(guard) {}

  grpc::Status CreateProject(grpc::ServerContext* context, const v1::CreateProjectRequest* request,
                             v1::CreateProjectResponse* response) override {
    return guard_.Run(*context, *request, [&](const rpc::Caller& caller) {
      const Result<std::string> id = rpc::ParseName(request->name(), "projects");
      if (!id) return rpc::ToStatus(id.error());
      return Answer(
          core_.CreateProject(*id, FromProto(request->settings()), ActorOf(*context, caller)),
          response);
    });
  }

  grpc::Status GetProject(grpc::ServerContext* context, const v1::GetProjectRequest* request,
                          v1::GetProjectResponse* response) override {
    return guard_.Run(*context, *request, [&](const rpc::Caller&) {
      const Result<std::string> id = rpc::ParseName(request->name(), "projects");
      if (!id) return rpc::ToStatus(id.error());
      return Answer(core_.GetProject(*id), response);
    });
  }

  grpc::Status ListProjects(grpc::ServerContext* context, const v1::ListProjectsRequest* request,
                            v1::ListProjectsResponse* response) override {
    return guard_.Run(*context, *request, [&](const rpc::Caller& caller) {
      const Result<std::vector<ProjectView>> projects = core_.ListProjects();
      if (!projects) return rpc::ToStatus(projects.error());
      for (const ProjectView& project : *projects) {
        v1::Project message = ToProto(project);
        if (caller.Holds(message.name())) *response->add_projects() = std::move(message);
      }
      return grpc::Status::OK;
    });
  }

  grpc::Status UpdateProject(grpc::ServerContext* context, const v1::UpdateProjectRequest* request,
                             v1::UpdateProjectResponse* response) override {
    return guard_.Run(*context, *request, [&](const rpc::Caller& caller) {
      const Result<std::string> id = rpc::ParseName(request->name(), "projects");
      if (!id) return rpc::ToStatus(id.error());
      return Answer(
          core_.UpdateProject(*id, FromProto(request->settings()), ActorOf(*context, caller)),
          response);
    });
  }

  grpc::Status ListEvents(grpc::ServerContext* context, const v1::ListEventsRequest* request,
                          v1::ListEventsResponse* response) override {
    return guard_.Run(*context, *request, [&](const rpc::Caller&) {
      std::string project;
      if (!request->project().empty()) {
        const Result<std::string> id = rpc::ParseName(request->project(), "projects");
        if (!id) return rpc::ToStatus(id.error());
        project = *id;
      }
      const std::uint32_t size =
          request->page_size() == 0 ? kDefaultEvents : std::min(request->page_size(), kMaxPageSize);
      const auto events = core_.ListEvents(project, request->after_sequence(), size);
      if (!events) return rpc::ToStatus(events.error());
      for (const Event& event : *events) *response->add_events() = ToProto(event);
      return grpc::Status::OK;
    });
  }

  grpc::Status CollectGarbage(grpc::ServerContext* context,
                              const v1::CollectGarbageRequest* request,
                              v1::CollectGarbageResponse* response) override {
    return guard_.Run(*context, *request, [&](const rpc::Caller& caller) {
      const auto report =
          core_.CollectGarbage(std::chrono::duration<double>(request->older_than_seconds()),
                               request->dry_run(), ActorOf(*context, caller));
      if (!report) return rpc::ToStatus(report.error());
      *response = ToProto(*report);
      return grpc::Status::OK;
    });
  }

 private:
  template <typename Response>
  static grpc::Status Answer(const Result<ProjectView>& project, Response* response) {
    if (!project) return rpc::ToStatus(project.error());
    *response->mutable_project() = ToProto(*project);
    return grpc::Status::OK;
  }

  Core& core_;
  const rpc::CallGuard& guard_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeProjectService(Core& core, const rpc::CallGuard& guard) {
  return std::make_unique<ProjectServiceImpl>(core, guard);
}

}  // namespace inferon::scheduler
