// Every method of the scheduler as everyone who could call it.
#include <gtest/gtest.h>

#include "common/access/token_file.h"
#include "common/rpc/server.h"
#include "server/scheduler/scheduler_server.h"
#include "tests/rpc/access_matrix.h"
#include "tests/scheduler/service_fixture.h"

namespace inferon::scheduler {
namespace {

class AccessTest : public ::testing::Test {
 protected:
  void Start(const std::filesystem::path& tokens) {
    SchedulerOptions options{.folder = folder_.path() / "data"};
    options.guard = {.tokens = tokens, .max_refusals_per_second = 0};
    auto server = StartScheduler(options);
    ASSERT_TRUE(server) << server.error().Text();
    server_ = std::move(*server);
  }

  TemporaryFolder folder_;
  const std::filesystem::path file_ = folder_.path() / "tokens.json";
  std::unique_ptr<SchedulerServer> server_;
};

TEST_F(AccessTest, EveryMethodLetsThroughWhoItShould) {
  rpc::WriteMatrixTokens(file_);
  Start(file_);
  rpc::ExpectAccess(server_->address(), {"ExperimentService", "WorkerService", "ProjectService"});
}

TEST_F(AccessTest, ListsShowWhatTheCallerHolds) {
  const NewToken token =
      MakeToken({.role = Role::kViewer, .scope = {"projects/lab"}, .label = "viewer"});
  const NewToken all = MakeToken({.role = Role::kOperator, .label = "operator"});
  ASSERT_TRUE(ChangeTokenFile(file_, [&](auto& tokens) -> Status {
    tokens = {token.record, all.record};
    return {};
  }));
  Start(file_);
  const auto stub = v1::ProjectService::NewStub(rpc::OpenChannel(server_->address()));
  const auto with = [](const NewToken& of) {
    auto context = MakeContext();
    context->AddMetadata("authorization", "Bearer " + of.text);
    return context;
  };
  for (const char* name : {"projects/lab", "projects/other"}) {
    v1::CreateProjectRequest request;
    request.set_name(name);
    v1::CreateProjectResponse response;
    ASSERT_TRUE(stub->CreateProject(with(all).get(), request, &response).ok());
  }
  v1::ListProjectsResponse mine, everything;
  ASSERT_TRUE(stub->ListProjects(with(token).get(), {}, &mine).ok());
  ASSERT_TRUE(stub->ListProjects(with(all).get(), {}, &everything).ok());
  ASSERT_EQ(mine.projects_size(), 1);
  EXPECT_EQ(mine.projects(0).name(), "projects/lab");
  EXPECT_GE(everything.projects_size(), 2);
  // All events are those of all projects.
  v1::ListEventsRequest events;
  v1::ListEventsResponse found;
  EXPECT_EQ(stub->ListEvents(with(token).get(), events, &found).error_code(),
            grpc::StatusCode::PERMISSION_DENIED);
  ASSERT_TRUE(stub->ListEvents(with(all).get(), events, &found).ok());
  // The record says whose token it was.
  EXPECT_NE(found.events(0).actor().find("operator/" + all.record.id), std::string::npos)
      << found.events(0).actor();
}

}  // namespace
}  // namespace inferon::scheduler
