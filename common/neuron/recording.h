// Recorded membrane traces: CSV in, observation in chip time and MADC counts out.
//
// 1 ms of biology is 1 us of chip time; mV become counts by an affine map that is chosen or derived
// from two anchors and always handed back, so that it can be printed and stored.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/neuron/observation.h"
#include "common/neuron/profile.h"
#include "common/neuron/protocol.h"

namespace inferon {

inline constexpr std::size_t kMaxRecordingBytes = std::size_t{256} << 20;

// One sweep; the vectors are equally long, at least two samples, times ascend strictly.
struct Recording {
  std::vector<double> time_ms;
  std::vector<double> voltage_mv;
  std::vector<double> current_pa;  // NaN where it is not known; empty without that column.
};

// Stimulus of a recording, ms.
struct StepWindow {
  double start_ms = 0;
  double stop_ms = 0;
};

// counts = offset + gain * mV.
struct AffineMap {
  double gain = 0;    // Counts a mV, > 0.
  double offset = 0;  // Counts at 0 mV.
};

struct RecordingOptions {
  // Of the stimulus; without it the step is looked for in the current.
  std::optional<StepWindow> window;
  // mV to counts; without it derived from the anchors: the recording's resting baseline maps to
  // the profile's resting potential, the spike level to the profile's threshold.
  std::optional<AffineMap> map;
  double spike_level_mv = -20;  // A spike is an upward crossing.
  bool crop = false;            // Cut a longer step to the protocol's; refused otherwise.
};

struct RecordedObservation {
  Observation observation;  // On the protocol's grid, clipped at the profile's threshold.
  AffineMap map;
  StepWindow window;         // Stimulus in the recording.
  double baseline_mv = 0;    // Mean voltage before the stimulus.
  bool cropped = false;      // The step was longer than the protocol's.
  double clipped_share = 0;  // Of the points, at the threshold.
};

// Parses `time_ms,voltage_mV[,current_pA]` with that header line. Refuses anything malformed,
// naming the row: missing or extra columns, NaN (allowed in the current), times that do not ascend.
Result<Recording> ParseRecording(std::string_view csv);
Result<Recording> LoadRecording(const std::filesystem::path& path);

// The longest interval in which the current differs from its level at the start by more than half
// of its largest deviation. Refused where the current is missing or has no step.
Result<StepWindow> FindStep(const Recording& recording);

// Times, ms, of upward crossings v[k] < level <= v[k + 1], linearly interpolated.
std::vector<double> SpikeTimes(const Recording& recording, double level_mv);

// Puts a recording where the protocol would have recorded it: stimulus start on stimulus start.
// The protocol has exactly one current step. Refuses a recording whose step is shorter than the
// protocol's (by more than 1 %), one whose step is longer unless `crop` is set, and one that does
// not reach over the protocol's time before and after the step. A cropped step loses its end: the
// time after the protocol's step shows the recording's after its own step.
Result<RecordedObservation> MapRecording(const Recording& recording, const Profile& profile,
                                         const Protocol& protocol, const RecordingOptions& options);

}  // namespace inferon
