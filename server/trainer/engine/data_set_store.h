// Data sets of any simulator on disk: one folder each, immutable once it is there.
//
// DATA/datasets/<id>/: theta.npy (<f8, [rows, parameters]), x.npy (<f4, [rows, columns]),
// dataset.json. numpy.load opens the arrays.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "common/inference/engine.h"
#include "server/trainer/estimators/estimators.h"
#include "server/trainer/studies/array_file.h"

namespace inferon::trainer {

inline constexpr int kDataSetSchema = 1;

// An opened data set. The arrays stay mapped for its life.
struct StoredDataSet {
  DataSetInfo info;
  MappedArray<double> theta;
  MappedArray<float> x;

  // The object outlives the source.
  estimators::RowSource XSource() const;
};

// Thread-safe.
class DataSetStore {
 public:
  explicit DataSetStore(std::filesystem::path folder);

  // As InferenceEngine::ImportDataSet.
  Result<DataSetInfo> Import(const DataSetSpec& spec, const InferenceEngine::NextRows& next,
                             const Clock& clock, std::stop_token stop);
  // Newest first. A damaged data set is left out and logged.
  std::vector<DataSetInfo> List() const;
  Result<DataSetInfo> Get(const std::string& id) const;
  // kNotFound; kDataLoss where a file is not the one that dataset.json names.
  Result<std::shared_ptr<const StoredDataSet>> Open(const std::string& id) const;

 private:
  const std::filesystem::path folder_;
  std::mutex publish_;  // Held while a finished import gets its name.
};

std::string DataSetJson(const DataSetInfo& info);
// kDataLoss for a damaged text, kFailedPrecondition for one of a later version.
Result<DataSetInfo> DataSetFromJson(const std::string& text);

}  // namespace inferon::trainer
