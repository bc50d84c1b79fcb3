// A density estimator that can be a part of another's file.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

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

// One estimator as it is stored: an ensemble has several.
struct StoredPart {
  std::string architecture;  // JSON text.
  TensorFile tensors;
};
// The members of an ensemble, or the one estimator; kDataLoss for a damaged file, and
// kFailedPrecondition for one of a later version.
Result<std::vector<StoredPart>> ReadParts(const std::string& architecture,
                                          const std::filesystem::path& weights);

// Draws and densities of a flow come in tiles of this many rows.
inline constexpr std::size_t kTile = 256;

// A single estimator from its architecture and weights; kDataLoss when they do not fit together.
Result<std::unique_ptr<StoredEstimator>> LoadFlow(const std::string& architecture,
                                                  const TensorFile& file);

}  // namespace inferon::estimators
