// Training of a model of a data set.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "common/inference/engine.h"
#include "server/trainer/engine/data_set_store.h"
#include "server/trainer/engine/recipe.h"
#include "server/trainer/engine/theta_space.h"
#include "server/trainer/estimator_factory.h"
#include "server/trainer/registry/model_record.h"

namespace inferon::trainer {

// Everything that decides a training, before it begins.
struct TrainingPlan {
  TrainSpec spec;
  std::string data_set_sha256;
  ThetaSpace space;
  Recipe recipe;
  bool repair = false;  // Shift and scale the posteriors so that held-out pairs fit best.

  std::string Settings() const;  // JSON text of model.json.
};

// Rows of the data set, held out of the training, that a repair is fitted on; the others of the
// held-out rows are left to check it.
std::vector<std::uint32_t> RepairRows(std::span<const std::uint32_t> heldout);

// kInvalidArgument for settings out of range; kFailedPrecondition with fewer rows than
// kLeastTrainingRows.
Result<TrainingPlan> PlanTraining(const TrainSpec& spec, const StoredDataSet& data);

// Whether a model was made by this plan.
bool IsMadeBy(const ModelRecord& record, const TrainingPlan& plan);

struct TrainingRun {
  const TrainingPlan& plan;
  const StoredDataSet& data;
  std::filesystem::path checkpoint;
  int threads = 1;
  InferenceEngine::OnEpoch progress;
  std::stop_token stop;
};

struct TrainedModel {
  ModelRecord record;
  std::unique_ptr<estimators::DensityEstimator> estimator;
};
Result<TrainedModel> TrainSimulatorModel(const TrainingRun& run, EstimatorFactory& factory,
                                         const Clock& clock);

// The checkpoints of all members.
void RemoveCheckpoints(const std::filesystem::path& checkpoint);

}  // namespace inferon::trainer
