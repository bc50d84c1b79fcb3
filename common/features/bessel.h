// The zero-phase low-pass filter that the Allen Institute's tools put before slopes.
#pragma once

#include <span>
#include <vector>

namespace inferon {

// Four-pole Bessel low-pass (phase normalisation, bilinear transform with pre-warped corner), run
// forwards and backwards over `samples` with odd extension at both ends, as SciPy's bessel and
// filtfilt do. `corner` is the corner frequency as a share of half the sampling rate, in (0, 1).
// Fewer than 16 samples come back as they are.
std::vector<double> LowPass(std::span<const double> samples, double corner);

}  // namespace inferon
