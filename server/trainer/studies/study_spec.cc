#include "server/trainer/studies/study_spec.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "common/neuron/parameters.h"
#include "server/trainer/estimators/estimators.h"
#include "server/trainer/registry/neuron_json.h"

namespace inferon::trainer {
namespace {

template <typename T>
void Default(T& value, T standard) {
  if (value == T()) value = standard;
}

// What differs by input. One flow is too sure of where its mass lies; a flow on traces costs most
// of a study's time, so that fewer are trained: docs/inference.md has the coverage.
struct TrainingDefaults {
  std::uint32_t max_epochs;
  std::uint32_t batch_size;
  std::uint32_t members;
};
constexpr TrainingDefaults kFeaturesTraining{34, 100, 4};
constexpr TrainingDefaults kSummaryTraining{20, 32, 2};

void FillEstimatorDefaults(EstimatorSpec& spec, const TrainingDefaults& training) {
  Default(spec.transforms, 6u);
  Default(spec.hidden, 64u);
  Default(spec.bins, 8u);
  Default(spec.max_epochs, training.max_epochs);
  Default(spec.patience, 10u);
  Default(spec.batch_size, training.batch_size);
  Default(spec.learning_rate, 4e-3);
  Default(spec.members, training.members);
}

template <typename T>
Status InRange(const std::string& field, T value, T low, T high) {
  if (value >= low && value <= high) return {};
  return InvalidArgument(fmt::format("{} is {}, outside {}..{}", field, value, low, high),
                         fmt::format("Choose {} within {}..{}", field, low, high));
}

Status ValidateEstimator(const std::string& name, const EstimatorSpec& spec) {
  for (const Status& status :
       {InRange(name + ".transforms", spec.transforms, 1u, 20u),
        InRange(name + ".hidden", spec.hidden, 8u, 512u),
        InRange(name + ".bins", spec.bins, 4u, 32u),
        InRange(name + ".max_epochs", spec.max_epochs, 1u, 1000u),
        InRange(name + ".patience", spec.patience, 1u, 1000u),
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
          {"members", spec.members}};
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
  spec.members = json.value("members", 1u);  // Older studies lack it.
  return spec;
}

}  // namespace

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
  FillEstimatorDefaults(spec.features_estimator, kFeaturesTraining);
  FillEstimatorDefaults(spec.summary_estimator, kSummaryTraining);
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
        ValidateEstimator("features_estimator", spec.features_estimator),
        ValidateEstimator("summary_estimator", spec.summary_estimator)}) {
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
