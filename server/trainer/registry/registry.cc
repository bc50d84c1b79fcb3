#include "server/trainer/registry/registry.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <thread>

#include "common/base/files.h"
#include "common/base/hash.h"
#include "server/trainer/registry/batching_estimator.h"
#include "server/trainer/registry/repair.h"

namespace inferon::trainer {
namespace {

constexpr const char* kRecordFile = "model.json";
constexpr const char* kWeightsFile = "weights.safetensors";
constexpr const char* kClassifierFile = "classifier.safetensors";
constexpr const char* kAliasesFile = "aliases.json";
constexpr std::size_t kWarmUpDraws = 64;
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

tl::unexpected<Error> NoModel(const std::string& id) {
  return Fail(ErrorCode::kNotFound, fmt::format("there is no model {}", id),
              "List the models with `inferon model list`");
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
    : folder_(std::move(folder)),
      factory_(factory),
      queue_(std::make_shared<ComputeQueue>(std::max(1u, std::thread::hardware_concurrency()))),
      cache_(capacity, [this](const std::string& id) { return ReadModel(id); }),
      aliases_(ReadAliases(folder_ / kAliasesFile)) {
  if (!aliases_) spdlog::error("no alias is known: {}", aliases_.error().Text());
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
    Result<ModelRecord> record = ReadRecord(id);
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

Result<ModelRecord> Registry::Get(const std::string& id) const { return ReadRecord(Resolve(id)); }

Result<ModelRecord> Registry::ReadRecord(const std::string& id) const {
  const auto text = ReadFile(folder_ / id / kRecordFile);
  if (!text) return NoModel(id);
  Result<ModelRecord> record = ModelFromJson(*text);
  if (record && record->id != id) {
    return Fail(ErrorCode::kDataLoss,
                fmt::format("the folder of model {} holds model {}", id, record->id),
                "Give the folder the name of its model");
  }
  return record;
}

Result<SharedModel> Registry::Load(const std::string& id) { return LoadKind(id, false); }

Result<SharedModel> Registry::LoadSimulator(const std::string& id) { return LoadKind(id, true); }

Result<SharedModel> Registry::WarmUp(const std::string& id) {
  auto model = cache_.Get(Resolve(id));
  if (!model) return model;
  const estimators::DensityEstimator& estimator = *(*model)->estimator;
  const std::vector<float> x(estimator.input_columns(), 0.0f);
  const std::vector<float> theta = estimator.Sample(x, kWarmUpDraws, 0, 0, nullptr);
  (void)estimator.LogDensity(x, {theta.data(), kWarmUpDraws, estimator.dimension()});
  return model;
}

std::string Registry::Resolve(const std::string& id) const {
  if (Exists(id)) return id;
  const std::lock_guard lock(aliases_mu_);
  if (!aliases_) return id;
  const auto found = aliases_->find(id);
  return found == aliases_->end() ? id : found->second.model;
}

Result<std::string> Registry::DefaultModel(bool simulator) const {
  const auto promoted = Get(kDefaultAlias);
  if (promoted && promoted->simulator.has_value() == simulator) return promoted->id;
  for (const ModelRecord& record : List()) {
    if (record.simulator.has_value() == simulator) return record.id;
  }
  return Fail(
      ErrorCode::kFailedPrecondition, "there is no model yet",
      simulator ? "Train one with 'model train'" : "Run a study first with `inferon study run`");
}

Result<SharedModel> Registry::LoadKind(const std::string& id, bool simulator) {
  const Result<std::string> wanted =
      id.empty() ? DefaultModel(simulator) : Result<std::string>(Resolve(id));
  if (!wanted) return tl::unexpected(wanted.error());
  auto model = cache_.Get(*wanted);
  if (model && (*model)->record.simulator.has_value() != simulator) {
    return WrongKind((*model)->record);
  }
  return model;
}

Result<SharedModel> Registry::ReadModel(const std::string& id) const {
  const Result<ModelRecord> record = ReadRecord(id);
  if (!record) return tl::unexpected(record.error());
  auto model = ReadFromDisk(*record);
  if (!model && !Exists(id)) return NoModel(id);  // Deleted meanwhile.
  return model;
}

Status Registry::ApplyRepair(LoadedModel& model) {
  if (model.record.repair.empty()) return {};
  auto repair = RepairFromJson(model.record.repair, model.estimator->dimension());
  if (!repair) return tl::unexpected(repair.error());
  model.estimator =
      MakeRepairedEstimator(std::move(model.estimator), std::move(*repair),
                            model.space ? model.space->Axes() : std::vector<estimators::Axis>());
  return {};
}

Result<SharedModel> Registry::ReadFromDisk(const ModelRecord& record) const {
  const std::filesystem::path weights = folder_ / record.id / kWeightsFile;
  if (Status ok = CheckFile(weights, record.weights_sha256, record); !ok) {
    return tl::unexpected(ok.error());
  }
  auto estimator = factory_.LoadDensityEstimator(record.architecture, weights);
  if (!estimator) return tl::unexpected(estimator.error());
  auto model = std::make_shared<LoadedModel>();
  model->record = record;
  model->queue = queue_;
  model->estimator = MakeBatchingEstimator(std::move(*estimator));
  if (record.simulator) {
    auto space = ThetaSpace::Load(record.simulator->prior, record.simulator->maps);
    if (!space) return tl::unexpected(space.error());
    model->space = std::move(*space);
  } else if (Status ok = ReadClassifier(record, model.get()); !ok) {
    return tl::unexpected(ok.error());
  }
  if (Status ok = ApplyRepair(*model); !ok) return tl::unexpected(ok.error());
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

Status Registry::ReadClassifier(const ModelRecord& record, LoadedModel* model) const {
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

template <typename Change>
auto Registry::ChangeAliases(Change&& change) {
  const std::lock_guard lock(aliases_mu_);
  using Outcome = decltype(change(*aliases_));
  if (!aliases_) return Outcome(tl::unexpected(aliases_.error()));
  Aliases changed = *aliases_;
  Outcome outcome = change(changed);
  if (outcome) {
    WriteAliases(folder_ / kAliasesFile, changed);
    aliases_ = std::move(changed);
  }
  return outcome;
}

Result<Aliases> Registry::ListAliases() const {
  const std::lock_guard lock(aliases_mu_);
  return aliases_;
}

Result<Alias> Registry::PromoteModel(const std::string& id, const std::string& alias,
                                     WallTime now) {
  cache_.Drop(Resolve(id));  // What is promoted is what a restart would find.
  const auto model = WarmUp(id);
  if (!model) return tl::unexpected(model.error());
  return ChangeAliases([&](Aliases& aliases) -> Result<Alias> {
    // Under the lock of aliases, as a deletion's look at them is.
    if (!Exists((*model)->record.id)) return NoModel(id);
    return Promote(aliases, alias, (*model)->record.id, now);
  });
}

Result<Alias> Registry::RollBackModel(const std::string& alias, const std::string& from,
                                      WallTime now) {
  return ChangeAliases([&](Aliases& aliases) { return RollBack(aliases, alias, from, now); });
}

Status Registry::Delete(const std::string& id) {
  const std::filesystem::path gone = folder_ / (kStaging + id);
  const Status deleted = ChangeAliases([&](Aliases& aliases) -> Status {
    if (!Exists(id)) return NoModel(id);
    if (Status ok = Forget(aliases, id); !ok) return ok;
    std::filesystem::remove_all(gone);
    std::filesystem::rename(folder_ / id, gone);
    SyncPath(folder_);
    return {};
  });
  if (!deleted) return deleted;
  cache_.Drop(id);
  std::filesystem::remove_all(gone);
  return {};
}

}  // namespace inferon::trainer
