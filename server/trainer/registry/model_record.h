// What model.json says about a model.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/neuron/device.h"
#include "common/neuron/protocol.h"
#include "common/priors/prior.h"

namespace inferon::trainer {

// The constrained prior of a model: uniform codes 0..1022 where the classifier's score reaches the
// threshold.
struct ClassifierRecord {
  std::string architecture;  // JSON text of the estimator library.
  std::string weights_sha256;
  float threshold = 0;
  double acceptance = 0;            // Share of the uniform prior.
  double false_negative_rate = 0;   // On the audit round.
  double false_negative_bound = 0;  // Its one-sided 95 % upper bound.
  std::uint32_t min_spikes = 1;     // What counts as relevant.
  std::uint32_t max_spikes = 70;
};

// What a model of a data set has in place of profile, protocol, device and classifier.
struct SimulatorRecord {
  std::string data_set;  // Id.
  Prior prior;
  std::string maps;           // JSON text of the parameter maps.
  std::uint64_t columns = 0;  // Of x.
  bool traces = false;
  double heldout_share = 0.1;  // Of the rows, held out of the training.
};

struct ModelRecord {
  std::string id;     // [a-z0-9][a-z0-9-]{0,62}
  std::string input;  // "features" or "summary".
  std::string study;  // Id of the study that made it; empty for a model of a data set.
  std::optional<SimulatorRecord> simulator;  // Set for a model of a data set.
  WallTime create_time;
  std::vector<std::string> parameters;
  std::string profile;  // Name.
  std::string profile_toml;
  std::string profile_sha256;
  Protocol protocol;
  DeviceId device;
  std::string substrate;
  std::string architecture;  // JSON text of the estimator library.
  std::string weights_sha256;
  std::uint64_t weight_count = 0;
  std::uint64_t training_count = 0;
  std::string dataset_sha256;
  std::uint32_t epochs = 0;
  double heldout_log_density = 0;  // nats over the unit box; data set: own units.
  std::uint64_t seed = 0;
  std::string settings;  // JSON text: estimator and its settings; empty: of an older study.
  std::string repair;    // JSON text (repair.h); empty: as trained.
  ClassifierRecord classifier;
};

// 1: models of studies; 2: models of data sets; 3: repaired models of studies.
inline constexpr int kModelSchema = 3;
std::string ModelJson(const ModelRecord& record);
// kDataLoss where the text is damaged; kFailedPrecondition where it is of a later version.
Result<ModelRecord> ModelFromJson(const std::string& text);

}  // namespace inferon::trainer
