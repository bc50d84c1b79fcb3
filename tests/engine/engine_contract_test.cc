// One contract for the engine in this process and for the engine behind gRPC.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <numbers>
#include <numeric>

#include "client/library/remote_engine.h"
#include "common/base/files.h"
#include "common/neuron/profile.h"
#include "common/rpc/server.h"
#include "common/rpc/simulator_convert.h"
#include "server/trainer/engine/local_engine.h"
#include "server/trainer/services/simulator_service.h"
#include "server/trainer/studies/data_set.h"
#include "server/trainer/studies/study_record.h"
#include "server/trainer/torch_estimator_factory.h"

namespace inferon::trainer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::size_t kRows = 2000;
constexpr const char* kQuick = R"({"transforms": 4, "hidden": 24, "max_epochs": 30, "members": 2})";

double Normal(PhiloxSequence& random) {
  const double radius = std::sqrt(-2 * std::log(1 - random.Uniform()));
  return radius * std::cos(2 * std::numbers::pi * random.Uniform());
}

// a ~ U[0, 10], b ~ N(100, 5), c in {0, 1, 2}; x = (a + noise, b + noise, a + 3 c + noise).
DataSetSpec Spec(const std::string& id = "toy") {
  DataSetSpec spec;
  spec.id = id;
  spec.prior = *ParsePrior(R"({"parameters": [
    {"name": "a", "prior": "uniform", "low": 0, "high": 10, "unit": "nS"},
    {"name": "b", "prior": "normal", "mean": 100, "sd": 5},
    {"name": "c", "prior": "integer", "low": 0, "high": 2}]})");
  spec.columns = 3;
  spec.x_names = {"first", "second", "third"};
  return spec;
}

DataSetRows Simulate(std::size_t rows, std::uint64_t seed) {
  PhiloxSequence random(StreamKey(seed, "engine"));
  DataSetRows all;
  for (std::size_t i = 0; i < rows; ++i) {
    const double a = 10 * random.Uniform(), b = 100 + 5 * Normal(random);
    const double c = random.Below(3);
    all.theta.insert(all.theta.end(), {a, b, c});
    for (const double mean : {a, b, a + 3 * c}) {
      all.x.push_back(static_cast<float>(mean + Normal(random)));
    }
  }
  return all;
}

// Hands rows out in blocks of 300.
InferenceEngine::NextRows Blocks(DataSetRows rows) {
  return [rows = std::move(rows), at = std::size_t{0}]() mutable -> Result<DataSetRows> {
    const std::size_t n = std::min<std::size_t>(300, rows.theta.size() / 3 - at);
    const auto part = [&](const auto& values) {
      const auto from = values.begin() + static_cast<std::ptrdiff_t>(3 * at);
      return std::vector(from, from + static_cast<std::ptrdiff_t>(3 * n));
    };
    DataSetRows block{part(rows.theta), part(rows.x)};
    at += n;
    return block;
  };
}

// An engine on a folder, asked directly or over gRPC.
class Engine {
 public:
  Engine(const std::filesystem::path& folder, bool remote)
      : factory_(MakeTorchEstimatorFactory()),
        registry_(folder / "models", *factory_),
        local_(MakeLocalEngine({folder, 1, 1, 4}, registry_, *factory_, SystemClock())) {
    if (!remote) return;
    service_ = std::make_unique<SimulatorService>(*local_, guard_, stop_.get_token());
    server_ = *rpc::StartServer({}, {service_.get()});
    client::TrainerClientOptions options;
    options.address = server_.address;
    remote_ = client::MakeRemoteEngine(options);
  }
  ~Engine() {
    stop_.request_stop();
    if (server_.server) server_.server->Shutdown(SystemClock().WallNow() + std::chrono::seconds(2));
  }
  InferenceEngine& operator*() { return remote_ ? *remote_ : *local_; }
  InferenceEngine* operator->() { return &**this; }
  const std::string& address() const { return server_.address; }

 private:
  std::stop_source stop_;
  const std::unique_ptr<EstimatorFactory> factory_;
  Registry registry_;
  const std::unique_ptr<InferenceEngine> local_;
  const rpc::CallGuard guard_;
  std::unique_ptr<SimulatorService> service_;
  rpc::Server server_;
  std::unique_ptr<InferenceEngine> remote_;
};

