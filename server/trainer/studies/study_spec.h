// What a study does; the fields, ranges and defaults are those of v1.StudySpec.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/neuron/device.h"
#include "common/neuron/profile.h"
#include "common/neuron/protocol.h"
#include "server/trainer/engine/recipe.h"

namespace inferon::trainer {

// A number left 0 takes its default in FillDefaults.
struct EstimatorSpec {
  std::uint32_t transforms = 0;
  std::uint32_t hidden = 0;
  std::uint32_t bins = 0;
  std::uint32_t max_epochs = 0;
  std::uint32_t patience = 0;
  std::uint32_t batch_size = 0;
  double learning_rate = 0;
  std::uint32_t members = 0;
  std::string estimator;  // One of EstimatorNames().
  std::string config;     // JSON text of ApplyConfig; the numbers go before it.
  bool operator==(const EstimatorSpec&) const = default;
};

struct StudySpec {
  std::string profile_toml;
  Protocol protocol;
  DeviceId device;
  std::string substrate;
  std::uint64_t seed = 0;
  std::uint32_t uniform_count = 0;
  std::uint32_t calibration_count = 0;
  std::uint32_t audit_count = 0;
  std::uint32_t constrained_count = 0;
  std::uint32_t validation_count = 0;
  std::uint32_t min_spikes = 0;
  std::uint32_t max_spikes = 0;
  double false_negative_rate = 0;
  std::vector<std::uint32_t> target_codes;  // Empty: chosen from the validation set.
  std::uint32_t posterior_draws = 0;
  std::uint32_t map_draws = 0;
  std::uint32_t target_trials = 0;
  EstimatorSpec features_estimator;
  EstimatorSpec summary_estimator;
  std::string project;  // Id.
  bool allow_mixed_modes = false;
  bool operator==(const StudySpec&) const = default;

  bool IsRelevant(std::uint32_t stimulus_spikes) const {
    return stimulus_spikes >= min_spikes && stimulus_spikes <= max_spikes;
  }
};

// How a study trains its estimator on `input` ("features" or "summary"), but for the numbers of
// parameters and of input columns. kInvalidArgument names what of the spec is wrong.
Result<Recipe> StudyRecipe(const StudySpec& spec, const std::string& input);

// Puts the defaults where a number is 0 and a text empty; an estimator's are those of its config,
// then those of its rules.
void FillDefaults(StudySpec& spec);

// Refuses what is out of range, naming field, value and range. The spec has its defaults.
Status ValidateSpec(const StudySpec& spec, const Profile& profile);

// JSON of study.json; FromJson throws nlohmann::json::exception on a damaged text.
nlohmann::json ToJson(const StudySpec& spec);
StudySpec StudySpecFromJson(const nlohmann::json& json);

}  // namespace inferon::trainer
