#include "server/trainer/queries/posterior.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <set>

#include "server/trainer/queries/mode_search.h"
#include "tests/trainer/study_fixture.h"

namespace inferon::trainer {
namespace {

// Queries against the models of one finished toy study.
class PosteriorTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryFolder();
    parts_ = new TrainerParts(folder_->path(), QuickOptions());
    ASSERT_EQ(parts_->Run().state, StudyState::kSucceeded);
  }
  static void TearDownTestSuite() {
    delete parts_;
    delete folder_;
  }
  std::shared_ptr<const LoadedModel> Model(const std::string& id = "toy-features") {
    return *parts_->registry.Load(id);
  }
  static Observation Observe(std::uint16_t code) {
    ExperimentJob job;
    job.sets = {1, {code}};
    job.protocol = ToyProtocol();
    return Extract(ToyObservations(job, 0, 1), 0);
  }

  static TemporaryFolder* folder_;
  static TrainerParts* parts_;
};
TemporaryFolder* PosteriorTest::folder_ = nullptr;
TrainerParts* PosteriorTest::parts_ = nullptr;

TEST_F(PosteriorTest, DrawsDoNotDependOnHowTheyAreAsked) {
  const auto model = Model();
  const auto input = PrepareInput(*model, Observe(910), ToyProtocol());
  ASSERT_TRUE(input);
  PosteriorSampler whole(*model, input->x, 5);
  PosteriorSampler parts(*model, input->x, 5);
  const auto all = whole.Next(3000, {});
  PosteriorDraws joined;
  for (const std::size_t count : {1, 999, 2000}) {
    const auto part = parts.Next(count, {});
    joined.codes.insert(joined.codes.end(), part->codes.begin(), part->codes.end());
    joined.log_density.insert(joined.log_density.end(), part->log_density.begin(),
                              part->log_density.end());
  }
  EXPECT_EQ(all->codes, joined.codes);
  EXPECT_EQ(all->log_density, joined.log_density);
  PosteriorSampler other(*model, input->x, 6);
  EXPECT_NE(other.Next(3000, {})->codes, all->codes);
}

TEST_F(PosteriorTest, DrawsObeyBoxAndClassifierAndTellTheirDensity) {
  const auto model = Model("toy-summary");
  const auto input = PrepareInput(*model, Observe(910), ToyProtocol());
  PosteriorSampler sampler(*model, input->x, 1);
  const auto draws = sampler.Next(500, {});
  ASSERT_TRUE(draws);
  EXPECT_LE(*std::ranges::max_element(draws->codes), kMaxCode);
  const auto inside = model->PriorSupport().Accepts(draws->codes);
  EXPECT_TRUE(std::ranges::all_of(inside, [](auto in) { return in == 1; }));
  EXPECT_EQ(*LogDensityOfCodes(*model, input->x, draws->codes, {}), draws->log_density);
  EXPECT_GT(sampler.acceptance(), 0);
  EXPECT_LE(sampler.acceptance(), 1);
}

TEST_F(PosteriorTest, MapIsTheMostProbableDraw) {
  const auto model = Model();
  const auto input = PrepareInput(*model, Observe(930), ToyProtocol());
  PosteriorSampler for_map(*model, input->x, 1);
  const auto map = FindMap(for_map, 1500, model->dimension(), {});
  PosteriorSampler for_draws(*model, input->x, 1);
  const auto draws = for_draws.Next(1500, {});
  EXPECT_EQ(map->log_density, *std::ranges::max_element(draws->log_density));
  EXPECT_EQ(LogDensityOfCodes(*model, input->x, map->codes, {})->front(), map->log_density);
}

TEST_F(PosteriorTest, ModeIsNeverWorseThanTheBestDrawAndRepeats) {
  const auto model = Model();
  const auto input = PrepareInput(*model, Observe(930), ToyProtocol());
  PosteriorSampler sampler(*model, input->x, 1);
  const auto best = FindMap(sampler, 200, model->dimension(), {});
  const auto mode = FindMode(*model, input->x, 200, 1, {});
  ASSERT_TRUE(mode);
  EXPECT_GE(mode->log_density, best->log_density);
  EXPECT_EQ(LogDensityOfCodes(*model, input->x, mode->codes, {})->front(), mode->log_density);
  EXPECT_EQ(FindMode(*model, input->x, 200, 1, {})->codes, mode->codes);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(FindMode(*model, input->x, 200, 1, stop.get_token()).error().code,
            ErrorCode::kCancelled);
}

TEST_F(PosteriorTest, DensityIsMinusInfinityWhereTheClassifierRejects) {
  const auto model = Model();
  const auto input = PrepareInput(*model, Observe(910), ToyProtocol());
  const std::vector<std::uint16_t> codes{100, 1, 1, 1, 1, 1, 1, 950, 1, 1, 1, 1, 1, 1};
  const auto density = LogDensityOfCodes(*model, input->x, codes, {});
  EXPECT_EQ((*density)[0], -std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isfinite((*density)[1]));
}

