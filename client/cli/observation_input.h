// Where a posterior query's observation comes from: a recorded trace or an experiment of a job.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "client/cli/command_context.h"
#include "common/neuron/profile.h"
#include "common/recordings/text_reader.h"

namespace CLI {
class App;
}

namespace inferon::cli {

struct ObservationOptions {
  std::string file;                 // A recording,
  std::string sweep;                // its sweep where it has several,
  ReadOptions read;                 // and how it is read.
  std::string job;                  // Or a job,
  std::uint64_t experiment = 0;     // and the index of its experiment.
  std::string model;                // Empty: the newest model.
  std::vector<double> map;          // GAIN, OFFSET: counts = OFFSET + GAIN * mV; empty: chosen.
  std::vector<double> map_anchors;  // REST, THRESHOLD, counts; empty: the profile's.
  std::vector<double> step_window;  // START, STOP of the step in the recording's ms; empty: found.
  bool crop_step = false;
};

void AddObservationOptions(CLI::App& command, ObservationOptions& options);
// Refuses options that do not say exactly one observation; needs no server.
Status CheckObservationOptions(const ObservationOptions& options);

// An observation in the model's protocol.
struct QueryObservation {
  v1::Observation observation;
  v1::Model model;
  std::vector<std::string> notes;  // What was done to it, for people: the map, the cropping.
  std::vector<std::string> warnings;
  std::string provenance;  // Of a recording: JSON object (MappingProvenance); else empty.
};

// An error with the exit code that it means (exit_codes.h).
struct QueryFailure {
  Error error;
  int exit_code;
};

// Finds the model, reads the observation and brings it into the model's protocol.
tl::expected<QueryObservation, QueryFailure> LoadObservation(CommandContext& context,
                                                             client::TrainerClient& trainer,
                                                             const ObservationOptions& options);

// The profile that a model was trained on: it tells the digest; the text is a built-in profile's or
// its study's.
tl::expected<Profile, QueryFailure> FindModelProfile(CommandContext& context,
                                                     client::TrainerClient& trainer,
                                                     const v1::Model& model);

}  // namespace inferon::cli
