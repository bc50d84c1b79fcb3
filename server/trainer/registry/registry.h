// The models on disk: one folder each, immutable once it is there.
//
// DATA/models/<id>/: model.json, weights.safetensors, classifier.safetensors.
#pragma once

#include <filesystem>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "server/trainer/engine/theta_space.h"
#include "server/trainer/estimator_factory.h"
#include "server/trainer/registry/model_record.h"
#include "server/trainer/registry/support.h"

namespace inferon::trainer {

// A model ready to answer. Immutable, thread-safe.
struct LoadedModel {
  ModelRecord record;
  std::unique_ptr<estimators::DensityEstimator> estimator;
  std::unique_ptr<estimators::Classifier> classifier;  // Of a study's model, else null.
  std::optional<ThetaSpace> space;                     // Of a data set's model.

  Support PriorSupport() const { return {*classifier, record.classifier.threshold}; }
  std::size_t dimension() const { return record.parameters.size(); }
};

// Thread-safe.
class Registry {
 public:
  // `capacity` models at most are kept in memory. The factory outlives the registry. One registry
  // at a time writes into a folder.
  Registry(std::filesystem::path folder, EstimatorFactory& factory, std::size_t capacity = 4);

  bool Exists(const std::string& id) const;
  // Newest first, then by id. A damaged model is left out and logged.
  std::vector<ModelRecord> List() const;
  // kNotFound where there is none.
  Result<ModelRecord> Get(const std::string& id) const;
  // Loads a study's model (the newest where id is empty), or takes it from memory: a query may
  // still hold it when it makes room for another, hence the shared pointer. kFailedPrecondition
  // without any model or for a model of a data set; kDataLoss where a file is not the one of
  // model.json.
  Result<std::shared_ptr<const LoadedModel>> Load(const std::string& id);
  // The same for a model of a data set.
  Result<std::shared_ptr<const LoadedModel>> LoadSimulator(const std::string& id);
  // Writes a model and makes it visible at once; fills in the record's hashes. A model of this id
  // that exists stays as it is. A model of a data set has no classifier: an empty path.
  void Add(ModelRecord record, const estimators::DensityEstimator& estimator,
           const std::filesystem::path& classifier_weights);

 private:
  Result<std::shared_ptr<const LoadedModel>> LoadKind(const std::string& id, bool simulator);
  Result<std::shared_ptr<const LoadedModel>> ReadFromDisk(const ModelRecord& record);
  Status ReadClassifier(const ModelRecord& record, LoadedModel* model);

  const std::filesystem::path folder_;
  EstimatorFactory& factory_;
  const std::size_t capacity_;
  mutable std::mutex mu_;
  std::list<std::shared_ptr<const LoadedModel>> recent_;  // Guarded by mu_; last used first.
};

}  // namespace inferon::trainer