TEST_F(PosteriorTest, OtherProtocolIsRefusedWithAdvice) {
  Protocol other = ToyProtocol();
  other.duration_us = 50;
  Observation observation = Observe(910);
  observation.trace.resize(50, 500);
  const auto input = PrepareInput(*Model(), observation, other);
  ASSERT_FALSE(input);
  EXPECT_EQ(input.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_NE(input.error().advice.find("run a study"), std::string::npos);
}

TEST_F(PosteriorTest, StrangeObservationsAreAnsweredWithWarnings) {
  const auto warnings = [&](const std::string& model, const Observation& observation) {
    std::string all;
    const auto input = PrepareInput(*Model(model), observation, ToyProtocol());
    for (const std::string& warning : input->warnings) all += warning + "\n";
    return all;
  };
  EXPECT_EQ(warnings("toy-features", Observe(910)), "");
  EXPECT_NE(warnings("toy-features", Observe(10)).find("no spike"), std::string::npos);
  EXPECT_NE(warnings("toy-features", Observe(600)).find("100 spikes"), std::string::npos);
  Observation outlier = Observe(910);
  outlier.trace.assign(40, kOutlier);
  EXPECT_NE(warnings("toy-summary", outlier).find("outside the training data"), std::string::npos);
}

TEST_F(PosteriorTest, SamplerGivesUpWhereNothingIsAccepted) {
  const auto model = Model();
  auto strict = std::make_shared<LoadedModel>();
  strict->record = model->record;
  strict->record.classifier.threshold = 2;  // Scores are shares.
  const auto folder = folder_->path() / "models" / "toy-features";
  strict->estimator = std::move(*parts_->factory->LoadDensityEstimator(
      model->record.architecture, folder / "weights.safetensors"));
  strict->classifier = std::move(*parts_->factory->LoadClassifier(
      model->record.classifier.architecture, folder / "classifier.safetensors"));
  PosteriorSampler sampler(*strict, std::vector<float>(12, 1), 1, {.least_attempts = 2000});
  const auto draws = sampler.Next(1, {});
  ASSERT_FALSE(draws);
  EXPECT_EQ(draws.error().code, ErrorCode::kFailedPrecondition);
}

TEST_F(PosteriorTest, StopEndsSampling) {
  std::stop_source stop;
  stop.request_stop();
  PosteriorSampler sampler(*Model(), std::vector<float>(12, 1), 1);
  EXPECT_EQ(sampler.Next(10, stop.get_token()).error().code, ErrorCode::kCancelled);
}

TEST_F(PosteriorTest, ModelRecordSurvivesItsJson) {
  const ModelRecord record = Model()->record;
  const auto read = ModelFromJson(ModelJson(record));
  ASSERT_TRUE(read);
  EXPECT_EQ(ModelJson(*read), ModelJson(record));
  EXPECT_EQ(read->classifier.threshold, record.classifier.threshold);
  EXPECT_EQ(read->training_count, 400u);
}

TEST_F(PosteriorTest, NewestModelAnswersWhereNoneIsNamed) {
  const auto newest = parts_->registry.List().front().id;
  EXPECT_EQ((*parts_->registry.Load(""))->record.id, newest);
}

TEST(RegistryTest, WithoutModelsItSaysToRunAStudy) {
  const TemporaryFolder folder;
  const auto factory = MakeHistogramFactory();
  Registry registry(folder.path() / "models", *factory);
  EXPECT_EQ(registry.Load("").error().code, ErrorCode::kFailedPrecondition);
  EXPECT_NE(registry.Load("").error().advice.find("study run"), std::string::npos);
  EXPECT_EQ(registry.Load("x").error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(registry.List().empty());
}

class RegistryDamageTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(parts_.Run().state, StudyState::kSucceeded); }
  ErrorCode LoadCode() {
    Registry fresh(folder_.path() / "models", *parts_.factory);
    const auto model = fresh.Load("toy-features");
    return model ? ErrorCode::kInternal : model.error().code;
  }
  std::filesystem::path File(const char* name) {
    return folder_.path() / "models" / "toy-features" / name;
  }

  const TemporaryFolder folder_;
  TrainerParts parts_{folder_.path(), QuickOptions()};
};

TEST_F(RegistryDamageTest, ChangedFilesAreRefused) {
  for (const char* file : {"weights.safetensors", "classifier.safetensors"}) {
    const std::string content = *ReadFile(File(file));
    std::ofstream(File(file), std::ios::binary) << content + " ";
    EXPECT_EQ(LoadCode(), ErrorCode::kDataLoss) << file;
    std::ofstream(File(file), std::ios::binary) << content;
  }
  std::string record = *ReadFile(File("model.json"));
  std::ofstream(File("model.json")) << record.substr(0, record.size() / 2);
  EXPECT_EQ(LoadCode(), ErrorCode::kDataLoss);
  EXPECT_EQ(parts_.registry.List().size(), 1u) << "the damaged one is left out";
  record.replace(record.find("\"schema\": 1"), 11, "\"schema\": 9");
  std::ofstream(File("model.json")) << record;
  EXPECT_EQ(LoadCode(), ErrorCode::kFailedPrecondition) << "made by a later version";
}

TEST_F(RegistryDamageTest, MemoryHoldsNoMoreModelsThanAllowed) {
  Registry small(folder_.path() / "models", *parts_.factory, 1);
  const std::weak_ptr<const LoadedModel> first = *small.Load("toy-features");
  EXPECT_FALSE(first.expired());
  ASSERT_TRUE(small.Load("toy-summary"));
  EXPECT_TRUE(first.expired());
  EXPECT_EQ((*small.Load("toy-features"))->record.id, "toy-features");
}

}  // namespace
}  // namespace inferon::trainer
