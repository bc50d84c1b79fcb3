// Every method of the trainer as everyone who could call it; a study, its models and a data set
// belong to the project lab.
#include <gtest/gtest.h>

#include "common/access/token_file.h"
#include "tests/rpc/access_matrix.h"
#include "tests/trainer/served_trainer.h"

namespace inferon::trainer {
namespace {

class TrainerAccessTest : public ::testing::Test {
 protected:
  TrainerAccessTest() {
    rpc::WriteMatrixTokens(file_);
    EXPECT_TRUE(ChangeTokenFile(file_, [&](auto& tokens) -> Status {
      tokens.push_back(own_.record);
      tokens.push_back(other_.record);
      return {};
    }));
    trainer_ = std::make_unique<ServedTrainer>(
        folder_.path() / "trainer", 16,
        rpc::GuardOptions{.tokens = file_, .max_refusals_per_second = 0});
    StudySpec spec = ToySpec();
    spec.project = "lab";
    EXPECT_TRUE(trainer_->manager.Create("toy", spec));
    EXPECT_EQ(trainer_->parts.Await("toy").state, StudyState::kSucceeded);
    // What an alias points to cannot be deleted, whoever may.
    EXPECT_TRUE(
        trainer_->parts.registry.PromoteModel("toy-features", "default", SystemClock().WallNow()));
    DataSetSpec data;
    data.id = "own";
    data.project = "lab";
    data.prior =
        *ParsePrior(R"({"parameters": [{"name": "a", "prior": "uniform", "low": 0, "high": 1}]})");
    data.columns = 1;
    bool given = false;
    const auto rows = [&]() -> Result<DataSetRows> {
      if (std::exchange(given, true)) return DataSetRows{};
      return DataSetRows{{0.1, 0.2, 0.3}, {1, 2, 3}};
    };
    const auto imported = trainer_->engine->ImportDataSet(data, rows, {});
    EXPECT_TRUE(imported) << imported.error().Text();
  }

  // A context with the token of the project lab, or of another one.
  std::unique_ptr<grpc::ClientContext> As(const NewToken& token) {
    auto context = std::make_unique<grpc::ClientContext>();
    context->AddMetadata("authorization", "Bearer " + token.text);
    return context;
  }

  TemporaryFolder folder_;
  const std::filesystem::path file_ = folder_.path() / "tokens.json";
  const NewToken own_ =
      MakeToken({.role = Role::kSubmitter, .scope = {"projects/lab"}, .label = "own"});
  const NewToken other_ =
      MakeToken({.role = Role::kSubmitter, .scope = {"projects/other"}, .label = "other"});
  std::unique_ptr<ServedTrainer> trainer_;
};

TEST_F(TrainerAccessTest, EveryMethodLetsThroughWhoItShould) {
  rpc::ExpectAccess(trainer_->address(),
                    {"StudyService", "ModelService", "PosteriorService", "SimulatorService"});
}

TEST_F(TrainerAccessTest, ListsShowWhatTheCallerHolds) {
  const auto counts = [&](const NewToken& token) {
    v1::ListStudiesResponse studies;
    EXPECT_TRUE(trainer_->studies->ListStudies(As(token).get(), {}, &studies).ok());
    v1::ListModelsResponse models;
    EXPECT_TRUE(trainer_->models->ListModels(As(token).get(), {}, &models).ok());
    const auto simulators = v1::SimulatorService::NewStub(rpc::OpenChannel(trainer_->address()));
    v1::ListDatasetsResponse data_sets;
    EXPECT_TRUE(simulators->ListDatasets(As(token).get(), {}, &data_sets).ok());
    return std::tuple(studies.studies_size(), models.models_size(), data_sets.datasets_size());
  };
  EXPECT_EQ(counts(own_), std::tuple(1, 2, 1));
  EXPECT_EQ(counts(other_), std::tuple(0, 0, 0));
}

TEST_F(TrainerAccessTest, APredictionRunsInTheProjectOfItsModel) {
  v1::PredictPosteriorRequest request;
  request.set_model("models/toy-features");
  *request.mutable_observation() = ObserveToy(500);
  request.set_draws(2);
  const auto context = As(own_);
  const auto reader = trainer_->posteriors->PredictPosterior(context.get(), request);
  v1::PredictPosteriorResponse first, response;
  ASSERT_TRUE(reader->Read(&first));
  while (reader->Read(&response)) {
  }
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_TRUE(first.job().starts_with("projects/lab/")) << first.job();
}

TEST_F(TrainerAccessTest, TheNewestModelMustBeNamedByWhoDoesNotHoldAll) {
  v1::SamplePosteriorRequest request;
  *request.mutable_observation() = ObserveToy(500);
  const auto context = As(own_);
  const auto reader = trainer_->posteriors->SamplePosterior(context.get(), request);
  v1::SamplePosteriorResponse response;
  while (reader->Read(&response)) {
  }
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::PERMISSION_DENIED);
}

}  // namespace
}  // namespace inferon::trainer
