#include "server/trainer/studies/study_record.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

namespace inferon::trainer {
namespace {

using nlohmann::json;

constexpr std::array kStateNames = {"running", "succeeded", "failed", "cancelled"};

json TimeJson(const std::optional<WallTime>& time) {
  if (!time) return nullptr;
  return std::chrono::duration_cast<std::chrono::microseconds>(time->time_since_epoch()).count();
}

std::optional<WallTime> TimeFrom(const json& j) {
  if (j.is_null()) return std::nullopt;
  return WallTime(std::chrono::microseconds(j.get<std::int64_t>()));
}

json StepJson(const StepRecord& step) {
  return {{"id", step.id},
          {"title", step.title},
          {"done", step.done},
          {"total", step.total},
          {"unit", step.unit},
          {"start_time_us", TimeJson(step.start_time)},
          {"end_time_us", TimeJson(step.end_time)},
          {"note", step.note}};
}

StepRecord StepFrom(const json& j) {
  StepRecord step;
  j.at("id").get_to(step.id);
  j.at("title").get_to(step.title);
  j.at("done").get_to(step.done);
  j.at("total").get_to(step.total);
  j.at("unit").get_to(step.unit);
  step.start_time = TimeFrom(j.at("start_time_us"));
  step.end_time = TimeFrom(j.at("end_time_us"));
  j.at("note").get_to(step.note);
  return step;
}

StudyState StateFrom(const std::string& name) {
  for (std::size_t i = 0; i < kStateNames.size(); ++i) {
    if (name == kStateNames[i]) return static_cast<StudyState>(i);
  }
  throw json::other_error::create(501, "unknown state " + name, nullptr);
}

// Of a study that an older version began: it knew no repair.
std::map<std::string, std::string> OldRecipes(const StudySpec& spec) {
  std::map<std::string, std::string> recipes;
  for (const char* input : {"features", "summary"}) {
    auto recipe = StudyRecipe(spec, input);
    if (!recipe) continue;
    recipe->repair = false;
    recipes[input] = RecipeJson(*recipe);
  }
  return recipes;
}

StudyRecord RecordFrom(const json& j) {
  StudyRecord record;
  j.at("id").get_to(record.id);
  record.state = StateFrom(j.at("state").get<std::string>());
  record.spec = StudySpecFromJson(j.at("spec"));
  for (const json& step : j.at("steps")) record.steps.push_back(StepFrom(step));
  j.at("tasks_done").get_to(record.tasks_done);
  j.at("jobs").get_to(record.jobs);
  j.at("jobs_cancelled").get_to(record.jobs_cancelled);
  record.create_time = *TimeFrom(j.at("create_time_us"));
  record.end_time = TimeFrom(j.at("end_time_us"));
  j.at("active_seconds").get_to(record.active_seconds);
  j.at("error").get_to(record.error);
  j.at("models").get_to(record.models);
  record.modes = j.value("modes", std::vector<std::string>());  // Older studies lack it.
  record.trace = j.value("trace", std::string());
  if (!j.contains("recipes")) {
    record.recipes = OldRecipes(record.spec);
    return record;
  }
  const json& recipes = j.at("recipes");
  for (const char* input : {"features", "summary"})
    record.recipes[input] = recipes.at(input).dump();
  j.at("revision_limit").get_to(record.revision);
  return record;
}

// An older version takes a file of its own schema only: it does not train something else.
int SchemaOf(const StudyRecord& record) {
  for (const EstimatorSpec* spec :
       {&record.spec.features_estimator, &record.spec.summary_estimator}) {
    const std::string& name = spec->estimator;
    if ((!name.empty() && name != EstimatorNames().front()) || !spec->config.empty()) return 2;
  }
  const bool repairs = std::ranges::any_of(record.recipes, [](const auto& recipe) {
    return json::parse(recipe.second).value("repair", false);
  });
  return repairs ? 2 : 1;
}

// Of all members, at most.
std::uint64_t EpochsOf(const EstimatorSpec& spec) {
  return std::uint64_t{spec.members} * spec.max_epochs;
}

}  // namespace

StepRecord* StudyRecord::FindStep(const std::string& step) {
  const auto found =
      std::find_if(steps.begin(), steps.end(), [&](const StepRecord& s) { return s.id == step; });
  return found == steps.end() ? nullptr : &*found;
}

const StepRecord* StudyRecord::FindStep(const std::string& step) const {
  return const_cast<StudyRecord*>(this)->FindStep(step);
}

StudyRecord MakeStudyRecord(const std::string& id, const StudySpec& spec, WallTime now) {
  StudyRecord record{.id = id, .spec = spec, .create_time = now, .revision = 1};
  const auto add = [&](const char* step, const char* title, std::uint64_t total, const char* unit) {
    record.steps.push_back({.id = step, .title = title, .total = total, .unit = unit});
  };
  add("uniform", "Uniform round", spec.uniform_count, "experiments");
  add("calibration", "Calibration round", spec.calibration_count, "experiments");
  add("audit", "Audit round", spec.audit_count, "experiments");
  add("classifier", "Classifier", 0, "epochs");
  add("constrained", "Constrained round", spec.constrained_count, "experiments");
  add("validation", "Validation round", spec.validation_count, "experiments");
  add("features", "Density estimator on features", EpochsOf(spec.features_estimator), "epochs");
  add("summary", "Density estimator on traces", EpochsOf(spec.summary_estimator), "epochs");
  add("target", "Target observation", spec.target_trials, "experiments");
  add("posterior", "Posterior draws", 0, "draws");
  add("check", "Posterior predictive check", 0, "experiments");
  add("diagnostics", "Calibration of the posteriors", 0, "observations");
  add("report", "Report", 0, "numbers");
  for (const char* input : {"features", "summary"}) {
    if (const auto recipe = StudyRecipe(spec, input)) record.recipes[input] = RecipeJson(*recipe);
  }
  return record;
}

std::string StudyJson(const StudyRecord& record, std::uint64_t revision_limit) {
  json steps = json::array();
  for (const StepRecord& step : record.steps) steps.push_back(StepJson(step));
  json recipes = json::object();
  for (const auto& [input, recipe] : record.recipes) recipes[input] = json::parse(recipe);
  const json j = {{"schema", SchemaOf(record)},
                  {"id", record.id},
                  {"state", kStateNames[static_cast<std::size_t>(record.state)]},
                  {"spec", ToJson(record.spec)},
                  {"steps", steps},
                  {"tasks_done", record.tasks_done},
                  {"jobs", record.jobs},
                  {"jobs_cancelled", record.jobs_cancelled},
                  {"create_time_us", TimeJson(record.create_time)},
                  {"end_time_us", TimeJson(record.end_time)},
                  {"active_seconds", record.active_seconds},
                  {"error", record.error},
                  {"models", record.models},
                  {"modes", record.modes},
                  {"trace", record.trace},
                  {"recipes", recipes},
                  {"revision_limit", revision_limit}};
  return j.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

Result<StudyRecord> StudyFromJson(const std::string& text) {
  const json j = json::parse(text, nullptr, false);
  const json schema = j.is_object() ? j.value("schema", json()) : json();
  if (!schema.is_number_integer() || schema < json(1) || schema > json(kStudySchema)) {
    return Fail(ErrorCode::kDataLoss,
                fmt::format("study.json is damaged or not of schema version 1 to {}", kStudySchema),
                "Restore the study's folder or remove it");
  }
  try {
    return RecordFrom(j);
  } catch (const json::exception& e) {
    return Fail(ErrorCode::kDataLoss, fmt::format("study.json is damaged: {}", e.what()),
                "Restore the study's folder or remove it");
  }
}

}  // namespace inferon::trainer
