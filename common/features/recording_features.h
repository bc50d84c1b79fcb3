// Features of a recorded trace at its native rate, in ms and mV.
#pragma once

#include <optional>
#include <vector>

#include "common/features/measured_features.h"

namespace inferon {

struct RecordingFeatures {
  std::vector<double> values;         // In the order of FeatureCatalogue(), NaN = missing.
  std::vector<SpikePoints> spikes;    // In the step (in the whole trace where it is not known),
  std::vector<SpikeShape> shapes;     // with their shapes.
  std::vector<double> before, after;  // Times of the spikes outside the step, ms.
};

// `step` in ms; without it the whole trace is looked at and what refers to a step is missing. The
// trace has at least 2 samples.
RecordingFeatures ExtractRecordingFeatures(const TraceView& trace, std::optional<Window> step,
                                           const SpikeSettings& settings);

}  // namespace inferon
