// Options of `inferon study run` and the study that they ask for.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "client/cli/experiment_options.h"
#include "common/base/result.h"
#include "inferon/v1/inference.pb.h"

namespace CLI {
class App;
}

namespace inferon::cli {

struct StudyOptions {
  std::string id;
  std::string scale = "demo";  // "demo", "paper" or "small".
  ExperimentOptions experiment;
  std::uint64_t seed = 1;
  // 0: the scale's.
  std::uint32_t uniform = 0;
  std::uint32_t calibration = 0;
  std::uint32_t audit = 0;
  std::uint32_t constrained = 0;
  std::uint32_t validation = 0;
  std::uint32_t min_spikes = 0;
  std::uint32_t max_spikes = 0;
  double false_negative_rate = 0;
  std::vector<std::uint32_t> target;  // Codes; empty: drawn from the validation set.
  std::uint32_t draws = 0;
  std::uint32_t map_draws = 0;
  std::uint32_t trials = 0;
  std::uint32_t features_epochs = 0;
  std::uint32_t summary_epochs = 0;
  std::string features_estimator, summary_estimator;  // Empty: the trainer's default.
  std::string features_config, summary_config;        // JSON files; empty: none.
  std::string project = "projects/default";
  std::string report;  // Folder for the report; empty: none.
  bool detach = false;
  bool allow_mixed_modes = false;
  bool chip_given = false;
  bool scale_given = false;
  bool demo = false;  // Everything by itself: cluster, device, small scale, report.
};

void AddStudyOptions(CLI::App& command, StudyOptions& options);

// Refuses a malformed id, profile or protocol, a target that does not fit the profile, and a config
// that cannot be read.
Result<v1::StudySpec> MakeStudySpec(const StudyOptions& options);

// kFailedPrecondition where a trainer of an earlier version has left out what it does not know of
// the study that it was asked for.
Status CheckUnderstood(const v1::StudySpec& wanted, const v1::StudySpec& created);

}  // namespace inferon::cli
