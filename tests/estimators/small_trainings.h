// Trainings of a second or less for the tests of estimators.
#pragma once

#include <gtest/gtest.h>

#include <memory>

#include "tests/estimators/toys.h"

namespace inferon::estimators {

inline FlowOptions FeatureOptions(std::size_t dimension) {
  FlowOptions options;
  options.dimension = dimension;
  options.input_columns = dimension;
  options.transforms = 4;
  options.hidden = 16;
  options.bins = 6;
  return options;
}

inline FlowOptions SummaryOptions(std::size_t points) {
  FlowOptions options = FeatureOptions(2);
  options.input = InputNetwork::kSummary;
  options.input_columns = points;
  options.summaries = 4;
  return options;
}

inline TrainingOptions ShortTraining(std::uint32_t epochs = 3) {
  TrainingOptions training;
  training.max_epochs = epochs;
  training.batch_size = 64;
  training.seed = 11;
  return training;
}

inline std::unique_ptr<DensityEstimator> MustTrain(const FlowOptions& options, const Toy& toy,
                                                   const TrainingOptions& training,
                                                   TrainingResult* result = nullptr) {
  auto estimator = TrainDensityEstimator(options, toy.Pairs(), training, result);
  EXPECT_TRUE(estimator) << estimator.error().Text();
  return std::move(*estimator);
}

}  // namespace inferon::estimators
