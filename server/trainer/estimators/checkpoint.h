// State of a training between two epochs, on disk: everything that the rest of it depends on, since
// all random numbers are functions of (seed, epoch, row).
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "server/trainer/estimators/estimators.h"
#include "server/trainer/estimators/optimizer.h"

namespace inferon::estimators {

struct TrainingState {
  std::vector<float> weights;
  std::vector<float> best_weights;
  std::vector<float> mean_weights;  // Running mean; empty where none is kept.
  AdamState adam;
  TrainingResult result;  // result.epochs have been finished.
  std::uint32_t epochs_since_best = 0;
  std::uint32_t skipped_epochs = 0;  // Of the schedule, by the cut to its cool-down.
  bool finished = false;
};

// Written atomically. Throws std::system_error when the disk refuses.
void WriteCheckpoint(const std::filesystem::path& path, const std::string& description,
                     const TrainingState& state);

// Nothing where there is no file, where it belongs to another description or number of weights, or
// where it is damaged: the training then starts anew (a log line says why).
std::optional<TrainingState> ReadCheckpoint(const std::filesystem::path& path,
                                            const std::string& description, std::size_t weights);

}  // namespace inferon::estimators
