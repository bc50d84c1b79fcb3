#include "client/cli/recording_chip.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace inferon::cli {
namespace {

// Time before and after the step that a fitted protocol keeps, us; as in the default protocol.
constexpr double kSurroundings = 200;

// The protocol that would have recorded this: its step, and what there is around it.
Protocol Fit(const Recording& recording, const StepWindow& window) {
  const double before = window.start_ms - recording.time_ms.front();
  const double after = recording.time_ms.back() - window.stop_ms;
  const double start = std::floor(std::clamp(before, 0.0, kSurroundings));
  const double length = std::round(window.stop_ms - window.start_ms);
  const double rest = std::floor(std::clamp(after, 0.0, kSurroundings));
  Protocol protocol;
  protocol.steps = {{start, start + length, 1}};
  protocol.duration_us = start + length + rest;
  return protocol;
}

Result<Protocol> ChooseProtocol(const Sweep& sweep, const Profile& profile,
                                const ChipOptions& options) {
  if (options.protocol_given || options.crop) {
    return MakeProtocol(options.protocol, profile.protocol);
  }
  const Protocol protocol = Fit(sweep.recording, *sweep.step);
  if (Status ok = ValidateProtocol(protocol); !ok) return tl::unexpected(ok.error());
  return protocol;
}

}  // namespace

void AddChipOptions(CLI::App& command, ChipOptions& options) {
  CLI::Option* chip =
      command.add_flag("--chip", options.chip,
                       "As the chip would show it: 1 ms becomes 1 us, mV become MADC counts");
  command.add_option("--profile", options.profile, "Built-in profile or TOML file")
      ->type_name("NAME|FILE");
  command.add_option("--map", options.map, "Counts = OFFSET + GAIN * mV (chosen from the trace)")
      ->delimiter(',')
      ->expected(2)
      ->default_str("")
      ->type_name("GAIN,OFFSET");
  command
      .add_option("--map-anchors", options.anchors,
                  "Counts that the resting baseline and the spike level map to (the profile's "
                  "nominal v_l and v_th)")
      ->delimiter(',')
      ->expected(2)
      ->default_str("")
      ->type_name("REST,THRESHOLD");
  command.add_flag("--crop-step", options.crop,
                   "Cut a step that is longer than the protocol's to the protocol's length");
  AddProtocolOptions(command, options.protocol);
  for (const char* name : {"--profile", "--map", "--map-anchors", "--crop-step", "--step",
                           "--duration", "--grid-step"}) {
    command.get_option(name)->needs(chip);  // They would change nothing without it.
  }
}

Result<ChipSweep> MapSweep(const Sweep& sweep, const ChipOptions& options) {
  if (!sweep.step) {
    return InvalidArgument("the step of the stimulus is not known: " + sweep.no_step,
                           "Give it with --step-window START,STOP in ms");
  }
  const Result<Profile> profile = FindProfile(options.profile);
  if (!profile) return tl::unexpected(profile.error());
  const Result<Protocol> protocol = ChooseProtocol(sweep, *profile, options);
  if (!protocol) return tl::unexpected(protocol.error());
  RecordingOptions how{.window = sweep.step, .spike_level_mv = options.spike_level_mv};
  how.crop = options.crop;
  if (!options.map.empty()) how.map = AffineMap{options.map[0], options.map[1]};
  if (!options.anchors.empty()) how.anchors = MapAnchors{options.anchors[0], options.anchors[1]};
  Result<RecordedObservation> recorded = MapRecording(sweep.recording, *profile, *protocol, how);
  if (!recorded) return tl::unexpected(recorded.error());
  return ChipSweep{std::move(*recorded), *protocol};
}

std::string DescribeMap(const RecordedObservation& recorded) {
  return fmt::format(
      "counts = {:.5g} + {:.5g} * mV ({}); 1 ms of the recording is 1 us of chip time; step {:g} "
      "to {:g} ms{}; {} spikes lie outside what is kept.",
      recorded.map.offset, recorded.map.gain, recorded.map_source, recorded.window.start_ms,
      recorded.window.stop_ms, recorded.cropped ? ", cropped" : "", recorded.spikes_left_out);
}

nlohmann::json MapJson(const ChipSweep& mapped) {
  const RecordedObservation& recorded = mapped.recorded;
  return {{"map",
           {{"gain", recorded.map.gain},
            {"offset", recorded.map.offset},
            {"source", recorded.map_source}}},
          {"step", {{"start_ms", recorded.window.start_ms}, {"stop_ms", recorded.window.stop_ms}}},
          {"cropped", recorded.cropped},
          {"clipped_share", recorded.clipped_share},
          {"baseline_mv", recorded.baseline_mv},
          {"spikes_left_out", recorded.spikes_left_out},
          {"spike_times_us", recorded.observation.spike_time_us}};
}

std::string ObservationFrame(const ChipSweep& mapped, const std::string& file,
                             const std::string& sweep) {
  const Observation& observation = mapped.recorded.observation;
  ObservationBatch batch;
  batch.points = observation.trace.size();
  for (const float counts : observation.trace) {
    batch.trace.push_back(static_cast<std::uint16_t>(counts));
  }
  batch.spike_count = {static_cast<std::uint32_t>(observation.spike_time_us.size())};
  batch.spike_time_us = observation.spike_time_us;
  batch.provenance = MappingProvenance(mapped.recorded, file, sweep);
  return EncodeObservations(batch);
}

}  // namespace inferon::cli
