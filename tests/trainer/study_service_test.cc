// Studies and models over real gRPC, with the toy neuron behind them.
#include <set>

#include "server/trainer/services/trainer_server.h"
#include "tests/trainer/served_trainer.h"

namespace inferon::trainer {
namespace {

using StudyServiceTest = ServiceTest;

TEST_F(StudyServiceTest, WatchTellsTheEndAndEnds) {
  grpc::ClientContext context;
  v1::WatchStudyRequest request;
  request.set_name("studies/toy");
  const auto reader = trainer_->studies->WatchStudy(&context, request);
  v1::WatchStudyResponse response;
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_EQ(response.study().state(), v1::STUDY_STATE_SUCCEEDED);
  EXPECT_EQ(response.study().models_size(), 2);
  EXPECT_EQ(response.study().spec().validation_count(), 40u);
  EXPECT_EQ(response.study().spec().max_spikes(), 70u);
  EXPECT_FALSE(reader->Read(&response));
  EXPECT_TRUE(reader->Finish().ok());
}

TEST_F(StudyServiceTest, ReportStreamsNumbersThenArrays) {
  grpc::ClientContext context;
  v1::StreamStudyReportRequest request;
  request.set_name("studies/toy");
  const auto reader = trainer_->studies->StreamStudyReport(&context, request);
  v1::StreamStudyReportResponse response;
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_GT(response.numbers_size(), 50);
  EXPECT_EQ(response.parameters_size(), 7);
  EXPECT_EQ(response.features_size(), 12);
  std::set<std::string> names;
  while (reader->Read(&response)) {
    for (const v1::Array& array : response.arrays()) {
      EXPECT_TRUE(rpc::CheckArray(array, array.dtype(), array.shape_size())) << array.name();
      names.insert(array.name());
    }
  }
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(names.size(), 10u + 2 * 16);
}

TEST_F(StudyServiceTest, CreateAgainGivesTheStudyAndOtherSettingsAreRefused) {
  v1::CreateStudyRequest request;
  request.set_study_id("toy");
  *request.mutable_spec() = ToProto(ToySpec());
  v1::CreateStudyResponse response;
  {
    grpc::ClientContext context;
    EXPECT_TRUE(trainer_->studies->CreateStudy(&context, request, &response).ok());
  }
  request.mutable_spec()->set_seed(99);
  grpc::ClientContext context;
  EXPECT_EQ(trainer_->studies->CreateStudy(&context, request, &response).error_code(),
            grpc::StatusCode::ALREADY_EXISTS);
}

TEST_F(StudyServiceTest, EstimatorAndItsConfigTravelBothWays) {
  v1::CreateStudyRequest request;
  request.set_study_id("chosen");
  *request.mutable_spec() = ToProto(ToySpec());
  request.mutable_spec()->mutable_features_estimator()->set_estimator("affine-flow");
  const std::string config = R"({"summary": "dilated", "repair": false})";
  request.mutable_spec()->mutable_summary_estimator()->set_config(config);
  v1::CreateStudyResponse response;
  grpc::ClientContext context;
  ASSERT_TRUE(trainer_->studies->CreateStudy(&context, request, &response).ok());
  const v1::StudySpec& spec = response.study().spec();
  EXPECT_EQ(spec.features_estimator().estimator(), "affine-flow");
  EXPECT_EQ(spec.summary_estimator().estimator(), "flow");
  EXPECT_EQ(spec.summary_estimator().config(), config);
}

TEST_F(StudyServiceTest, BadStudiesAreRefused) {
  const auto code = [&](const std::string& id, auto change) {
    v1::CreateStudyRequest request;
    request.set_study_id(id);
    *request.mutable_spec() = ToProto(ToySpec());
    change(*request.mutable_spec());
    v1::CreateStudyResponse response;
    grpc::ClientContext context;
    return trainer_->studies->CreateStudy(&context, request, &response).error_code();
  };
  constexpr auto kInvalid = grpc::StatusCode::INVALID_ARGUMENT;
  EXPECT_EQ(code("Bad Id", [](auto&) {}), kInvalid);
  EXPECT_EQ(code("x", [](v1::StudySpec& s) { s.clear_profile_toml(); }), kInvalid);
  EXPECT_EQ(
      code("x",
           [](v1::StudySpec& s) { s.mutable_features_estimator()->set_config("{\"epochs\": 3}"); }),
      kInvalid);
  EXPECT_EQ(code("x", [](v1::StudySpec& s) { s.mutable_protocol()->set_grid_step_us(1e-9); }),
            kInvalid);
  EXPECT_EQ(code("x", [](v1::StudySpec& s) { s.mutable_device()->set_neuron(512); }), kInvalid);
  EXPECT_EQ(code("x", [](v1::StudySpec& s) { s.set_project("elsewhere"); }), kInvalid);
  EXPECT_EQ(code("x", [](v1::StudySpec& s) { s.add_target_codes(1); }), kInvalid);
  EXPECT_EQ(code("x", [](v1::StudySpec& s) { s.set_uniform_count(1); }), kInvalid);
}

TEST_F(StudyServiceTest, UnknownNamesAreNotFoundAndMalformedOnesInvalid) {
  const auto get_study = [&](const std::string& name) {
    v1::GetStudyRequest request;
    request.set_name(name);
    v1::GetStudyResponse response;
    grpc::ClientContext context;
    return trainer_->studies->GetStudy(&context, request, &response).error_code();
  };
  EXPECT_EQ(get_study("studies/none"), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(get_study("toy"), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(get_study("studies/../toy"), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(get_study("studies/toy"), grpc::StatusCode::OK);
  const auto get_model = [&](const std::string& name) {
    v1::GetModelRequest request;
    request.set_name(name);
    v1::GetModelResponse response;
    grpc::ClientContext context;
    return trainer_->models->GetModel(&context, request, &response).error_code();
  };
  EXPECT_EQ(get_model("models/none"), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(get_model("models/../x"), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(get_model("models/toy-summary"), grpc::StatusCode::OK);
}

TEST_F(StudyServiceTest, ModelsComeInPages) {
  std::set<std::string> names;
  v1::ListModelsRequest request;
  request.set_page_size(1);
  for (int page = 0; page < 2; ++page) {
    v1::ListModelsResponse response;
    grpc::ClientContext context;
    ASSERT_TRUE(trainer_->models->ListModels(&context, request, &response).ok());
    ASSERT_EQ(response.models_size(), 1);
    const v1::Model& model = response.models(0);
    names.insert(model.name());
    EXPECT_EQ(model.study(), "studies/toy");
    EXPECT_EQ(model.training_count(), 400u);
    EXPECT_EQ(model.weights_sha256().size(), 64u);
    EXPECT_EQ(model.parameters_size(), 7);
    request.set_page_token(response.next_page_token());
  }
  EXPECT_EQ(names.size(), 2u);
  EXPECT_TRUE(request.page_token().empty());
  request.set_page_token("nonsense");
  v1::ListModelsResponse response;
  grpc::ClientContext context;
  EXPECT_EQ(trainer_->models->ListModels(&context, request, &response).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

TEST(HangingStudyTest, WatchReportsProgressAndEndsWhenTheTrainerStops) {
  const TemporaryFolder folder;
  auto trainer = std::make_unique<ServedTrainer>(folder.path());
  trainer->parts.experiments.hang = true;
  ASSERT_TRUE(trainer->parts.Manager().Create("toy", ToySpec()));
  grpc::ClientContext context;
  v1::WatchStudyRequest request;
  request.set_name("studies/toy");
  const auto reader = trainer->studies->WatchStudy(&context, request);
  v1::WatchStudyResponse response;
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_EQ(response.study().state(), v1::STUDY_STATE_RUNNING);
  trainer->stop.request_stop();
  while (reader->Read(&response)) {
  }
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST(HangingStudyTest, CancelEndsTheWatchAndRunningReportIsRefused) {
  const TemporaryFolder folder;
  ServedTrainer trainer(folder.path());
  trainer.parts.experiments.hang = true;
  ASSERT_TRUE(trainer.parts.Manager().Create("toy", ToySpec()));
  {
    grpc::ClientContext context;
    v1::StreamStudyReportRequest request;
    request.set_name("studies/toy");
    const auto reader = trainer.studies->StreamStudyReport(&context, request);
    v1::StreamStudyReportResponse response;
    EXPECT_FALSE(reader->Read(&response));
    EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  }
  v1::CancelStudyRequest request;
  request.set_name("studies/toy");
  v1::CancelStudyResponse response;
  grpc::ClientContext context;
  ASSERT_TRUE(trainer.studies->CancelStudy(&context, request, &response).ok());
  EXPECT_EQ(response.study().state(), v1::STUDY_STATE_CANCELLED);
}

TEST(TrainerServerTest, SecondTrainerOnAFolderIsRefused) {
  const TemporaryFolder folder;
  const auto factory = MakeHistogramFactory();
  TrainerOptions options{.folder = folder.path(), .scheduler = "127.0.0.1:1"};
  const auto first = StartTrainer(options, *factory, SystemClock());
  ASSERT_TRUE(first);
  const auto second = StartTrainer(options, *factory, SystemClock());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kFailedPrecondition);
}

TEST(TrainerServerTest, UsedPortIsRefused) {
  const TemporaryFolder folder;
  const TemporaryFolder other;
  const auto factory = MakeHistogramFactory();
  const auto first =
      StartTrainer({.folder = folder.path(), .scheduler = "127.0.0.1:1"}, *factory, SystemClock());
  ASSERT_TRUE(first);
  const auto second = StartTrainer(
      {.folder = other.path(), .address = (*first)->address(), .scheduler = "127.0.0.1:1"},
      *factory, SystemClock());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kFailedPrecondition);
}

TEST(TrainerServerTest, StudyWaitsForASchedulerThatIsAwayAndTheTrainerStillStops) {
  const TemporaryFolder folder;
  const auto factory = MakeHistogramFactory();
  auto trainer =
      StartTrainer({.folder = folder.path(), .scheduler = "127.0.0.1:1"}, *factory, SystemClock());
  ASSERT_TRUE(trainer);
  const auto channel = rpc::OpenChannel((*trainer)->address());
  const auto studies = v1::StudyService::NewStub(channel);
  v1::CreateStudyRequest request;
  request.set_study_id("toy");
  *request.mutable_spec() = ToProto(ToySpec());
  v1::CreateStudyResponse response;
  grpc::ClientContext context;
  ASSERT_TRUE(studies->CreateStudy(&context, request, &response).ok());
  EXPECT_EQ(response.study().state(), v1::STUDY_STATE_RUNNING);
  trainer->reset();
}

}  // namespace
}  // namespace inferon::trainer
