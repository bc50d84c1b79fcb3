// The models on disk: one folder each, immutable once it is there, and the aliases that point to
// them.
//
// DATA/models/<id>/: model.json, weights.safetensors, classifier.safetensors.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "server/trainer/estimator_factory.h"
#include "server/trainer/registry/aliases.h"
#include "server/trainer/registry/model_cache.h"
#include "server/trainer/registry/model_record.h"

namespace inferon::trainer {

// Thread-safe. Wherever an id is wanted, an alias will do; a model's own id goes before an alias.
class Registry {
 public:
  // `capacity` models at most are kept in memory. The factory outlives the registry. One registry
  // at a time writes into a folder.
  Registry(std::filesystem::path folder, EstimatorFactory& factory, std::size_t capacity = 4);

  // Of a model's own id only.
  bool Exists(const std::string& id) const;
  // Newest first, then by id. A damaged model is left out and logged.
  std::vector<ModelRecord> List() const;
  // kNotFound where there is none.
  Result<ModelRecord> Get(const std::string& id) const;
  // Loads a study's model, or takes it from memory. An empty id is the default alias's model, or
  // the newest. kFailedPrecondition without any model or for a model of a data set; kDataLoss where
  // a file is not the one of model.json.
  Result<SharedModel> Load(const std::string& id);
  // The same for a model of a data set.
  Result<SharedModel> LoadSimulator(const std::string& id);
  // Loads a model of either kind and has it answer once, so that the next query need not wait.
  Result<SharedModel> WarmUp(const std::string& id);
  // Writes a model and makes it visible at once; fills in the record's hashes. A model of this id
  // that exists stays as it is. A model of a data set has no classifier: an empty path.
  void Add(ModelRecord record, const estimators::DensityEstimator& estimator,
           const std::filesystem::path& classifier_weights);
  // Removes a model from disk and memory; who holds it keeps it. kNotFound, and kFailedPrecondition
  // where an alias points to it.
  Status Delete(const std::string& id);

  // By name. kDataLoss where their file is damaged: then no alias is known.
  Result<Aliases> ListAliases() const;
  // Points an alias to a model after it was read anew and warmed up.
  Result<Alias> PromoteModel(const std::string& id, const std::string& alias, WallTime now);
  Result<Alias> RollBackModel(const std::string& alias, const std::string& from, WallTime now);

 private:
  // The id that an alias points to; what is no alias, as it is.
  std::string Resolve(const std::string& id) const;
  Result<ModelRecord> ReadRecord(const std::string& id) const;
  Result<std::string> DefaultModel(bool simulator) const;
  Result<SharedModel> LoadKind(const std::string& id, bool simulator);
  Result<SharedModel> ReadModel(const std::string& id) const;
  Result<SharedModel> ReadFromDisk(const ModelRecord& record) const;
  static Status ApplyRepair(LoadedModel& model);
  Status ReadClassifier(const ModelRecord& record, LoadedModel* model) const;
  template <typename Change>
  auto ChangeAliases(Change&& change);

  const std::filesystem::path folder_;
  EstimatorFactory& factory_;
  const std::shared_ptr<ComputeQueue> queue_;  // Shared with models that outlive the registry.
  ModelCache cache_;
  mutable std::mutex aliases_mu_;
  Result<Aliases> aliases_;  // Guarded by aliases_mu_; as in the file.
};

}  // namespace inferon::trainer
