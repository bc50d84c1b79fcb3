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
#include "server/trainer/registry/registry.h"

namespace inferon::trainer {

// Everything that decides a training, before it begins.
struct TrainingPlan {
  TrainSpec spec;
  std::string data_set_sha256;
  ThetaSpace space;
  Recipe recipe;
  std::string base_architecture, base_weights_sha256;  // Of spec.base.

  std::string Settings() const;  // JSON text for the model's record.
};

// kInvalidArgument for settings out of range; kFailedPrecondition with fewer rows than
// kLeastTrainingRows.
Result<TrainingPlan> PlanTraining(const TrainSpec& spec, const StoredDataSet& data);
// The same for a training that goes on from spec.base. The networks, the maps of the parameters and
// the scaling of the inputs stay the base's: kInvalidArgument where the configuration says
// otherwise, kFailedPrecondition where the data set has another prior or other columns, or fewer
// rows than kLeastTuningRows.
Result<TrainingPlan> PlanTuning(const TrainSpec& spec, const StoredDataSet& data,
                                const ModelRecord& base);
// Id of the model that a model with these settings was fine-tuned from; empty: none.
std::string BaseOf(const std::string& settings);

// Whether a model was made by this plan.
bool IsMadeBy(const ModelRecord& record, const TrainingPlan& plan);

struct TrainingRun {
  const TrainingPlan& plan;
  const StoredDataSet& data;
  std::filesystem::path checkpoint;
  const LoadedModel* base = nullptr;  // Of plan.spec.base.
  int threads = 1;
  int members_at_once = 1;
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
