// Training of the two density estimators and their registration as models.
#pragma once

#include <array>
#include <stop_token>
#include <string>
#include <vector>

#include "server/trainer/studies/study_context.h"

namespace inferon::trainer {

// Inputs of the two estimators; also their steps and the end of their models' ids.
inline constexpr std::array<const char*, 2> kInputs = {"features", "summary"};

// Id of a study's model.
std::string ModelId(const std::string& study, const std::string& input);

// Trains on all constrained draws and registers the model; leaves <input>.training.json.
Status TrainModel(const StudyContext& study, const std::string& input, std::stop_token stop);

// Loss by epoch: training and held-out, nats.
struct LossCurve {
  std::vector<double> training;
  std::vector<double> heldout;
};
Result<LossCurve> ReadLossCurve(const StudyContext& study, const std::string& input);

}  // namespace inferon::trainer
