#include "server/trainer/engine/recipe.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace inferon::trainer {
namespace {

using Json = nlohmann::json;

// Passes over the data: many for little data, fewer for much. On values they are an upper limit
// that a plateau cuts down; a network on traces costs more and goes to the end more often.
std::uint32_t EpochsFor(const TrainingShape& shape) {
  const auto rows = static_cast<double>(std::max<std::size_t>(shape.rows, 1));
  const double root = std::sqrt(10'000 / rows);
  const double epochs =
      shape.traces ? std::clamp(60 * root, 20.0, 200.0) : std::clamp(120 * root, 60.0, 400.0);
  return static_cast<std::uint32_t>(epochs);
}

// Rows of a step: 64 keeps small data sets moving, more is faster where there are many.
std::uint32_t BatchFor(std::size_t rows) {
  return static_cast<std::uint32_t>(std::clamp<std::size_t>(rows / 300, 32, 128));
}

// Flows whose mean is the density: what little data leave open, several flows fill differently. A
// summary network is trained once, for it takes most of the time.
std::uint32_t MembersFor(const TrainingShape& shape) {
  if (shape.traces || shape.rows > 200'000) return 1;
  return shape.rows > 20'000 ? 3 : 5;
}

// Flows on values learn fast and cool down at a plateau; a network that learns what to look at in a
// trace stands still for some epochs in between.
estimators::TrainingOptions FlowTraining(const TrainingShape& shape) {
  estimators::TrainingOptions training;
  training.max_epochs = EpochsFor(shape);
  training.patience = std::max(10u, training.max_epochs / 4);
  training.plateau_epochs = shape.traces ? 0 : std::max(2u, training.max_epochs / 10);
  training.cooldown_epochs = training.max_epochs / 5;
  training.batch_size = BatchFor(shape.rows);
  training.learning_rate = shape.traces ? 2e-3 : 4e-3;
  training.weight_decay = shape.traces ? 1e-4 : 0.03;
  training.ema_decay = 0.99;
  return training;
}

// A field's loss is noisy and each row teaches it one point of the path: more passes over the data,
// larger steps of more rows, a longer mean of the weights.
void UseFieldDefaults(const TrainingShape& shape, Recipe* recipe) {
  recipe->flow.transforms = 3;
  recipe->flow.hidden = 128;
  recipe->flow.members = 1;
  recipe->training.max_epochs = 3 * EpochsFor(shape);
  recipe->training.patience = recipe->training.max_epochs;
  recipe->training.plateau_epochs = 0;  // Its held-out loss is too noisy to tell.
  recipe->training.batch_size =
      static_cast<std::uint32_t>(std::clamp<std::size_t>(shape.rows / 100, 32, 256));
  recipe->training.learning_rate = 2e-3;
  recipe->training.weight_decay = 1e-4;
  recipe->training.ema_decay = 0.999;
}

// Calls field(name, value, whole) for every key of a configuration.
template <typename Field>
void ForEachField(Recipe& r, const Field& field) {
  field("transforms", r.flow.transforms);
  field("hidden", r.flow.hidden);
  field("bins", r.flow.bins);
  field("members", r.flow.members);
  field("summaries", r.flow.summaries);
  field("trials", r.flow.trials);
  field("max_epochs", r.training.max_epochs);
  field("patience", r.training.patience);
  field("plateau_epochs", r.training.plateau_epochs);
  field("cooldown_epochs", r.training.cooldown_epochs);
  field("batch_size", r.training.batch_size);
  field("learning_rate", r.training.learning_rate);
  field("weight_decay", r.training.weight_decay);
  field("gradient_clip", r.training.gradient_clip);
  field("ema_decay", r.training.ema_decay);
  field("heldout_share", r.training.heldout_share);
}

tl::unexpected<Error> Refuse(const std::string& what, const std::string& advice) {
  return InvalidArgument("the configuration is not usable: " + what, advice);
}

Status Assign(const Json& value, const char* key, std::uint32_t& to) {
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() > 1'000'000'000) {
    return Refuse(fmt::format("\"{}\" is not a whole number from 0 on", key), "Give one");
  }
  to = value.get<std::uint32_t>();
  return {};
}

Status Assign(const Json& value, const char* key, double& to) {
  if (!value.is_number()) return Refuse(fmt::format("\"{}\" is not a number", key), "Give one");
  to = value.get<double>();
  return {};
}

Status Assign(const Json& value, const char* key, std::string& to) {
  if (!value.is_string()) return Refuse(fmt::format("\"{}\" is not a text", key), "Give one");
  to = value.get<std::string>();
  return {};
}

Status Assign(const Json& value, const char* key, bool& to) {
  if (!value.is_boolean()) {
    return Refuse(fmt::format("\"{}\" is neither true nor false", key), "Give one of these");
  }
  to = value.get<bool>();
  return {};
}

// The settings of BayesFlow 2 beside its time-series network: dual couplings are two half steps.
void UsePaperSettings(Recipe* recipe) {
  recipe->flow.summaries = 16;
  if (!estimators::IsField(recipe->flow.family)) {
    recipe->flow.transforms = 12;
    recipe->flow.hidden = 128;
  }
  recipe->training.max_epochs = 100;
  recipe->training.patience = 100;
  recipe->training.plateau_epochs = 0;
  recipe->training.batch_size = 32;
  recipe->training.learning_rate = 5e-4;
  recipe->training.weight_decay = 5e-3;
  recipe->training.gradient_clip = 1.5;
  recipe->training.ema_decay = 0;
}

// The summary network comes first: other keys may change what it brings along.
Status AssignSummary(const Json& json, Recipe* recipe) {
  if (!json.contains("summary")) return {};
  std::string name;
  if (Status ok = Assign(json["summary"], "summary", name); !ok) return ok;
  const auto network = estimators::SummaryNetworkOf(name);
  if (!network) {
    return Refuse(
        fmt::format("there is no summary network '{}'", name),
        fmt::format("Choose one of {}", fmt::join(estimators::kSummaryNetworkNames, ", ")));
  }
  if (recipe->flow.input != estimators::InputNetwork::kSummary) {
    return Refuse("\"summary\" is for time series, and x has values",
                  "Leave it out; a data set has time series where it was imported with --traces, a "
                  "study with its summary estimator");
  }
  recipe->flow.summary_network = *network;
  if (*network == estimators::SummaryNetwork::kPaper) UsePaperSettings(recipe);
  return {};
}

}  // namespace

std::vector<std::string> EstimatorNames() {
  return {"flow", "affine-flow", "flow-matching", "diffusion"};
}

Result<Recipe> DefaultRecipe(const std::string& estimator, const TrainingShape& shape) {
  const std::vector<std::string> names = EstimatorNames();
  Recipe recipe;
  recipe.estimator = estimator.empty() ? names.front() : estimator;
  if (std::find(names.begin(), names.end(), recipe.estimator) == names.end()) {
    return InvalidArgument(fmt::format("there is no estimator '{}'", estimator),
                           fmt::format("Choose one of {}", fmt::join(names, ", ")));
  }
  recipe.flow.dimension = shape.axes.size();
  recipe.flow.axes = shape.axes;
  recipe.flow.input_columns = shape.columns;
  recipe.flow.input =
      shape.traces ? estimators::InputNetwork::kSummary : estimators::InputNetwork::kFeatures;
  recipe.flow.bins = 8;
  recipe.flow.members = MembersFor(shape);
  recipe.training = FlowTraining(shape);
  const auto family = std::find(names.begin(), names.end(), recipe.estimator) - names.begin();
  recipe.flow.family = static_cast<estimators::DensityFamily>(family);
  if (recipe.flow.family == estimators::DensityFamily::kAffineFlow) recipe.flow.transforms = 12;
  if (estimators::IsField(recipe.flow.family)) UseFieldDefaults(shape, &recipe);
  return recipe;
}

Status ApplyConfig(std::string_view text, Recipe* recipe) {
  if (text.empty()) return {};
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return Refuse("it is not a JSON object", "Write {\"max_epochs\": 100}");
  std::vector<std::string> known = {"summary"};
  Status status = AssignSummary(json, recipe);
  const auto take = [&](const char* key, auto& value) {
    known.emplace_back(key);
    if (status && json.contains(key)) status = Assign(json[key], key, value);
  };
  take("device", recipe->training.device);
  take("repair", recipe->repair);
  ForEachField(*recipe, take);
  if (!status) return status;
  for (const auto& [key, value] : json.items()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      return Refuse(fmt::format("unknown key \"{}\"", key),
                    fmt::format("Known are {}", fmt::join(known, ", ")));
    }
  }
  return {};
}

std::string RecipeJson(const Recipe& recipe) {
  Json json = {{"estimator", recipe.estimator}};
  if (recipe.flow.input == estimators::InputNetwork::kSummary) {
    json["summary"] = estimators::NameOf(recipe.flow.summary_network);
  }
  if (recipe.training.device != "cpu") json["device"] = recipe.training.device;
  if (recipe.repair) json["repair"] = true;
  Recipe copy = recipe;
  ForEachField(copy, [&](const char* key, auto& value) { json[key] = value; });
  return json.dump();
}

Result<Recipe> RecipeFromJson(const std::string& text, const TrainingShape& shape) {
  Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return Refuse("it is not a JSON object", "Restore the file it is from");
  auto recipe = DefaultRecipe(json.value("estimator", std::string()), shape);
  if (!recipe) return recipe;
  json.erase("estimator");
  if (Status ok = ApplyConfig(json.dump(), &*recipe); !ok) return tl::unexpected(ok.error());
  return recipe;
}

}  // namespace inferon::trainer
