#include "common/rpc/server.h"

#include <gtest/gtest.h>

namespace inferon::rpc {
namespace {

TEST(ServerTest, PortZeroTakesAFreePort) {
  const auto server = StartServer({}, {});
  ASSERT_TRUE(server) << server.error().Text();
  EXPECT_EQ(server->address.rfind("127.0.0.1:", 0), 0u);
  EXPECT_NE(server->address, "127.0.0.1:0");
}

TEST(ServerTest, APortInUseIsRefusedWithAdvice) {
  const auto first = StartServer({}, {});
  ASSERT_TRUE(first);
  const auto second = StartServer({first->address, kMaxMessageBytes}, {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_NE(second.error().message.find("in use"), std::string::npos);
}

TEST(ServerTest, AddressesThatNeedTlsOrMakeNoSenseAreRefused) {
  for (const char* address : {"0.0.0.0:7001", "192.168.1.1:7001", "127.0.0.1", "127.0.0.1:",
                              "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:999999", ""}) {
    const auto server = StartServer({address, kMaxMessageBytes}, {});
    ASSERT_FALSE(server) << address;
    EXPECT_EQ(server.error().code, ErrorCode::kInvalidArgument) << address;
  }
}

}  // namespace
}  // namespace inferon::rpc
