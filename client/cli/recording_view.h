// Recordings and their features as tables and JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "client/cli/recording_options.h"
#include "client/cli/table.h"
#include "common/features/catalogue.h"
#include "common/features/recording_features.h"

namespace inferon::cli {

// One row a property of a sweep; and the same for programs. Spikes are those found by `settings`.
Table SweepTable(const std::string& file, const Sweep& sweep, const SpikeSettings& settings);
nlohmann::json SweepJson(const Sweep& sweep, const SpikeSettings& settings);

// Features `chosen` (indices in the catalogue) of one trace: name, value or "missing", meaning.
Table FeatureTable(std::span<const double> values, std::span<const std::size_t> chosen,
                   UnitSystem units);
// The same by name; null where missing.
nlohmann::json FeatureJson(std::span<const double> values, std::span<const std::size_t> chosen,
                           UnitSystem units);
// One row a sweep, one column a feature.
Table FeaturesOfSweeps(const std::vector<Sweep>& sweeps,
                       const std::vector<RecordingFeatures>& features,
                       std::span<const std::size_t> chosen);

// "[start_ms, stop_ms, amplitude_pa]" as an object; null without a step.
nlohmann::json StepJson(const Sweep& sweep);
// "step 100.1 to 600.1 ms, 161 pA".
std::string DescribeStep(const Sweep& sweep);

// Features of a sweep at its native rate.
RecordingFeatures FeaturesOf(const Sweep& sweep, const SpikeSettings& settings);

}  // namespace inferon::cli