// One folder with a data set and a model for the tests that only ask; made once, without gRPC.
class EngineContractTest : public testing::TestWithParam<bool> {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryFolder();
    Engine engine(folder_->path(), false);
    ASSERT_TRUE(engine->ImportDataSet(Spec(), Blocks(Simulate(kRows, 1)), {}));
    ASSERT_TRUE(engine->ImportDataSet(Spec("fresh"), Blocks(Simulate(400, 2)), {}));
    const auto model = engine->TrainModel({"toy", "toy", "", kQuick, 7}, {}, {});
    ASSERT_TRUE(model) << model.error().Text();
  }
  static void TearDownTestSuite() { delete folder_; }

  Engine Ask() { return Engine(folder_->path(), GetParam()); }
  static Result<PosteriorDraw> Draws(InferenceEngine& engine, const PosteriorQuery& query,
                                     std::uint64_t draws) {
    PosteriorDraw all;
    const Status done = engine.Sample(
        query, draws, 3,
        [&](const PosteriorDraw& block) -> Status {
          all.theta.insert(all.theta.end(), block.theta.begin(), block.theta.end());
          all.log_density.insert(all.log_density.end(), block.log_density.begin(),
                                 block.log_density.end());
          all.warnings.insert(all.warnings.end(), block.warnings.begin(), block.warnings.end());
          all.columns = block.columns;
          if (block.restriction) all.restriction = block.restriction;
          return {};
        },
        {});
    if (!done) return tl::unexpected(done.error());
    return all;
  }

  inline static TemporaryFolder* folder_ = nullptr;
  static inline const PosteriorQuery kQuery{"toy", {4, 103, 7}};
};

TEST_P(EngineContractTest, DataSetRoundTripsByteForByte) {
  Engine engine = Ask();
  DataSetRows all;
  const auto info = engine->ExportDataSet("toy",
                                          [&](const DataSetRows& rows) -> Status {
                                            all.theta.insert(all.theta.end(), rows.theta.begin(),
                                                             rows.theta.end());
                                            all.x.insert(all.x.end(), rows.x.begin(), rows.x.end());
                                            return {};
                                          },
                                          {});
  ASSERT_TRUE(info) << info.error().Text();
  const DataSetRows original = Simulate(kRows, 1);
  EXPECT_EQ(all.theta, original.theta);
  EXPECT_EQ(all.x, original.x);
  EXPECT_EQ(info->rows, kRows);
  EXPECT_EQ(info->spec.prior, Spec().prior);
  EXPECT_THAT(info->spec.x_names, ElementsAre("first", "second", "third"));
  EXPECT_EQ(engine->ListDataSets({})->size(), 2u);
}

TEST_P(EngineContractTest, ImportIsIdempotentAndRefusesOtherContent) {
  Engine engine = Ask();
  EXPECT_TRUE(engine->ImportDataSet(Spec(), Blocks(Simulate(kRows, 1)), {}));
  const auto other = engine->ImportDataSet(Spec(), Blocks(Simulate(kRows, 9)), {});
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, ErrorCode::kAlreadyExists);
}

