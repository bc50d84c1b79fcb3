#include "common/features/features.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "common/base/check.h"

namespace inferon {
namespace {

struct Naming {
  std::string_view name;
  std::string_view label;
};

// In the order of enum Feature.
constexpr std::array<Naming, kFeatureCount> kNamings{{
    {"spike_count", "spike count"},
    {"latency_us", "latency to first spike (µs)"},
    {"mean_isi_us", "mean ISI (µs)"},
    {"first_isi_us", "first ISI (µs)"},
    {"isi_cv", "ISI coefficient of variation"},
    {"adaptation_index", "adaptation index"},
    {"peak_counts", "mean peak voltage (counts)"},
    {"width_us", "mean spike width (µs)"},
    {"fast_trough_counts", "mean fast trough (counts)"},
    {"slow_trough_counts", "mean slow trough (counts)"},
    {"slow_trough_time", "mean time of slow trough (fraction of ISI)"},
    {"baseline_counts", "baseline (counts)"},
}};

}  // namespace

std::string_view FeatureName(Feature feature) {
  return kNamings[static_cast<std::size_t>(feature)].name;
}

std::string_view FeatureLabel(Feature feature) {
  return kNamings[static_cast<std::size_t>(feature)].label;
}

std::size_t CountStimulusSpikes(std::span<const float> spike_time_us, const Protocol& protocol) {
  const auto first = std::lower_bound(spike_time_us.begin(), spike_time_us.end(),
                                      protocol.StimulusStart());
  const auto last = std::lower_bound(first, spike_time_us.end(), protocol.StimulusStop());
  return static_cast<std::size_t>(last - first);
}

}  // namespace inferon
