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

ModelRecord RecordFrom(const json& j) {
  ModelRecord record;
  j.at("id").get_to(record.id);
  j.at("input").get_to(record.input);
  j.at("study").get_to(record.study);
  record.create_time =
      WallTime(std::chrono::microseconds(j.at("create_time_us").get<std::int64_t>()));
  j.at("parameters").get_to(record.parameters);
  j.at("profile").at("name").get_to(record.profile);
  j.at("profile").at("sha256").get_to(record.profile_sha256);
  j.at("profile").at("toml").get_to(record.profile_toml);
  record.protocol = ProtocolFromJson(j.at("protocol"));
  record.device = DeviceFromJson(j.at("device"));
  j.at("substrate").get_to(record.substrate);
  record.architecture = j.at("estimator").at("architecture").dump();
  j.at("estimator").at("weights").at("sha256").get_to(record.weights_sha256);
  j.at("estimator").at("weight_count").get_to(record.weight_count);
  const json& training = j.at("training");
  training.at("pairs").get_to(record.training_count);
  training.at("dataset_sha256").get_to(record.dataset_sha256);
  training.at("epochs").get_to(record.epochs);
  training.at("heldout_log_density").get_to(record.heldout_log_density);
  training.at("seed").get_to(record.seed);
  record.classifier = ClassifierFrom(j.at("classifier"));
  return record;
}

}  // namespace

std::string ModelJson(const ModelRecord& record) {
  const json j = {
      {"schema", kModelSchema},
      {"id", record.id},
      {"input", record.input},
      {"study", record.study},
      {"create_time_us", Microseconds(record.create_time)},
      {"parameters", record.parameters},
      {"prior", {{"kind", "uniform_codes_where_classifier_accepts"}, {"codes", {0, kMaxCode}}}},
      {"profile",
       {{"name", record.profile},
        {"sha256", record.profile_sha256},
        {"toml", record.profile_toml}}},
      {"protocol", ToJson(record.protocol)},
      {"device", ToJson(record.device)},
      {"substrate", record.substrate},
      {"estimator",
       {{"architecture", json::parse(record.architecture)},
        {"weights", {{"file", "weights.safetensors"}, {"sha256", record.weights_sha256}}},
        {"weight_count", record.weight_count}}},
      {"training",
       {{"pairs", record.training_count},
        {"dataset_sha256", record.dataset_sha256},
        {"epochs", record.epochs},
        {"heldout_log_density", record.heldout_log_density},
        {"seed", record.seed}}},
      {"classifier", ClassifierJson(record.classifier)}};
  return j.dump(1) + "\n";
}

Result<ModelRecord> ModelFromJson(const std::string& text) {
  const json j = json::parse(text, nullptr, false);
  if (!j.is_object() || j.value("schema", json()) != json(kModelSchema)) {
    return Fail(ErrorCode::kDataLoss,
                fmt::format("model.json is damaged or not of schema version {}", kModelSchema),
                "Restore the model's folder or train it again");
  }
  try {
    return RecordFrom(j);
  } catch (const json::exception& e) {
    return Fail(ErrorCode::kDataLoss, fmt::format("model.json is damaged: {}", e.what()),
                "Restore the model's folder or train it again");
  }
}

}  // namespace inferon::trainer
