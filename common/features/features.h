// The twelve features of an observation (and further ones by name).
//
// Definitions follow the vocabulary of the Allen Institute's tools (latency to the first spike,
// fast trough, slow trough); docs/features.md has each formula. Emulated traces and recordings go
// through this same code, on the stored grid.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string_view>

#include "common/neuron/observation.h"
#include "common/neuron/protocol.h"

namespace inferon {

inline constexpr std::size_t kFeatureCount = 12;

// Order of the feature vector.
enum class Feature {
  kSpikeCount,       // Spikes in the stimulus window.
  kLatency,          // First spike in the window minus onset, us.
  kMeanIsi,          // us; needs 2 spikes.
  kFirstIsi,         // us; needs 2 spikes.
  kIsiCv,            // Standard deviation of the ISIs over their mean; needs 3 spikes.
  kAdaptationIndex,  // Mean of (ISI[i+1] - ISI[i]) / (ISI[i+1] + ISI[i]); needs 3 spikes.
  kPeak,             // Mean peak voltage, counts; needs 1 spike.
  kWidth,            // Mean spike width at half height, us; needs 1 spike.
  kFastTrough,       // Mean fast trough, counts; needs 1 spike.
  kSlowTrough,       // Mean slow trough, counts; needs 2 spikes with one between them.
  kSlowTroughTime,   // Mean time of the slow trough as a fraction of its ISI; the same.
  kBaseline,         // Mean voltage before the stimulus, counts.
};

// A missing feature is NaN here and an explicit indicator in the estimator's input, never a magic
// number.
using Features = std::array<float, kFeatureCount>;
inline constexpr float kMissing = std::numeric_limits<float>::quiet_NaN();
inline bool IsMissing(float value) { return std::isnan(value); }

std::string_view FeatureName(Feature feature);   // "spike_count", "latency_us", ...
std::string_view FeatureLabel(Feature feature);  // For figures, with unit.

// Spikes with stimulus start <= t < stimulus stop.
std::size_t CountStimulusSpikes(std::span<const float> spike_time_us, const Protocol& protocol);

// The observation's trace has protocol.Points() points (a bug otherwise).
Features ExtractFeatures(const Observation& observation, const Protocol& protocol);

}  // namespace inferon
