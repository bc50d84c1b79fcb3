#include "server/trainer/engine/recipe.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

namespace inferon::trainer {
namespace {

using testing::HasSubstr;

TrainingShape Shape(std::size_t rows) {
  return {rows, 8, {estimators::Axis::kUnit, estimators::Axis::kLine}, false};
}

TEST(RecipeTest, DefaultsFollowTheShape) {
  const auto small = DefaultRecipe("", Shape(1000)), large = DefaultRecipe("", Shape(1'000'000));
  ASSERT_TRUE(small && large);
  EXPECT_EQ(small->estimator, EstimatorNames().front());
  EXPECT_EQ(small->flow.dimension, 2u);
  EXPECT_EQ(small->flow.input_columns, 8u);
  EXPECT_GT(small->training.max_epochs, large->training.max_epochs);
  EXPECT_LE(small->training.batch_size, large->training.batch_size);
  EXPECT_EQ(small->flow.members, 5u);
  EXPECT_EQ(DefaultRecipe("", Shape(20'001))->flow.members, 3u);
  EXPECT_EQ(DefaultRecipe("", Shape(200'000))->flow.members, 3u);
  EXPECT_EQ(DefaultRecipe("", Shape(200'001))->flow.members, 1u);
  EXPECT_EQ(large->flow.members, 1u);
  const auto unknown = DefaultRecipe("floww", Shape(1000));
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().Text(), HasSubstr("Choose one of flow"));
}

TEST(RecipeTest, EachNameIsAFamilyWithSettingsOfItsOwn) {
  using enum estimators::DensityFamily;
  for (const auto& [name, family] : {std::pair{"flow", kSplineFlow},
                                     {"affine-flow", kAffineFlow},
                                     {"flow-matching", kFlowMatching},
                                     {"diffusion", kDiffusion}}) {
    const auto recipe = DefaultRecipe(name, Shape(100'000));
    ASSERT_TRUE(recipe);
    EXPECT_EQ(recipe->flow.family, family);
    EXPECT_EQ(recipe->training.max_epochs, estimators::IsField(family) ? 180u : 60u);
  }
}

TEST(RecipeTest, FlowsOnValuesCoolDownAtAPlateauFieldsAndTracesDoNot) {
  const auto flow = DefaultRecipe("flow", Shape(100'000));
  EXPECT_EQ(flow->training.plateau_epochs, 6u);
  EXPECT_EQ(flow->training.cooldown_epochs, 12u);
  EXPECT_EQ(DefaultRecipe("flow", Shape(10'000))->training.plateau_epochs, 12u);
  EXPECT_EQ(DefaultRecipe("diffusion", Shape(10'000))->training.plateau_epochs, 0u);
  TrainingShape traces = Shape(10'000);
  traces.traces = true;
  EXPECT_EQ(DefaultRecipe("flow", traces)->training.plateau_epochs, 0u);
  EXPECT_EQ(DefaultRecipe("flow", traces)->training.max_epochs, 60u);
}

TEST(RecipeTest, ConfigurationChangesSettingsAndRefusesWhatItDoesNotKnow) {
  auto recipe = *DefaultRecipe("flow", Shape(1000));
  ASSERT_TRUE(ApplyConfig(R"({"bins": 5, "learning_rate": 0.001})", &recipe));
  EXPECT_EQ(recipe.flow.bins, 5u);
  EXPECT_EQ(recipe.training.learning_rate, 0.001);
  EXPECT_EQ(nlohmann::json::parse(RecipeJson(recipe))["bins"], 5);
  const auto refusal = [&](const char* text) { return ApplyConfig(text, &recipe).error().Text(); };
  EXPECT_THAT(refusal(R"({"bin": 5})"), HasSubstr("unknown key \"bin\""));
  EXPECT_THAT(refusal(R"({"bins": -5})"), HasSubstr("\"bins\" is not a whole number"));
  EXPECT_THAT(refusal(R"({"ema_decay": "x"})"), HasSubstr("\"ema_decay\" is not a number"));
  EXPECT_THAT(refusal("[]"), HasSubstr("not a JSON object"));
  EXPECT_TRUE(ApplyConfig("", &recipe));
}

TEST(RecipeTest, SummaryNetworksAreChosenByNameAndThePaperBringsItsSettings) {
  TrainingShape traces = Shape(1000);
  traces.traces = true;
  auto recipe = *DefaultRecipe("", traces);
  EXPECT_EQ(nlohmann::json::parse(RecipeJson(recipe))["summary"], "conv-gru");
  ASSERT_TRUE(ApplyConfig(R"({"max_epochs": 7, "summary": "paper", "trials": 2})", &recipe));
  EXPECT_EQ(recipe.flow.summary_network, estimators::SummaryNetwork::kPaper);
  EXPECT_EQ(recipe.flow.summaries, 16u);
  EXPECT_EQ(recipe.flow.trials, 2u);
  EXPECT_EQ(recipe.training.batch_size, 32u);
  EXPECT_EQ(recipe.training.learning_rate, 5e-4);
  EXPECT_EQ(recipe.training.max_epochs, 7u) << "a key of the user's goes before the preset";
  const auto refusal = [&](const char* text) { return ApplyConfig(text, &recipe).error().Text(); };
  EXPECT_THAT(refusal(R"({"summary": "lstm"})"),
              HasSubstr("conv-gru, dilated, transformer, paper"));
  EXPECT_THAT(refusal(R"({"summary": 3})"), HasSubstr("\"summary\" is not a text"));
  auto values = *DefaultRecipe("", Shape(1000));
  EXPECT_THAT(ApplyConfig(R"({"summary": "dilated"})", &values).error().Text(),
              HasSubstr("is for time series"));
}

}  // namespace
}  // namespace inferon::trainer
