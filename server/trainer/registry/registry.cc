#include "server/trainer/registry/registry.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "common/base/files.h"
#include "common/base/hash.h"

namespace inferon::trainer {
namespace {

constexpr const char* kRecordFile = "model.json";
constexpr const char* kWeightsFile = "weights.safetensors";
constexpr const char* kClassifierFile = "classifier.safetensors";
constexpr const char* kStaging = ".staging-";  // Not an id: ids begin with a letter or digit.

std::string FileHash(const std::filesystem::path& path) {
  const auto content = ReadFile(path);
  return content ? Sha256Hex(*content) : std::string();
}

}  // namespace

Registry::Registry(std::filesystem::path folder, EstimatorFactory& factory, std::size_t capacity)
    : folder_(std::move(folder)), factory_(factory), capacity_(capacity) {
  std::filesystem::create_directories(folder_);
  std::vector<std::filesystem::path> unfinished;  // Left by a process that was killed.
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    if (entry.path().filename().string().starts_with(kStaging)) unfinished.push_back(entry.path());
  }
  for (const std::filesystem::path& path : unfinished) std::filesystem::remove_all(path);
}

bool Registry::Exists(const std::string& id) const {
  return std::filesystem::exists(folder_ / id / kRecordFile);
}

std::vector<ModelRecord> Registry::List() const {
  std::vector<ModelRecord> records;
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    const std::string id = entry.path().filename().string();
    if (id.starts_with('.') || !Exists(id)) continue;
    Result<ModelRecord> record = Get(id);
    if (record) {
      records.push_back(std::move(*record));
    } else {
      spdlog::error("model {}: {}", id, record.error().Text());
    }
  }
  std::sort(records.begin(), records.end(), [](const ModelRecord& a, const ModelRecord& b) {
    return a.create_time != b.create_time ? a.create_time > b.create_time : a.id < b.id;
  });
  return records;
}

Result<ModelRecord> Registry::Get(const std::string& id) const {
  const auto text = ReadFile(folder_ / id / kRecordFile);
  if (!text) {
    return Fail(ErrorCode::kNotFound, fmt::format("there is no model {}", id),
                "List the models with `inferon model list`");
  }
  Result<ModelRecord> record = ModelFromJson(*text);
  if (record && record->id != id) {
    return Fail(ErrorCode::kDataLoss,
                fmt::format("the folder of model {} holds model {}", id, record->id),
                "Give the folder the name of its model");
  }
  return record;
}

Result<std::shared_ptr<const LoadedModel>> Registry::Load(const std::string& id) {
  std::string wanted = id;
  if (wanted.empty()) {
    const std::vector<ModelRecord> all = List();
    if (all.empty()) {
      return Fail(ErrorCode::kFailedPrecondition, "there is no model yet",
                  "Run a study first with `inferon study run`");
    }
    wanted = all.front().id;
  }
  const std::lock_guard lock(mu_);  // Two queries never load one model twice.
  const auto found = std::find_if(recent_.begin(), recent_.end(),
                                  [&](const auto& model) { return model->record.id == wanted; });
  if (found != recent_.end()) {
    recent_.splice(recent_.begin(), recent_, found);
    return recent_.front();
  }
  Result<ModelRecord> record = Get(wanted);
  if (!record) return tl::unexpected(record.error());
  auto model = ReadFromDisk(*record);
  if (!model) return tl::unexpected(model.error());
  recent_.push_front(*model);
  if (recent_.size() > capacity_) recent_.pop_back();
  return recent_.front();
}

Result<std::shared_ptr<const LoadedModel>> Registry::ReadFromDisk(const ModelRecord& record) {
  const std::filesystem::path folder = folder_ / record.id;
  for (const auto& [file, expected] :
       {std::pair(kWeightsFile, record.weights_sha256),
        std::pair(kClassifierFile, record.classifier.weights_sha256)}) {
    if (FileHash(folder / file) != expected) {
      return Fail(
          ErrorCode::kDataLoss,
          fmt::format("{} of model {} is not the file that model.json names", file, record.id),
          "Restore the model's folder or train it again");
    }
  }
  auto estimator = factory_.LoadDensityEstimator(record.architecture, folder / kWeightsFile);
  if (!estimator) return tl::unexpected(estimator.error());
  auto classifier =
      factory_.LoadClassifier(record.classifier.architecture, folder / kClassifierFile);
  if (!classifier) return tl::unexpected(classifier.error());
  auto model = std::make_shared<LoadedModel>();
  model->record = record;
  model->estimator = std::move(*estimator);
  model->classifier = std::move(*classifier);
  if (model->estimator->dimension() != model->dimension() ||
      model->classifier->dimension() != model->dimension()) {
    return Fail(
        ErrorCode::kDataLoss,
        fmt::format("the weights of model {} are for another number of parameters", record.id),
        "Restore the model's folder or train it again");
  }
  return model;
}

void Registry::Add(ModelRecord record, const estimators::DensityEstimator& estimator,
                   const std::filesystem::path& classifier_weights) {
  if (Exists(record.id)) return;
  const std::filesystem::path staging = folder_ / (kStaging + record.id);
  std::filesystem::remove_all(staging);
  std::filesystem::create_directories(staging);
  record.architecture = estimator.Save(staging / kWeightsFile);
  record.weight_count = estimator.weight_count();
  record.weights_sha256 = FileHash(staging / kWeightsFile);
  std::filesystem::copy_file(classifier_weights, staging / kClassifierFile);
  record.classifier.weights_sha256 = FileHash(staging / kClassifierFile);
  SyncPath(staging / kWeightsFile);
  SyncPath(staging / kClassifierFile);
  WriteFileAtomically(staging / kRecordFile, ModelJson(record));
  std::filesystem::remove_all(folder_ /
                              record.id);  // What is there without model.json is no model.
  std::filesystem::rename(staging, folder_ / record.id);
  SyncPath(folder_);
}

}  // namespace inferon::trainer
