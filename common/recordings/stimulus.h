// The current step of a recording, found in its current.
#pragma once

#include <vector>

#include "common/base/result.h"
#include "common/recordings/recording.h"

namespace inferon {

// A part of a recording in which the current is away from its holding level.
struct CurrentPulse {
  StepWindow window;
  double amplitude_pa = 0;  // Median there, relative to the holding level.
};

struct Stimulus {
  CurrentPulse step;                 // The longest.
  double holding_pa = 0;             // Median at the start of the recording (at the end where the
                                     // step begins at once).
  std::vector<CurrentPulse> others;  // Test pulses and the like, in order of time.
};

struct StimulusOptions {
  double least_step_ms = 50;  // A shorter pulse is a test pulse, not a step.
};

// Finds the pulses of the current and chooses the longest. Pulses smaller than others are found,
// too, as far as they stand out of the noise. An edge is the first sample beyond it where the
// current has no noise (a command), else the interpolated crossing of half the pulse's height.
// Refused where the current is not known (it may be unknown at the ends), constant, or has no pulse
// of the least length inside, and where the longest is no step: a ramp, a wave, one of several
// stairs.
Result<Stimulus> FindStimulus(const Recording& recording, const StimulusOptions& options = {});

// The step of FindStimulus.
Result<StepWindow> FindStep(const Recording& recording, const StimulusOptions& options = {});

// Median current in a window minus the holding level; NaN where not known.
double AmplitudeIn(const Recording& recording, const StepWindow& window);

}  // namespace inferon
