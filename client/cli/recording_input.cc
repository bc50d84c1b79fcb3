#include "client/cli/recording_input.h"

#include <fmt/format.h>

#include <cmath>

#include "common/recordings/stimulus.h"
#include "common/rpc/convert.h"

namespace inferon::cli {
namespace {

// 1 ms of biology is 1 us on the chip. The tolerance is MapRecording's own.
constexpr double kSameLength = 0.01;

// The advice that only the command line can give: which of its options and commands help.
Error WithAdvice(Error error, const Recording& recording, const RecordingOptions& options,
                 const Protocol& protocol) {
  const Result<StepWindow> window =
      options.window ? Result<StepWindow>(*options.window) : FindStep(recording);
  if (!window) {
    error.advice = "Say where the step is with --step-window START,STOP in ms of the recording";
    return error;
  }
  const double length = window->stop_ms - window->start_ms;
  const double wanted = protocol.StimulusStop() - protocol.StimulusStart();
  if (length > wanted * (1 + kSameLength) && !options.crop) {
    error.advice = fmt::format("Add --crop-step to use its first {:g} ms", wanted);
  } else if (length < wanted * (1 - kSameLength)) {
    const double start = protocol.StimulusStart();
    const double after = protocol.duration_us - protocol.StimulusStop();
    error.advice = fmt::format(
        "Run a study with that protocol and ask its model: inferon study "
        "run ID --step {:g}:{:g} --duration {:g}",
        start, start + length, start + length + after);
  }
  return error;
}

void Describe(const RecordedObservation& recorded, const ObservationOptions& options,
              const Protocol& protocol, QueryObservation& query) {
  query.notes.push_back(fmt::format(
      "Observation: {}, step {:g} to {:g} ms, baseline {:.1f} mV; 1 ms there is 1 us on the chip.",
      options.file, recorded.window.start_ms, recorded.window.stop_ms, recorded.baseline_mv));
  query.notes.push_back(
      fmt::format("Map: counts = {:.4g} + {:.4g} * mV ({}). Repeat it with --map "
                  "{:.6g},{:.6g}.",
                  recorded.map.offset, recorded.map.gain, recorded.map_source, recorded.map.gain,
                  recorded.map.offset));
  if (recorded.cropped) {
    query.notes.push_back(fmt::format("The step was cropped to {:g} ms.",
                                      protocol.StimulusStop() - protocol.StimulusStart()));
  }
  if (recorded.clipped_share > 0) {
    query.notes.push_back(
        fmt::format("{:.1f} % of the points were clipped at the threshold, as "
                    "the chip's spikes are.",
                    100 * recorded.clipped_share));
  }
}

}  // namespace

Status CheckRecordingOptions(const ObservationOptions& options) {
  if (!options.map.empty() &&
      !(std::isfinite(options.map[0]) && options.map[0] > 0 && std::isfinite(options.map[1]))) {
    return InvalidArgument("--map needs a gain above 0 and an offset",
                           "Give GAIN,OFFSET in counts a mV and counts, for example 5,700");
  }
  if (!options.step_window.empty() && !(options.step_window[0] < options.step_window[1])) {
    return InvalidArgument("--step-window does not start before it stops",
                           "Give START,STOP in ms of the recording, for example 700,2700");
  }
  return {};
}

Status UseRecording(const Recording& recording, const ObservationOptions& options,
                    const Profile& profile, const Protocol& protocol, QueryObservation& query) {
  RecordingOptions mapping;
  if (!options.step_window.empty()) {
    mapping.window = StepWindow{options.step_window[0], options.step_window[1]};
  }
  if (!options.map.empty()) mapping.map = AffineMap{options.map[0], options.map[1]};
  if (!options.map_anchors.empty()) {
    mapping.anchors = MapAnchors{options.map_anchors[0], options.map_anchors[1]};
  }
  mapping.crop = options.crop_step;
  const Result<RecordedObservation> recorded = MapRecording(recording, profile, protocol, mapping);
  if (!recorded) {
    return tl::unexpected(WithAdvice(recorded.error(), recording, mapping, protocol));
  }
  Describe(*recorded, options, protocol, query);
  for (const std::string& note : recording.notes) query.notes.push_back(note + ".");
  for (std::string& doubt : FindDoubts(recording)) query.warnings.push_back(std::move(doubt));
  query.provenance = MappingProvenance(*recorded, options.file, options.sweep);
  query.observation = rpc::ToProto(recorded->observation, protocol);
  return {};
}

}  // namespace inferon::cli
