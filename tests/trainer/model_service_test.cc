// Models, aliases and their end over real gRPC, with the toy neuron behind them.
#include <gmock/gmock.h>

#include <fstream>

#include "tests/trainer/served_trainer.h"

namespace inferon::trainer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Each test has models of its own: it changes them.
class ModelServiceTest : public testing::Test {
 protected:
  ModelServiceTest() : trainer_(folder_.path()) {
    grpc::ClientContext context;
    v1::CreateStudyRequest request;
    request.set_study_id("toy");
    *request.mutable_spec() = ToProto(ToySpec());
    v1::CreateStudyResponse response;
    EXPECT_TRUE(trainer_.studies->CreateStudy(&context, request, &response).ok());
    EXPECT_EQ(trainer_.parts.Await("toy").state, StudyState::kSucceeded);
  }

  grpc::Status Promote(const std::string& model, const std::string& alias = "") {
    grpc::ClientContext context;
    v1::PromoteModelRequest request;
    request.set_name("models/" + model);
    request.set_alias(alias);
    v1::PromoteModelResponse response;
    return trainer_.models->PromoteModel(&context, request, &response);
  }
  grpc::Status RollBack(const std::string& alias = "") {
    grpc::ClientContext context;
    v1::RollBackModelRequest request;
    request.set_alias(alias);
    v1::RollBackModelResponse response;
    return trainer_.models->RollBackModel(&context, request, &response);
  }
  grpc::Status Delete(const std::string& model) {
    grpc::ClientContext context;
    v1::DeleteModelRequest request;
    request.set_name("models/" + model);
    v1::DeleteModelResponse response;
    return trainer_.models->DeleteModel(&context, request, &response);
  }
  // The model that answers a query for a name ("" or "models/…").
  std::string Answers(const std::string& name) {
    grpc::ClientContext context;
    v1::EstimateMapRequest request;
    request.set_model(name);
    request.set_draws(10);
    *request.mutable_observation() = ObserveToy(910);
    v1::EstimateMapResponse response;
    const grpc::Status status = trainer_.posteriors->EstimateMap(&context, request, &response);
    return status.ok() ? response.model().name() : status.error_message();
  }
  std::vector<std::string> AliasesOf(const std::string& model) {
    grpc::ClientContext context;
    v1::GetModelRequest request;
    request.set_name("models/" + model);
    v1::GetModelResponse response;
    EXPECT_TRUE(trainer_.models->GetModel(&context, request, &response).ok());
    return {response.model().aliases().begin(), response.model().aliases().end()};
  }

  const TemporaryFolder folder_;
  ServedTrainer trainer_;
};

TEST_F(ModelServiceTest, AliasesMoveForwardAndBack) {
  ASSERT_TRUE(Promote("toy-features", "live").ok());
  EXPECT_EQ(Answers("models/live"), "models/toy-features");
  ASSERT_TRUE(Promote("toy-summary", "live").ok());
  EXPECT_EQ(Answers("models/live"), "models/toy-summary");
  EXPECT_THAT(AliasesOf("toy-summary"), ElementsAre("live"));
  EXPECT_THAT(AliasesOf("toy-features"), IsEmpty());
  ASSERT_TRUE(RollBack("live").ok());
  EXPECT_EQ(Answers("models/live"), "models/toy-features");
  EXPECT_EQ(RollBack("live").error_code(), grpc::StatusCode::FAILED_PRECONDITION);
}

TEST_F(ModelServiceTest, TheDefaultAliasAnswersWhereNoModelIsNamed) {
  const std::string newest = Answers("");
  const std::string other = newest == "models/toy-summary" ? "toy-features" : "toy-summary";
  ASSERT_TRUE(Promote(other).ok());
  EXPECT_EQ(Answers(""), "models/" + other);
}

TEST_F(ModelServiceTest, AliasesOutliveTheTrainer) {
  ASSERT_TRUE(Promote("toy-features", "live").ok());
  const Registry later(folder_.path() / "models", *trainer_.parts.factory);
  EXPECT_EQ(later.Get("live")->id, "toy-features");
}

TEST_F(ModelServiceTest, ADamagedModelIsNotPromoted) {
  ASSERT_TRUE(Promote("toy-features", "live").ok());
  std::ofstream(folder_.path() / "models" / "toy-summary" / "weights.safetensors") << "damaged";
  EXPECT_EQ(Promote("toy-summary", "live").error_code(), grpc::StatusCode::DATA_LOSS);
  EXPECT_EQ(Answers("models/live"), "models/toy-features");
}

TEST_F(ModelServiceTest, BadRequestsAreRefused) {
  EXPECT_EQ(Promote("none").error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(Promote("../x").error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Promote("toy-features", "No Alias").error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(RollBack("none").error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(Delete("none").error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(ModelServiceTest, AModelWithAnAliasIsNotDeleted) {
  ASSERT_TRUE(Promote("toy-features", "live").ok());
  const grpc::Status refused = Delete("toy-features");
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(refused.error_message(), HasSubstr("alias live"));
  EXPECT_EQ(Answers("models/toy-features"), "models/toy-features");
  // Only what an alias can go back to is no hindrance, and is gone from it.
  ASSERT_TRUE(Promote("toy-summary", "live").ok());
  EXPECT_TRUE(Delete("toy-features").ok());
  EXPECT_EQ(RollBack("live").error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "models" / "toy-features"));
}

TEST_F(ModelServiceTest, AModelDeletedWhileItAnswersFinishesItsAnswer) {
  v1::SamplePosteriorRequest request;
  request.set_model("models/toy-features");
  *request.mutable_observation() = ObserveToy(910);
  request.set_draws(100'000);
  const auto all = [&](auto after_first) {
    grpc::ClientContext context;
    const auto reader = trainer_.posteriors->SamplePosterior(&context, request);
    v1::SamplePosteriorResponse response;
    std::string codes;
    while (reader->Read(&response)) {
      if (codes.empty()) after_first();
      codes += response.codes().data();
    }
    EXPECT_TRUE(reader->Finish().ok());
    return codes;
  };
  const std::string undisturbed = all([] {});
  EXPECT_EQ(undisturbed.size(), 100'000u * 7 * 2);
  EXPECT_EQ(all([&] { EXPECT_TRUE(Delete("toy-features").ok()); }), undisturbed);
  EXPECT_THAT(Answers("models/toy-features"), HasSubstr("there is no model toy-features"));
}

}  // namespace
}  // namespace inferon::trainer
