#include "server/trainer/registry/registry.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "common/base/files.h"
#include "common/base/hash.h"
#include "server/trainer/registry/batching_estimator.h"

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

Status CheckFile(const std::filesystem::path& path, const std::string& sha256,
                 const ModelRecord& record) {
  if (FileHash(path) == sha256) return {};
  return Fail(ErrorCode::kDataLoss,
              fmt::format("{} of model {} is not the file that model.json names",
                          path.filename().string(), record.id),
              "Restore the model's folder or train it again");
}

tl::unexpected<Error> WrongKind(const ModelRecord& record) {
  if (record.simulator) {
    return Fail(ErrorCode::kFailedPrecondition,
                fmt::format("model {} was trained on the data set {}: it answers about rows of "
                            "numbers, not recordings",
                            record.id, record.simulator->data_set),
                fmt::format("Give an observation of {} numbers", record.simulator->columns));
  }
  return Fail(ErrorCode::kFailedPrecondition,
              fmt::format("model {} is of the study {}: it answers about recordings, not rows of "
                          "numbers",
                          record.id, record.study),
              "Give a recording or an experiment of a job, or another model");
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
  return LoadKind(id, /*simulator=*/false);
}

Result<std::shared_ptr<const LoadedModel>> Registry::LoadSimulator(const std::string& id) {
  return LoadKind(id, /*simulator=*/true);
}

Result<std::shared_ptr<const LoadedModel>> Registry::LoadKind(const std::string& id,
                                                              bool simulator) {
  std::string wanted = id;
  if (wanted.empty()) {
    const std::vector<ModelRecord> all = List();
    const auto newest = std::find_if(all.begin(), all.end(), [&](const ModelRecord& record) {
      return record.simulator.has_value() == simulator;
    });
    if (newest == all.end()) {
      return Fail(ErrorCode::kFailedPrecondition, "there is no model yet",
                  simulator ? "Train one with 'model train'"
                            : "Run a study first with `inferon study run`");
    }
    wanted = newest->id;
  }
  const std::lock_guard lock(mu_);  // Two queries never load one model twice.
  const auto found = std::find_if(recent_.begin(), recent_.end(),
                                  [&](const auto& model) { return model->record.id == wanted; });
  if (found != recent_.end()) {
    if ((*found)->record.simulator.has_value() != simulator) return WrongKind((*found)->record);
    recent_.splice(recent_.begin(), recent_, found);
    return recent_.front();
  }
  Result<ModelRecord> record = Get(wanted);
  if (!record) return tl::unexpected(record.error());
  if (record->simulator.has_value() != simulator) return WrongKind(*record);
  auto model = ReadFromDisk(*record);
  if (!model) return tl::unexpected(model.error());
  recent_.push_front(*model);
  if (recent_.size() > capacity_) recent_.pop_back();
  return recent_.front();
}

Result<std::shared_ptr<const LoadedModel>> Registry::ReadFromDisk(const ModelRecord& record) {
  const std::filesystem::path weights = folder_ / record.id / kWeightsFile;
  if (Status ok = CheckFile(weights, record.weights_sha256, record); !ok) {
    return tl::unexpected(ok.error());
  }
  auto estimator = factory_.LoadDensityEstimator(record.architecture, weights);
  if (!estimator) return tl::unexpected(estimator.error());
  auto model = std::make_shared<LoadedModel>();
  model->record = record;
  model->estimator = MakeBatchingEstimator(std::move(*estimator));
  if (record.simulator) {
    auto space = ThetaSpace::Load(record.simulator->prior, record.simulator->maps);
    if (!space) return tl::unexpected(space.error());
    model->space = std::move(*space);
  } else if (Status ok = ReadClassifier(record, model.get()); !ok) {
    return tl::unexpected(ok.error());
  }
  const bool fits = model->estimator->dimension() == model->dimension() &&
                    (!model->classifier || model->classifier->dimension() == model->dimension()) &&
                    (!model->space || model->space->dimension() == model->dimension());
  if (!fits) {
    return Fail(
        ErrorCode::kDataLoss,
        fmt::format("the weights of model {} are for another number of parameters", record.id),
        "Restore the model's folder or train it again");
  }
  return model;
}

Status Registry::ReadClassifier(const ModelRecord& record, LoadedModel* model) {
  const std::filesystem::path weights = folder_ / record.id / kClassifierFile;
  if (Status ok = CheckFile(weights, record.classifier.weights_sha256, record); !ok) return ok;
  auto classifier = factory_.LoadClassifier(record.classifier.architecture, weights);
  if (!classifier) return tl::unexpected(classifier.error());
  model->classifier = std::move(*classifier);
  return {};
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
  SyncPath(staging / kWeightsFile);
  if (!classifier_weights.empty()) {
    std::filesystem::copy_file(classifier_weights, staging / kClassifierFile);
    record.classifier.weights_sha256 = FileHash(staging / kClassifierFile);
    SyncPath(staging / kClassifierFile);
  }
  WriteFileAtomically(staging / kRecordFile, ModelJson(record));
  std::filesystem::remove_all(folder_ /
                              record.id);  // What is there without model.json is no model.
  std::filesystem::rename(staging, folder_ / record.id);
  SyncPath(folder_);
}

}  // namespace inferon::trainer
