// A recorded sweep: membrane voltage and, if known, the injected current.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"

namespace inferon {

// Most samples of a sweep unless another limit is given: 100 s at 200 kHz.
inline constexpr std::size_t kMaxSweepSamples = 20'000'000;

// The vectors are equally long, at least two samples, times ascend strictly.
struct Recording {
  std::vector<double> time_ms;
  std::vector<double> voltage_mv;
  std::vector<double> current_pa;  // NaN where it is not known; empty where nothing is known.
  std::vector<std::string> notes;  // What the reader did that a user should know, as sentences.
};

// Stimulus of a recording, ms.
struct StepWindow {
  double start_ms = 0;
  double stop_ms = 0;
};

// Distance of the samples, ms: the mean where they lie on an even grid (IsOnGrid), else the median.
double SampleStep(const Recording& recording);

// Whether every sample is near (a quarter of the mean distance) its place on an even grid, as times
// that were rounded in a table are.
bool IsOnGrid(const Recording& recording);
// Replaces the times by that grid where rounding has moved them by more than a hundredth of a step,
// and notes it; slopes would suffer otherwise. The recording is on a grid (a bug otherwise).
void StraightenTimes(Recording& recording);

// A sample whose distance from the one before is not the others', by more than a quarter.
struct Irregularity {
  std::size_t sample = 0;  // The first such.
  double step_ms = 0;      // There,
  double usual_ms = 0;     // and elsewhere.
  std::size_t count = 0;   // Of such samples.
};
// None where the samples are on a grid.
std::optional<Irregularity> FindIrregularity(const Recording& recording);

// Puts the samples on an even grid of the usual distance, linearly interpolated; a current
// that is not known on one side of a point is not known there. Notes the gaps that it bridged.
// Refuses more than max_samples.
Result<Recording> Resample(const Recording& recording, std::size_t max_samples);

// What makes a trace doubtful, as sentences without a full stop: flat at its highest or lowest
// value (a saturated amplifier or converter), voltages no membrane has, samples too far apart for
// spikes or closer than any amplifier's.
std::vector<std::string> FindDoubts(const Recording& recording);

// Times, ms, of upward crossings v[k] < level <= v[k + 1], linearly interpolated.
std::vector<double> SpikeTimes(const Recording& recording, double level_mv);

}  // namespace inferon
