#include "common/rpc/retry.h"

#include <gtest/gtest.h>

namespace inferon::rpc {
namespace {

using std::chrono::milliseconds;

const Error kAway{ErrorCode::kUnavailable, "away", "", {}};

class RetryTest : public ::testing::Test {
 protected:
  CallSettings Settings(RetryPolicy retry) {
    return {.server = "server", .retry = retry, .timeout = milliseconds(1'000), .clock = &clock_};
  }
  milliseconds Elapsed() const {
    return std::chrono::duration_cast<milliseconds>(clock_.Now() - start_);
  }

  FakeClock clock_;
  const SteadyTime start_ = clock_.Now();
};

TEST_F(RetryTest, DelayDoublesUpToItsLimit) {
  const CallSettings settings = Settings(RetryUntilStopped());
  BackOff back_off(settings);
  std::vector<int> delays;
  for (int i = 0; i < 7; ++i) {
    const milliseconds before = Elapsed();
    ASSERT_TRUE(back_off.WaitAfter(kAway, {}));
    delays.push_back(static_cast<int>((Elapsed() - before).count()));
  }
  EXPECT_EQ(delays, (std::vector<int>{100, 200, 400, 800, 1600, 2000, 2000}));
}

TEST_F(RetryTest, GivesUpInTime) {
  const CallSettings settings = Settings({.give_up_after = milliseconds(1'000)});
  BackOff back_off(settings);
  while (back_off.WaitAfter(kAway, {})) {
  }
  EXPECT_LE(Elapsed(), milliseconds(1'000));
  EXPECT_GE(Elapsed(), milliseconds(300));
}

TEST_F(RetryTest, StreamThatHasDeliveredIsResumedForLonger) {
  const CallSettings settings =
      Settings({.give_up_after = milliseconds(0), .resume_within = milliseconds(5'000)});
  BackOff back_off(settings);
  EXPECT_FALSE(back_off.WaitAfter(kAway, {}));
  back_off.Succeeded();
  while (back_off.WaitAfter(kAway, {})) {
  }
  EXPECT_GE(Elapsed(), milliseconds(3'000));
  EXPECT_LE(Elapsed(), milliseconds(5'000));
}

TEST_F(RetryTest, RefusalsAreNotTriedAgain) {
  const CallSettings settings = Settings(RetryUntilStopped());
  BackOff back_off(settings);
  for (const ErrorCode code : {ErrorCode::kInvalidArgument, ErrorCode::kNotFound,
                               ErrorCode::kAlreadyExists, ErrorCode::kFailedPrecondition,
                               ErrorCode::kAborted, ErrorCode::kDataLoss, ErrorCode::kInternal}) {
    EXPECT_FALSE(back_off.WaitAfter({code, "no", "", {}}, {}));
  }
}

TEST_F(RetryTest, FullQueueIsTriedAgainOnlyWhereTheServerSaysWhen) {
  const CallSettings settings = Settings(RetryUntilStopped());
  BackOff back_off(settings);
  EXPECT_FALSE(back_off.WaitAfter({ErrorCode::kResourceExhausted, "too large", "", {}}, {}));
  EXPECT_TRUE(
      back_off.WaitAfter({ErrorCode::kResourceExhausted, "full", "", milliseconds(5'000)}, {}));
  EXPECT_EQ(Elapsed(), milliseconds(5'000));
}

TEST_F(RetryTest, StopEndsTheWaiting) {
  const CallSettings settings = Settings(RetryUntilStopped());
  BackOff back_off(settings);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_FALSE(back_off.WaitAfter(kAway, stop.get_token()));
}

TEST_F(RetryTest, CallIsMadeAgainUntilItSucceeds) {
  int calls = 0;
  const Status done = CallWithRetry(Settings(RetryUntilStopped()), {}, [&](grpc::ClientContext&) {
    return ++calls < 4 ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "") : grpc::Status::OK;
  });
  EXPECT_TRUE(done);
  EXPECT_EQ(calls, 4);
}

TEST_F(RetryTest, StoppedCallIsInterrupted) {
  std::stop_source stop;
  stop.request_stop();
  const auto cancelled = [](grpc::ClientContext&) {
    return grpc::Status(grpc::StatusCode::CANCELLED, "");
  };
  const Status done = CallWithRetry(Settings(RetryUntilStopped()), stop.get_token(), cancelled);
  EXPECT_EQ(done.error().code, ErrorCode::kCancelled);
}

}  // namespace
}  // namespace inferon::rpc
