// A recording as an observation: in chip time and MADC counts.
//
// 1 ms of biology is 1 us of chip time; mV become counts by an affine map that is chosen or derived
// from two anchors and always handed back, so that it can be printed and stored.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "common/base/result.h"
#include "common/neuron/observation.h"
#include "common/neuron/profile.h"
#include "common/neuron/protocol.h"
#include "common/recordings/recording.h"

namespace inferon {

// counts = offset + gain * mV.
struct AffineMap {
  double gain = 0;    // Counts a mV, > 0.
  double offset = 0;  // Counts at 0 mV.
};

// Counts that the anchors map to: the resting baseline and the spike level.
struct MapAnchors {
  double rest = 0;
  double threshold = 0;  // Above rest.
};

struct RecordingOptions {
  // Of the stimulus; without it the step is looked for in the current.
  std::optional<StepWindow> window;
  // mV to counts; without it derived from two anchors: the recording's resting baseline maps to
  // `anchors.rest`, the spike level to `anchors.threshold`.
  std::optional<AffineMap> map;
  // Without them the counts of the profile's resting potential and threshold: those of an ideal
  // neuron. A neuron with mismatch rests elsewhere, some ten counts away.
  std::optional<MapAnchors> anchors;
  double spike_level_mv = -20;  // A spike is an upward crossing.
  bool crop = false;            // Cut a longer step to the protocol's; refused otherwise.
};

struct RecordedObservation {
  Observation observation;  // On the protocol's grid, clipped at the profile's threshold.
  AffineMap map;
  std::string map_source;    // "given", "anchors given" or "anchors of the profile".
  StepWindow window;         // Stimulus in the recording.
  double baseline_mv = 0;    // Mean voltage before the stimulus.
  bool cropped = false;      // The step was longer than the protocol's.
  double clipped_share = 0;  // Of the points, at the threshold.
  double spike_level_mv = 0;
  std::size_t spikes_left_out = 0;  // Beyond the protocol's recording window or cropped.
};

// Puts a recording where the protocol would have recorded it: stimulus start on stimulus start.
// The protocol has exactly one current step. Refuses a recording whose step is shorter than the
// protocol's (by more than 1 %), one whose step is longer unless `crop` is set, and one that does
// not reach over the protocol's time before and after the step. A cropped step loses its end: the
// time after the protocol's step shows the recording's after its own step.
Result<RecordedObservation> MapRecording(const Recording& recording, const Profile& profile,
                                         const Protocol& protocol, const RecordingOptions& options);

// What an observation that came out of MapRecording says about itself, as a JSON object with sorted
// keys: file, sweep, step, time map (1 ms is 1 us), voltage map with its source, spike level, what
// was cropped, clipped and left out. Observation frames carry it (observation.h).
std::string MappingProvenance(const RecordedObservation& recorded, const std::string& file,
                              const std::string& sweep);

}  // namespace inferon
