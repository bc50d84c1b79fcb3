#include "server/trainer/studies/study_spec.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "common/inference/engine.h"
#include "common/neuron/parameters.h"
#include "server/trainer/estimators/estimators.h"
#include "server/trainer/registry/neuron_json.h"

namespace inferon::trainer {
namespace {

template <typename T>
void Default(T& value, T standard) {
  if (value == T()) value = standard;
}

// Flows of a study. One flow is too sure of where its mass lies; a flow on traces costs most of a
// study's time, so that fewer are trained, and their mean, which comes out too wide or too narrow
// by the seed, is repaired: docs/inference.md has the coverage.
void UseStudyDefaults(bool traces, Recipe& recipe) {
  recipe.flow.members = traces ? 2 : 4;
  recipe.training.max_epochs = traces ? 20 : 34;
  recipe.training.patience = 10;
  recipe.training.plateau_epochs = 0;
  recipe.training.batch_size = traces ? 32 : 100;
  recipe.training.learning_rate = 4e-3;
  recipe.training.weight_decay = 0.03;
  recipe.repair = traces;
}

// Calls field(number of the spec, number of the recipe) for each.
template <typename Field>
void ForEachNumber(EstimatorSpec& spec, Recipe& recipe, const Field& field) {
  field(spec.transforms, recipe.flow.transforms);
  field(spec.hidden, recipe.flow.hidden);
  field(spec.bins, recipe.flow.bins);
  field(spec.max_epochs, recipe.training.max_epochs);
  field(spec.patience, recipe.training.patience);
  field(spec.batch_size, recipe.training.batch_size);
  field(spec.learning_rate, recipe.training.learning_rate);
  field(spec.members, recipe.flow.members);
}

const EstimatorSpec& SpecOf(const StudySpec& spec, const std::string& input) {
  return input == "summary" ? spec.summary_estimator : spec.features_estimator;
}

// A config that cannot be used leaves the numbers: ValidateSpec says why.
void FillEstimatorDefaults(const StudySpec& study, const std::string& input, EstimatorSpec& spec) {
  Default(spec.estimator, EstimatorNames().front());
  auto recipe = StudyRecipe(study, input);
  if (!recipe) return;
  ForEachNumber(spec, *recipe, [](auto& of_spec, auto& of_recipe) { of_spec = of_recipe; });
}

template <typename T>
Status InRange(const std::string& field, T value, T low, T high) {
  if (value >= low && value <= high) return {};
  return InvalidArgument(fmt::format("{} is {}, outside {}..{}", field, value, low, high),
                         fmt::format("Choose {} within {}..{}", field, low, high));
}

Status ValidateEstimator(const StudySpec& study, const std::string& input) {
  const EstimatorSpec& spec = SpecOf(study, input);
  const std::string name = input + "_estimator";
  if (spec.config.size() > kMaxConfigBytes) {
    return InvalidArgument(fmt::format("{}.config has {} bytes, more than {}", name,
                                       spec.config.size(), kMaxConfigBytes),
                           "Give the settings that differ from the defaults only");
  }
  const auto recipe = StudyRecipe(study, input);
  if (!recipe) {
    return InvalidArgument(fmt::format("{}: {}", name, recipe.error().message),
                           recipe.error().advice);
  }
  if (recipe->flow.trials != 1) {
    return InvalidArgument(fmt::format("{}.config has {} trials", name, recipe->flow.trials),
                           "Leave trials out: an experiment of a study is one trial");
  }
  for (const Status& status :
       {InRange(name + ".transforms", spec.transforms, 1u, 20u),
        InRange(name + ".hidden", spec.hidden, 8u, 512u),
        InRange(name + ".bins", spec.bins, 4u, 32u),
        InRange(name + ".max_epochs", spec.max_epochs, 1u, 2000u),
        InRange(name + ".patience", spec.patience, 1u, 2000u),
        InRange(name + ".batch_size", spec.batch_size, 16u, 8192u),
        InRange(name + ".learning_rate", spec.learning_rate, 1e-6, 1.0),
        InRange(name + ".members", spec.members, 1u, estimators::kMaxMembers)}) {
    if (!status) return status;
  }
  return {};
}

Status ValidateTarget(const StudySpec& spec, const Profile& profile) {
  if (spec.target_codes.empty()) return {};
  if (spec.target_codes.size() != profile.dimension()) {
    return InvalidArgument(
        fmt::format("target_codes has {} codes, the profile {} has {} free parameters",
                    spec.target_codes.size(), profile.name, profile.dimension()),
        "Give one code for each free parameter, or none");
  }
  for (std::size_t i = 0; i < spec.target_codes.size(); ++i) {
    const Status status = InRange(fmt::format("target_codes[{}]", i), spec.target_codes[i], 0u,
                                  std::uint32_t{kMaxCode});
    if (!status) return status;
  }
  return {};
}

nlohmann::json EstimatorJson(const EstimatorSpec& spec) {
  return {{"transforms", spec.transforms},
          {"hidden", spec.hidden},
          {"bins", spec.bins},
          {"max_epochs", spec.max_epochs},
          {"patience", spec.patience},
          {"batch_size", spec.batch_size},
          {"learning_rate", spec.learning_rate},
          {"members", spec.members},
          {"estimator", spec.estimator},
          {"config", spec.config}};
}

EstimatorSpec EstimatorFromJson(const nlohmann::json& json) {
  EstimatorSpec spec;
  json.at("transforms").get_to(spec.transforms);
  json.at("hidden").get_to(spec.hidden);
  json.at("bins").get_to(spec.bins);
  json.at("max_epochs").get_to(spec.max_epochs);
  json.at("patience").get_to(spec.patience);
  json.at("batch_size").get_to(spec.batch_size);
  json.at("learning_rate").get_to(spec.learning_rate);
  // Older studies lack these.
  spec.members = json.value("members", 1u);
  spec.estimator = json.value("estimator", EstimatorNames().front());
  spec.config = json.value("config", std::string());
  return spec;
}

}  // namespace

Result<Recipe> StudyRecipe(const StudySpec& study, const std::string& input) {
  EstimatorSpec spec = SpecOf(study, input);
  const bool traces = input == "summary";
  auto recipe = DefaultRecipe(spec.estimator, {study.constrained_count, 0, {}, traces});
  if (!recipe) return recipe;
  if (recipe->estimator == EstimatorNames().front()) UseStudyDefaults(traces, *recipe);
  if (Status ok = ApplyConfig(spec.config, &*recipe); !ok) return tl::unexpected(ok.error());
  ForEachNumber(spec, *recipe, [](const auto& of_spec, auto& of_recipe) {
    if (of_spec != 0) of_recipe = of_spec;
  });
  return recipe;
}

void FillDefaults(StudySpec& spec) {
  Default(spec.substrate, std::string("emulator"));
  Default(spec.seed, std::uint64_t{1});
  Default(spec.uniform_count, 50'000u);
  Default(spec.calibration_count, 25'000u);
  Default(spec.audit_count, 25'000u);
  Default(spec.constrained_count, 30'000u);
  Default(spec.validation_count, 600u);
  Default(spec.min_spikes, 1u);
  Default(spec.max_spikes, 70u);
  Default(spec.false_negative_rate, 0.03);
  Default(spec.posterior_draws, 1'000u);
  Default(spec.map_draws, 10'000u);
  Default(spec.target_trials, 1'000u);
  FillEstimatorDefaults(spec, "features", spec.features_estimator);
  FillEstimatorDefaults(spec, "summary", spec.summary_estimator);
  Default(spec.project, std::string("default"));
}

Status ValidateSpec(const StudySpec& spec, const Profile& profile) {
  if (Status status = ValidateProtocol(spec.protocol); !status) return status;
  if (spec.substrate != "emulator" && spec.substrate != "brainscales2") {
    return InvalidArgument(fmt::format("substrate is \"{}\"", spec.substrate),
                           "Choose \"emulator\" or \"brainscales2\"");
  }
  for (const Status& status :
       {InRange("uniform_count", spec.uniform_count, 200u, 10'000'000u),
        InRange("calibration_count", spec.calibration_count, 100u, 10'000'000u),
        InRange("audit_count", spec.audit_count, 100u, 10'000'000u),
        InRange("constrained_count", spec.constrained_count, 200u, 100'000'000u),
        InRange("validation_count", spec.validation_count, 16u, 1'000'000u),
        InRange("max_spikes", spec.max_spikes, spec.min_spikes, 100'000u),
        InRange("false_negative_rate", spec.false_negative_rate, 0.001, 0.5),
        InRange("posterior_draws", spec.posterior_draws, 10u, 100'000u),
        InRange("map_draws", spec.map_draws, 10u, 1'000'000u),
        InRange("target_trials", spec.target_trials, 2u, 100'000u),
        ValidateEstimator(spec, "features"), ValidateEstimator(spec, "summary")}) {
    if (!status) return status;
  }
  return ValidateTarget(spec, profile);
}

nlohmann::json ToJson(const StudySpec& spec) {
  return {{"profile_toml", spec.profile_toml},
          {"protocol", ToJson(spec.protocol)},
          {"device", ToJson(spec.device)},
          {"substrate", spec.substrate},
          {"seed", spec.seed},
          {"uniform_count", spec.uniform_count},
          {"calibration_count", spec.calibration_count},
          {"audit_count", spec.audit_count},
          {"constrained_count", spec.constrained_count},
          {"validation_count", spec.validation_count},
          {"min_spikes", spec.min_spikes},
          {"max_spikes", spec.max_spikes},
          {"false_negative_rate", spec.false_negative_rate},
          {"target_codes", spec.target_codes},
          {"posterior_draws", spec.posterior_draws},
          {"map_draws", spec.map_draws},
          {"target_trials", spec.target_trials},
          {"features_estimator", EstimatorJson(spec.features_estimator)},
          {"summary_estimator", EstimatorJson(spec.summary_estimator)},
          {"project", spec.project},
          {"allow_mixed_modes", spec.allow_mixed_modes}};
}

StudySpec StudySpecFromJson(const nlohmann::json& json) {
  StudySpec spec;
  json.at("profile_toml").get_to(spec.profile_toml);
  spec.protocol = ProtocolFromJson(json.at("protocol"));
  spec.device = DeviceFromJson(json.at("device"));
  json.at("substrate").get_to(spec.substrate);
  json.at("seed").get_to(spec.seed);
  json.at("uniform_count").get_to(spec.uniform_count);
  json.at("calibration_count").get_to(spec.calibration_count);
  json.at("audit_count").get_to(spec.audit_count);
  json.at("constrained_count").get_to(spec.constrained_count);
  json.at("validation_count").get_to(spec.validation_count);
  json.at("min_spikes").get_to(spec.min_spikes);
  json.at("max_spikes").get_to(spec.max_spikes);
  json.at("false_negative_rate").get_to(spec.false_negative_rate);
  json.at("target_codes").get_to(spec.target_codes);
  json.at("posterior_draws").get_to(spec.posterior_draws);
  json.at("map_draws").get_to(spec.map_draws);
  json.at("target_trials").get_to(spec.target_trials);
  spec.features_estimator = EstimatorFromJson(json.at("features_estimator"));
  spec.summary_estimator = EstimatorFromJson(json.at("summary_estimator"));
  json.at("project").get_to(spec.project);
  spec.allow_mixed_modes = json.value("allow_mixed_modes", false);  // Older studies lack it.
  return spec;
}

}  // namespace inferon::trainer
