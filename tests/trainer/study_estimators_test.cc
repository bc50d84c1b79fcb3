// What a study trains: defaults, settings that are given, what is kept of them, and repair.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "common/inference/engine.h"
#include "server/trainer/queries/posterior.h"
#include "tests/trainer/study_fixture.h"

namespace inferon::trainer {
namespace {

using testing::HasSubstr;

class StudyEstimatorsTest : public testing::Test {
 protected:
  StudyEstimatorsTest() : parts_(folder_.path(), QuickOptions()) {}

  const TemporaryFolder folder_;
  TrainerParts parts_;
};

TEST_F(StudyEstimatorsTest, EstimatorsAreEnsemblesAndThoseOfOlderStudiesOneFlow) {
  StudySpec spec = ToySpec();
  FillDefaults(spec);
  EXPECT_GT(spec.features_estimator.members, 1u);
  EXPECT_GT(spec.summary_estimator.members, 1u);
  nlohmann::json json = ToJson(spec);
  EXPECT_EQ(StudySpecFromJson(json), spec);
  json["features_estimator"].erase("members");
  json["features_estimator"].erase("estimator");
  json["features_estimator"].erase("config");
  const EstimatorSpec older = StudySpecFromJson(json).features_estimator;
  EXPECT_EQ(older.members, 1u);
  EXPECT_EQ(older.estimator, "flow");
}

TEST_F(StudyEstimatorsTest, AnEstimatorsNumbersAreTheSpecsThenThoseOfItsConfigThenItsRules) {
  StudySpec spec = ToySpec();
  spec.features_estimator = {.hidden = 48, .estimator = "diffusion"};
  spec.summary_estimator = {.max_epochs = 7,
                            .config = R"({"summary": "paper", "hidden": 96, "repair": true})"};
  FillDefaults(spec);
  EXPECT_EQ(spec.features_estimator.hidden, 48u);
  EXPECT_EQ(spec.features_estimator.transforms, 3u);
  EXPECT_EQ(spec.features_estimator.members, 1u);
  EXPECT_EQ(spec.summary_estimator.estimator, "flow");
  EXPECT_EQ(spec.summary_estimator.hidden, 96u);
  EXPECT_EQ(spec.summary_estimator.max_epochs, 7u);
  EXPECT_EQ(spec.summary_estimator.members, 2u);

  const auto features = StudyRecipe(spec, "features"), summary = StudyRecipe(spec, "summary");
  ASSERT_TRUE(features && summary);
  EXPECT_EQ(features->flow.family, estimators::DensityFamily::kDiffusion);
  EXPECT_EQ(features->training.ema_decay, 0.999);
  EXPECT_FALSE(features->repair);
  EXPECT_TRUE(StudyRecipe(ToySpec(), "summary")->repair);
  EXPECT_FALSE(StudyRecipe(ToySpec(), "features")->repair);
  EXPECT_EQ(summary->flow.summary_network, estimators::SummaryNetwork::kPaper);
  EXPECT_EQ(summary->flow.hidden, 96u);
  EXPECT_EQ(summary->training.max_epochs, 7u);
  EXPECT_EQ(summary->training.weight_decay, 5e-3);
  EXPECT_TRUE(summary->repair);

  const StudySpec once = spec;
  FillDefaults(spec);
  EXPECT_TRUE(spec == once);
}

// The summary's posterior is repaired unless told otherwise, but needs it not.
TEST_F(StudyEstimatorsTest, RepairIsFittedOnRequestKeptWithTheModelAndSaid) {
  StudySpec spec = ToySpec();
  spec.constrained_count = 4000;
  spec.features_estimator.hidden = kTooSure;
  spec.features_estimator.config = R"({"repair": true})";
  const StudyRecord study = parts_.Run("toy", spec);
  ASSERT_EQ(study.state, StudyState::kSucceeded) << study.error;
  EXPECT_TRUE(parts_.registry.Get("toy-summary")->repair.empty());
  EXPECT_THAT(parts_.registry.Get("toy-features")->repair, HasSubstr("\"scale\""));
  EXPECT_THAT(parts_.registry.Get("toy-features")->settings, HasSubstr("\"repair\":true"));
  EXPECT_THAT(parts_.registry.Get("toy-summary")->settings, HasSubstr("\"summary\":\"conv-gru\""));
  const std::filesystem::path folder = parts_.data / "models";
  EXPECT_THAT(*ReadFile(folder / "toy-features" / "model.json"), HasSubstr("\"schema\": 3"));
  EXPECT_THAT(*ReadFile(folder / "toy-summary" / "model.json"), HasSubstr("\"schema\": 1"));

  const auto model = parts_.registry.Load("toy-features");
  ASSERT_TRUE(model) << model.error().Text();
  std::vector<std::string> warnings;
  WarnOfEstimator(**model, warnings);
  EXPECT_THAT(warnings, testing::ElementsAre(HasSubstr("toy-features are repaired")));
  // The weights are as trained: without the repair they give other draws.
  const auto plain = parts_.factory->LoadDensityEstimator(
      (*model)->record.architecture, folder / "toy-features" / "weights.safetensors");
  const std::vector<float> x((*plain)->input_columns(), 900.0f);
  EXPECT_NE((*model)->estimator->Sample(x, 50, 1, 0, nullptr),
            (*plain)->Sample(x, 50, 1, 0, nullptr));
}

TEST_F(StudyEstimatorsTest, LimitsOfEstimatorsAreAllowed) {
  parts_.experiments.hang = true;
  StudySpec spec = ToySpec();
  spec.features_estimator = {.max_epochs = 2000, .patience = 2000, .members = 32};
  spec.summary_estimator.config = "{" + std::string(kMaxConfigBytes - 2, ' ') + "}";
  const auto created = parts_.Manager().Create("toy", spec);
  EXPECT_TRUE(created) << created.error().Text();
}

// Rules of a later version, or another machine, are no matter of a study that is there.
TEST_F(StudyEstimatorsTest, StudyKeepsItsRecipesAndIsFoundWhereItCouldNotBegin) {
  StudySpec spec = ToySpec();
  spec.summary_estimator.config = R"({"device": "cuda"})";
  FillDefaults(spec);
  StudyRecord record = MakeStudyRecord("toy", spec, {});
  record.recipes["features"] = R"({"estimator": "affine-flow", "hidden": 24, "members": 1})";
  record.state = StudyState::kCancelled;
  const std::string text = StudyJson(record, 1);
  EXPECT_THAT(text, HasSubstr("\"schema\": 2"));
  std::filesystem::create_directories(folder_.path() / "studies" / "toy");
  WriteFileAtomically(folder_.path() / "studies" / "toy" / "study.json", text);
  const auto found = parts_.Manager().Create("toy", spec);
  ASSERT_TRUE(found) << found.error().Text();
  EXPECT_EQ(nlohmann::json::parse(found->recipes.at("features")),
            nlohmann::json::parse(record.recipes.at("features")));

  StudySpec plain = ToySpec();
  FillDefaults(plain);
  record = MakeStudyRecord("other", plain, {});
  record.recipes["features"] = R"({"estimator": "affine-flow", "hidden": 24, "members": 1})";
  std::filesystem::create_directories(folder_.path() / "more" / "studies" / "other");
  WriteFileAtomically(folder_.path() / "more" / "studies" / "other" / "study.json",
                      StudyJson(record, 1));
  TrainerParts parts(folder_.path() / "more", QuickOptions());
  ASSERT_EQ(parts.Await("other").state, StudyState::kSucceeded);
  EXPECT_THAT(parts.registry.Get("other-features")->settings,
              testing::AllOf(HasSubstr("affine-flow"), HasSubstr("\"hidden\":24")));
  EXPECT_THAT(parts.registry.Get("other-summary")->settings, HasSubstr("\"estimator\":\"flow\""));
}

TEST_F(StudyEstimatorsTest, StudyOfAnOlderVersionIsTrainedAsThatWouldHave) {
  StudySpec spec = ToySpec();
  FillDefaults(spec);
  nlohmann::json older = nlohmann::json::parse(StudyJson(MakeStudyRecord("toy", spec, {}), 1));
  EXPECT_EQ(older.at("schema"), 2);  // Its summary is repaired.
  older.erase("recipes");
  older["schema"] = 1;
  const auto read = StudyFromJson(older.dump());
  ASSERT_TRUE(read) << read.error().Text();
  EXPECT_THAT(read->recipes.at("summary"), testing::Not(HasSubstr("repair")));
  EXPECT_THAT(StudyJson(*read, 1), HasSubstr("\"schema\": 1"));
}

}  // namespace
}  // namespace inferon::trainer
