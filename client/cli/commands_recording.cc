// inferon recording info|features|convert|plot: the options.
#include <CLI/CLI.hpp>
#include <memory>

#include "client/cli/commands.h"
#include "client/cli/recording_commands.h"

namespace inferon::cli {
namespace {

void AddSpikeOptions(CLI::App& command, RecordingCommandOptions& options) {
  command
      .add_option("--spikes", options.spikes,
                  "How spikes are found: by slope as IPFX, or as crossings of a level")
      ->check(CLI::IsMember({"slope", "crossing"}));
  command.add_option("--spike-level", options.detection.crossing_level,
                     "Level of --spikes crossing, and of the spike anchor of --chip, mV");
  command
      .add_option("--least-slope", options.detection.least_slope, "Slope that makes a spike, mV/ms")
      ->check(CLI::PositiveNumber);
}

struct Command {
  CLI::App& app;
  std::shared_ptr<RecordingCommandOptions> options;
};

// A subcommand with the options that all have; `chip` adds those of the chip's view.
Command AddCommand(CLI::App& recordings, CommandContext& context, const char* name,
                   const char* what, bool chip,
                   int (*run)(CommandContext&, const RecordingCommandOptions&)) {
  auto options = std::make_shared<RecordingCommandOptions>();
  CLI::App& command = *recordings.add_subcommand(name, what);
  AddRecordingOptions(command, options->given);
  AddSpikeOptions(command, *options);
  if (chip) AddChipOptions(command, options->chip);
  OnSelected(command, context, [&context, &command, options, run, chip] {
    if (chip) {
      const std::size_t given =
          command.count("--step") + command.count("--duration") + command.count("--grid-step");
      options->chip.protocol_given = given > 0;
      options->chip.spike_level_mv = options->detection.crossing_level;
    }
    return run(context, *options);
  });
  return {command, options};
}

}  // namespace

SpikeSettings RecordingCommandOptions::Detection() const {
  SpikeSettings settings = detection;
  settings.method = spikes == "crossing" ? SpikeMethod::kCrossing : SpikeMethod::kSlope;
  return settings;
}

void AddRecordingCommands(CLI::App& app, CommandContext& context) {
  CLI::App& recordings = *app.add_subcommand("recording", "Look at recorded membrane traces");
  recordings.require_subcommand(1);
  AddCommand(recordings, context, "info", "What a recording holds: sweeps, steps, spikes", false,
             ShowRecording);
  const Command features = AddCommand(recordings, context, "features",
                                      "Features of a recording at its native rate, in ms and mV",
                                      true, ShowRecordingFeatures);
  features.app
      .add_option("--features", features.options->features,
                  "all, twelve, or names separated by commas")
      ->type_name("NAMES");
  const Command convert = AddCommand(
      recordings, context, "convert",
      "Write a sweep as CSV or, with --chip, as an observation frame", true, ConvertRecording);
  convert.app
      .add_option("--out", convert.options->out,
                  "File to write; with --sweep all-steps the folder for one CSV a sweep")
      ->required()
      ->type_name("FILE|FOLDER");
  const Command plot =
      AddCommand(recordings, context, "plot", "Draw a sweep with its step and its spikes", false,
                 PlotRecording);
  plot.app.add_option("--out", plot.options->out, "Picture to write, .svg or .png")
      ->required()
      ->type_name("FILE");
}

}  // namespace inferon::cli
