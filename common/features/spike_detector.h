// Spikes of a recorded trace: by its slope, as the Allen Institute's IPFX finds them, or by a plain
// crossing of a level. docs/features.md tells the rules and where they are taken from.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "common/features/trace.h"

namespace inferon {

enum class SpikeMethod {
  kSlope,     // dV/dt reaches a cut-off; threshold refined to a share of the mean upstroke.
  kCrossing,  // The voltage crosses a level upwards.
};

// The defaults are IPFX's; times in ms, voltages in mV.
struct SpikeSettings {
  SpikeMethod method = SpikeMethod::kSlope;
  double least_slope = 20;        // mV/ms that makes a spike.
  double least_peak = -30;        // Peaks below are no spikes, mV.
  double least_height = 2;        // From the cut-off's crossing to the peak, mV.
  double threshold_share = 0.05;  // The threshold is where the slope is this of the mean upstroke.
  double longest_rise = 5;        // From threshold to peak, ms; longer ones are found anew.
  double corner = 10;             // Of the low-pass before slopes, kHz.
  double crossing_level = -20;    // For kCrossing, mV.
};

// One spike as samples of the trace, threshold <= upstroke <= peak, crossing <= peak.
struct SpikePoints {
  std::size_t threshold = 0;
  std::size_t crossing = 0;  // The last sample before the slope reaches the cut-off (kCrossing: the
                             // voltage its level).
  std::size_t upstroke = 0;  // Steepest slope from threshold to peak.
  std::size_t peak = 0;
  double time = 0;       // kSlope: of the threshold; kCrossing: of the interpolated crossing.
  bool clipped = false;  // The window ends before the spike has come back to its threshold.
};

// Spikes whose slope (or level) crossing lies in the window, in order. `slopes` are
// Slopes(trace, settings.corner). A refined threshold may lie before the window's start.
std::vector<SpikePoints> DetectSpikes(const TraceView& trace, std::span<const double> slopes,
                                      const Window& window, const SpikeSettings& settings);

// Refines the thresholds of spikes whose peak and upstroke are known: the last sample, going back
// from the upstroke, whose slope is at most `share` of the mean upstroke, but not beyond the
// upstroke before (the trace's start for the first).
void RefineThresholds(std::span<const double> slopes, double share,
                      std::vector<SpikePoints>& spikes);

}  // namespace inferon
