// Posterior queries over real gRPC, with the toy neuron behind them.
#include <algorithm>
#include <cmath>

#include "tests/trainer/served_trainer.h"

namespace inferon::trainer {
namespace {

class PosteriorServiceTest : public ServiceTest {
 protected:
  struct SampleAnswer {
    grpc::Status status;
    std::vector<std::uint16_t> codes;
    std::vector<double> log_density;
    std::vector<std::string> warnings;
    std::string model;
    std::vector<std::string> parameters;
    v1::DensitySupport support = v1::DENSITY_SUPPORT_UNSPECIFIED;
    v1::RestrictionReport report;
    double acceptance = 0;
    int blocks = 0;
  };
  static SampleAnswer Sample(const v1::SamplePosteriorRequest& request) {
    grpc::ClientContext context;
    const auto reader = trainer_->posteriors->SamplePosterior(&context, request);
    SampleAnswer answer;
    v1::SamplePosteriorResponse response;
    while (reader->Read(&response)) {
      const auto codes = *rpc::FromArray<std::uint16_t>(response.codes(), 2);
      const auto density = *rpc::FromArray<double>(response.log_density(), 1);
      answer.codes.insert(answer.codes.end(), codes.begin(), codes.end());
      answer.log_density.insert(answer.log_density.end(), density.begin(), density.end());
      answer.support = response.support();
      if (response.has_restriction()) answer.report = response.restriction();
      for (const auto& warning : response.warnings()) answer.warnings.push_back(warning);
      if (response.has_model()) {
        answer.model = response.model().name();
        answer.parameters.assign(response.model().parameters().begin(),
                                 response.model().parameters().end());
      }
      answer.acceptance = response.acceptance();
      ++answer.blocks;
    }
    answer.status = reader->Finish();
    return answer;
  }
  static grpc::StatusCode SampleCode(const v1::SamplePosteriorRequest& request) {
    const SampleAnswer answer = Sample(request);
    if (!answer.status.ok()) {
      EXPECT_FALSE(answer.status.error_message().empty());
    }
    return answer.status.error_code();
  }
  static v1::SamplePosteriorRequest SampleRequest() {
    v1::SamplePosteriorRequest request;
    request.set_model("models/toy-features");
    *request.mutable_observation() = ObserveToy(910);
    return request;
  }
};

TEST_F(PosteriorServiceTest, SameRequestAndSeedGiveTheSameDrawsInBlocks) {
  v1::SamplePosteriorRequest request = SampleRequest();
  request.set_draws(40'000);
  request.set_seed(7);
  const SampleAnswer first = Sample(request);
  ASSERT_TRUE(first.status.ok()) << first.status.error_message();
  EXPECT_EQ(first.codes.size(), 40'000u * 7);
  EXPECT_EQ(first.blocks, 3);
  EXPECT_EQ(first.support, v1::DENSITY_SUPPORT_BOX);
  EXPECT_EQ(first.model, "models/toy-features");
  EXPECT_GT(first.acceptance, 0);
  EXPECT_TRUE(first.warnings.empty());
  EXPECT_EQ(Sample(request).codes, first.codes);
  request.set_seed(8);
  EXPECT_NE(Sample(request).codes, first.codes);
}

TEST_F(PosteriorServiceTest, DrawsDefaultToAThousandOfTheNewestModel) {
  v1::SamplePosteriorRequest request = SampleRequest();
  request.clear_model();
  const SampleAnswer answer = Sample(request);
  EXPECT_EQ(answer.log_density.size(), 1000u);
  EXPECT_FALSE(answer.model.empty());
}

TEST_F(PosteriorServiceTest, BadSampleRequestsAreRefused) {
  constexpr auto kInvalid = grpc::StatusCode::INVALID_ARGUMENT;
  v1::SamplePosteriorRequest request = SampleRequest();
  request.set_draws(10'000'001);
  EXPECT_EQ(SampleCode(request), kInvalid);
  request = SampleRequest();
  request.set_model("toy-features");
  EXPECT_EQ(SampleCode(request), kInvalid);
  request.set_model("models/none");
  EXPECT_EQ(SampleCode(request), grpc::StatusCode::NOT_FOUND);
  request = SampleRequest();
  request.clear_observation();
  EXPECT_EQ(SampleCode(request), kInvalid);
}

TEST_F(PosteriorServiceTest, BadObservationsAreRefused) {
  constexpr auto kInvalid = grpc::StatusCode::INVALID_ARGUMENT;
  v1::SamplePosteriorRequest request = SampleRequest();
  std::vector<float> trace(40, 500);
  trace[7] = std::nanf("");
  *request.mutable_observation()->mutable_trace() = rpc::ToArray<float>("trace", trace, {40});
  EXPECT_EQ(SampleCode(request), kInvalid);
  trace.assign(39, 500);
  *request.mutable_observation()->mutable_trace() = rpc::ToArray<float>("trace", trace, {39});
  EXPECT_EQ(SampleCode(request), kInvalid);
  trace.assign(40, 500);
  v1::Observation& observation = *request.mutable_observation();
  *observation.mutable_trace() = rpc::ToArray<float>("trace", trace, {40});
  const std::vector<float> spikes{20, 10};
  *observation.mutable_spike_times() = rpc::ToArray<float>("spike_times", spikes, {2});
  EXPECT_EQ(SampleCode(request), kInvalid);
  // Another protocol is no malformed request, but no answer is possible.
  trace.assign(50, 500);
  observation.clear_spike_times();
  *observation.mutable_trace() = rpc::ToArray<float>("trace", trace, {50});
  observation.mutable_protocol()->set_duration_us(50);
  const SampleAnswer answer = Sample(request);
  EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_NE(answer.status.error_message().find("run a study"), std::string::npos);
}

TEST_F(PosteriorServiceTest, ConditionalAndMarginalQueriesAreAnsweredInCodes) {
  v1::SamplePosteriorRequest request = SampleRequest();
  request.set_draws(3000);
  const SampleAnswer joint = Sample(request);
  const std::vector<std::string> names(joint.parameters.begin(), joint.parameters.end());
  ASSERT_EQ(names.size(), 7u);
  v1::Condition& condition = *request.mutable_restriction()->add_conditions();
  condition.set_parameter(names[0]);
  condition.set_value(joint.codes[0]);
  const SampleAnswer sliced = Sample(request);
  ASSERT_TRUE(sliced.status.ok()) << sliced.status.error_message();
  EXPECT_EQ(sliced.codes.size(), 3000u * 6);
  EXPECT_EQ(sliced.log_density.size(), 3000u);
  EXPECT_EQ(sliced.support, v1::DENSITY_SUPPORT_CONSTRAINED);
  EXPECT_EQ(sliced.report.parameters_size(), 6);
  EXPECT_GT(sliced.report.acceptance(), 0);
  EXPECT_LE(*std::ranges::max_element(sliced.codes), kMaxCode);

  // The same sets by logprob, and their mode.
  v1::EvaluateLogProbRequest evaluate;
  evaluate.set_model(request.model());
  *evaluate.mutable_observation() = request.observation();
  *evaluate.mutable_restriction() = request.restriction();
  const std::vector<std::uint16_t> some(sliced.codes.begin(), sliced.codes.begin() + 12);
  *evaluate.mutable_codes() = rpc::ToArray<std::uint16_t>("codes", some, {2, 6});
  v1::EvaluateLogProbResponse densities;
  {
    grpc::ClientContext context;
    const auto status = trainer_->posteriors->EvaluateLogProb(&context, evaluate, &densities);
    ASSERT_TRUE(status.ok()) << status.error_message();
  }
  const auto values = *rpc::FromArray<double>(densities.log_density(), 1);
  const auto errors = *rpc::FromArray<double>(densities.standard_error(), 1);
  ASSERT_EQ(errors.size(), 2u);
  EXPECT_NEAR(values[1], sliced.log_density[1], 0.2) << "of another seed";
  v1::EstimateMapRequest map_request;
  map_request.set_model(request.model());
  *map_request.mutable_observation() = request.observation();
  *map_request.mutable_restriction() = request.restriction();
  v1::EstimateMapResponse map;
  {
    grpc::ClientContext context;
    const auto status = trainer_->posteriors->EstimateMap(&context, map_request, &map);
    ASSERT_TRUE(status.ok()) << status.error_message();
  }
  EXPECT_EQ(map.codes(0), joint.codes[0]);
  EXPECT_TRUE(map.has_restriction());

  request.mutable_restriction()->Clear();
  request.mutable_restriction()->add_parameters(names[3]);
  const SampleAnswer marginal = Sample(request);
  ASSERT_TRUE(marginal.status.ok()) << marginal.status.error_message();
  EXPECT_TRUE(marginal.log_density.empty());
  ASSERT_EQ(marginal.codes.size(), 3000u);
  for (std::size_t i = 0; i < 3000; ++i) EXPECT_EQ(marginal.codes[i], joint.codes[7 * i + 3]);
  *evaluate.mutable_restriction() = request.restriction();
  *evaluate.mutable_codes() = rpc::ToArray<std::uint16_t>("codes", some, {12, 1});
  {
    grpc::ClientContext context;
    const auto status = trainer_->posteriors->EvaluateLogProb(&context, evaluate, &densities);
    ASSERT_TRUE(status.ok()) << status.error_message();
  }
  EXPECT_EQ(densities.log_density().shape(0), 12u);
}

TEST_F(PosteriorServiceTest, BadRestrictionsAreInvalidArguments) {
  constexpr auto kInvalid = grpc::StatusCode::INVALID_ARGUMENT;
  const auto code = [&](const std::string& name, double value, const std::string& kept) {
    v1::SamplePosteriorRequest request = SampleRequest();
    v1::Condition& condition = *request.mutable_restriction()->add_conditions();
    condition.set_parameter(name);
    condition.set_value(value);
    if (!kept.empty()) request.mutable_restriction()->add_parameters(kept);
    return SampleCode(request);
  };
  const std::string name = Sample(SampleRequest()).parameters[0];
  EXPECT_EQ(code("nothing", 1, ""), kInvalid);
  EXPECT_EQ(code(name, 1023, ""), kInvalid);
  EXPECT_EQ(code(name, 10.5, ""), kInvalid);
  EXPECT_EQ(code(name, NAN, ""), kInvalid);
  EXPECT_EQ(code(name, 910, name), kInvalid);
}

TEST_F(PosteriorServiceTest, MapAndLogProbAgree) {
  v1::EstimateMapRequest request;
  request.set_model("models/toy-features");
  *request.mutable_observation() = ObserveToy(910);
  request.set_draws(500);
  v1::EstimateMapResponse map;
  {
    grpc::ClientContext context;
    ASSERT_TRUE(trainer_->posteriors->EstimateMap(&context, request, &map).ok());
  }
  ASSERT_EQ(map.codes_size(), 7);
  v1::EvaluateLogProbRequest evaluate;
  evaluate.set_model(request.model());
  *evaluate.mutable_observation() = request.observation();
  const std::vector<std::uint16_t> codes(map.codes().begin(), map.codes().end());
  *evaluate.mutable_codes() = rpc::ToArray<std::uint16_t>("codes", codes, {1, 7});
  v1::EvaluateLogProbResponse density;
  grpc::ClientContext context;
  ASSERT_TRUE(trainer_->posteriors->EvaluateLogProb(&context, evaluate, &density).ok());
  EXPECT_EQ(rpc::FromArray<double>(density.log_density(), 1)->front(), map.log_density());
}

TEST_F(PosteriorServiceTest, BadMapAndLogProbRequestsAreRefused) {
  v1::EstimateMapRequest map;
  *map.mutable_observation() = ObserveToy(910);
  map.set_draws(1'000'001);
  v1::EstimateMapResponse map_response;
  {
    grpc::ClientContext context;
    EXPECT_EQ(trainer_->posteriors->EstimateMap(&context, map, &map_response).error_code(),
              grpc::StatusCode::INVALID_ARGUMENT);
  }
  const auto code = [&](const std::vector<std::uint16_t>& codes, std::uint64_t columns) {
    v1::EvaluateLogProbRequest request;
    *request.mutable_observation() = ObserveToy(910);
    *request.mutable_codes() =
        rpc::ToArray<std::uint16_t>("codes", codes, {codes.size() / columns, columns});
    v1::EvaluateLogProbResponse response;
    grpc::ClientContext context;
    return trainer_->posteriors->EvaluateLogProb(&context, request, &response).error_code();
  };
  EXPECT_EQ(code(std::vector<std::uint16_t>(6, 1), 6), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(code(std::vector<std::uint16_t>(7, 1023), 7), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(PosteriorServiceTest, PredictionsRunTheDraws) {
  v1::PredictPosteriorRequest request;
  request.set_model("models/toy-summary");
  *request.mutable_observation() = ObserveToy(910);
  request.set_draws(120);
  request.set_request_id("mine");
  grpc::ClientContext context;
  const auto reader = trainer_->posteriors->PredictPosterior(&context, request);
  v1::PredictPosteriorResponse response;
  std::uint64_t rows = 0;
  std::string job;
  while (reader->Read(&response)) {
    const auto features = *rpc::FromArray<float>(response.features(), 2);
    const auto codes = *rpc::FromArray<std::uint16_t>(response.codes(), 2);
    EXPECT_EQ(response.traces().shape(1), 40u);
    EXPECT_EQ(features.size() / 12, codes.size() / 7);
    if (rows == 0) {
      job = response.job();
      EXPECT_EQ(response.feature_names_size(), 12);
      EXPECT_EQ(rpc::FromArray<float>(response.observed_features(), 1)->front(), 11);
    }
    rows += codes.size() / 7;
  }
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(rows, 120u);
  EXPECT_EQ(job, "projects/default/jobs/predict.mine");
}

TEST_F(PosteriorServiceTest, BadPredictionsAreRefused) {
  const auto code = [&](auto change) {
    v1::PredictPosteriorRequest request;
    *request.mutable_observation() = ObserveToy(910);
    change(request);
    grpc::ClientContext context;
    const auto reader = trainer_->posteriors->PredictPosterior(&context, request);
    v1::PredictPosteriorResponse response;
    while (reader->Read(&response)) {
    }
    return reader->Finish().error_code();
  };
  constexpr auto kInvalid = grpc::StatusCode::INVALID_ARGUMENT;
  EXPECT_EQ(code([](auto& r) { r.set_draws(100'001); }), kInvalid);
  EXPECT_EQ(code([](auto& r) { r.set_request_id("a/b"); }), kInvalid);
  EXPECT_EQ(code([](auto& r) { r.set_request_id(std::string(91, 'a')); }), kInvalid);
}

TEST_F(PosteriorServiceTest, CancelledClientStopsTheQuery) {
  v1::SamplePosteriorRequest request = SampleRequest();
  request.set_draws(10'000'000);
  grpc::ClientContext context;
  const auto reader = trainer_->posteriors->SamplePosterior(&context, request);
  v1::SamplePosteriorResponse response;
  ASSERT_TRUE(reader->Read(&response));
  context.TryCancel();
  while (reader->Read(&response)) {
  }
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST(EmptyTrainerTest, QueriesAreRefusedWithAdvice) {
  const TemporaryFolder folder;
  ServedTrainer trainer(folder.path());
  v1::EstimateMapRequest request;
  *request.mutable_observation() = ObserveToy(910);
  v1::EstimateMapResponse response;
  grpc::ClientContext context;
  const grpc::Status status = trainer.posteriors->EstimateMap(&context, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_NE(status.error_message().find("inferon study run"), std::string::npos);
}

TEST(LimitTest, TooManyQueriesAreRefused) {
  const TemporaryFolder folder;
  ServedTrainer trainer(folder.path(), /*most_queries=*/0);
  v1::EstimateMapRequest request;
  *request.mutable_observation() = ObserveToy(910);
  v1::EstimateMapResponse response;
  grpc::ClientContext context;
  EXPECT_EQ(trainer.posteriors->EstimateMap(&context, request, &response).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
}

}  // namespace
}  // namespace inferon::trainer
