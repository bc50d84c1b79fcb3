// What follows a spike's peak: downstroke, troughs, width. Rules are IPFX's (docs/features.md).
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "common/features/spike_detector.h"
#include "common/features/trace.h"

namespace inferon {

// The defaults are IPFX's, for ms and mV.
struct ShapeSettings {
  double end_of_fall = 0.01;     // The fast trough: slope back to this share of the downstroke.
  double least_depth = 0.5;      // Of a slow trough below the fast one, mV.
  double adp_least_slope = 0.5;  // An after-depolarisation rises faster than this, mV/ms,
  double adp_latest_start = 2;   // starts within this time of the fast trough, ms,
  double adp_latest = 5;         // peaks within this one, ms,
  double adp_highest = 10;       // and not higher above it, mV.
};

// A part that is not there has no value. Indices are samples.
struct SpikeShape {
  std::optional<std::size_t> downstroke;   // Steepest fall from peak to trough.
  std::optional<std::size_t> trough;       // Lowest sample before the next threshold.
  std::optional<std::size_t> fast_trough;  // End of the fall.
  std::optional<std::size_t> slow_trough;  // Lowest sample after it, where low enough.
  std::optional<double> width;             // Between samples at half height over the fast trough.
  std::optional<double> half_width;  // Between crossings of (peak + trough) / 2, interpolated.
};

// One shape a spike, in the same order. `gentle` are the slopes that after-depolarisations are
// looked for in (IPFX: low-passed at 1 kHz); empty: none are looked for. The last spike is
// followed to the window's end; it has no slow trough.
std::vector<SpikeShape> MeasureShapes(const TraceView& trace, std::span<const double> slopes,
                                      std::span<const double> gentle, const Window& window,
                                      const std::vector<SpikePoints>& spikes,
                                      const ShapeSettings& settings);

}  // namespace inferon
