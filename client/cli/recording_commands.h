// What the subcommands of `inferon recording` do with their parsed options.
#pragma once

#include <string>

#include "client/cli/command_context.h"
#include "client/cli/recording_chip.h"
#include "client/cli/recording_options.h"
#include "common/features/spike_detector.h"

namespace inferon::cli {

struct RecordingCommandOptions {
  RecordingOptionsGiven given;
  std::string spikes = "slope";  // Or "crossing".
  SpikeSettings detection;
  ChipOptions chip;
  std::string features = "all";  // "all", "twelve" or names separated by commas.
  std::string out;               // Of convert and plot.

  SpikeSettings Detection() const;
};

// Each gives the exit code.
int ShowRecording(CommandContext& context, const RecordingCommandOptions& options);
int ShowRecordingFeatures(CommandContext& context, const RecordingCommandOptions& options);
int ConvertRecording(CommandContext& context, const RecordingCommandOptions& options);
int PlotRecording(CommandContext& context, const RecordingCommandOptions& options);

}  // namespace inferon::cli
