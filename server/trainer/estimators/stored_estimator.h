// A density estimator that can be a part of another's file.
#pragma once

#include <string>

#include "common/base/files.h"
#include "server/trainer/estimators/estimators.h"
#include "server/trainer/estimators/safetensors.h"

namespace inferon::estimators {

class StoredEstimator : public DensityEstimator {
 public:
  // JSON text for model.json.
  virtual std::string Architecture() const = 0;
  // Adds all weights.
  virtual void Put(TensorFile* file) const = 0;

  std::string Save(const std::filesystem::path& weights) const override {
    TensorFile file;
    file.metadata = {{"format", "inferon-density-1"}};
    Put(&file);
    WriteFileAtomically(weights, EncodeTensors(file));
    return Architecture();
  }
};

// Draws and densities of a flow come in tiles of this many rows.
inline constexpr std::size_t kTile = 256;

// A single estimator from its architecture and weights; kDataLoss when they do not fit together.
Result<std::unique_ptr<StoredEstimator>> LoadFlow(const std::string& architecture,
                                                  const TensorFile& file);

}  // namespace inferon::estimators
