// The canary: one fixed parameter set, run now and then, and its features on a control chart.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/features/features.h"

namespace inferon::worker {

struct CanaryLimits {
  double max_sigma = 4;
  double max_kelvin = 3;
};

// Mean and standard deviation of a feature over the repeats that have it, each with a write of its
// own.
struct FeatureChart {
  double mean = 0;
  double deviation = 0;
  std::uint32_t count = 0;
};

// What a calibration's canary looked like.
struct CanaryReference {
  std::string key;  // What it belongs to: chip, neuron, calibration, mapping, codes.
  std::array<FeatureChart, kFeatureCount> features{};
  std::optional<double> temperature_c;
};

// Least deviations, so that a count that never changes has no chart of zero width: 1 spike, 5 us,
// 2 counts, 0.05 of a ratio.
CanaryReference MakeReference(std::string key, const std::vector<Features>& repeats,
                              std::optional<double> temperature_c);

struct CanaryVerdict {
  bool drifted = false;
  bool reference = false;    // This run has made the reference.
  double worst_sigma = 0;    // Of the means, in standard errors.
  std::string worst;         // Feature.
  double kelvin = 0;         // Change of the temperature; 0 where it is not known.
  std::string fault;         // Of monitors or read-out; empty: none. One means drifted.
  std::string Text() const;  // One sentence without a full stop.
};
CanaryVerdict Judge(const CanaryReference& reference, const std::vector<Features>& repeats,
                    std::optional<double> temperature_c, const CanaryLimits& limits);

// JSON of the reference file. kDataLoss for a damaged text.
std::string EncodeReference(const CanaryReference& reference);
Result<CanaryReference> DecodeReference(std::string_view text);

}  // namespace inferon::worker
