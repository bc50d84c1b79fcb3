// Where estimators come from: the estimator library, or something small for tests.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "server/trainer/estimators/estimators.h"

namespace inferon::trainer {

// Thread-safe; the functions mean what those of the same name in estimators.h mean.
class EstimatorFactory {
 public:
  virtual ~EstimatorFactory() = default;
  virtual Status CheckSettings(const estimators::FlowOptions& options,
                               const estimators::TrainingOptions& training, std::size_t rows) = 0;
  virtual Result<std::unique_ptr<estimators::DensityEstimator>> TrainDensityEstimator(
      const estimators::FlowOptions& options, const estimators::PairData& data,
      const estimators::TrainingOptions& training, estimators::TrainingResult* result) = 0;
  virtual Result<std::unique_ptr<estimators::DensityEstimator>> LoadDensityEstimator(
      const std::string& architecture_json, const std::filesystem::path& weights) = 0;
  virtual Result<std::unique_ptr<estimators::Classifier>> TrainClassifier(
      const estimators::ClassifierOptions& options, estimators::MatrixView theta,
      std::span<const std::uint8_t> relevant, const estimators::TrainingOptions& training,
      estimators::TrainingResult* result) = 0;
  virtual Result<std::unique_ptr<estimators::Classifier>> LoadClassifier(
      const std::string& architecture_json, const std::filesystem::path& weights) = 0;
};

}  // namespace inferon::trainer
