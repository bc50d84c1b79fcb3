#include "common/features/chip_features.h"

#include <algorithm>

#include "common/features/catalogue.h"
#include "common/features/features.h"
#include "common/features/measured_features.h"

namespace inferon {
namespace {

// Reach in which a spike's peak lies around its event, us; or one grid step.
constexpr double kPeakReach = 2;
// About half a millivolt and a millivolt of a recording, and beyond what noise does; counts.
constexpr double kLeastDepth = 3, kLeastDeflection = 3;

std::size_t HighestAt(std::span<const double> values, std::size_t begin, std::size_t end) {
  end = std::min(end, values.size());
  if (begin >= end) return begin;
  const auto part = values.subspan(begin, end - begin);
  return begin +
         static_cast<std::size_t>(std::max_element(part.begin(), part.end()) - part.begin());
}

// Binomial smoothing over 3 points: rules on slopes would trigger on noise otherwise.
std::vector<double> Smooth(std::span<const double> v) {
  std::vector<double> smooth(v.begin(), v.end());
  for (std::size_t k = 1; k + 1 < v.size(); ++k) smooth[k] = (v[k - 1] + 2 * v[k] + v[k + 1]) / 4;
  return smooth;
}

// The events in the window with peak, upstroke and threshold around each. Events whose peaks
// coincide on the grid keep their own time.
std::vector<SpikePoints> Locate(const TraceView& trace, std::span<const double> slopes,
                                std::span<const float> events, const Window& window, double grid) {
  std::vector<SpikePoints> spikes;
  const double reach = std::max(kPeakReach, grid);
  std::size_t before = 0;
  for (const float event : events) {
    if (event < window.start || event >= window.stop) continue;
    const std::size_t first = std::max(before, IndexAt(trace.time, event - reach));
    SpikePoints spike{.time = event};
    spike.peak = HighestAt(trace.v, first, IndexAt(trace.time, event + reach) + 1);
    spike.peak = std::min(spike.peak, trace.size() - 1);
    const std::size_t foot = std::max(before, IndexAt(trace.time, trace.time[spike.peak] - reach));
    spike.upstroke = std::min(HighestAt(slopes, foot, spike.peak), slopes.size() - 1);
    before = spike.peak;
    spikes.push_back(spike);
  }
  RefineThresholds(slopes, SpikeSettings().threshold_share, spikes);
  return spikes;
}

}  // namespace

std::vector<double> ExtractChipFeatures(const Observation& observation, const Protocol& protocol) {
  const Features twelve = ExtractFeatures(observation, protocol);
  const std::size_t points = observation.trace.size();
  std::vector<double> time(points), v(observation.trace.begin(), observation.trace.end());
  for (std::size_t k = 0; k < points; ++k) time[k] = static_cast<double>(k) * protocol.grid_step_us;
  std::vector<double> values;
  if (points < 2) return std::vector<double>(FeatureCatalogue().size(), kMissing);
  const TraceView trace{time, v};
  const std::vector<double> smooth = Smooth(v);
  const std::vector<double> slopes = Slopes({time, smooth}, 0);
  const Window window{protocol.StimulusStart(), protocol.StimulusStop()};
  const std::span<const float> events = observation.spike_time_us;
  const auto count_before = std::count_if(events.begin(), events.end(),
                                          [&](float event) { return event < window.start; });
  const auto count_after = std::count_if(events.begin(), events.end(),
                                         [&](float event) { return event >= window.stop; });
  MeasuredTrace measured{.trace = trace,
                         .slopes = slopes,
                         .window = window,
                         .spikes_before = static_cast<std::size_t>(count_before),
                         .spikes_after = static_cast<std::size_t>(count_after),
                         .baseline_reach = std::max(window.start, protocol.grid_step_us),
                         .least_deflection = kLeastDeflection};
  measured.spikes = Locate(trace, slopes, events, window, protocol.grid_step_us);
  measured.shapes =
      MeasureShapes(trace, slopes, {}, window, measured.spikes, {.least_depth = kLeastDepth});
  values = ComputeFeatures(measured);
  std::copy(twelve.begin(), twelve.end(), values.begin());
  return values;
}

}  // namespace inferon
