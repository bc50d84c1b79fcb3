#include "common/features/recording_features.h"

#include <algorithm>

namespace inferon {
namespace {

// Corner of the low-pass before the slopes that after-depolarisations are looked for in, kHz.
constexpr double kGentleCorner = 1;

// Spikes of the whole trace that are not among those of the step. One that the step's end cuts off
// is among them, though its peak lies beyond.
void FindOutside(const TraceView& trace, std::span<const double> slopes, const Window& step,
                 const SpikeSettings& settings, RecordingFeatures& found) {
  const Window whole{trace.time.front(), trace.time.back()};
  for (const SpikePoints& spike : DetectSpikes(trace, slopes, whole, settings)) {
    const bool inside =
        std::any_of(found.spikes.begin(), found.spikes.end(), [&](const SpikePoints& other) {
          return other.peak == spike.peak || other.crossing == spike.crossing;
        });
    if (inside) continue;
    (spike.time < step.start ? found.before : found.after).push_back(spike.time);
  }
}

}  // namespace

RecordingFeatures ExtractRecordingFeatures(const TraceView& trace, std::optional<Window> step,
                                           const SpikeSettings& settings) {
  RecordingFeatures found;
  const std::vector<double> slopes = Slopes(trace, settings.corner);
  const std::vector<double> gentle = Slopes(trace, kGentleCorner);
  const Window window = step.value_or(Window{trace.time.front(), trace.time.back()});
  found.spikes = DetectSpikes(trace, slopes, window, settings);
  found.shapes = MeasureShapes(trace, slopes, gentle, window, found.spikes, {});
  if (step) FindOutside(trace, slopes, *step, settings, found);
  found.values = ComputeFeatures({.trace = trace,
                                  .slopes = slopes,
                                  .window = window,
                                  .step_known = step.has_value(),
                                  .spikes = found.spikes,
                                  .shapes = found.shapes,
                                  .spikes_before = found.before.size(),
                                  .spikes_after = found.after.size()});
  return found;
}

}  // namespace inferon
