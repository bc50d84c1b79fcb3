#include "server/trainer/torch_estimator_factory.h"

namespace inferon::trainer {
namespace {

class TorchEstimatorFactory : public EstimatorFactory {
 public:
  Status CheckSettings(const estimators::FlowOptions& options,
                       const estimators::TrainingOptions& training, std::size_t rows) override {
    return estimators::CheckSettings(options, training, rows);
  }
  Result<std::unique_ptr<estimators::DensityEstimator>> TrainDensityEstimator(
      const estimators::FlowOptions& options, const estimators::PairData& data,
      const estimators::TrainingOptions& training, estimators::TrainingResult* result) override {
    return estimators::TrainDensityEstimator(options, data, training, result);
  }
  Result<std::unique_ptr<estimators::DensityEstimator>> LoadDensityEstimator(
      const std::string& architecture_json, const std::filesystem::path& weights) override {
    return estimators::LoadDensityEstimator(architecture_json, weights);
  }
  Result<std::unique_ptr<estimators::Classifier>> TrainClassifier(
      const estimators::ClassifierOptions& options, estimators::MatrixView theta,
      std::span<const std::uint8_t> relevant, const estimators::TrainingOptions& training,
      estimators::TrainingResult* result) override {
    return estimators::TrainClassifier(options, theta, relevant, training, result);
  }
  Result<std::unique_ptr<estimators::Classifier>> LoadClassifier(
      const std::string& architecture_json, const std::filesystem::path& weights) override {
    return estimators::LoadClassifier(architecture_json, weights);
  }
};

}  // namespace

std::unique_ptr<EstimatorFactory> MakeTorchEstimatorFactory() {
  return std::make_unique<TorchEstimatorFactory>();
}

}  // namespace inferon::trainer
