// All features by name: the twelve of the estimators and the further set. docs/features.md shows
// this table; a test keeps the two together.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace inferon {

// What a value is measured in: ms and mV for recordings, us and MADC counts for chip traces.
enum class UnitSystem { kRecording, kChip };

enum class Quantity { kNumber, kTime, kVoltage, kSlope, kRate };

struct FeatureInfo {
  std::string_view name;  // Without unit: "latency".
  Quantity quantity;
  int least_spikes;             // Below, the feature is missing. It may be missing for more.
  std::string_view definition;  // One line.
  std::string_view source;      // "IPFX latency", "eFEL ...", "ours".
};

// The twelve first, in the order of enum Feature (features.h).
std::span<const FeatureInfo> FeatureCatalogue();

// "latency_ms" or "latency_us"; without a unit just the name.
std::string FeatureNameWithUnit(const FeatureInfo& info, UnitSystem units);
// "ms", "us", "mV", "counts", "mV/ms", "counts/us", "Hz", "kHz" or "".
std::string_view UnitOf(Quantity quantity, UnitSystem units);
// Index in the catalogue of a name with or without its unit.
std::optional<std::size_t> FindFeature(std::string_view name);

}  // namespace inferon
