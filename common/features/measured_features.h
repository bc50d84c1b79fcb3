// From measured spikes to the values of the catalogue (catalogue.h), for recordings and for chip
// traces.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "common/features/spike_shape.h"

namespace inferon {

// A trace with its spikes. Times and voltages in one unit system.
struct MeasuredTrace {
  TraceView trace;
  std::span<const double> slopes;
  Window window;                    // The step; the whole trace where the step is not known.
  bool step_known = true;           // Without it, what refers to the step is missing.
  std::vector<SpikePoints> spikes;  // In the window,
  std::vector<SpikeShape> shapes;   // with their shapes,
  std::size_t spikes_before = 0;    // and how many there are outside.
  std::size_t spikes_after = 0;
  double baseline_reach = 100;  // Of the baseline before the step.
  double least_deflection = 1;  // A hyperpolarised step falls at least so far below the baseline.
};

// In the order of FeatureCatalogue(); NaN where a feature is missing.
std::vector<double> ComputeFeatures(const MeasuredTrace& measured);

// Slope of the least-squares line through (ln i, ln intervals[i - 1]); NaN below 2 intervals.
double LogSlope(std::span<const double> intervals);

}  // namespace inferon
