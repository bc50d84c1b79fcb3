// A sweep as the chip would have shown it: mapped to chip time and MADC counts.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "client/cli/experiment_options.h"
#include "client/cli/recording_options.h"
#include "common/recordings/mapping.h"

namespace inferon::cli {

struct ChipOptions {
  bool chip = false;
  std::string profile = "adex-paper";
  ProtocolOptions protocol;
  bool protocol_given = false;  // Else the protocol that fits the recording.
  std::vector<double> map;      // GAIN, OFFSET.
  std::vector<double> anchors;  // REST, THRESHOLD, counts.
  double spike_level_mv = RecordingOptions().spike_level_mv;
  bool crop = false;
};

// --chip and what goes with it, in a group of its own.
void AddChipOptions(CLI::App& command, ChipOptions& options);

struct ChipSweep {
  RecordedObservation recorded;
  Protocol protocol;
};
Result<ChipSweep> MapSweep(const Sweep& sweep, const ChipOptions& options);

// How it was mapped, for people and for programs.
std::string DescribeMap(const RecordedObservation& recorded);
nlohmann::json MapJson(const ChipSweep& mapped);
// An observation frame (docs/formats.md) of this one observation with its provenance.
std::string ObservationFrame(const ChipSweep& mapped, const std::string& file,
                             const std::string& sweep);

}  // namespace inferon::cli
