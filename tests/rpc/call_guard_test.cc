#include "common/rpc/call_guard.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "common/access/token_file.h"
#include "common/base/files.h"
#include "tests/rpc/probe_service.h"

namespace inferon::rpc {
namespace {

using grpc::StatusCode;

class CallGuardTest : public ::testing::Test {
 protected:
  std::string AddToken(const std::string& label) {
    const NewToken token = MakeToken({.role = Role::kViewer, .label = label});
    EXPECT_TRUE(ChangeTokenFile(file_, [&](auto& tokens) -> Status {
      tokens.push_back(token.record);
      return {};
    }));
    return token.text;
  }

  // Serves under these options.
  void Serve(const GuardOptions& options) {
    auto tokens = OpenTokens(options, clock_);
    ASSERT_TRUE(tokens) << tokens.error().Text();
    guard_ = std::make_unique<CallGuard>(std::move(*tokens), options, clock_);
    service_ = std::make_unique<ProbeService>(*guard_);
    server_ = *StartServer({}, {service_.get()});
  }

  ProbeAnswer Ask(const std::string& token, const std::string& project = "projects/lab") {
    return AskProbe(server_.address, {.token = token}, project);
  }

  TemporaryFolder folder_;
  const std::filesystem::path file_ = folder_.path() / "tokens.json";
  FakeClock clock_;
  std::unique_ptr<CallGuard> guard_;
  std::unique_ptr<ProbeService> service_;
  Server server_;
};

TEST_F(CallGuardTest, WithoutAFileOfTokensAnyonePasses) {
  Serve({});
  const ProbeAnswer answer = Ask("");
  EXPECT_TRUE(answer.status.ok());
  EXPECT_EQ(answer.caller, "");
}

TEST_F(CallGuardTest, TheHandlerKnowsWhoCalls) {
  const std::string token = AddToken("alice");
  Serve({.tokens = file_});
  EXPECT_EQ(Ask(token).caller, "alice/" + *TokenId(token));
  EXPECT_EQ(Ask("").status.error_code(), StatusCode::UNAUTHENTICATED);
}

TEST_F(CallGuardTest, ARefusalSurvivesTheWireWithItsAdvice) {
  AddToken("alice");
  Serve({.tokens = file_});
  const Error error = FromStatus(Ask("").status, "scheduler");
  EXPECT_EQ(error.code, ErrorCode::kFailedPrecondition);
  EXPECT_NE(error.message.find("token"), std::string::npos);
  EXPECT_NE(error.advice.find("--token-file"), std::string::npos);
}

TEST_F(CallGuardTest, EachTokenHasItsOwnRate) {
  const std::string alice = AddToken("alice");
  const std::string bob = AddToken("bob");
  Serve({.tokens = file_, .max_calls_per_second = 1});
  EXPECT_TRUE(Ask(alice).status.ok());
  EXPECT_TRUE(Ask(alice).status.ok());
  const grpc::Status third = Ask(alice).status;
  EXPECT_EQ(third.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(FromStatus(third, "").retry_after, std::chrono::milliseconds(1000));
  EXPECT_TRUE(Ask(bob).status.ok());
  clock_.Advance(std::chrono::seconds(1));
  EXPECT_TRUE(Ask(alice).status.ok());
}

TEST_F(CallGuardTest, TryingTokensIsSlowAndHoldsNobodyElseUp) {
  const std::string alice = AddToken("alice");
  Serve({.tokens = file_, .max_refusals_per_second = 1});
  EXPECT_EQ(Ask("x").status.error_code(), StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(Ask("x").status.error_code(), StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(Ask("x").status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(Ask(alice).status.ok());
}

TEST_F(CallGuardTest, AMessageLargerThanItsMethodTakesIsRefused) {
  Serve({});
  v1::GetProjectRequest request;
  request.set_name(std::string(1000, 'a'));
  const std::size_t most = RuleOf(request)->max_bytes;
  // A name as long as this has three bytes for its length, and one for the field's number.
  EXPECT_TRUE(Ask("", std::string(most - 4, 'a')).status.ok());
  const grpc::Status status = Ask("", std::string(most - 3, 'a')).status;
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_NE(status.error_message().find("larger"), std::string::npos);
}

TEST_F(CallGuardTest, WhatAHandlerThrowsBecomesAStatus) {
  Serve({});
  service_->body = [] { throw std::runtime_error("broken"); };
  EXPECT_EQ(Ask("").status.error_code(), StatusCode::INTERNAL);
}

TEST_F(CallGuardTest, ATokenOfAFileIsReadWithoutItsLineEnd) {
  const std::string token = AddToken("alice");
  Serve({.tokens = file_});
  WriteFileAtomically(folder_.path() / "token", token + "\r\n");
  EXPECT_TRUE(AskProbe(server_.address, {.token_file = folder_.path() / "token", .token = "other"})
                  .status.ok());
  EXPECT_EQ(AskProbe(server_.address, {.token_file = folder_.path() / "none"}).status.error_code(),
            StatusCode::UNAUTHENTICATED);
}

TEST_F(CallGuardTest, ATokenWithLineEndsIsRefusedNotSent) {
  AddToken("alice");
  Serve({.tokens = file_});
  EXPECT_EQ(Ask("a\nb: c").status.error_code(), StatusCode::UNAUTHENTICATED);
}

}  // namespace
}  // namespace inferon::rpc
