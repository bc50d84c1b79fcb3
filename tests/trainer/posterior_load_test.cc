// Posterior queries under more load than there is room for, and in bad company.
#include <gmock/gmock.h>

#include <fstream>
#include <latch>
#include <thread>

#include "common/rpc/status.h"
#include "tests/trainer/served_trainer.h"

namespace inferon::trainer {
namespace {

using testing::HasSubstr;

// Value of a line of /proc/self/status in kB.
long StatusKb(const std::string& key) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(key)) return std::stol(line.substr(key.size() + 1));
  }
  return -1;
}

class PosteriorLoadTest : public ServiceTest {
 protected:
  static v1::SamplePosteriorRequest SampleRequest(std::uint64_t draws) {
    v1::SamplePosteriorRequest request;
    request.set_model("models/toy-features");
    *request.mutable_observation() = ObserveToy(910);
    request.set_draws(draws);
    return request;
  }
  static v1::EvaluateLogProbRequest DensityRequest(std::uint16_t code, std::size_t columns) {
    v1::EvaluateLogProbRequest request;
    request.set_model("models/toy-features");
    *request.mutable_observation() = ObserveToy(910);
    const std::vector<std::uint16_t> codes(columns, code);
    *request.mutable_codes() = rpc::ToArray<std::uint16_t>("codes", codes, {1, columns});
    return request;
  }
  // The density, or the refusal's message.
  static std::string Ask(const v1::EvaluateLogProbRequest& request) {
    grpc::ClientContext context;
    v1::EvaluateLogProbResponse response;
    const grpc::Status status = trainer_->posteriors->EvaluateLogProb(&context, request, &response);
    return status.ok() ? response.log_density().data() : status.error_message();
  }
};

TEST_F(PosteriorLoadTest, AMalformedQuestionAmongOthersFailsAlone) {
  constexpr int kThreads = 8, kRounds = 40;
  const v1::EvaluateLogProbRequest good = DensityRequest(900, 7),
                                   short_set = DensityRequest(900, 6);
  v1::EvaluateLogProbRequest long_trace = good;
  const std::vector<float> trace(50, 500);
  *long_trace.mutable_observation()->mutable_trace() = rpc::ToArray<float>("trace", trace, {50});
  const std::string alone = Ask(good);
  ASSERT_EQ(alone.size(), sizeof(double));
  std::latch start(kThreads);
  std::vector<std::jthread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      start.arrive_and_wait();
      for (int round = 0; round < kRounds; ++round) {
        switch ((thread + round) % 4) {
          case 0:
            EXPECT_THAT(Ask(short_set), HasSubstr("the parameter sets have 6 codes"));
            break;
          case 1:
            EXPECT_THAT(Ask(long_trace), HasSubstr("trace"));
            break;
          default:
            EXPECT_EQ(Ask(good), alone);
        }
      }
    });
  }
}

TEST_F(PosteriorLoadTest, BillionsOfDrawsAreRefusedAtOnce) {
  grpc::ClientContext context;
  const auto reader = trainer_->posteriors->SamplePosterior(&context, SampleRequest(5'000'000'000));
  v1::SamplePosteriorResponse response;
  EXPECT_FALSE(reader->Read(&response));
  const grpc::Status status = reader->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("5000000000 draws are more than 10000000"));
}

// 2 million draws are 44 MB on the wire: neither side holds more than some blocks of them.
TEST_F(PosteriorLoadTest, LargeAnswersAreStreamedInBoundedMemory) {
  const auto stream = [](std::uint64_t draws) {
    grpc::ClientContext context;
    const auto reader = trainer_->posteriors->SamplePosterior(&context, SampleRequest(draws));
    v1::SamplePosteriorResponse response;
    std::uint64_t rows = 0;
    while (reader->Read(&response)) rows += response.log_density().shape(0);
    EXPECT_TRUE(reader->Finish().ok());
    EXPECT_EQ(rows, draws);
  };
  stream(100'000);
  std::ofstream("/proc/self/clear_refs") << "5";  // The peak starts anew.
  const long before = StatusKb("VmHWM:");
  ASSERT_GT(before, 0);
  stream(2'000'000);
  EXPECT_LT(StatusKb("VmHWM:") - before, 20'000);
}

TEST(PosteriorLimitTest, AQueryOverTheLimitIsToldWhenToComeBackAndThenServed) {
  const TemporaryFolder folder;
  ServedTrainer trainer(folder.path(), /*most_queries=*/1);
  ASSERT_EQ(trainer.parts.Run("toy").state, StudyState::kSucceeded);
  v1::SamplePosteriorRequest endless;
  *endless.mutable_observation() = ObserveToy(910);
  endless.set_draws(10'000'000);
  v1::SamplePosteriorResponse block;
  grpc::ClientContext holding;
  const auto reader = trainer.posteriors->SamplePosterior(&holding, endless);
  ASSERT_TRUE(reader->Read(&block));  // It has the only place.
  v1::EstimateMapRequest request;
  *request.mutable_observation() = ObserveToy(910);
  request.set_draws(10);
  const auto ask = [&] {
    grpc::ClientContext context;
    v1::EstimateMapResponse response;
    return trainer.posteriors->EstimateMap(&context, request, &response);
  };
  const grpc::Status refused = ask();
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(refused.error_details(), HasSubstr("google.rpc.RetryInfo"));
  EXPECT_TRUE(rpc::FromStatus(refused, "trainer").retry_after.has_value());
  holding.TryCancel();  // The client goes away in the middle of its stream: its place is free soon.
  while (reader->Read(&block)) {
  }
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
  grpc::Status served = ask();
  while (served.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED) served = ask();
  EXPECT_TRUE(served.ok()) << served.error_message();
}

}  // namespace
}  // namespace inferon::trainer
