// The models that answer queries: read once, however many ask at the same time, and dropped when
// others are asked more.
#pragma once

#include <condition_variable>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "common/base/result.h"
#include "server/trainer/engine/theta_space.h"
#include "server/trainer/estimators/estimators.h"
#include "server/trainer/registry/compute_queue.h"
#include "server/trainer/registry/model_record.h"
#include "server/trainer/registry/support.h"

namespace inferon::trainer {

// A model ready to answer. Immutable, thread-safe.
struct LoadedModel {
  ModelRecord record;
  std::unique_ptr<estimators::DensityEstimator> estimator;
  std::unique_ptr<estimators::Classifier> classifier;  // Of a study's model, else null.
  std::optional<ThetaSpace> space;                     // Of a data set's model.
  std::shared_ptr<ComputeQueue> queue;                 // Of all models of a registry; null: none.

  Support PriorSupport() const { return {*classifier, record.classifier.threshold}; }
  std::size_t dimension() const { return record.parameters.size(); }
};

// Shared: a query may still hold a model when it makes room for another or is deleted.
using SharedModel = std::shared_ptr<const LoadedModel>;

// Thread-safe. No lock is held while a model is read, so queries of others go on.
class ModelCache {
 public:
  using Read = std::function<Result<SharedModel>(const std::string& id)>;

  // Keeps `capacity` models at most, besides those that callers hold.
  ModelCache(std::size_t capacity, Read read) : capacity_(capacity), read_(std::move(read)) {}

  // The model, read where it is not here. Callers that ask while it is read share the outcome; a
  // failure is not kept.
  Result<SharedModel> Get(const std::string& id);
  // The next Get reads anew; a reading under way is not kept.
  void Drop(const std::string& id);
  std::size_t size() const;

 private:
  // A model that one caller reads for all.
  struct Reading {
    std::optional<Result<SharedModel>> outcome;
    bool dropped = false;
  };

  Result<SharedModel> ReadHere(const std::string& id, std::unique_lock<std::mutex>& lock);

  const std::size_t capacity_;
  const Read read_;
  mutable std::mutex mu_;
  std::condition_variable read_done_;
  std::list<SharedModel> recent_;                            // Guarded by mu_; last used first.
  std::map<std::string, std::shared_ptr<Reading>> reading_;  // Guarded by mu_.
};

}  // namespace inferon::trainer
