// The training loop of every estimator: epochs, held-out rows, early stopping, checkpoints. It
// knows a network only as arrays of weights and a loss, so that it is tested without LibTorch.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "server/trainer/estimators/estimators.h"
#include "server/trainer/estimators/optimizer.h"

namespace inferon::estimators {

// What is trained.
class Trainee {
 public:
  virtual ~Trainee() = default;
  // Weights with their gradients; the same spans at every call.
  virtual const std::vector<WeightSpan>& Weights() = 0;
  // Mean loss over the rows; fills the gradients. Random numbers come from (epoch, row) only.
  virtual double Step(std::span<const std::uint32_t> rows, std::uint32_t epoch) = 0;
  // Sum of the losses over the rows, without gradients and without noise.
  virtual double HeldoutLoss(std::span<const std::uint32_t> rows) = 0;
};

// Order of all rows under a seed: the first are trained on, the last are held out.
struct RowSplit {
  std::vector<std::uint32_t> training;
  std::vector<std::uint32_t> heldout;
};
RowSplit SplitRows(std::size_t rows, const TrainingOptions& options);

// kInvalidArgument for options out of range.
Status CheckTrainingOptions(const TrainingOptions& options, std::size_t rows);

// Text that two trainings share exactly when they would give the same weights; architecture and
// data are described by the caller.
std::string DescribeTraining(const TrainingOptions& options, const std::string& architecture,
                             const std::string& data);

// Trains and leaves the best held-out weights in the trainee. description guards the checkpoint.
// Errors: kCancelled on stop, kInternal where the loss is not finite.
Status Train(Trainee& trainee, const RowSplit& split, const TrainingOptions& options,
             const std::string& description, const Clock& clock, TrainingResult* result);

}  // namespace inferon::estimators
