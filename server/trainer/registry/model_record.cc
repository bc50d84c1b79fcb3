#include "server/trainer/registry/model_record.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "common/neuron/parameters.h"
#include "server/trainer/registry/neuron_json.h"

namespace inferon::trainer {
namespace {

using nlohmann::json;

std::int64_t Microseconds(WallTime time) {
  return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
}

json ClassifierJson(const ClassifierRecord& record) {
  return {{"architecture", json::parse(record.architecture)},
          {"weights", {{"file", "classifier.safetensors"}, {"sha256", record.weights_sha256}}},
          {"threshold", record.threshold},
          {"acceptance", record.acceptance},
          {"false_negative_rate", record.false_negative_rate},
          {"false_negative_bound", record.false_negative_bound},
          {"relevant_spikes", {record.min_spikes, record.max_spikes}}};
}

ClassifierRecord ClassifierFrom(const json& j) {
  ClassifierRecord record;
  record.architecture = j.at("architecture").dump();
  j.at("weights").at("sha256").get_to(record.weights_sha256);
  j.at("threshold").get_to(record.threshold);
  j.at("acceptance").get_to(record.acceptance);
  j.at("false_negative_rate").get_to(record.false_negative_rate);
  j.at("false_negative_bound").get_to(record.false_negative_bound);
  j.at("relevant_spikes").at(0).get_to(record.min_spikes);
  j.at("relevant_spikes").at(1).get_to(record.max_spikes);
  return record;
}

json EstimatorJson(const ModelRecord& record) {
  return {{"architecture", json::parse(record.architecture)},
          {"weights", {{"file", "weights.safetensors"}, {"sha256", record.weights_sha256}}},
          {"weight_count", record.weight_count}};
}

json TrainingJson(const ModelRecord& record) {
  return {{"pairs", record.training_count},
          {"dataset_sha256", record.dataset_sha256},
          {"epochs", record.epochs},
          {"heldout_log_density", record.heldout_log_density},
          {"seed", record.seed}};
}

// An older version takes a file of its own schema only: it does not answer unrepaired.
int SchemaOf(const ModelRecord& record) {
  if (record.simulator) return 2;
  return record.repair.empty() ? 1 : 3;
}

json SimulatorJson(const ModelRecord& record) {
  const SimulatorRecord& simulator = *record.simulator;
  json j = {
      {"dataset", simulator.data_set},       {"prior", json::parse(PriorJson(simulator.prior))},
      {"maps", json::parse(simulator.maps)}, {"columns", simulator.columns},
      {"traces", simulator.traces},          {"heldout_share", simulator.heldout_share}};
  j["settings"] = json::parse(record.settings);
  if (!record.repair.empty()) j["repair"] = json::parse(record.repair);
  return j;
}

// What every model has.
void ReadCommon(const json& j, ModelRecord& record) {
  j.at("id").get_to(record.id);
  j.at("input").get_to(record.input);
  record.create_time =
      WallTime(std::chrono::microseconds(j.at("create_time_us").get<std::int64_t>()));
  j.at("parameters").get_to(record.parameters);
  record.architecture = j.at("estimator").at("architecture").dump();
  j.at("estimator").at("weights").at("sha256").get_to(record.weights_sha256);
  j.at("estimator").at("weight_count").get_to(record.weight_count);
  const json& training = j.at("training");
  training.at("pairs").get_to(record.training_count);
  training.at("dataset_sha256").get_to(record.dataset_sha256);
  training.at("epochs").get_to(record.epochs);
  training.at("heldout_log_density").get_to(record.heldout_log_density);
  training.at("seed").get_to(record.seed);
}

ModelRecord StudyRecordFrom(const json& j) {
  ModelRecord record;
  ReadCommon(j, record);
  j.at("study").get_to(record.study);
  j.at("profile").at("name").get_to(record.profile);
  j.at("profile").at("sha256").get_to(record.profile_sha256);
  j.at("profile").at("toml").get_to(record.profile_toml);
  record.protocol = ProtocolFromJson(j.at("protocol"));
  record.device = DeviceFromJson(j.at("device"));
  j.at("substrate").get_to(record.substrate);
  record.classifier = ClassifierFrom(j.at("classifier"));
  if (j.contains("settings")) record.settings = j.at("settings").dump();  // Older ones lack it.
  if (j.contains("repair")) record.repair = j.at("repair").dump();
  return record;
}

Result<ModelRecord> SimulatorRecordFrom(const json& j) {
  ModelRecord record;
  ReadCommon(j, record);
  const json& s = j.at("simulator");
  auto prior = ParsePrior(s.at("prior").dump());
  if (!prior) {
    return Fail(ErrorCode::kDataLoss,
                fmt::format("model.json is damaged: {}", prior.error().message),
                "Restore the model's folder or train it again");
  }
  record.simulator = SimulatorRecord{s.at("dataset").get<std::string>(),
                                     std::move(*prior),
                                     s.at("maps").dump(),
                                     s.at("columns").get<std::uint64_t>(),
                                     s.at("traces").get<bool>(),
                                     s.at("heldout_share").get<double>()};
  record.settings = s.at("settings").dump();
  if (s.contains("repair")) record.repair = s.at("repair").dump();
  return record;
}

}  // namespace

std::string ModelJson(const ModelRecord& record) {
  json j = {{"schema", SchemaOf(record)},      {"id", record.id},
            {"input", record.input},           {"create_time_us", Microseconds(record.create_time)},
            {"parameters", record.parameters}, {"estimator", EstimatorJson(record)},
            {"training", TrainingJson(record)}};
  if (record.simulator) {
    j["simulator"] = SimulatorJson(record);
    return j.dump(1) + "\n";
  }
  j["study"] = record.study;
  j["prior"] = {{"kind", "uniform_codes_where_classifier_accepts"}, {"codes", {0, kMaxCode}}};
  j["profile"] = {
      {"name", record.profile}, {"sha256", record.profile_sha256}, {"toml", record.profile_toml}};
  j["protocol"] = ToJson(record.protocol);
  j["device"] = ToJson(record.device);
  j["substrate"] = record.substrate;
  j["classifier"] = ClassifierJson(record.classifier);
  if (!record.settings.empty()) j["settings"] = json::parse(record.settings);
  if (!record.repair.empty()) j["repair"] = json::parse(record.repair);
  return j.dump(1) + "\n";
}

Result<ModelRecord> ModelFromJson(const std::string& text) {
  const json j = json::parse(text, nullptr, false);
  const json schema = j.is_object() ? j.value("schema", json()) : json();
  if (schema.is_number_integer() && schema.get<std::int64_t>() > kModelSchema) {
    return Fail(ErrorCode::kFailedPrecondition,
                fmt::format("the model was made by a later version of Inferon (schema {}, this "
                            "version knows {})",
                            schema.get<std::int64_t>(), kModelSchema),
                "Use a version at least as new as the one that trained the model");
  }
  if (!schema.is_number_integer() || schema.get<std::int64_t>() < 1) {
    return Fail(ErrorCode::kDataLoss, "model.json is damaged: it names no schema",
                "Restore the model's folder or train it again");
  }
  try {
    return j.contains("simulator") ? SimulatorRecordFrom(j) : StudyRecordFrom(j);
  } catch (const json::exception& e) {
    return Fail(ErrorCode::kDataLoss, fmt::format("model.json is damaged: {}", e.what()),
                "Restore the model's folder or train it again");
  }
}

}  // namespace inferon::trainer
