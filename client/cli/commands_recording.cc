// inferon recording info|features
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "client/cli/command_context.h"
#include "client/cli/commands.h"
#include "client/cli/exit_codes.h"
#include "client/cli/experiment_options.h"
#include "common/features/features.h"
#include "common/neuron/recording.h"

namespace inferon::cli {
namespace {

// Time before and after the step that a fitted protocol keeps, us; as in the default protocol.
constexpr double kSurroundings = 200;

struct RecordingCommandOptions {
  std::string file;
  std::string profile = "adex-paper";
  ProtocolOptions protocol;
  bool protocol_given = false;
  std::vector<double> window;  // START, STOP, ms.
  std::vector<double> map;     // GAIN, OFFSET.
  double spike_level_mv = RecordingOptions().spike_level_mv;
  bool crop = false;
};

struct Summary {
  Recording recording;
  std::optional<StepWindow> window;  // Missing where it is neither given nor found.
  std::string no_window;             // Why.
};

Result<Summary> Load(const RecordingCommandOptions& options) {
  Result<Recording> recording = LoadRecording(options.file);
  if (!recording) return tl::unexpected(recording.error());
  Summary summary{.recording = std::move(*recording)};
  if (!options.window.empty()) {
    summary.window = StepWindow{options.window[0], options.window[1]};
  } else if (const Result<StepWindow> found = FindStep(summary.recording)) {
    summary.window = *found;
  } else {
    summary.no_window = found.error().Text();
  }
  return summary;
}

std::size_t SpikesIn(const std::vector<double>& spikes, const StepWindow& window) {
  return static_cast<std::size_t>(std::count_if(spikes.begin(), spikes.end(), [&](double t) {
    return t >= window.start_ms && t < window.stop_ms;
  }));
}

int Info(CommandContext& context, const RecordingCommandOptions& options) {
  const Result<Summary> summary = Load(options);
  if (!summary) return context.console.FailedInput(summary.error());
  const Recording& recording = summary->recording;
  const std::size_t samples = recording.time_ms.size();
  const double length = recording.time_ms.back() - recording.time_ms.front();
  const auto [low, high] =
      std::minmax_element(recording.voltage_mv.begin(), recording.voltage_mv.end());
  const std::vector<double> spikes = SpikeTimes(recording, options.spike_level_mv);
  nlohmann::json json{{"file", options.file},
                      {"samples", samples},
                      {"duration_ms", length},
                      {"sample_step_ms", length / static_cast<double>(samples - 1)},
                      {"voltage_min_mv", *low},
                      {"voltage_max_mv", *high},
                      {"current", !recording.current_pa.empty()},
                      {"spike_level_mv", options.spike_level_mv},
                      {"spikes", spikes.size()},
                      {"step", nullptr}};
  Table table{{{"RECORDING"}, {options.file}}, {}};
  table.rows = {
      {"samples",
       fmt::format("{}, {:g} ms apart", samples, length / static_cast<double>(samples - 1))},
      {"duration", fmt::format("{:g} ms", length)},
      {"voltage", fmt::format("{:g} to {:g} mV", *low, *high)},
      {"current", recording.current_pa.empty() ? "not recorded" : "recorded"},
      {"spikes", fmt::format("{} crossings of {:g} mV", spikes.size(), options.spike_level_mv)}};
  if (summary->window) {
    const StepWindow& window = *summary->window;
    const std::size_t inside = SpikesIn(spikes, window);
    table.rows.push_back({"step", fmt::format("{:g} to {:g} ms, {} spikes inside", window.start_ms,
                                              window.stop_ms, inside)});
    json["step"] = {{"start_ms", window.start_ms}, {"stop_ms", window.stop_ms}, {"spikes", inside}};
  } else {
    table.rows.push_back({"step", summary->no_window});
  }
  context.console.Print(table);
  context.console.PrintJson(json);
  return kOk;
}

// The protocol that would have recorded this: its step, and what there is around it.
Protocol Fit(const Recording& recording, const StepWindow& window) {
  const double before = window.start_ms - recording.time_ms.front();
  const double after = recording.time_ms.back() - window.stop_ms;
  const double start = std::floor(std::clamp(before, 0.0, kSurroundings));
  const double length = std::floor(window.stop_ms - window.start_ms);
  const double rest = std::floor(std::clamp(after, 0.0, kSurroundings));
  Protocol protocol;
  protocol.steps = {{start, start + length, 1}};
  protocol.duration_us = start + length + rest;
  return protocol;
}

Result<Protocol> ChooseProtocol(const RecordingCommandOptions& options, const Summary& summary) {
  if (options.protocol_given || options.crop) return MakeProtocol(options.protocol);
  if (!summary.window) {
    return InvalidArgument("the step of the stimulus is not known: " + summary.no_window,
                           "Give it with --step-window START,STOP in ms");
  }
  const Protocol protocol = Fit(summary.recording, *summary.window);
  if (Status ok = ValidateProtocol(protocol); !ok) return tl::unexpected(ok.error());
  return protocol;
}

Result<RecordedObservation> Map(const RecordingCommandOptions& options, const Summary& summary,
                                const Protocol& protocol) {
  const Result<Profile> profile = FindProfile(options.profile);
  if (!profile) return tl::unexpected(profile.error());
  RecordingOptions how{.window = summary.window,
                       .map = std::nullopt,
                       .spike_level_mv = options.spike_level_mv,
                       .crop = options.crop};
  if (!options.map.empty()) how.map = AffineMap{options.map[0], options.map[1]};
  return MapRecording(summary.recording, *profile, protocol, how);
}

void ShowFeatures(Console& console, const RecordedObservation& mapped, const Protocol& protocol) {
  const Features features = ExtractFeatures(mapped.observation, protocol);
  Table table{{{"FEATURE"}, {"VALUE", true}, {"MEANING"}}, {}};
  nlohmann::json values = nlohmann::json::object();
  for (std::size_t f = 0; f < kFeatureCount; ++f) {
    const auto feature = static_cast<Feature>(f);
    const bool missing = IsMissing(features[f]);
    table.rows.push_back({std::string(FeatureName(feature)),
                          missing ? "missing" : fmt::format("{:.5g}", features[f]),
                          std::string(FeatureLabel(feature))});
    values[std::string(FeatureName(feature))] =
        missing ? nlohmann::json(nullptr) : nlohmann::json(features[f]);
  }
  console.Print(table);
  console.Print(
      fmt::format("counts = {:.5g} + {:.5g} * mV; 1 ms of the recording is 1 us of chip "
                  "time; step {:g} to {:g} ms{}.",
                  mapped.map.offset, mapped.map.gain, mapped.window.start_ms, mapped.window.stop_ms,
                  mapped.cropped ? ", cropped" : ""));
  console.PrintJson(
      {{"features", values},
       {"map", {{"gain", mapped.map.gain}, {"offset", mapped.map.offset}}},
       {"step", {{"start_ms", mapped.window.start_ms}, {"stop_ms", mapped.window.stop_ms}}},
       {"cropped", mapped.cropped},
       {"clipped_share", mapped.clipped_share},
       {"baseline_mv", mapped.baseline_mv},
       {"spike_times_us", mapped.observation.spike_time_us}});
}

int ShowRecordingFeatures(CommandContext& context, const RecordingCommandOptions& options) {
  const Result<Summary> summary = Load(options);
  if (!summary) return context.console.FailedInput(summary.error());
  const Result<Protocol> protocol = ChooseProtocol(options, *summary);
  if (!protocol) return context.console.FailedInput(protocol.error());
  const Result<RecordedObservation> mapped = Map(options, *summary, *protocol);
  if (!mapped) return context.console.FailedInput(mapped.error());
  ShowFeatures(context.console, *mapped, *protocol);
  return kOk;
}

void AddCommonOptions(CLI::App& command, RecordingCommandOptions& options) {
  command
      .add_option("file", options.file, "CSV with time_ms, voltage_mV and, if known, current_pA")
      ->required()
      ->type_name("FILE");
  command
      .add_option("--step-window", options.window,
                  "Start and stop of the current step, ms (found from the current)")
      ->delimiter(',')
      ->expected(2)
      ->default_str("")
      ->type_name("START,STOP");
  command.add_option("--spike-level", options.spike_level_mv,
                     "A spike is an upward crossing of this voltage, mV");
}

}  // namespace

void AddRecordingCommands(CLI::App& app, CommandContext& context) {
  CLI::App& recordings = *app.add_subcommand("recording", "Look at recorded membrane traces");
  recordings.require_subcommand(1);

  auto seen = std::make_shared<RecordingCommandOptions>();
  CLI::App& info = *recordings.add_subcommand("info", "What a recording holds");
  AddCommonOptions(info, *seen);
  OnSelected(info, context, [&context, seen] { return Info(context, *seen); });

  auto options = std::make_shared<RecordingCommandOptions>();
  CLI::App& features = *recordings.add_subcommand(
      "features", "The twelve features of a recording, in chip time and MADC counts");
  AddCommonOptions(features, *options);
  features.add_option("--profile", options->profile, "Built-in profile or TOML file")
      ->type_name("NAME|FILE");
  features.add_option("--map", options->map, "Counts = OFFSET + GAIN * mV (chosen from the trace)")
      ->delimiter(',')
      ->expected(2)
      ->default_str("")
      ->type_name("GAIN,OFFSET");
  features.add_flag("--crop-step", options->crop,
                    "Cut a step that is longer than the protocol's to the protocol's length");
  AddProtocolOptions(features, options->protocol);
  OnSelected(features, context, [&context, &features, options] {
    options->protocol_given =
        features.count("--step") + features.count("--duration") + features.count("--grid-step") > 0;
    return ShowRecordingFeatures(context, *options);
  });
}

}  // namespace inferon::cli
