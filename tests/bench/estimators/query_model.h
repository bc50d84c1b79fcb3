// A model to put questions to, trained on synthetic data in seconds, and an observation for it.
#pragma once

#include <filesystem>

#include "common/neuron/observation.h"
#include "common/neuron/protocol.h"
#include "server/trainer/estimators/estimators.h"

namespace inferon::bench {

inline constexpr const char* kModelId = "bench-features";

// Trains the flow of the train benchmark on codes of `adex-paper` and feature-like numbers.
std::unique_ptr<estimators::DensityEstimator> TrainQueryEstimator();

// Writes it with a classifier that accepts everything as a study's model into a trainer's data
// folder.
void WriteQueryModel(const std::filesystem::path& trainer_data,
                     const estimators::DensityEstimator& estimator);

struct QueryObservation {
  Observation observation;
  Protocol protocol;
};
// An emulated neuron that spikes.
QueryObservation EmulateObservation();

}  // namespace inferon::bench
