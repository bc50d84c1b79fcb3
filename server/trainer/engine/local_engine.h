// The inference engine on a data folder of this machine.
#pragma once

#include <filesystem>
#include <memory>

#include "common/inference/engine.h"
#include "server/trainer/estimator_factory.h"
#include "server/trainer/registry/registry.h"

namespace inferon::trainer {

struct LocalEngineOptions {
  std::filesystem::path folder;  // datasets/, training/ (checkpoints).
  int training_threads = 1;      // Of LibTorch in each network: part of what a training gives.
  int members_at_once = 1;       // Of an ensemble, in each training.
  int most_trainings = 4;        // At the same time.
};

// What it refers to outlives it. One engine at a time writes into a folder.
std::unique_ptr<InferenceEngine> MakeLocalEngine(LocalEngineOptions options, Registry& registry,
                                                 EstimatorFactory& factory, Clock& clock);

// What a model's record says to its users; the record is of a data set's model.
ModelInfo InfoOf(const ModelRecord& record);

}  // namespace inferon::trainer