TEST_P(EngineContractTest, FailedImportLeavesNothing) {
  auto engine = std::make_unique<Engine>(folder_->path(), GetParam());
  DataSetRows rows = Simulate(500, 3);
  rows.theta[3 * 450] = 11;
  const auto refused = (*engine)->ImportDataSet(Spec("bad"), Blocks(rows), {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(refused.error().message, HasSubstr("row 451: a = 11"));
  const auto broken = (*engine)->ImportDataSet(
      Spec("bad"), [] { return Result<DataSetRows>(Fail(ErrorCode::kDataLoss, "file ended")); },
      {});
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().code, ErrorCode::kDataLoss);
  const auto cut_off = (*engine)->ImportDataSet(
      Spec("bad"),
      [rows = Blocks(Simulate(600, 3)), left = 2]() mutable {
        if (left-- == 0) return Result<DataSetRows>(Fail(ErrorCode::kDataLoss, "file ended"));
        return rows();
      },
      {});
  ASSERT_FALSE(cut_off);
  engine.reset();  // A client learns of the failure before the server has cleaned up.
  for (const auto& entry : std::filesystem::directory_iterator(folder_->path() / "datasets")) {
    EXPECT_THAT(entry.path().filename().string(), testing::AnyOf("toy", "fresh"));
  }
}

TEST_P(EngineContractTest, TrainingAgainFindsTheModelAndOtherSettingsAreRefused) {
  Engine engine = Ask();
  const auto again = engine->TrainModel({"toy", "toy", "", kQuick, 7}, {}, {});
  ASSERT_TRUE(again) << again.error().Text();
  EXPECT_EQ(again->training_count, kRows);
  EXPECT_EQ(engine->TrainModel({"toy", "toy", "", "", 7}, {}, {}).error().code,
            ErrorCode::kAlreadyExists);
  EXPECT_EQ(engine->TrainModel({"n", "absent", "", "", 7}, {}, {}).error().code,
            ErrorCode::kNotFound);
  EXPECT_THAT(engine->TrainModel({"n", "toy", "", "{\"bims\": 3}", 7}, {}, {}).error().message,
              HasSubstr("\"bims\""));
  EXPECT_THAT(engine->TrainModel({"N", "toy", "", "", 7}, {}, {}).error().message,
              HasSubstr("'N' is no id"));
}

TEST_P(EngineContractTest, TooFewRowsAreRefused) {
  Engine engine = Ask();
  const TemporaryFolder folder;
  Engine own(folder.path(), GetParam());
  ASSERT_TRUE(own->ImportDataSet(Spec("few"), Blocks(Simulate(kLeastTrainingRows - 1, 4)), {}));
  const auto refused = own->TrainModel({"m", "few", "", kQuick, 1}, {}, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_THAT(refused.error().Text(), HasSubstr("has 99 rows"));
}

TEST_P(EngineContractTest, TrainingThatWasStoppedGoesOn) {
  const TemporaryFolder folder;
  Engine engine(folder.path(), GetParam());
  ASSERT_TRUE(engine->ImportDataSet(Spec(), Blocks(Simulate(kRows, 1)), {}));
  std::stop_source stop;
  const auto stopped = engine->TrainModel(
      {"toy", "toy", "", kQuick, 7},
      [&](const TrainingState& state) {
        if (state.epoch == 3) stop.request_stop();
      },
      stop.get_token());
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, ErrorCode::kCancelled);
  std::uint32_t first = 0;
  Result<ModelInfo> resumed = Fail(ErrorCode::kInternal, "");
  // Over gRPC the server may still be winding up the call that went away.
  for (int attempt = 0; attempt < 100 && !resumed; ++attempt) {
    if (attempt > 0) SystemClock().SleepFor(std::chrono::milliseconds(50), {});
    resumed = engine->TrainModel(
        {"toy", "toy", "", kQuick, 7},
        [&](const TrainingState& state) { first = first == 0 ? state.epoch : first; }, {});
  }
  ASSERT_TRUE(resumed) << resumed.error().Text();
  EXPECT_GT(first, 3u);
  Engine whole = Ask();
  EXPECT_EQ(Draws(*engine, kQuery, 50)->theta, Draws(*whole, kQuery, 50)->theta);
}

TEST_P(EngineContractTest, DrawsAreThePosteriorInTheParametersUnits) {
  Engine engine = Ask();
  const auto draws = Draws(*engine, kQuery, 30'000);
  ASSERT_TRUE(draws) << draws.error().Text();
  ASSERT_EQ(draws->size(), 30'000u);
  double a = 0, b = 0, middle = 0;
  for (std::size_t i = 0; i < draws->size(); ++i) {
    const double* theta = draws->theta.data() + 3 * i;
    ASSERT_TRUE(theta[0] >= 0 && theta[0] <= 10);
    ASSERT_TRUE(theta[2] == 0 || theta[2] == 1 || theta[2] == 2);
    a += theta[0] / 30'000;
    b += theta[1] / 30'000;
    middle += (theta[2] == 1) / 30'000.0;
  }
  EXPECT_NEAR(a, 4, 0.5);                    // c = 1 explains both measurements.
  EXPECT_NEAR(b, 100 + 3 * 25 / 26.0, 0.5);  // N(100, 25) prior, noise of variance 1.
  EXPECT_GT(middle, 0.7);
  EXPECT_EQ(Draws(*engine, kQuery, 100)->theta,
            std::vector<double>(draws->theta.begin(), draws->theta.begin() + 300));
  EXPECT_TRUE(draws->warnings.empty());
  EXPECT_THAT(Draws(*engine, {"toy", {900, 103, 7}}, 10)->warnings,
              ElementsAre(HasSubstr("outside the training data")));
}

TEST_P(EngineContractTest, LogDensityIsThatOfTheDrawsAndMinusInfinityOutside) {
  Engine engine = Ask();
  const auto draws = Draws(*engine, kQuery, 200);
  const auto density = engine->LogDensity(kQuery, draws->theta, {});
  ASSERT_TRUE(density) << density.error().Text();
  for (std::size_t i = 0; i < 200; ++i) {
    EXPECT_NEAR(density->log_density[i], draws->log_density[i], 1e-3);
  }
  const auto outside =
      engine->LogDensity(kQuery, std::vector<double>{-1, 100, 1, 5, 100, 1.5, 5, 100, 3}, {});
  EXPECT_THAT(outside->log_density, ElementsAre(-INFINITY, -INFINITY, -INFINITY));
  EXPECT_EQ(engine->LogDensity(kQuery, std::vector<double>{1, 2}, {}).error().code,
            ErrorCode::kInvalidArgument);
}

TEST_P(EngineContractTest, MapIsNoLessProbableThanAnyDraw) {
  Engine engine = Ask();
  const auto map = engine->Map(kQuery, 2000, 1, {});
  ASSERT_TRUE(map) << map.error().Text();
  const auto draws = Draws(*engine, kQuery, 20'000);
  EXPECT_GE(map->log_density,
            *std::max_element(draws->log_density.begin(), draws->log_density.end()) - 1e-3);
  EXPECT_EQ(map->theta[2], 1);
  EXPECT_NEAR(map->theta[1], 102.9, 0.6);
}

TEST_P(EngineContractTest, ConditionalDrawsAreTheJointOnesNearTheCondition) {
  Engine engine = Ask();
  PosteriorQuery query = kQuery;
  query.restriction.conditions = {{"c", 1}};
  const auto joint = Draws(*engine, kQuery, 40'000);
  const auto draws = Draws(*engine, query, 10'000);
  ASSERT_TRUE(draws) << draws.error().Text();
  ASSERT_EQ(draws->size(), 10'000u);
  EXPECT_EQ(draws->columns, 2u);
  ASSERT_TRUE(draws->restriction);
  EXPECT_THAT(draws->restriction->parameters, ElementsAre("a", "b"));
  EXPECT_THAT(draws->restriction->method, HasSubstr("on a grid"));
  EXPECT_GT(draws->restriction->effective_share, 0.1);
  double a = 0, square = 0, expected = 0, expected_square = 0, count = 0;
  for (std::size_t i = 0; i < draws->size(); ++i) {
    const double v = draws->theta[2 * i];
    ASSERT_TRUE(v >= 0 && v <= 10);
    a += v / 1e4;
    square += v * v / 1e4;
  }
  for (std::size_t i = 0; i < joint->size(); ++i) {
    if (joint->theta[3 * i + 2] != 1) continue;
    ++count;
    expected += joint->theta[3 * i];
    expected_square += joint->theta[3 * i] * joint->theta[3 * i];
  }
  expected /= count;
  EXPECT_NEAR(a, expected, 0.1);
  EXPECT_NEAR(std::sqrt(square - a * a), std::sqrt(expected_square / count - expected * expected),
              0.1);
  // Its density is the joint one over that of the condition.
  const auto density = engine->LogDensity(query, std::vector<double>{4, 103, 3.5, 102}, {});
  ASSERT_TRUE(density) << density.error().Text();
  const auto whole = engine->LogDensity(kQuery, std::vector<double>{4, 103, 1, 3.5, 102, 1}, {});
  EXPECT_NEAR(density->log_density[0] - density->log_density[1],
              whole->log_density[0] - whole->log_density[1], 1e-6);
  EXPECT_NEAR(density->log_density[0],
              whole->log_density[0] - density->restriction->log_condition_density, 1e-6);
  EXPECT_NEAR(std::exp(density->restriction->log_condition_density), count / 40'000, 0.1);
  EXPECT_EQ(density->standard_error.size(), 2u);
}

TEST_P(EngineContractTest, MarginalDensityIsTheIntegralOverTheOthers) {
  Engine engine = Ask();
  PosteriorQuery query = kQuery;
  query.restriction.parameters = {"b"};
  std::vector<double> grid;
  for (int i = 0; i < 60; ++i) grid.push_back(98 + i / 6.0);
  const auto density = engine->LogDensity(query, grid, {});
  ASSERT_TRUE(density) << density.error().Text();
  double total = 0, mean = 0;
  for (std::size_t i = 0; i < grid.size(); ++i) {
    total += std::exp(density->log_density[i]) / 6;
    mean += grid[i] * std::exp(density->log_density[i]) / 6;
  }
  EXPECT_NEAR(total, 1, 0.05);
  const auto draws = Draws(*engine, query, 10'000);
  ASSERT_TRUE(draws) << draws.error().Text();
  EXPECT_TRUE(draws->log_density.empty());
  EXPECT_NEAR(mean / total, std::accumulate(draws->theta.begin(), draws->theta.end(), 0.0) / 10'000,
              0.05);
}

TEST_P(EngineContractTest, ConditionalMapHoldsItsConditions) {
  Engine engine = Ask();
  PosteriorQuery query = kQuery;
  query.restriction.conditions = {{"a", 4.5}, {"c", 1}};
  const auto map = engine->Map(query, 500, 1, {});
  ASSERT_TRUE(map) << map.error().Text();
  EXPECT_EQ(map->theta[0], 4.5);
  EXPECT_EQ(map->theta[2], 1);
  const auto draws = Draws(*engine, query, 5000);
  EXPECT_GE(map->log_density,
            *std::max_element(draws->log_density.begin(), draws->log_density.end()) - 1e-3);
}

TEST_P(EngineContractTest, BadRestrictionsAreRefused) {
  Engine engine = Ask();
  const auto refusal = [&](const Restriction& restriction) {
    PosteriorQuery query = kQuery;
    query.restriction = restriction;
    const auto draws = Draws(*engine, query, 10);
    return draws ? "accepted" : draws.error().Text();
  };
  EXPECT_THAT(refusal({{{"d", 1}}, {}}), HasSubstr("no parameter 'd'"));
  EXPECT_THAT(refusal({{{"a", 11}}, {}}), HasSubstr("[0, 10] nS"));
  EXPECT_THAT(refusal({{{"c", 0.5}}, {}}), HasSubstr("c = 0.5 lies outside"));
  EXPECT_THAT(refusal({{{"a", 1}, {"a", 2}}, {}}), HasSubstr("fixed twice"));
  EXPECT_THAT(refusal({{{"a", 1}}, {"a"}}), HasSubstr("both fixed and asked about"));
  EXPECT_THAT(refusal({{{"a", 1}, {"b", 100}, {"c", 1}}, {}}), HasSubstr("all parameters"));
  EXPECT_THAT(refusal({{{"b", 160}}, {}}), HasSubstr("next to no mass where b = 160"));
}

TEST_P(EngineContractTest, QueriesThatDoNotFitAreRefused) {
  Engine engine = Ask();
  const auto refusal = [&](const PosteriorQuery& query, std::uint64_t draws) {
    const auto answer = Draws(*engine, query, draws);
    return answer ? "accepted" : answer.error().Text();
  };
  EXPECT_THAT(refusal({"toy", {1, 2}}, 10), HasSubstr("2 values, model toy wants 3"));
  EXPECT_THAT(refusal({"toy", {1, 2, INFINITY}}, 10), HasSubstr("value 3 of the observation"));
  EXPECT_EQ(refusal({"toy", {1, 2, NAN}}, 10), "accepted");
  EXPECT_THAT(refusal({"absent", {1, 2, 3}}, 10), HasSubstr("no model absent"));
  EXPECT_THAT(refusal(kQuery, 0), HasSubstr("0 draws"));
  EXPECT_THAT(refusal(kQuery, kMostDraws + 1), HasSubstr("Ask for 1 to 10000000"));
}

TEST_P(EngineContractTest, CheckUsesHeldOutOrOtherPairs) {
  Engine engine = Ask();
  const auto own = engine->Check({"toy", "", 100, 200, 1}, {});
  ASSERT_TRUE(own) << own.error().Text();
  EXPECT_THAT(own->source, HasSubstr("held out"));
  EXPECT_EQ(own->pairs, 100u);
  const auto other = engine->Check({"toy", "fresh", 300, 200, 1}, {});
  ASSERT_TRUE(other) << other.error().Text();
  EXPECT_EQ(other->pairs, 300u);
  EXPECT_EQ(other->parameters[0].name, "a");
  EXPECT_GT(other->parameters[1].contraction, 0.8);
  EXPECT_EQ(other->levels.size(), 19u);
  EXPECT_NEAR(other->levels[9].coverage, 0.5, 0.12);
  EXPECT_EQ(engine->Check({"toy", "", 5, 200, 1}, {}).error().code, ErrorCode::kInvalidArgument);
}

TEST_P(EngineContractTest, CheckSaysInWordsAndHandsOverWhatFiguresNeed) {
  Engine engine = Ask();
  CalibrationSpec spec{"toy", "fresh", 300, 200, 1};
  spec.x = {0.5f, 0.5f, NAN};
  const auto report = engine->Check(spec, {});
  ASSERT_TRUE(report) << report.error().Text();
  EXPECT_THAT(report->verdict,
              HasSubstr(report->calibrated ? "none of 9 tests" : "not calibrated"));
  EXPECT_EQ(report->calibrated, report->smallest_p_value > 0.01);
  ASSERT_TRUE(report->local_p_value);
  EXPECT_GT(*report->local_p_value, 0);
  EXPECT_EQ(report->ranks.size(), 900u);
  EXPECT_LE(*std::max_element(report->ranks.begin(), report->ranks.end()), 200u);
  EXPECT_EQ(report->density_levels.size(), 300u);
  EXPECT_EQ(report->tarp_levels.size(), 300u);
  EXPECT_LT(std::abs(report->area_to_curve), 0.1);
  EXPECT_GT(report->parameters[1].recovery, 0.8);
  ASSERT_EQ(report->band.size(), 99u);
  EXPECT_LT(report->band[49].low, 0.5);
  EXPECT_GT(report->band[49].high, 0.5);
  const auto again = engine->Check(spec, {});
  EXPECT_EQ(again->classifier_p_value, report->classifier_p_value);
  EXPECT_EQ(again->tarp_levels, report->tarp_levels);
  spec.x = {1};
  EXPECT_EQ(engine->Check(spec, {}).error().code, ErrorCode::kInvalidArgument);
}

TEST_P(EngineContractTest, RepairIsOnRequestAndSaid) {
  Engine engine = Ask();
  const std::string config =
      R"({"transforms": 4, "hidden": 24, "max_epochs": 4, "members": 1, "repair": true})";
  const auto model = engine->TrainModel({"mended", "toy", "", config, 7}, {}, {});
  ASSERT_TRUE(model) << model.error().Text();
  EXPECT_THAT(model->settings, HasSubstr("\"repair\":true"));
  const auto again = engine->TrainModel({"mended", "toy", "", config, 7}, {}, {});
  EXPECT_TRUE(again) << again.error().Text();
  const auto draws = Draws(*engine, {"mended", kQuery.x}, 200);
  ASSERT_TRUE(draws) << draws.error().Text();
  ASSERT_FALSE(draws->warnings.empty());
  EXPECT_THAT(draws->warnings.back(), HasSubstr("are repaired"));
  const auto density = engine->LogDensity({"mended", kQuery.x}, draws->theta, {});
  for (std::size_t i = 0; i < 200; ++i) {
    EXPECT_NEAR(density->log_density[i], draws->log_density[i], 1e-3);
  }
  const auto check = engine->Check({"mended", "", 300, 100, 1}, {});
  ASSERT_TRUE(check) << check.error().Text();
  EXPECT_EQ(check->pairs, 100u) << "the other held-out rows have seen the repair";
  EXPECT_THAT(Draws(*engine, kQuery, 10)->warnings,
              testing::Not(testing::Contains(HasSubstr("repaired"))));
  EXPECT_EQ(engine->TrainModel({"m", "toy", "", R"({"repair": 3})", 7}, {}, {}).error().code,
            ErrorCode::kInvalidArgument);
}

TEST_P(EngineContractTest, ProposalsLieInThePriorsSupportWhereThePosteriorIs) {
  Engine engine = Ask();
  ProposalSpec spec;
  spec.model = "toy";
  spec.x = kQuery.x;
  spec.count = 500;
  spec.seed = 4;
  const auto propose = [&]() {
    std::vector<double> all;
    const auto report = engine->Propose(spec,
                                        [&](std::span<const double> theta) -> Status {
                                          all.insert(all.end(), theta.begin(), theta.end());
                                          return {};
                                        },
                                        {});
    EXPECT_TRUE(report) << report.error().Text();
    if (report) {
      EXPECT_EQ(report->draws, 500u);
      EXPECT_GE(report->tries, 500u);
      EXPECT_LT(report->prior_share, 0.5);
    }
    return all;
  };
  const std::vector<double> theta = propose();
  ASSERT_EQ(theta.size(), 1500u);
  double spread = 0;
  for (std::size_t i = 0; i < 500; ++i) {
    EXPECT_TRUE(theta[3 * i] >= 0 && theta[3 * i] <= 10);
    EXPECT_TRUE(theta[3 * i + 2] == 0 || theta[3 * i + 2] == 1 || theta[3 * i + 2] == 2);
    spread += std::abs(theta[3 * i + 1] - 102.9) / 500;
  }
  EXPECT_LT(spread, 3);  // The prior's own is 5.
  EXPECT_EQ(propose(), theta);
  spec.most_tries = 600;
  const auto refused = engine->Propose(spec, [](std::span<const double>) { return Status(); }, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kFailedPrecondition);
  spec.x = {1, 2};
  EXPECT_EQ(
      engine->Propose(spec, [](std::span<const double>) { return Status(); }, {}).error().code,
      ErrorCode::kInvalidArgument);
}

TEST_P(EngineContractTest, FineTunedModelSaysWhatItCameFrom) {
  Engine engine = Ask();
  const std::string id = GetParam() ? "tuned-remote" : "tuned-local";
  const TrainSpec spec{id, "fresh", "", R"({"max_epochs": 3})", 2, "toy"};
  const auto tuned = engine->TrainModel(spec, {}, {});
  ASSERT_TRUE(tuned) << tuned.error().Text();
  EXPECT_EQ(tuned->base, "toy");
  EXPECT_EQ(tuned->training_count, 400u);
  EXPECT_EQ(engine->GetModel(id, {})->base, "toy");
  EXPECT_TRUE(engine->TrainModel(spec, {}, {})) << "the same settings find it again";
  const auto refusal = [&](const TrainSpec& other) {
    return engine->TrainModel(other, {}, {}).error().Text();
  };
  EXPECT_THAT(refusal({id, "fresh", "", R"({"max_epochs": 3})", 2, ""}),
              HasSubstr("other data or settings"));
  EXPECT_THAT(refusal({"n", "fresh", "", R"({"hidden": 30})", 2, "toy"}),
              HasSubstr("changes the networks"));
  EXPECT_THAT(refusal({"n", "fresh", "", "", 2, "absent"}), HasSubstr("no model absent"));
}

// A round of a study as the pipeline leaves it: two experiments of four points.
void MakeRound(const std::filesystem::path& data) {
  const auto folder = data / "studies" / "s1";
  std::filesystem::create_directories(folder);
  StudySpec study;
  study.profile_toml = BuiltInProfile("adex-paper")->text;
  study.protocol = {{{1, 3, 1}}, 4, 1};
  FillDefaults(study);
  WriteFileAtomically(folder / "study.json", StudyJson(MakeStudyRecord("s1", study, {}), 1));
  DataSetWriter writer(folder, "constrained", 7, study.protocol);
  ObservationBatch batch;
  batch.points = 4;
  batch.trace = {1, 2, 3, 4, 5, 6, 7, 8};
  batch.spike_count = {2, 1};
  batch.spike_time_us = {1.5f, 2.5f, 0.5f};
  std::vector<std::uint16_t> codes(14);
  std::iota(codes.begin(), codes.end(), std::uint16_t{100});
  ASSERT_TRUE(writer.Append(codes, batch));
  writer.Finish();
}

TEST_P(EngineContractTest, StudyRoundsAreExportedWithTheirNames) {
  const TemporaryFolder folder;
  MakeRound(folder.path());
  Engine engine(folder.path(), GetParam());
  StudyRows all;
  const auto info =
      engine->ExportStudyRound("s1", "constrained",
                               [&](const StudyRoundInfo&, const StudyRows& rows) -> Status {
                                 all = rows;
                                 return {};
                               },
                               {});
  ASSERT_TRUE(info) << info.error().Text();
  EXPECT_EQ(info->rows, 2u);
  EXPECT_EQ(info->points, 4u);
  EXPECT_EQ(info->grid_step_us, 1);
  EXPECT_EQ(info->parameters.size(), 7u);
  EXPECT_EQ(info->features.size(), 12u);
  EXPECT_EQ(all.codes[7], 107);
  EXPECT_THAT(all.trace, ElementsAre(1, 2, 3, 4, 5, 6, 7, 8));
  EXPECT_THAT(all.spike_count, ElementsAre(2, 1));
  EXPECT_THAT(all.spike_time_us, ElementsAre(1.5f, 2.5f, 0.5f));
  EXPECT_EQ(all.features.size(), 24u);
  const auto refusal = [&](const char* study, const char* round) {
    return engine
        ->ExportStudyRound(study, round,
                           [](const StudyRoundInfo&, const StudyRows&) { return Status(); }, {})
        .error()
        .Text();
  };
  EXPECT_THAT(refusal("s2", "constrained"), HasSubstr("no study s2"));
  EXPECT_THAT(refusal("s1", "uniform"), HasSubstr("no complete round 'uniform'"));
  EXPECT_THAT(refusal("s1", "../s1/constrained"), HasSubstr("is no id of a round"));
}

INSTANTIATE_TEST_SUITE_P(Engines, EngineContractTest, testing::Values(false, true),
                         [](const auto& param) { return param.param ? "Remote" : "Local"; });

// Damage on disk is said, never served.
TEST(ImportStreamTest, AnImportThatEndsBeforeItIsCompleteLeavesNothing) {
  const TemporaryFolder folder;
  {
    Engine engine(folder.path(), true);
    const auto stub = v1::SimulatorService::NewStub(rpc::OpenChannel(engine.address()));
    grpc::ClientContext context;
    v1::ImportDatasetResponse response;
    const auto writer = stub->ImportDataset(&context, &response);
    v1::ImportDatasetRequest request;
    *request.mutable_dataset() = rpc::ToProto(Spec("cut-off"));
    const DataSetRows rows = Simulate(500, 3);
    rpc::RowArrays arrays = rpc::ToArrays(rows, 3, 3);
    *request.mutable_theta() = std::move(arrays.theta);
    *request.mutable_x() = std::move(arrays.x);
    ASSERT_TRUE(writer->Write(request));
    writer->WritesDone();
    const grpc::Status status = writer->Finish();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::CANCELLED);
    EXPECT_THAT(status.error_message(), HasSubstr("before it was complete"));
    EXPECT_TRUE(engine->ListDataSets({})->empty());
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path() / "datasets"));
}

TEST(EngineDamageTest, ChangedFilesAreDataLoss) {
  const TemporaryFolder folder;
  Engine engine(folder.path(), false);
  ASSERT_TRUE(engine->ImportDataSet(Spec(), Blocks(Simulate(300, 1)), {}));
  const auto x = folder.path() / "datasets" / "toy" / "x.npy";
  std::string bytes = *ReadFile(x);
  bytes[200] = static_cast<char>(bytes[200] ^ 1);
  std::ofstream(x, std::ios::binary) << bytes;
  EXPECT_EQ(engine->TrainModel({"m", "toy", "", kQuick, 1}, {}, {}).error().code,
            ErrorCode::kDataLoss);
  const auto info = folder.path() / "datasets" / "toy" / "dataset.json";
  std::string text = *ReadFile(info);
  text.replace(text.find("\"schema\": 1"), 11, "\"schema\": 7");
  std::ofstream(info) << text;
  EXPECT_THAT(engine->TrainModel({"m", "toy", "", kQuick, 1}, {}, {}).error().message,
              HasSubstr("later version"));
}

}  // namespace
}  // namespace inferon::trainer
