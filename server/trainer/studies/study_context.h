// What the tasks of a study work with.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/neuron/profile.h"
#include "server/trainer/estimator_factory.h"
#include "server/trainer/registry/registry.h"
#include "server/trainer/studies/experiments.h"
#include "server/trainer/studies/study_journal.h"
#include "server/trainer/studies/study_spec.h"

namespace inferon::trainer {

// Limits and settings that are the trainer's, not a study's.
struct PipelineOptions {
  std::uint32_t sets_per_job = 100'000;  // Larger rounds become several jobs.
  double failed_share = 0.01;            // Experiments of a round that may fail for good.
  double least_acceptance = 1e-4;        // Of the classifier, else drawing gives up.
  std::uint32_t least_relevant = 20;     // In the uniform round, to train a classifier on.
  std::uint32_t classifier_members = 2;
  std::uint32_t classifier_hidden = 128;
  std::uint32_t classifier_epochs = 60;
  int training_threads = 1;               // Of LibTorch in each network; part of what it gives.
  int members_at_once = 1;                // Of an ensemble, in each training.
  std::uint32_t calibration_draws = 400;  // Posterior draws for each rank and coverage.
  std::uint32_t validation_traces = 8;    // Observations of figure 4.
  // Called at named points, for tests that stop a study there.
  std::function<void(std::string_view)> at_point;
};

// Constant while the study runs; what it refers to is thread-safe and outlives it.
struct StudyContext {
  const std::string id;
  const std::filesystem::path folder;
  const StudySpec spec;
  const Profile profile;
  const PipelineOptions& options;
  Experiments& experiments;
  EstimatorFactory& factory;
  Registry& registry;
  Clock& clock;
  StudyJournal& journal;

  std::size_t dimension() const { return profile.dimension(); }
  void At(std::string_view point) const {
    if (options.at_point) options.at_point(point);
  }
};

}  // namespace inferon::trainer
