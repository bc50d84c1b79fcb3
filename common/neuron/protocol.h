// Stimulus and recording window of an experiment.
#pragma once

#include <cstddef>
#include <vector>

#include "common/base/result.h"

namespace inferon {

// An interval of constant current; the amplitude is relative to the profile's stimulus current.
struct CurrentStep {
  double start_us = 0;
  double stop_us = 0;
  double scale = 1;
  bool operator==(const CurrentStep&) const = default;
};

// The default is the paper's: 200 us before, 1000 us of current, 200 us after, grid of 1 us.
struct Protocol {
  std::vector<CurrentStep> steps{{200, 1200, 1}};
  double duration_us = 1400;
  double grid_step_us = 1;
  bool operator==(const Protocol&) const = default;

  // Points of the stored trace; point i is at time i * grid_step_us.
  std::size_t Points() const { return static_cast<std::size_t>(duration_us / grid_step_us + 1e-9); }
  // Stimulus window: first start to last stop; [0, duration) without any step.
  double StimulusStart() const { return steps.empty() ? 0 : steps.front().start_us; }
  double StimulusStop() const { return steps.empty() ? duration_us : steps.back().stop_us; }
};

// Refuses what the API's documentation of Protocol forbids.
Status ValidateProtocol(const Protocol& protocol);

}  // namespace inferon
