// Which estimator is trained, and how: defaults by rule, and a JSON file that changes them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "server/trainer/estimators/estimators.h"

namespace inferon::trainer {

struct Recipe {
  std::string estimator;  // One of EstimatorNames().
  estimators::FlowOptions flow;
  estimators::TrainingOptions training;
  bool repair = false;  // Shift and scale the posteriors so that held-out pairs fit best.
};

// What the rules look at.
struct TrainingShape {
  std::size_t rows = 0;     // Pairs.
  std::size_t columns = 0;  // Of x.
  std::vector<estimators::Axis> axes;
  bool traces = false;  // x is a time series: the summary network reads it.
};

// Names of the estimators, in DensityFamily's order, the default first.
std::vector<std::string> EstimatorNames();

// The default settings of an estimator ("" is the default estimator); docs/inference.md states the
// rules. kInvalidArgument for an unknown name.
Result<Recipe> DefaultRecipe(const std::string& estimator, const TrainingShape& shape);

// Changes a recipe by a JSON object with any of the keys summary (conv-gru, dilated, transformer or
// paper, which brings all settings of BayesFlow 2 along), device, repair, transforms, hidden, bins,
// members, summaries, trials, max_epochs, patience, plateau_epochs, cooldown_epochs, batch_size,
// learning_rate, weight_decay, gradient_clip, ema_decay, heldout_share. kInvalidArgument names the
// key. "" changes nothing.
Status ApplyConfig(std::string_view json, Recipe* recipe);

// The recipe as a JSON object of these keys and estimator, for model.json, and back: what the text
// does not say is as in the default.
std::string RecipeJson(const Recipe& recipe);
Result<Recipe> RecipeFromJson(const std::string& text, const TrainingShape& shape);

}  // namespace inferon::trainer
