#include "client/library/health.h"

#include <grpcpp/health_check_service_interface.h>
#include <gtest/gtest.h>

#include "common/rpc/server.h"

namespace inferon::client {
namespace {

constexpr std::chrono::milliseconds kTimeout{2'000};

TEST(HealthTest, RunningServerIsHealthyUntilItIsShutDown) {
  rpc::Server server = std::move(*rpc::StartServer({}, {}));
  EXPECT_TRUE(CheckHealth("scheduler", server.address, kTimeout));
  server.server->GetHealthCheckService()->SetServingStatus(false);
  EXPECT_EQ(CheckHealth("scheduler", server.address, kTimeout).error().code,
            ErrorCode::kFailedPrecondition);
  server.server->Shutdown();
  const Status gone = CheckHealth("scheduler", server.address, kTimeout);
  EXPECT_EQ(gone.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(gone.error().message.find("scheduler at " + server.address), std::string::npos);
}

}  // namespace
}  // namespace inferon::client
