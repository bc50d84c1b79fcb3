#include "common/rpc/status.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <system_error>

#include "inferon/v1/errors.pb.h"

namespace inferon::rpc {
namespace {

TEST(StatusTest, AnErrorSurvivesTheWire) {
  const Error error{ErrorCode::kResourceExhausted, "the queue is full", "Wait and try again",
                    std::chrono::milliseconds(1500)};
  const Error back = FromStatus(ToStatus(error), "scheduler");
  EXPECT_EQ(back.code, error.code);
  EXPECT_EQ(back.message, error.message);
  EXPECT_EQ(back.advice, error.advice);
  EXPECT_EQ(back.retry_after, error.retry_after);
}

TEST(StatusTest, EveryCodeMapsBackToItself) {
  for (int code = 0; code <= static_cast<int>(ErrorCode::kInternal); ++code) {
    const Error error{static_cast<ErrorCode>(code), "m", "", std::nullopt};
    EXPECT_EQ(FromStatus(ToStatus(error), "scheduler").code, error.code) << code;
    EXPECT_NE(ToStatus(error).error_code(), grpc::StatusCode::OK) << code;
  }
}

TEST(StatusTest, DetailsAreErrorInfoAndRetryInfo) {
  const Error error{ErrorCode::kUnavailable, "draining", "", std::chrono::seconds(2)};
  v1::StatusDetails details;
  ASSERT_TRUE(details.ParseFromString(ToStatus(error).error_details()));
  ASSERT_EQ(details.details_size(), 2);
  EXPECT_EQ(details.details(0).type_url(), "type.googleapis.com/google.rpc.ErrorInfo");
  EXPECT_EQ(details.details(1).type_url(), "type.googleapis.com/google.rpc.RetryInfo");
}

TEST(StatusTest, AnUnreachableServerIsNamedWithAdvice) {
  const Error error =
      FromStatus({grpc::StatusCode::UNAVAILABLE, "failed to connect"}, "scheduler at 127.0.0.1:1");
  EXPECT_NE(error.message.find("scheduler at 127.0.0.1:1"), std::string::npos);
  EXPECT_NE(error.advice.find("inferon up"), std::string::npos);
}

TEST(StatusTest, ExceptionsOfAHandlerBecomeStatuses) {
  const auto internal = Guard("Test", []() -> grpc::Status { throw std::runtime_error("broken"); });
  EXPECT_EQ(internal.error_code(), grpc::StatusCode::INTERNAL);
  const auto full = Guard(
      "Test", []() -> grpc::Status { throw std::system_error(ENOSPC, std::generic_category()); });
  EXPECT_EQ(full.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_NE(full.error_message().find("disk is full"), std::string::npos);
}

}  // namespace
}  // namespace inferon::rpc
